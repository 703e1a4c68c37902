#include "uops/legalize.h"

#include <algorithm>

#include "uops/transcendental.h"

namespace pg {

namespace {
bool is_half(DType t) { return t.scalar == Scalar::Float16 || t.scalar == Scalar::BFloat16; }
UOp in_f32(const UOp& x) { return is_half(x.dtype()) ? cast(x, dt::f32.vec(x.dtype().lanes)) : x; }

/// An f32 op as ops that the machine has; null when it has this one.
UOp f32_legalized(Op op, const UOp& x) {
  switch (op) {
    case Op::Exp: return exp_f32(x);
    case Op::Log: return log_f32(x);
    case Op::Sin: return sin_f32(x);
    case Op::Cos: return cos_f32(x);
    case Op::Tanh: return tanh_f32(x);
    case Op::Erf: return erf_f32(x);
    case Op::Recip: return alu(Op::Div, constant(x.dtype(), 1.0), x);
    default: return {};
  }
}

UOp node_legalized(const UOp& u) {
  if (!info(u.op()).has(op_flag::Elementwise) || u.is(Op::Bitcast) || u.is(Op::Where)) return {};
  const DType t = u.dtype();
  const auto src = u.src();
  if (u.is(Op::Cast)) {  // i64 → f16 and the like: no machine has them
    const DType from = src[0].dtype(), f32 = dt::f32.vec(t.lanes);
    return (is_half(t) || is_half(from)) && t != f32 && from != f32 ? cast(cast(src[0], f32), t) : UOp();
  }
  if (std::none_of(src.begin(), src.end(), [](const UOp& s) { return is_half(s.dtype()); }))
    return t.is_float() ? f32_legalized(u.op(), src[0]) : UOp();
  UOps wide;
  for (const UOp& s : src) wide.push_back(in_f32(s));
  UOp y = is_half(t) ? f32_legalized(u.op(), wide[0]) : UOp();
  if (!y) y = UOp(u.op(), is_half(t) ? dt::f32.vec(t.lanes) : t, u.arg(), wide);
  return cast(y, t);
}
}  // namespace

UOp ops_legalized(const UOp& root, const Target& target) {
  // The interpreter knows exp and its like themselves; in double precision that is the better reference.
  return target.isa == "ref" ? root : transform(root, node_legalized);
}

}  // namespace pg
