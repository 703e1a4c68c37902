// The dialect of CUDA C: a value with lanes is one C value a lane, but its memory is accessed by the vector where it is
// known to be aligned; an index is an int where it is known to fit.
#include "renderers/cuda.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "renderers/c_style.h"
#include "renderers/cuda_prelude.h"
#include "uops/half.h"
#include "uops/linear.h"
#include "uops/simplify.h"

namespace pg {

namespace {

// What C++ and CUDA add to C's words; math functions are called by no kernel directly.
constexpr std::string_view kReserved[] = {
    "and",     "alignas",  "bitand",   "bitor",     "catch",    "class",     "compl",     "constexpr", "decltype",
    "delete",  "dynamic",  "explicit", "export",    "friend",   "mutable",   "namespace", "new",       "noexcept",
    "not",     "nullptr",  "operator", "or",        "private",  "protected", "public",    "signed",    "template",
    "this",    "throw",    "try",      "typeid",    "typename", "using",     "virtual",   "xor",       "smem",
    "gridDim", "blockIdx", "blockDim", "threadIdx", "warpSize", "INLINE",    "fmaf",      "floorf",    "NULL"};
constexpr int kWidestAccess = 16;  // bytes of one instruction

/// A Linear for each grid: what stands outside of all grids belongs to each. Without hints: nothing is known of an L1 that a
/// thread of thousands could help.
UOps phases_of(const UOp& linear) {
  const auto grids = std::count_if(linear.src().begin(), linear.src().end(), is_grid);
  UOps phases;
  for (int64_t phase = 0; phase < std::max<int64_t>(grids, 1); ++phase) {
    UOps entries, open;
    int64_t grid = -1;
    bool in_grid = false;
    for (const UOp& e : linear.src()) {
      if (is_grid(e)) ++grid, in_grid = true;
      const bool is_mine = (!in_grid || grid == phase) && !e.is(Op::Prefetch);
      if (is_mine) entries.push_back(e);
      if (e.is(Op::End) && is_grid(e.src(0))) in_grid = false;
      const bool acts = e.is(Op::Store) || is_block_statement(e);
      if (acts && grids > 0 && !in_grid) throw InternalError("rendering: a statement outside of the grids");
    }
    phases.push_back(linear.with_src(entries));
  }
  return phases;
}

/// Whether the lanes of each run of n, beginning with the first, have the same gate.
bool lanes_agree(const UOp& gate, int n) {
  if (gate.is(Op::Broadcast)) return true;
  if (gate.is(Op::And) || gate.is(Op::Or) || gate.is(Op::Xor) || gate.is(Op::Not))
    return std::all_of(gate.src().begin(), gate.src().end(), [n](const UOp& g) { return lanes_agree(g, n); });
  // start + lane < limit, all of it in steps of n
  if (!gate.is(Op::Lt) || !gate.src(1).is(Op::Broadcast) || divisor(gate.src(1)) % n != 0) return false;
  const UOp& a = gate.src(0);
  if (a.is(Op::Lanes)) return true;
  if (!a.is(Op::Add)) return false;
  const auto is_start = [n](const UOp& u) { return u.is(Op::Broadcast) && divisor(u) % n == 0; };
  return (a.src(0).is(Op::Lanes) && is_start(a.src(1))) || (a.src(1).is(Op::Lanes) && is_start(a.src(0)));
}

/// A statement that all threads would execute.
void check_threads(const UOp& phase) {
  if (std::none_of(phase.src().begin(), phase.src().end(), is_threads)) return;
  bool in_threads = false;
  for (const UOp& e : phase.src()) {
    if (is_threads(e)) in_threads = true;
    if (e.is(Op::End) && is_threads(e.src(0))) in_threads = false;
    if (!in_threads && (e.is(Op::Store) || is_block_statement(e)))
      throw InternalError(std::string("rendering: a ") + info(e.op()).name + " outside of the threads of its block");
  }
}

class CudaC final : public CStyle {
 public:
  CudaC(const UOp& phase, const LaunchInfo& launch, const Target& target, CudaPrelude& prelude)
      : CStyle(phase, launch, Vectors::ByLanes, kReserved), target_(target), prelude_(prelude) {}

  std::string kernel(const std::string& name) {
    std::string parameters;
    const auto add = [&](const std::string& p) { parameters += (parameters.empty() ? "" : ", ") + p; };
    for (const UOps* buffers : {&launch().params, &launch().workspaces})
      for (const UOp& p : *buffers)
        add((shape().is_written(p) ? "" : "const ") + type(p.dtype()) + " *__restrict__ " + param_name(p));
    for (const UOp& v : launch().variables) add("const long long " + argument_name(v));
    return "\nextern \"C\" __global__ void __launch_bounds__(" + std::to_string(launch().threads) +
           (launch().blocks > 1 ? ", " + std::to_string(launch().blocks) : "") + ") " + name + "(" +
           parameters + ") {\n" + body() + "}\n";
  }

 private:
  // ---- the head ----
  /// A Variable that fits is an int beside the argument.
  std::string argument_name(const UOp& v) {
    if (held(v) == v.dtype() || !shape().is_mentioned(v)) return variable_name(v);
    std::string& name = arguments_[v.id()];
    if (name.empty()) name = fresh_name(variable_name(v) + "_wide");
    return name;
  }
  void prologue() override {
    const bool uses_shared = std::any_of(launch().shared.begin(), launch().shared.end(),
                                         [&](const auto& place) { return shape().is_shared(place.first); });
    if (uses_shared) line("extern __shared__ __align__(128) unsigned char smem[];");
    for (const UOp& v : launch().variables)
      if (const std::string argument = argument_name(v); argument != variable_name(v))
        line("const int " + variable_name(v) + " = (int)" + argument + ";");
    int64_t threads = 1;
    for (const UOp& e : linear().src())
      if (is_threads(e)) threads = const_int(e.src(0).src(0)).value();
    // Another phase has more; those that are gone are not waited for at barriers.
    if (threads < launch().threads) line("if ((int)threadIdx.x >= " + std::to_string(threads) + ") return;");
  }
  std::string grid_head(const UOp& range, const std::string& name, const CText&, const CText&) override {
    if (range) special(range, name, "blockIdx.x");
    return "";
  }
  std::string threads_head(const UOp& range, const std::string& name) override {
    special(range, name, "threadIdx.x");
    return "";
  }
  void special(const UOp& range, const std::string& name, const std::string& from) {
    const std::string t = type(held(range));
    if (shape().is_mentioned(range)) line("const " + t + " " + name + " = (" + t + ")" + from + ";");
  }
  /// The program is unrolled already as the schedule wants it.
  void before_loop(const UOp& range) override {
    if (const_int(range.src(0)) != 1) line("#pragma unroll 1");
  }
  std::string array(const UOp& memory, const std::string& name, int64_t elements) override {
    const std::string t = type(part(memory.dtype()));
    if (!shape().is_shared(memory)) return t + " " + name + "[" + std::to_string(elements) + "];";
    const auto place =
        std::find_if(launch().shared.begin(), launch().shared.end(), [&](const auto& p) { return p.first == memory; });
    return t + " *const " + name + " = (" + t + " *)(smem + " + std::to_string(place->second) + ");";
  }

  // ---- values ----
  std::string type(DType t) override { return CudaPrelude::type(t); }
  std::string function(Op op, DType t) override { return prelude_.function(op, t); }

  CText literal(DType t, const Arg& value) override {
    if (!t.is_float()) return c_literal(t, value);
    const float x = static_cast<float>(std::get<double>(value));
    if (t == dt::f16) return {std::to_string(to_f16(x))};
    if (t == dt::f32 && std::isnan(x)) return {"__uint_as_float(0x7fc00000u)"};
    if (t == dt::f32 && std::isinf(x)) return {x < 0 ? "__uint_as_float(0xff800000u)" : "__uint_as_float(0x7f800000u)"};
    return c_literal(t, value);
  }

  DType held(const UOp& u) const override {
    if (u.dtype().scalar != Scalar::Int64) return u.dtype();
    constexpr auto kLimits = std::numeric_limits<int32_t>();
    const Interval b = bounds(u);
    const int64_t hi = b.hi + (u.is(Op::Range) && b.hi <= kLimits.max() ? 1 : 0);  // a counter ends behind its last value
    return b.lo >= kLimits.min() && hi <= kLimits.max() ? dt::i32.vec(u.dtype().lanes) : u.dtype();
  }
  /// Overflow is undefined in CUDA C, and no option defines it.
  bool wraps_by_hand(const UOp& u) const override {
    const bool may = u.is(Op::Add) || u.is(Op::Sub) || u.is(Op::Mul) || u.is(Op::Neg) || u.is(Op::Shl);
    if (!may || !u.dtype().is_int() || u.dtype().is_unsigned() || u.dtype().element_bytes() < 4) return false;
    bounds(u);
    return u.facts().has(Facts::Wraps);
  }

  CText convert(DType from, DType to, const CText& x) override {
    const auto is_half = [](DType t) { return t == dt::f16 || t == dt::bf16; };
    if (from == to) return x;
    if (is_half(from)) return convert(dt::f32, to, c_call(prelude_.convert(from, dt::f32), {x}));
    if (is_half(to)) return c_call(prelude_.convert(dt::f32, to), {convert(from, dt::f32, x)});
    if (to.is_bool()) return {x.at(Precedence::Sum) + " != 0", Precedence::Equality};
    // Narrow integers are reached by way of a wide one, as everywhere in picograd.
    if (from.is_float() && to.is_int() && to.element_bytes() < 4) return plain_cast(to, plain_cast(dt::i32, x));
    if (from.is_float() && to == dt::u32) return plain_cast(to, plain_cast(dt::i64, x));
    return plain_cast(to, x);
  }
  CText plain_cast(DType to, const CText& x) { return {"(" + type(to) + ")" + x.at(Precedence::Unary), Precedence::Unary}; }
  CText bitcast(DType from, DType to, const CText& x) override {
    if (from.is_bool() || to.is_bool()) return convert(from, to, x);
    if (type(from) == type(to)) return x;
    if (from == dt::f32) return c_call(to == dt::u32 ? "__float_as_uint" : "__float_as_int", {x});
    if (to == dt::f32) return c_call(from == dt::u32 ? "__uint_as_float" : "__int_as_float", {x});
    return plain_cast(to, x);
  }
  CText select(DType, const CText& c, const CText& a, const CText& b) override {
    return {c.at(Precedence::Or) + " ? " + a.at(Precedence::Or) + " : " + b.at(Precedence::Or), Precedence::Ternary};
  }

  /// Lanes are only given other places.
  CTexts vector(const UOp& u, const std::vector<CTexts>& x) override {
    CTexts lanes;
    if (u.is(Op::Broadcast)) return CTexts(static_cast<size_t>(u.dtype().lanes), x[0][0]);
    if (u.is(Op::Shuffle))
      for (int64_t l : u.arg_as<Ints>()) {
        const int64_t of_first = u.src(0).dtype().lanes;
        lanes.push_back(x.at(static_cast<size_t>(l / of_first)).at(static_cast<size_t>(l % of_first)));
      }
    else
      for (size_t l = 0; l < x.size(); ++l) lanes.push_back(convert(held(u.src(l)), part(held(u)), x[l][0]));
    return lanes;
  }
  CTexts lane_numbers(DType t) override {
    CTexts lanes;
    for (int l = 0; l < t.lanes; ++l) lanes.push_back({std::to_string(l), Precedence::Postfix, true});
    return lanes;
  }

  // ---- memory ----
  /// How many lanes each instruction of an access moves.
  int piece(const UOp& access, const UOp& gate) const {
    const UOp &index = access.src(0), &buffer = accessed(access);
    if (buffer.is(Op::Memory) && !shape().is_shared(buffer)) return 1;
    const int64_t aligned_to = divisor(index.src(1)) * buffer.dtype().lanes;  // 0: at the beginning
    int lanes = kWidestAccess / index.dtype().element_bytes();
    const auto fits = [&](int n) {
      return index.dtype().lanes % n == 0 && aligned_to % n == 0 && (!gate || lanes_agree(gate, n));
    };
    while (lanes > 1 && !fits(lanes)) lanes /= 2;
    return lanes;
  }
  /// The element of each lane: of lane l with `where(l)`.
  struct Elements {
    std::string buffer;
    CTexts index;  // one, or one a lane
    std::string operator()(int lane) const {
      const CText& first = index[index.size() == 1 ? 0 : static_cast<size_t>(lane)];
      if (index.size() > 1 || lane == 0) return buffer + "[" + first.text + "]";
      return buffer + "[" + first.at(Precedence::Sum) + " + " + std::to_string(lane) + "]";
    }
  };
  Elements elements(const UOp& access, const std::string& buffer, CTexts index) {
    const DType t = access.src(0).dtype(), of = accessed(access).dtype(), i = part(held(access.src(0).src(1)));
    if (of.lanes != 1)  // an array of vectors
      index[0] = {index[0].at(Precedence::Product) + " * " + std::to_string(of.lanes), Precedence::Product};
    if (t.lanes != 1 && index.size() == 1) index[0] = named(index[0], i);
    return {buffer, std::move(index)};
  }

  CTexts load(const UOp& u, const std::string& buffer, const CTexts& index, const CTexts* gate) override {
    const DType t = u.dtype(), one = t.element();
    const Elements element = elements(u, buffer, index);
    const int lanes = index.size() == 1 ? piece(u, gate ? u.src(1) : UOp()) : 1;
    CTexts result;
    for (int l = 0; l < t.lanes; l += lanes) {
      if (lanes == 1) {
        const CText x{element(l)};
        result.push_back(gate ? select(one, (*gate)[static_cast<size_t>(l)], x, zero(one)) : x);
        continue;
      }
      const std::string v = prelude_.vector(one.vec(lanes)), name = temporary(u);
      const std::string access = "*(const " + v + " *)&" + element(l) + ";";
      const std::string condition = gate ? (*gate)[static_cast<size_t>(l)].text : "";
      if (gate) line(v + " " + name + " = {};"), line("if (" + condition + ") " + name + " = " + access);
      if (!gate) line("const " + v + " " + name + " = " + access);
      for (int k = 0; k < lanes; ++k) result.push_back({name + ".l[" + std::to_string(k) + "]", Precedence::Postfix, true});
    }
    return result;
  }

  void store(const UOp& u, const std::string& buffer, const CTexts& index, const CTexts& value,
             const CTexts* gate) override {
    const DType t = u.src(1).dtype(), one = t.element();
    const Elements element = elements(u, buffer, index);
    const int lanes = index.size() == 1 ? piece(u, gate ? u.src(2) : UOp()) : 1;
    for (int l = 0; l < t.lanes; l += lanes) {
      const auto at = static_cast<size_t>(l);
      const std::string condition = gate ? "if (" + (*gate)[at].text + ") " : "";
      if (lanes == 1) {
        line(condition + element(l) + " = " + value[at].text + ";");
        continue;
      }
      const std::string v = prelude_.vector(one.vec(lanes));
      std::string all;
      for (size_t k = at; k < at + static_cast<size_t>(lanes); ++k) {
        const bool narrows = one.element_bytes() < 4 && !value[k].is_stable;  // C computes these in int
        all += (k == at ? "" : ", ") + (narrows ? plain_cast(one, value[k]) : value[k]).text;
      }
      line(condition + "*(" + v + " *)&" + element(l) + " = " + v + "{{" + all + "}};");
    }
  }

  std::string prefetch(const std::string&, const CText&, bool) override { return ""; }

  // ---- threads of a block ----
  CText exchange(const UOp& u, const CText& x) override {
    const DType t = part(held(u));
    const CText wide = t.element_bytes() < 4 ? plain_cast(dt::i32, x) : convert(part(held(u.src(0))), t, x);
    const CText got = c_call("__shfl_xor_sync", {{"0xffffffffu"}, wide, {std::to_string(u.arg_as<int64_t>())}});
    return t.element_bytes() < 4 ? plain_cast(t, got) : got;
  }
  std::string block_statement(const UOp& u) override {
    if (u.is(Op::Barrier)) return "__syncthreads();";
    if (target_.sm < 80)
      throw InternalError(std::string("rendering: ") + info(u.op()).name + " for sm_" + std::to_string(target_.sm) +
                          ", which has no asynchronous copies");
    if (u.is(Op::CopyCommit)) return prelude_.copy_commit() + "();";
    if (u.is(Op::CopyWait)) return prelude_.copy_wait(u.arg_as<int64_t>()) + "();";
    const int bytes = u.src(0).dtype().bytes();
    if (bytes != 4 && bytes != 8 && bytes != 16)
      throw InternalError("rendering: a CopyAsync of " + std::to_string(bytes) + " bytes");
    const auto address = [&](const UOp& index) {
      const DType of = index.src(0).dtype();
      const CText i = operand(index.src(1))[0];
      return "&" + array_name(index.src(0)) + "[" +
             (of.lanes == 1 ? i.text : i.at(Precedence::Product) + " * " + std::to_string(of.lanes)) + "]";
    };
    std::string call = prelude_.copy_async(bytes) + "(" + address(u.src(0)) + ", " + address(u.src(1));
    if (u.src().size() == 3) {
      const CText gate = operand(u.src(2))[0];
      call += ", " + gate.at(Precedence::Or) + " ? " + std::to_string(bytes) + " : 0";
    }
    return call + ");";
  }

  const Target& target_;
  CudaPrelude& prelude_;
  std::unordered_map<const void*, std::string> arguments_;
};

}  // namespace

std::string cuda_kernel(const std::string& name, size_t phase) {
  return phase == 0 ? name : name + "_phase" + std::to_string(phase);
}
std::string cuda_symbol(const std::string& name) { return "pg_" + name; }

CudaText cuda_text(std::span<const UOp> linears, std::span<const std::string> symbols, const Target& target) {
  CudaPrelude prelude;
  std::string kernels;
  for (size_t i = 0; i < linears.size(); ++i)
    with_context("rendering " + symbols[i], [&] {
      LaunchInfo launch = launch_info(linears[i]);
      const UOps phases = phases_of(linears[i]);
      launch.phases.resize(1);  // a kernel is of one
      for (size_t p = 0; p < phases.size(); ++p) {
        check_threads(phases[p]);
        kernels += CudaC(phases[p], launch, target, prelude).kernel(cuda_kernel(symbols[i], p));
      }
    });
  return {prelude.ptx(), prelude.functions(), std::move(kernels)};
}

Source render_cuda(const UOp& linear, const Target& target) {
  LaunchInfo launch = launch_info(linear);
  std::string symbol = cuda_symbol(launch.name);
  std::string text = cuda_text({&linear, 1}, {&symbol, 1}, target).text();
  return {std::move(symbol), std::move(text), linear, std::move(launch)};
}

}  // namespace pg
