// Elementwise functions made of the elementwise ops, so that gradients come by themselves. A branch that is not taken must
// not divide by 0 either: 0 times its infinite gradient would be NaN.
#include <cmath>
#include <limits>
#include <numbers>

#include "src/tensor/shape.h"

namespace pg {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Tensor select(const Tensor& condition, const Tensor& a, double b) { return Tensor::where(condition, a, beside(a, b)); }
/// f of |x| with x's sign, of an odd function: -0 stays -0.
template <class F>
Tensor odd(const Tensor& x, const F& f) {
  const Tensor y = f(Tensor::where(x < 0, -x, x));
  return Tensor::where(x < 0, -y, y);
}
bool is_whole(const Tensor& x) { return !x.dtype().is_float(); }

/// x by squaring, for a small whole exponent.
Tensor power(const Tensor& x, int64_t exponent) {
  if (exponent == 0) return Tensor::full(x.shape(), 1, x.dtype());
  if (exponent == 1) return x;
  const Tensor half = power(x, exponent / 2), square = half * half;
  return exponent % 2 == 0 ? square : square * x;
}

/// Of x >= 0. Cephes' atanf (Moshier): three ranges by tan(π/8) and tan(3π/8), then a polynomial of the square.
Tensor atan_of(const Tensor& x) {
  const Tensor large = beside(x, 2.414213562373095) < x, middle = (beside(x, 0.4142135623730950) < x) & large.logical_not();
  const Tensor inverse = select(large, x, 1).reciprocal();
  const Tensor capped = Tensor::where(large, beside(x, 1), x);  // so that infinity is nowhere subtracted
  const Tensor t = Tensor::where(large, -inverse, Tensor::where(middle, (capped - 1) / (capped + 1), capped)), z = t * t;
  const Tensor offset = Tensor::where(large, beside(x, std::numbers::pi / 2),
                                      Tensor::where(middle, beside(x, std::numbers::pi / 4), beside(x, 0)));
  const Tensor p = ((z * 8.05374449538e-2 - 1.38776856032e-1) * z + 1.99777106478e-1) * z - 3.33329491539e-1;
  return offset + (p * z * t + t);
}

}  // namespace

Tensor Tensor::square() const { return *this * *this; }

Tensor Tensor::pow(double exponent) const {
  const Tensor x = as_float(*this);
  if (exponent == 0.5) return x.sqrt();
  constexpr double kMostFactors = 64;
  if (exponent == std::trunc(exponent) && std::abs(exponent) <= kMostFactors) {
    const Tensor whole = power(x, static_cast<int64_t>(std::abs(exponent)));
    return exponent < 0 ? whole.reciprocal() : whole;
  }
  return x.pow(beside(x, exponent));
}
/// exp(b log |a|); a negative base by an even or odd whole number, by a fraction NaN; anything to the 0 is 1, and so is 1 to
/// anything.
Tensor Tensor::pow(const Tensor& exponent) const {
  const Tensor a = as_float(*this), b = as_float(exponent);
  const Tensor magnitude = where(a < 0, -a, a), negative = a < 0;
  const Tensor half = b * 0.5, is_even = half == half.floor(), is_whole_number = b == b.floor();
  const Tensor p = (b * magnitude.log()).exp();
  const Tensor of_negative = where(is_whole_number, where(is_even, p, -p), beside(p, std::nan("")));
  return where((b == 0) | (a == 1), beside(p, 1), where(negative, of_negative, p));
}

Tensor Tensor::exp2() const { return (as_float(*this) * std::numbers::ln2).exp(); }
Tensor Tensor::log2() const { return log() * std::numbers::log2e; }
Tensor Tensor::log10() const { return log() * std::numbers::log10e; }
/// Within a half the series, which ends where a float does; its gradient is one too.
Tensor Tensor::expm1() const {
  const Tensor x = as_float(*this), near = (beside(x, -0.5) < x) & (x < 0.5), v = select(near, x, 0);
  Tensor series = beside(x, 1);
  for (int n = 9; n >= 2; --n) series = v * (1.0 / n) * series + 1;
  return where(near, v * series, x.exp() - 1);
}
/// Within a quarter as 2 atanh(x / (2 + x)).
Tensor Tensor::log1p() const {
  const Tensor x = as_float(*this), near = (beside(x, -0.25) < x) & (x < 0.25), v = select(near, x, 0);
  const Tensor s = v / (v + 2), square = s * s;
  Tensor series = beside(x, 1.0 / 9);
  for (int n = 7; n >= 1; n -= 2) series = square * series + 1.0 / n;
  return where(near, s * series * 2, select(near.logical_not(), x + 1, 1).log());
}

Tensor Tensor::tan() const { return sin() / cos(); }
Tensor Tensor::atan() const { return odd(as_float(*this), atan_of); }
Tensor Tensor::asin() const {
  const Tensor x = as_float(*this);
  return (x / ((beside(x, 1) - x * x).sqrt() + 1)).atan() * 2;
}
Tensor Tensor::acos() const {
  const Tensor x = as_float(*this);
  return atan_of(((beside(x, 1) - x) / (x + 1)).sqrt()) * 2;
}
Tensor Tensor::atan2(const Tensor& other) const {
  const Tensor y = as_float(*this), x = as_float(other), on_axis = x == 0;
  const Tensor angle = (y / select(on_axis.logical_not(), x, 1)).atan();
  const Tensor turned = where(x < 0, where(y < 0, angle - std::numbers::pi, angle + std::numbers::pi), angle);
  return where(on_axis, y.sign() * (std::numbers::pi / 2), turned);
}
Tensor Tensor::sinh() const {
  return odd(as_float(*this), [](const Tensor& x) {
    const Tensor e = x.expm1();
    return Tensor::where(e.isinf(), e, (e + e / (e + 1)) * 0.5);
  });
}
Tensor Tensor::cosh() const {
  const Tensor x = as_float(*this);
  return (x.exp() + x.neg().exp()) * 0.5;
}
Tensor Tensor::asinh() const {
  return odd(as_float(*this), [](const Tensor& x) { return (x + x * x / ((x * x + 1).sqrt() + 1)).log1p(); });
}
Tensor Tensor::acosh() const {
  const Tensor t = as_float(*this) - 1;
  return (t + (t * 2 + t * t).sqrt()).log1p();
}
Tensor Tensor::atanh() const {
  return odd(as_float(*this), [](const Tensor& x) { return (x * 2 / (1 - x)).log1p() * 0.5; });
}

Tensor Tensor::ceil() const { return is_whole(*this) ? *this : -(-*this).floor(); }
Tensor Tensor::trunc() const { return is_whole(*this) ? *this : where(*this < 0, ceil(), floor()); }
Tensor Tensor::round() const {
  if (is_whole(*this)) return *this;
  const Tensor below = floor(), rest = *this - below, half = below * 0.5, is_odd = half != half.floor();
  return below + ((beside(*this, 0.5) < rest) | ((rest == 0.5) & is_odd)).cast(dtype());
}
Tensor Tensor::frac() const { return *this - trunc(); }
Tensor Tensor::sign() const {
  if (dtype().is_bool()) return *this;
  const Tensor positive = (beside(*this, 0) < *this).cast(dtype());
  return dtype().is_unsigned() ? positive : positive - (*this < 0).cast(dtype());
}
Tensor Tensor::clamp(double low, double high) const {
  if (!(low <= high))
    throw UserError("clamp: the lower limit " + std::to_string(low) + " is above the upper one, " + std::to_string(high));
  Tensor x = *this;
  if (low > -kInfinity) x = where(x < low, beside(x, low), x);
  if (high < kInfinity) x = where(x > beside(x, high), beside(x, high), x);
  return x;
}

Tensor Tensor::leaky_relu(double slope) const {
  const Tensor x = as_float(*this);
  return where(beside(x, 0) < x, x, x * slope);
}
Tensor Tensor::elu(double alpha) const {
  const Tensor x = as_float(*this);
  const Tensor positive = beside(x, 0) < x;
  return where(positive, x, where(positive, beside(x, 0), x).expm1() * alpha);
}
/// Above 20 the value is x to all purposes.
Tensor Tensor::softplus() const {
  const Tensor x = as_float(*this), is_large = beside(x, 20) < x;
  return where(is_large, x, where(is_large, beside(x, 0), x).exp().log1p());
}
Tensor Tensor::logsigmoid() const { return -as_float(*this).neg().softplus(); }
Tensor Tensor::mish() const { return *this * softplus().tanh(); }
Tensor Tensor::relu6() const { return clamp(0, 6); }
Tensor Tensor::hardsigmoid() const { return (as_float(*this) + 3).relu6() * (1.0 / 6); }
Tensor Tensor::hardswish() const { return *this * hardsigmoid(); }

Tensor Tensor::isnan() const { return *this != *this; }
Tensor Tensor::isinf() const {
  return is_whole(*this) ? full(shape(), 0, dt::kBool) : (*this == kInfinity) | (*this == -kInfinity);
}
Tensor Tensor::isfinite() const { return is_whole(*this) ? full(shape(), 1, dt::kBool) : (*this - *this) == 0; }

Tensor Tensor::masked_fill(const Tensor& mask, double value) const { return where(mask, beside(*this, value), *this); }

}  // namespace pg
