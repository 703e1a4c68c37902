// Builders: the short ways to make common nodes.
#include <cmath>

#include "uops/uop.h"

namespace pg {

UOp constant(DType dtype, double value) {
  if (!dtype.is_float()) return constant(dtype, static_cast<int64_t>(value));
  // A constant of a 32-bit type is kept rounded to it, so that equal values are equal nodes.
  if (dtype.scalar == Scalar::Float32) value = static_cast<float>(value);
  return broadcast(UOp(Op::Const, dtype.element(), value, {}), dtype.lanes);
}
UOp constant(DType dtype, int64_t value) {
  if (dtype.is_float()) return constant(dtype, static_cast<double>(value));
  if (dtype.is_bool()) value = value != 0;
  const int bits = 8 * dtype.element_bytes();
  if (bits < 64) {  // wrap into the type's range: the one representation of the value
    value &= (int64_t{1} << bits) - 1;
    if (!dtype.is_unsigned() && !dtype.is_bool() && (value >> (bits - 1)) != 0) value -= int64_t{1} << bits;
  }
  return broadcast(UOp(Op::Const, dtype.element(), value, {}), dtype.lanes);
}
UOp variable(std::string name, int64_t lo, int64_t hi) {
  if (lo > hi) throw UserError("Variable " + name + ": empty interval");
  return UOp(Op::Variable, dt::index, VariableArg{std::move(name), lo, hi}, {});
}
UOp range(std::string axis, UOp trips, int64_t tile, Kind kind) {
  return UOp(Op::Range, dt::index, RangeArg{std::move(axis), tile, kind}, {trips});
}

std::optional<int64_t> const_int(const UOp& u) {
  if (u.is(Op::Broadcast)) return const_int(u.src(0));
  if (!u.is(Op::Const)) return std::nullopt;
  const int64_t* v = std::get_if<int64_t>(&u.arg());
  return v ? std::optional(*v) : std::nullopt;
}

namespace {
int64_t floor_div(int64_t a, int64_t b) { return a / b - ((a % b != 0) && ((a < 0) != (b < 0))); }

/// Index arithmetic on two constants or with a neutral element; null when there is nothing to fold.
UOp fold_index(Op op, const UOp& a, const UOp& b) {
  if (a.dtype() != dt::index || b.dtype() != dt::index) return {};
  const auto x = const_int(a), y = const_int(b);
  if (x && y) {
    int64_t r;
    switch (op) {
      case Op::Add: if (!__builtin_add_overflow(*x, *y, &r)) return iconst(r); break;
      case Op::Sub: if (!__builtin_sub_overflow(*x, *y, &r)) return iconst(r); break;
      case Op::Mul: if (!__builtin_mul_overflow(*x, *y, &r)) return iconst(r); break;
      case Op::IDiv: if (*y > 0) return iconst(floor_div(*x, *y)); break;
      case Op::Mod: if (*y > 0) return iconst(*x - *y * floor_div(*x, *y)); break;
      case Op::Max: return iconst(std::max(*x, *y));
      case Op::Min: return iconst(std::min(*x, *y));
      default: break;
    }
    return {};
  }
  switch (op) {
    case Op::Add: return x == 0 ? b : y == 0 ? a : UOp();
    case Op::Sub: return y == 0 ? a : UOp();
    case Op::Mul: return x == 1 ? b : y == 1 ? a : (x == 0 || y == 0) ? iconst(0) : UOp();
    case Op::IDiv: return y == 1 ? a : UOp();
    case Op::Mod: return y == 1 ? iconst(0) : UOp();
    default: return {};
  }
}
bool is_comparison(Op op) { return op == Op::Lt || op == Op::Eq || op == Op::Ne; }
}  // namespace

UOp alu(Op op, UOp a) {
  const DType t = a.dtype();
  return UOp(op, t, {}, {std::move(a)});
}
UOp alu(Op op, UOp a, UOp b) {
  if (a.dtype() != b.dtype() && !(op == Op::Shl || op == Op::Shr))
    throw InternalError(std::string(info(op).name) + ": operands of " + text(a.dtype()) + " and " + text(b.dtype()));
  if (UOp f = fold_index(op, a, b)) return f;
  const DType t = is_comparison(op) ? dt::kBool.vec(a.dtype().lanes) : a.dtype();
  return UOp(op, t, {}, {std::move(a), std::move(b)});
}
UOp alu(Op op, UOp a, UOp b, UOp c) {
  const DType t = b.dtype();  // Where: the branches; Fma: any
  return UOp(op, t, {}, {std::move(a), std::move(b), std::move(c)});
}
UOp cast(UOp x, DType to) { return x.dtype() == to ? x : UOp(Op::Cast, to, {}, {std::move(x)}); }
UOp broadcast(UOp x, int lanes) {
  if (lanes == 1) return x;
  const DType t = x.dtype().vec(lanes);
  return UOp(Op::Broadcast, t, {}, {std::move(x)});
}
UOp index(UOp buffer, std::span<const UOp> indices) {
  UOps src{buffer};
  src.insert(src.end(), indices.begin(), indices.end());
  return UOp(Op::Index, buffer.dtype(), {}, src);
}
UOp load(UOp index, UOp gate) {
  const DType t = index.dtype();
  return gate ? UOp(Op::Load, t, {}, {std::move(index), std::move(gate)}) : UOp(Op::Load, t, {}, {std::move(index)});
}
UOp store(UOp index, UOp value, UOp gate) {
  return gate ? UOp(Op::Store, dt::kVoid, {}, {std::move(index), std::move(value), std::move(gate)})
              : UOp(Op::Store, dt::kVoid, {}, {std::move(index), std::move(value)});
}
UOp block(std::span<const UOp> statements) {
  UOps flat;
  for (const UOp& s : statements) {
    if (!s) continue;
    if (s.is(Op::Block))
      flat.insert(flat.end(), s.src().begin(), s.src().end());
    else
      flat.push_back(s);
  }
  return flat.size() == 1 ? flat[0] : UOp(Op::Block, dt::kVoid, {}, flat);
}
UOp idiv(UOp a, UOp b) { return alu(Op::IDiv, std::move(a), std::move(b)); }
UOp mod(UOp a, UOp b) { return alu(Op::Mod, std::move(a), std::move(b)); }
UOp ceildiv(UOp a, int64_t b) { return idiv(std::move(a) + iconst(b - 1), iconst(b)); }

}  // namespace pg
