#pragma once
// The threads of a block, interpreted: each runs until it waits, in the order that the options ask for; barriers, exchanges
// between lanes, copies on their way. Internal to the interpreter.
#include <random>
#include <vector>

#include "uops/interpret.h"
#include "uops/interpret_copies.h"
#include "uops/interpret_step.h"

namespace pg {

class BlockRun {
 public:
  /// `at`: the For over the threads.
  BlockRun(const InterpretedProgram&, const InterpretOptions&, size_t at);
  /// One block, from the values that `outer`, the frame around the threads, has now. InternalErrors name block, thread and
  /// UOp.
  void run(const Cell* outer, int64_t block, Watch&, StepLimit&);

 private:
  struct Thread {
    size_t at = 0;
    Copies copies;
  };

  void begin(const Cell* outer, int64_t threads);
  size_t pick();
  void go(size_t thread);
  /// Whether the current thread goes on, from `at` then.
  bool special(const Instruction&, size_t& at);
  bool meet(const Instruction&, size_t at);
  bool lands_early();
  void exchange(const Instruction&, size_t first, size_t last);
  void check_together(size_t first, size_t last) const;
  void check_left(const Thread&) const;
  std::string waiting() const;
  Cell* frame(size_t thread) { return frames_.data() + thread * program_.frame().size(); }
  const Cell* frame(size_t thread) const { return frames_.data() + thread * program_.frame().size(); }

  const InterpretedProgram& program_;
  const InterpretOptions& options_;
  std::span<const Instruction> code_;
  size_t begin_, end_;                      // the body; its end is the End
  std::vector<std::pair<int, int>> outer_;  // values from outside that the body may use: first cell, number
  std::vector<std::vector<int>> turns_;     // for each Barrier and LaneXor of the body: the counters of the loops around it
  std::vector<Cell> frames_;
  std::vector<Thread> threads_;
  std::vector<size_t> ready_;       // threads that can go on; forwards and backwards: the last one does
  std::vector<size_t> warp_waits_;  // lanes of a warp that wait at a LaneXor
  size_t barrier_waits_ = 0, done_ = 0;
  std::vector<Cell> given_;  // to a LaneXor, by lanes
  std::mt19937_64 random_;
  Watch* watch_ = nullptr;
  StepLimit* limit_ = nullptr;
};

}  // namespace pg
