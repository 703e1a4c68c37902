#pragma once
// The threads of a block, interpreted: each runs until it waits; barriers, exchanges between lanes and copies on their way are
// as late and as early as they may be. Internal to the interpreter.
#include <random>
#include <vector>

#include "uops/interpret.h"
#include "uops/interpret_memory.h"
#include "uops/program.h"

namespace pg {

class BlockRun {
 public:
  static constexpr size_t kDone = ~size_t{0};
  /// `at`: the For over the threads. `watch` is told whose turn it is.
  BlockRun(const InterpretedProgram&, const InterpretOptions&, Watch& watch, size_t at);
  ~BlockRun();
  /// Makes some thread's values the current ones; the instruction that it goes on with. InternalError when all wait in vain.
  size_t next();
  /// Whether the thread goes on with this instruction by itself; what it waits at or what is the block's business is done
  /// here, and moves `at` on.
  bool goes_on(size_t& at);

 private:
  struct Copy {
    const Instruction* by;
    int64_t to, from;  // elements; from -1: zeros
    bool landed;
  };
  struct Thread {
    size_t at = 0;
    std::vector<Cell> values;
    std::vector<std::vector<Cell>> memories;  // of its own, by private_
    std::vector<std::vector<Copy>> groups;    // committed, oldest first
    std::vector<Copy> issued;                 // not yet committed
    std::vector<Cell> exchanged;              // given to, then got from, a LaneXor
    bool waits = false, arrived = false;      // at a Barrier or LaneXor; with what it waited for
  };

  void leave(size_t at);
  void swap_memories(Thread&);
  bool release();
  void exchange(size_t warp);
  void issue(const Instruction&);
  void land(Copy&);
  void wait(int64_t groups);
  std::string where() const;

  const InterpretedProgram& program_;
  const InterpretOptions& options_;
  Watch& watch_;
  std::span<const Instruction> code_;
  size_t begin_, end_;  // the body
  std::vector<Place*> private_;
  std::vector<Thread> threads_;
  int current_ = -1;
  int64_t until_handover_ = 0;
  std::mt19937_64 random_;
};

}  // namespace pg
