#include "uops/interpret.h"

#include "uops/interpret_blocks.h"
#include "uops/interpret_memory.h"
#include "uops/program.h"
#include "uops/text.h"

namespace pg {

namespace {

// ---- values ----------------------------------------------------------------------------------------------------------

/// With the op a constant, `compute` folds to the one line that is meant.
template <Op op>
void compute_lanes(const Instruction& in, bool exact) {
  constexpr int sources = op == Op::Where || op == Op::Fma ? 3 : 2;
  const Cell *a = in.src[0], *b = in.src[1] ? in.src[1] : a, *c = sources == 3 ? in.src[2] : a;
  for (int i = 0; i < in.lanes; ++i) in.result[i] = compute(op, in.in, in.out, a[i], b[i], c[i], exact);
}
using Compute = void (*)(const Instruction&, bool exact);
constexpr Compute kCompute[] = {
#define OP(name, least, most, flags) compute_lanes<Op::name>,
#include "uops/ops.def"
#undef OP
};

// ---- the loop --------------------------------------------------------------------------------------------------------

class Run {
 public:
  Run(const InterpretedProgram& program, const InterpretOptions& options, int64_t begin, int64_t end)
      : program_(program), code_(program.instructions()), options_(options), begin_(begin), end_(end) {
    for (Place* p : program.workspaces()) poison(*p);
  }

  void operator()() {
    size_t at = 0;
    try {
      for (int64_t steps = 0; at < code_.size(); at = step(at))
        if (++steps > options_.max_steps)
          throw UserError("interpreter: step limit of " + std::to_string(options_.max_steps) + " reached");
    } catch (const InternalError& e) {
      throw InternalError("interpreter: " + std::string(e.what()) + ": " + pretty(code_[at].node));
    }
    if (before_ > 0 && (begin_ < 0 || end_ > before_))
      throw InternalError("interpreter: items " + std::to_string(begin_) + " .. " + std::to_string(end_) + " of " +
                          std::to_string(before_));
  }

 private:
  size_t step(size_t at) {
    const Instruction& in = code_[at];
    switch (in.op) {
      case Op::For:
        if (in.threads) return threads(at);
        return enter(in) ? at + 1 : in.jump;
      case Op::If: return in.src[0]->i ? at + 1 : in.jump;
      case Op::End: return again(in) ? in.jump : at + 1;
      case Op::Memory: poison(*in.place); break;
      case Op::Load: load(in, watch_); break;
      case Op::Store: store(in, watch_); break;
      case Op::Prefetch: break;
      case Op::Broadcast: std::fill_n(in.result, in.lanes, *in.src[0]); break;
      case Op::Stack:
      case Op::Shuffle:
        for (int i = 0; i < in.lanes; ++i) in.result[i] = *in.parts[i];
        break;
      default: kCompute[static_cast<int>(in.op)](in, options_.exact);
    }
    return at + 1;
  }

  /// All threads of a block, until each is through.
  size_t threads(size_t at) {
    const Instruction& in = code_[at];
    BlockRun block(program_, options_, watch_, at);
    for (size_t next; (next = block.next()) != BlockRun::kDone;)
      try {
        while (block.goes_on(next)) next = step(next);
      } catch (const InternalError& e) {
        throw InternalError("thread " + std::to_string(watch_.thread) + ": " + e.what() + ": " + pretty(code_[next].node));
      }
    return static_cast<size_t>(in.jump);
  }

  /// At the End of a For (an If has no counter).
  bool again(const Instruction& in) {
    if (!in.result) return false;
    if (++in.result[0].i < in.result[1].i) return true;
    if (in.grid) leave_phase();
    return false;
  }
  /// All items of a phase are done before the next begins: it may touch what they wrote.
  void leave_phase() {
    watch_.item = nullptr;
    for (const auto& p : program_.places()) p->touched.clear();
  }

  bool enter(const Instruction& in) {
    const int64_t trips = in.src[0]->i;
    int64_t begin = 0, end = trips;
    if (in.grid) {  // ids of a phase begin where those of the last one end
      begin = std::max<int64_t>(begin_ - before_, 0);
      if (end_ >= 0) end = std::min(end_ - before_, trips);
      before_ += trips;
    }
    in.result[0] = cell(begin);
    in.result[1] = cell(end);
    if (in.grid && options_.races) watch_.item = in.result;
    return begin < end;
  }

  const InterpretedProgram& program_;
  std::span<const Instruction> code_;
  const InterpretOptions& options_;
  int64_t begin_, end_;
  int64_t before_ = 0;  // items of the phases so far
  Watch watch_;
};

}  // namespace

void interpret(const UOp& linear, std::span<const HostBuffer> buffers, std::span<const int64_t> variables,
               const InterpretOptions& options, int64_t begin, int64_t end) {
  const InterpretedProgram program(linear, buffers, variables, options.exact);
  bool has_grid = false;
  for (const Instruction& in : program.instructions()) has_grid |= in.grid;
  if (!has_grid && (begin > 0 || end == 0)) return;  // the one item is not asked for
  Run(program, options, begin, end)();
}

}  // namespace pg
