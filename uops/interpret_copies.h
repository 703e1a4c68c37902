#pragma once
// The asynchronous copies of one thread of a block, between their issue and the wait for them. Internal to the interpreter.
#include <random>
#include <vector>

#include "uops/interpret.h"
#include "uops/interpret_memory.h"

namespace pg {

class Copies {
 public:
  /// It lands now (`early`) or when it is waited for. InternalError where it is not aligned, out of bounds or in the way.
  void issue(const Instruction&, Cell* frame, const Watch&, bool early);
  void commit() { groups_.push_back(copies_.size()); }
  /// All but the newest groups have landed: what they wrote counts as written now, by this thread.
  void wait(int64_t newest, Cell* frame, const Watch&);
  /// A copy that nobody waited for, or null.
  const Instruction* left() const { return copies_.empty() ? nullptr : copies_.front().by; }
  void clear() { copies_.clear(), groups_.clear(); }

 private:
  struct Copy {
    const Instruction* by;
    int64_t to, from;  // elements; from -1: zeros
    bool landed;
  };
  static void land(const Copy&, Cell* frame);
  static void touch(const Copy&, const Watch&);

  std::vector<Copy> copies_;    // oldest first
  std::vector<size_t> groups_;  // committed: where each ends in copies_
};

}  // namespace pg
