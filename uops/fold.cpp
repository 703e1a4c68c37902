#include "uops/fold.h"

#include <cmath>

#include "uops/sum.h"
#include "uops/values.h"

namespace pg {

namespace {
Cell cell_of(const UOp& c) {
  if (const double* f = std::get_if<double>(&c.arg())) return settled(c.dtype().scalar, cell(*f), false);
  return cell(c.arg_as<int64_t>());
}

/// Whether every machine gives the same bits.
bool is_portable(Op op, DType from, DType to, const Cell (&v)[3]) {
  switch (op) {
    case Op::Exp: case Op::Log: case Op::Sin: case Op::Cos: case Op::Tanh: case Op::Erf: return false;
    case Op::IDiv: case Op::Mod: return v[1].i != 0;
    case Op::Shl: case Op::Shr: return v[1].i >= 0 && v[1].i < 8 * from.element_bytes();
    case Op::Max: case Op::Min: return !from.is_float() || v[0].f < v[1].f || v[0].f > v[1].f;  // NaN, 0.0 and -0.0
    case Op::Cast: {
      if (!from.is_float() || to.is_float() || to.is_bool()) return true;
      const Interval range = type_range(to);
      const bool wide = range == Interval{};
      const double lo = wide ? -0x1p63 : static_cast<double>(range.lo), hi = wide ? 0x1p63 : static_cast<double>(range.hi) + 1;
      return v[0].f > lo - 1 && v[0].f < hi && (!to.is_unsigned() || v[0].f >= 0);
    }
    default: return true;
  }
}
}  // namespace

const UOp* scalar_const(const UOp& u) {
  if (u.is(Op::Const)) return &u;
  return u.is(Op::Broadcast) && u.src(0).is(Op::Const) ? &u.src(0) : nullptr;
}

UOp folded(const UOp& node) {
  if (!info(node.op()).has(op_flag::Elementwise)) return {};
  Cell v[3] = {};
  for (size_t i = 0; i < node.src().size(); ++i) {
    const UOp* c = scalar_const(node.src(i));
    if (!c) return {};
    v[i] = cell_of(*c);
  }
  const DType from = node.src(0).dtype().element(), to = node.dtype();
  if (!is_portable(node.op(), from, to, v)) return {};
  const Cell r = compute(node.op(), from.scalar, to.scalar, v[0], v[1], v[2], false);
  if (!to.is_float()) return constant(to, r.i);
  return std::isnan(r.f) ? UOp() : constant(to, r.f);
}

}  // namespace pg
