#pragma once
// One instruction of one thread: values, memory, plain loops and conditions. Internal to the interpreter.
#include <algorithm>

#include "uops/interpret_memory.h"

namespace pg {

/// Executes an instruction that is not special; the number of the next one.
inline size_t execute(const Instruction& in, size_t at, Cell* frame, const Watch& watch, bool exact) {
  switch (in.op) {
    case Op::For:
      frame[in.result] = cell(int64_t{0});
      frame[in.result + 1] = frame[in.src[0]];
      return frame[in.src[0]].i > 0 ? at + 1 : static_cast<size_t>(in.jump);
    case Op::If: return frame[in.src[0]].i ? at + 1 : static_cast<size_t>(in.jump);
    case Op::End:  // an If has no counter
      return in.result >= 0 && ++frame[in.result].i < frame[in.result + 1].i ? static_cast<size_t>(in.jump) : at + 1;
    case Op::Memory: poison(*in.place, in.place->data(frame)); break;
    case Op::Load: load(in, frame, watch); break;
    case Op::Store: store(in, frame, watch); break;
    case Op::Prefetch: break;
    case Op::Broadcast: std::fill_n(frame + in.result, in.lanes, frame[in.src[0]]); break;
    case Op::Stack:
    case Op::Shuffle:
      for (int i = 0; i < in.lanes; ++i) frame[in.result + i] = frame[in.parts[static_cast<size_t>(i)]];
      break;
    default: in.compute(in, frame, exact);
  }
  return at + 1;
}

/// Instructions that may still run, of all threads together.
class StepLimit {
 public:
  explicit StepLimit(int64_t most) : most_(most), left_(most) {}
  int64_t left() const { return left_; }
  void count(int64_t steps = 1) {
    left_ -= steps;
    if (left_ < 0) throw UserError("interpreter: step limit of " + std::to_string(most_) + " reached");
  }

 private:
  int64_t most_, left_;
};

}  // namespace pg
