// Whole quotients and remainders, of integers and of floats; and what compares two tensors.
#include <cmath>

#include "src/tensor/shape.h"

namespace pg {

namespace {

/// Both operands in one shape and dtype; bool counts as 0, 1.
std::pair<Tensor, Tensor> aligned(const char* op, const Tensor& a, const Tensor& b) {
  const Shape shape = broadcast_shape(op, a.shape(), b.shape());
  DType dtype = promote(a.dtype(), b.dtype());
  if (dtype.is_bool()) dtype = dt::i64;
  return {a.cast(dtype).expand(shape), b.cast(dtype).expand(shape)};
}
Tensor node(Op op, const Tensor& a, const Tensor& b) { return Tensor(alu(op, a.uop(), b.uop())); }
Tensor zero(const Tensor& x) { return Tensor::full({}, 0, x.dtype()); }
Tensor negative(const Tensor& x) { return x < zero(x); }

/// A divisor that no machine traps on: 1 in place of 0 and, as the least number has no quotient by it, of -1.
Tensor is_minus_one(const Tensor& b) { return b.dtype().is_unsigned() ? Tensor::full(b.shape(), 0, dt::kBool) : b == -1; }
Tensor safe(const Tensor& b) { return Tensor::where((b == 0) | is_minus_one(b), Tensor::full({}, 1, b.dtype()), b); }
Tensor whole_quotient(const Tensor& a, const Tensor& b) {
  const Tensor q = Tensor::where(is_minus_one(b), -a, node(Op::IDiv, a, safe(b)));
  return Tensor::where(b == 0, zero(b), q);
}
Tensor whole_remainder(const Tensor& a, const Tensor& b) { return Tensor::where(b == 0, a, node(Op::Mod, a, safe(b))); }

/// a - b * trunc(a / b), rounded once: exact if the quotient is. That may be one too large, being rounded itself.
Tensor float_fmod(const Tensor& a, const Tensor& b) {
  const DType t = a.dtype();
  const Tensor x = a.cast(dt::f32), y = b.cast(dt::f32), q = (x / y).trunc();
  const Tensor rest = Tensor(alu(Op::Fma, (-q).uop(), y.uop(), x.uop()));
  const Tensor turned = negative(rest) ^ negative(x), size = Tensor::where(negative(x), -y.abs(), y.abs());
  const Tensor r = Tensor::where((rest != 0) & turned, rest + size, rest);
  return Tensor::where(y.isinf() & x.isfinite(), x, r).cast(t);
}
Tensor float_remainder(const Tensor& a, const Tensor& b) {
  const Tensor r = float_fmod(a, b);
  return Tensor::where((r != 0) & (negative(r) ^ negative(b)), r + b, r);
}

}  // namespace

Tensor Tensor::floor_divide(const Tensor& divisor) const {
  const auto [a, b] = aligned("floor_divide", *this, divisor);
  if (!a.dtype().is_float()) return whole_quotient(a, b);
  const Tensor q = (a - float_remainder(a, b)) / b;  // whole but for rounding
  return where(b == 0, a / b, q.round()).detach();
}
Tensor Tensor::remainder(const Tensor& divisor) const {
  const auto [a, b] = aligned("remainder", *this, divisor);
  return a.dtype().is_float() ? float_remainder(a, b) : whole_remainder(a, b);
}
Tensor Tensor::fmod(const Tensor& divisor) const {
  const auto [a, b] = aligned("fmod", *this, divisor);
  if (a.dtype().is_float()) return float_fmod(a, b);
  const Tensor r = whole_remainder(a, b);
  if (a.dtype().is_unsigned()) return r;
  return where((b != 0) & (r != 0) & (negative(a) ^ negative(b)), r - b, r);
}

Tensor Tensor::logical_and(const Tensor& o) const { return cast(dt::kBool) & o.cast(dt::kBool); }
Tensor Tensor::logical_or(const Tensor& o) const { return cast(dt::kBool) | o.cast(dt::kBool); }
Tensor Tensor::logical_xor(const Tensor& o) const { return cast(dt::kBool) ^ o.cast(dt::kBool); }

Tensor Tensor::isclose(const Tensor& other, double rtol, double atol) const {
  const auto [a, b] = aligned("isclose", *this, other);
  const Tensor x = as_float(a), y = as_float(b);
  return (a == b) | (y.isfinite() & x.isfinite() & ((x - y).abs() <= y.abs() * rtol + atol));
}

/// From whichever end is nearer.
Tensor Tensor::lerp(const Tensor& end, const Tensor& weight) const {
  const Tensor a = as_float(*this), b = as_float(end), w = as_float(weight), d = b - a;
  return where(w < 0.5, a + w * d, b - (1 - w) * d);
}

}  // namespace pg
