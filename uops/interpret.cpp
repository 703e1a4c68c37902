#include "uops/interpret.h"

#include <map>

#include "uops/interpret_blocks.h"
#include "uops/interpret_step.h"
#include "uops/text.h"

namespace pg {

namespace {

/// Void stands for any type: then the instruction says which.
template <Op op, Scalar of, Scalar to>
void compute_lanes(const Instruction& in, Cell* frame, bool exact) {
  constexpr int sources = op == Op::Where || op == Op::Fma ? 3 : 2;
  const Cell *a = frame + in.src[0], *b = in.src[1] >= 0 ? frame + in.src[1] : a, *c = sources == 3 ? frame + in.src[2] : a;
  Cell* result = frame + in.result;
  const Scalar from_type = of == Scalar::Void ? in.in : of, to_type = to == Scalar::Void ? in.out : to;
  for (int i = 0; i < in.lanes; ++i) result[i] = compute(op, from_type, to_type, a[i], b[i], c[i], exact);
}

/// With op and types constants, `compute` folds to the one line that is meant.
template <Op op>
Compute compute_of(Scalar of, Scalar to) {
  if (of == Scalar::Int64 && to == Scalar::Int64) return compute_lanes<op, Scalar::Int64, Scalar::Int64>;
  if (of == Scalar::Int64 && to == Scalar::Bool) return compute_lanes<op, Scalar::Int64, Scalar::Bool>;
  if (of == Scalar::Float32 && to == Scalar::Float32) return compute_lanes<op, Scalar::Float32, Scalar::Float32>;
  return compute_lanes<op, Scalar::Void, Scalar::Void>;
}

// ---- grids -----------------------------------------------------------------------------------------------------------

class Run {
 public:
  Run(const InterpretedProgram& program, const InterpretOptions& options, int64_t begin, int64_t end)
      : program_(program),
        code_(program.instructions()),
        options_(options),
        frame_(program.frame()),
        limit_(options.max_steps),
        begin_(begin),
        end_(end) {
    for (Place* p : program.workspaces()) poison(*p, p->cells.data());
  }

  void operator()() {
    size_t at = 0;
    try {
      while (at < code_.size()) {
        limit_.count();
        const Instruction& in = code_[at];
        at = in.special ? special(in, at) : execute(in, at, frame_.data(), watch_, options_.exact);
      }
    } catch (const InternalError& e) {
      const std::string where = code_[at].threads ? "" : ": " + pretty(code_[at].node);  // else the thread's error says it
      throw InternalError("interpreter: " + std::string(e.what()) + where);
    }
    if (before_ > 0 && (begin_ < 0 || end_ > before_))
      throw InternalError("interpreter: items " + std::to_string(begin_) + " .. " + std::to_string(end_) + " of " +
                          std::to_string(before_));
  }

 private:
  /// Grids and their blocks of threads.
  size_t special(const Instruction& in, size_t at) {
    if (in.threads) {
      auto& block = blocks_[at];
      if (!block) block = std::make_unique<BlockRun>(program_, options_, at);
      block->run(frame_.data(), item_ < 0 ? 0 : frame_[item_].i, watch_, limit_);
      return in.jump;
    }
    if (in.op == Op::For) return enter(in) ? at + 1 : in.jump;
    if (++frame_[in.result].i < frame_[in.result + 1].i) return in.jump;
    leave_phase();
    return at + 1;
  }

  bool enter(const Instruction& in) {
    const int64_t trips = frame_[in.src[0]].i;
    // ids of a phase begin where those of the last one end
    const int64_t begin = std::max<int64_t>(begin_ - before_, 0), end = end_ >= 0 ? std::min(end_ - before_, trips) : trips;
    before_ += trips;
    frame_[in.result] = cell(begin);
    frame_[in.result + 1] = cell(end);
    item_ = in.result;
    if (options_.races) watch_.item = &frame_[in.result];
    if (begin >= end) leave_phase();
    return begin < end;
  }
  /// All items of a phase are done before the next begins: it may touch what they wrote.
  void leave_phase() {
    item_ = -1;
    watch_.item = nullptr;
    for (const auto& p : program_.places()) p->touched.clear();
  }

  const InterpretedProgram& program_;
  std::span<const Instruction> code_;
  const InterpretOptions& options_;
  std::vector<Cell> frame_;
  StepLimit limit_;
  int64_t begin_, end_;
  int64_t before_ = 0;  // items of the phases so far
  int item_ = -1;       // the counter of the grid
  Watch watch_;
  std::map<size_t, std::unique_ptr<BlockRun>> blocks_;  // by their For
};

}  // namespace

Compute compute_of(Op op, Scalar of, Scalar to) {
  using Choice = Compute (*)(Scalar, Scalar);
  constexpr Choice choices[] = {
#define OP(name, least, most, flags) compute_of<Op::name>,
#include "uops/ops.def"
#undef OP
  };
  return choices[static_cast<int>(op)](of, to);
}

void interpret(const UOp& linear, std::span<const HostBuffer> buffers, std::span<const int64_t> variables,
               const InterpretOptions& options, int64_t begin, int64_t end) {
  const InterpretedProgram program(linear, buffers, variables, options.exact);
  bool has_grid = false;
  for (const Instruction& in : program.instructions()) has_grid |= in.grid;
  if (!has_grid && (begin > 0 || end == 0)) return;  // the one item is not asked for
  Run(program, options, begin, end)();
}

}  // namespace pg
