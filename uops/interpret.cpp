#include "uops/interpret.h"

#include "uops/program.h"
#include "uops/text.h"

namespace pg {

namespace {

// ---- memory ----------------------------------------------------------------------------------------------------------

template <class T>
T& element(const Place& p, int64_t i) {
  return static_cast<T*>(p.host)[i];
}

Cell load_host(const Place& p, int64_t i) {
  switch (p.scalar) {
    case Scalar::Bool: return cell(element<uint8_t>(p, i) != 0);
    case Scalar::Int8: return cell(int64_t{element<int8_t>(p, i)});
    case Scalar::UInt8: return cell(int64_t{element<uint8_t>(p, i)});
    case Scalar::Int16: return cell(int64_t{element<int16_t>(p, i)});
    case Scalar::UInt16: return cell(int64_t{element<uint16_t>(p, i)});
    case Scalar::Int32: return cell(int64_t{element<int32_t>(p, i)});
    case Scalar::UInt32: return cell(int64_t{element<uint32_t>(p, i)});
    case Scalar::Float32: return cell(double{element<float>(p, i)});
    case Scalar::Float16: return cell(double{from_f16(element<uint16_t>(p, i))});
    case Scalar::BFloat16: return cell(double{from_bf16(element<uint16_t>(p, i))});
    default: return cell(element<int64_t>(p, i));
  }
}

void store_host(const Place& p, int64_t i, Cell v) {
  switch (p.scalar) {
    case Scalar::Bool:
    case Scalar::Int8:
    case Scalar::UInt8: element<uint8_t>(p, i) = static_cast<uint8_t>(v.i); return;
    case Scalar::Int16:
    case Scalar::UInt16: element<uint16_t>(p, i) = static_cast<uint16_t>(v.i); return;
    case Scalar::Int32:
    case Scalar::UInt32: element<uint32_t>(p, i) = static_cast<uint32_t>(v.i); return;
    case Scalar::Float32: element<float>(p, i) = static_cast<float>(v.f); return;
    case Scalar::Float16: element<uint16_t>(p, i) = to_f16(static_cast<float>(v.f)); return;
    case Scalar::BFloat16: element<uint16_t>(p, i) = to_bf16(static_cast<float>(v.f)); return;
    default: element<int64_t>(p, i) = v.i; return;
  }
}

void poison(Place& p) {
  const bool floats = p.scalar >= Scalar::Float16;
  const Cell bad =
      floats ? cell(std::numeric_limits<double>::quiet_NaN()) : settled(p.scalar, cell(int64_t{0x5a5a5a5a5a5a5a5a}), false);
  std::fill(p.cells.begin(), p.cells.end(), bad);
}

/// The element that a lane touches, or -1 where its gate is false.
int64_t place_of(const Instruction& in, int lane) {
  if (in.src[2] && !in.src[2][lane].i) return -1;
  const Place& p = *in.place;
  const int64_t first = in.src[0][in.gather ? lane : 0].i;
  const int64_t i = in.gather || p.lanes != 1 ? first : static_cast<int64_t>(static_cast<uint64_t>(first) + lane);
  if (i < 0 || i >= p.elements)
    throw InternalError("index " + std::to_string(i) + " is outside of 0 .. " + std::to_string(p.elements - 1));
  return p.lanes == 1 ? i : i * p.lanes + lane;
}

/// Notes an access by a grid item and complains about an earlier one of another item that it must not overtake.
void watch(Place& p, int64_t i, int64_t item, bool writes) {
  if (p.touched.empty()) p.touched.resize(p.elements);
  Touched& t = p.touched[i];
  const auto other = [item](int64_t who) { return who != Touched::kNobody && who != item; };
  const auto complain = [&](int64_t who, const char* did) {
    throw InternalError("item " + std::to_string(item) + (writes ? " writes" : " reads") + " element " + std::to_string(i) +
                        " that " + (who == Touched::kSeveral ? "others " : "item " + std::to_string(who) + " ") + did);
  };
  if (other(t.writer)) complain(t.writer, "wrote");
  if (writes && other(t.reader)) complain(t.reader, "read");
  if (writes)
    t.writer = item;
  else
    t.reader = other(t.reader) ? Touched::kSeveral : item;
}

/// `item`: the grid item when races are looked for, else null.
void load(const Instruction& in, const Cell* item) {
  for (int lane = 0; lane < in.lanes; ++lane) {
    const int64_t i = place_of(in, lane);
    if (i < 0) {
      in.result[lane] = in.out >= Scalar::Float16 ? cell(0.0) : cell(int64_t{0});
    } else {
      if (item && in.place->shared) watch(*in.place, i, item->i, false);
      in.result[lane] = in.place->host ? load_host(*in.place, i) : in.place->cells[i];
    }
  }
}

void store(const Instruction& in, const Cell* item) {
  for (int lane = 0; lane < in.lanes; ++lane) {
    const int64_t i = place_of(in, lane);
    if (i < 0) continue;
    if (item && in.place->shared) watch(*in.place, i, item->i, true);
    if (in.place->host)
      store_host(*in.place, i, in.src[1][lane]);
    else
      in.place->cells[i] = in.src[1][lane];
  }
}

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
      case Op::For: return enter(in) ? at + 1 : in.jump;
      case Op::If: return in.src[0]->i ? at + 1 : in.jump;
      case Op::End: return again(in) ? in.jump : at + 1;
      case Op::Memory: poison(*in.place); break;
      case Op::Load: load(in, item_); break;
      case Op::Store: store(in, item_); break;
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

  /// At the End of a For (an If has no counter).
  bool again(const Instruction& in) {
    if (!in.result) return false;
    if (++in.result[0].i < in.result[1].i) return true;
    if (in.grid) leave_phase();
    return false;
  }
  /// All items of a phase are done before the next begins: it may touch what they wrote.
  void leave_phase() {
    item_ = nullptr;
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
    if (in.grid && options_.races) item_ = in.result;
    return begin < end;
  }

  const InterpretedProgram& program_;
  std::span<const Instruction> code_;
  const InterpretOptions& options_;
  int64_t begin_, end_;
  int64_t before_ = 0;  // items of the phases so far
  const Cell* item_ = nullptr;
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
