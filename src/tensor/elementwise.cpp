// Elementwise ops: shapes broadcast and dtypes are promoted here, so that a node's operands agree in both.
#include <cmath>
#include <numbers>

#include "src/tensor/shape.h"

namespace pg {

namespace {

Tensor unary(Op op, const Tensor& x) { return Tensor(alu(op, x.uop())); }
Tensor float_unary(Op op, const Tensor& x) { return unary(op, as_float(x)); }

Tensor binary(Op op, const char* name, const Tensor& a, const Tensor& b) {
  const Shape shape = broadcast_shape(name, a.shape(), b.shape());
  const DType dtype = promote(a.dtype(), b.dtype());
  return Tensor(alu(op, a.cast(dtype).expand(shape).uop(), b.cast(dtype).expand(shape).uop()));
}

/// On bool the arithmetic of {0, 1} with 1 + 1 = 1.
Tensor arithmetic(Op op, Op on_bool, const char* name, const Tensor& a, const Tensor& b) {
  return binary(a.dtype().is_bool() && b.dtype().is_bool() ? on_bool : op, name, a, b);
}

Tensor bitwise(Op op, const char* name, const Tensor& a, const Tensor& b) {
  if (promote(a.dtype(), b.dtype()).is_float())
    throw UserError(std::string(name) + ": " + text(a.dtype()) + " and " + text(b.dtype()) + " must be integers or bool");
  return binary(op, name, a, b);
}

/// The amount is brought into range first: what is shifted by more bits than there are is undefined in C.
Tensor shifted(Op op, const char* name, const Tensor& a, const Tensor& b) {
  if (!a.dtype().is_int() || !b.dtype().is_int())
    throw UserError(std::string(name) + ": " + text(a.dtype()) + " by " + text(b.dtype()) + " bits must be integers");
  const DType dtype = promote(a.dtype(), b.dtype());
  if (!dtype.is_int())  // u64 with a signed type
    throw UserError(std::string(name) + ": " + text(a.dtype()) + " and " + text(b.dtype()) +
                    " have no common integer type; cast one of them");
  const double bits = 8 * dtype.bytes();
  const Tensor x = a.cast(dtype), amount = b.cast(dtype), last = Tensor::full({}, bits - 1, dtype);
  Tensor is_within = amount <= last;
  if (!dtype.is_unsigned()) is_within = is_within & (Tensor::full({}, 0, dtype) <= amount);
  const Tensor moved = binary(op, name, x, Tensor::where(is_within, amount, last));
  if (op == Op::Shr && !dtype.is_unsigned()) return moved;  // 63 signs are as many as any number
  return Tensor::where(is_within, moved, Tensor::full({}, 0, dtype));
}
Tensor shifted(Op op, const char* name, const Tensor& a, int64_t b) {
  if (!a.dtype().is_int()) throw UserError(std::string(name) + ": " + text(a.dtype()) + " is not an integer type");
  const int64_t bits = 8 * a.dtype().bytes();
  if (b < 0 || b >= bits)
    throw UserError(std::string(name) + ": by " + std::to_string(b) + " of the " + std::to_string(bits) + " bits of " +
                    text(a.dtype()));
  return binary(op, name, a, Tensor::full({}, static_cast<double>(b), a.dtype()));
}

void refuse_bool(const char* name, const Tensor& a, const Tensor& b) {
  if (a.dtype().is_bool() && b.dtype().is_bool())
    throw UserError(std::string(name) + ": not defined on bool; cast to a number or use logical_not, ^");
}

}  // namespace

Tensor as_float(const Tensor& x) { return x.dtype().is_float() ? x : x.cast(dt::f32); }
Tensor beside(const Tensor& x, double value) {
  DType dtype = x.dtype();
  if (!dtype.is_float() && !(value == std::floor(value) && std::abs(value) < 0x1p63)) dtype = dt::f32;
  if (dtype.is_bool()) dtype = dt::i64;
  return Tensor::full(x.shape(), value, dtype);
}

Tensor Tensor::neg() const {
  refuse_bool("neg", *this, *this);
  return unary(Op::Neg, *this);
}
Tensor Tensor::exp() const { return float_unary(Op::Exp, *this); }
Tensor Tensor::log() const { return float_unary(Op::Log, *this); }
Tensor Tensor::sqrt() const { return float_unary(Op::Sqrt, *this); }
Tensor Tensor::rsqrt() const { return sqrt().reciprocal(); }
Tensor Tensor::reciprocal() const { return float_unary(Op::Recip, *this); }
Tensor Tensor::sin() const { return float_unary(Op::Sin, *this); }
Tensor Tensor::cos() const { return float_unary(Op::Cos, *this); }
Tensor Tensor::tanh() const { return float_unary(Op::Tanh, *this); }
Tensor Tensor::erf() const { return float_unary(Op::Erf, *this); }
Tensor Tensor::floor() const { return dtype().is_float() ? unary(Op::Floor, *this) : *this; }
Tensor Tensor::abs() const { return dtype().is_unsigned() || dtype().is_bool() ? *this : maximum(neg()); }
Tensor Tensor::relu() const { return maximum(beside(*this, 0)); }
/// exp is kept finite so that the gradient, y·y·exp, is never 0·∞; below −80 the value is 0 to all purposes.
Tensor Tensor::sigmoid() const {
  const Tensor e = as_float(*this).neg();
  return (e.minimum(beside(e, 80)).exp() + 1).reciprocal();
}
Tensor Tensor::silu() const {
  const Tensor x = as_float(*this), e = x.neg();
  return x / (e.minimum(beside(e, 80)).exp() + 1);
}
Tensor Tensor::gelu() const {
  const Tensor x = as_float(*this);
  return x * 0.5 * ((x * (1 / std::numbers::sqrt2)).erf() + 1);
}
Tensor Tensor::gelu_tanh() const {
  const Tensor x = as_float(*this);
  return x * 0.5 * (((x + x * x * x * 0.044715) * std::sqrt(2 / std::numbers::pi)).tanh() + 1);
}
Tensor Tensor::logical_not() const { return unary(Op::Not, cast(dt::kBool)); }

Tensor Tensor::cast(DType to) const {
  if (to.scalar == Scalar::Void || to.lanes != 1) throw UserError("cast: " + text(to) + " is not an element type");
  if (dtype() == to) return *this;
  if (to.is_bool()) return Tensor(alu(Op::Ne, uop_, full(shape(), 0, dtype()).uop()));
  return Tensor(pg::cast(uop_, to));
}
Tensor Tensor::bitcast(DType to) const {
  const DType from = dtype();
  if (to.scalar == Scalar::Void || to.lanes != 1) throw UserError("bitcast: " + text(to) + " is not an element type");
  if (from == to) return *this;
  if (from.bytes() != to.bytes())
    throw UserError("bitcast: " + text(from) + " has " + std::to_string(from.bytes()) + " bytes an element, " + text(to) +
                    " has " + std::to_string(to.bytes()));
  if (to.is_bool()) throw UserError("bitcast: not every byte is a bool; cast, or compare with 0");
  return from.is_bool() ? cast(to) : Tensor(UOp(Op::Bitcast, to, {}, {uop_}));
}
Tensor Tensor::detach() const { return uop_.is(Op::Bitcast) ? *this : Tensor(UOp(Op::Bitcast, dtype(), {}, {uop_})); }

Tensor Tensor::maximum(const Tensor& o) const { return arithmetic(Op::Max, Op::Or, "maximum", *this, o); }
Tensor Tensor::minimum(const Tensor& o) const { return arithmetic(Op::Min, Op::And, "minimum", *this, o); }

Tensor Tensor::where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  if (!condition.dtype().is_bool())
    throw UserError("where: the condition is " + text(condition.dtype()) + ", not bool; compare it first");
  const Shape shape = broadcast_shape("where", condition.shape(), broadcast_shape("where", a.shape(), b.shape()));
  const DType dtype = promote(a.dtype(), b.dtype());
  return Tensor(
      alu(Op::Where, condition.expand(shape).uop(), a.cast(dtype).expand(shape).uop(), b.cast(dtype).expand(shape).uop()));
}

Tensor operator+(const Tensor& a, const Tensor& b) { return arithmetic(Op::Add, Op::Or, "add", a, b); }
Tensor operator-(const Tensor& a, const Tensor& b) {
  refuse_bool("sub", a, b);
  return binary(Op::Sub, "sub", a, b);
}
Tensor operator*(const Tensor& a, const Tensor& b) { return arithmetic(Op::Mul, Op::And, "mul", a, b); }
Tensor operator/(const Tensor& a, const Tensor& b) {
  const bool floats = promote(a.dtype(), b.dtype()).is_float();
  return floats ? binary(Op::Div, "div", a, b) : binary(Op::Div, "div", as_float(a), as_float(b));
}
Tensor operator-(const Tensor& a) { return a.neg(); }

Tensor operator+(const Tensor& a, double b) { return a + beside(a, b); }
Tensor operator-(const Tensor& a, double b) { return a - beside(a, b); }
Tensor operator*(const Tensor& a, double b) { return a * beside(a, b); }
Tensor operator/(const Tensor& a, double b) { return a / beside(a, b); }
Tensor operator+(double a, const Tensor& b) { return beside(b, a) + b; }
Tensor operator-(double a, const Tensor& b) { return beside(b, a) - b; }
Tensor operator*(double a, const Tensor& b) { return beside(b, a) * b; }
Tensor operator/(double a, const Tensor& b) { return beside(b, a) / b; }

Tensor operator<(const Tensor& a, const Tensor& b) { return binary(Op::Lt, "less", a, b); }
Tensor operator<=(const Tensor& a, const Tensor& b) { return (a < b) | (a == b); }  // of a NaN false
Tensor operator>(const Tensor& a, const Tensor& b) { return b < a; }
Tensor operator>=(const Tensor& a, const Tensor& b) { return b <= a; }
Tensor operator==(const Tensor& a, const Tensor& b) { return binary(Op::Eq, "equal", a, b); }
Tensor operator!=(const Tensor& a, const Tensor& b) { return binary(Op::Ne, "not equal", a, b); }
Tensor operator<(const Tensor& a, double b) { return a < beside(a, b); }
Tensor operator<(double a, const Tensor& b) { return beside(b, a) < b; }
Tensor operator==(const Tensor& a, double b) { return a == beside(a, b); }
Tensor operator!=(const Tensor& a, double b) { return a != beside(a, b); }
Tensor operator&(const Tensor& a, const Tensor& b) { return bitwise(Op::And, "and", a, b); }
Tensor operator|(const Tensor& a, const Tensor& b) { return bitwise(Op::Or, "or", a, b); }
Tensor operator^(const Tensor& a, const Tensor& b) { return bitwise(Op::Xor, "xor", a, b); }
Tensor operator<<(const Tensor& a, const Tensor& b) { return shifted(Op::Shl, "shift left", a, b); }
Tensor operator>>(const Tensor& a, const Tensor& b) { return shifted(Op::Shr, "shift right", a, b); }
Tensor operator<<(const Tensor& a, int64_t b) { return shifted(Op::Shl, "shift left", a, b); }
Tensor operator>>(const Tensor& a, int64_t b) { return shifted(Op::Shr, "shift right", a, b); }

}  // namespace pg
