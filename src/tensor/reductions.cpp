// Reductions: a ReduceAxis keeps its axes with extent 1; they are dropped by a reshape unless keepdim.
#include "src/tensor/shape.h"

namespace pg {

namespace {

Tensor without(const Tensor& t, const std::vector<int>& axes) {
  Shape shape = t.shape();
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) shape.erase(shape.begin() + *axis);
  return t.reshape(std::move(shape));
}

Tensor reduced(const char* reducer, const Tensor& x, const std::vector<int>& axes, bool keepdim) {
  const Shape shape = x.shape();
  Ints over;
  for (const int axis : axes)
    if (shape[axis].number() != 1) over.push_back(axis);
  Tensor y = over.empty() ? x : Tensor(UOp(Op::ReduceAxis, x.dtype(), ReduceArg{reducer, over}, {x.uop()}));
  return keepdim ? y : without(y, axes);
}

/// Elements that are reduced to one.
Dim count_along(const char* name, const Tensor& x, const std::vector<int>& axes) {
  const Shape from = x.shape();
  Dim n = 1;
  for (const int axis : checked_axes(name, axes, from)) n = n * from[axis];
  return n;
}

/// Extremes have no value over nothing; bool is ordered as 0, 1.
Tensor extreme(const char* reducer, const Tensor& x, const std::vector<int>& asked, bool keepdim) {
  const Shape shape = x.shape();
  const std::vector<int> axes = checked_axes(reducer, asked, shape);
  for (const int axis : axes)
    if (shape[axis].number() == 0)
      throw UserError(std::string(reducer) + ": axis " + std::to_string(axis) + " of " + text(shape) + " is empty");
  if (x.dtype().is_bool()) return reduced(reducer, x.cast(dt::u8), axes, keepdim).cast(dt::kBool);
  return reduced(reducer, x, axes, keepdim);
}

}  // namespace

/// Integers and bool add up in i64; 16-bit floats in f32, rounded once. Products too.
Tensor Tensor::sum(std::vector<int> axes, bool keepdim) const {
  const std::vector<int> over = checked_axes("sum", axes, shape());
  if (!dtype().is_float()) return reduced("sum", cast(dt::i64), over, keepdim);
  return reduced("sum", cast(dt::f32), over, keepdim).cast(dtype());
}

Tensor Tensor::prod(std::vector<int> axes, bool keepdim) const {
  const std::vector<int> over = checked_axes("prod", axes, shape());
  if (!dtype().is_float()) return reduced("prod", cast(dt::i64), over, keepdim);
  return reduced("prod", cast(dt::f32), over, keepdim).cast(dtype());
}

Tensor Tensor::mean(std::vector<int> axes, bool keepdim) const {
  const Dim n = count_along("mean", *this, axes);
  const Tensor total = cast(dt::f32).sum(std::move(axes), keepdim);
  const Tensor result =
      n.number() ? total * (1.0 / static_cast<double>(*n.number())) : total * scalar(n, dt::f32).reciprocal();
  return dtype().is_float() ? result.cast(dtype()) : result;
}

Tensor Tensor::max(std::vector<int> axes, bool keepdim) const { return extreme("max", *this, axes, keepdim); }
Tensor Tensor::min(std::vector<int> axes, bool keepdim) const { return extreme("min", *this, axes, keepdim); }

Tensor Tensor::argmax(int axis, bool keepdim) const {
  const Shape from = shape();
  const int at = checked_axis("argmax", axis, from);
  if (from[at].number() == 0) throw UserError("argmax: axis " + std::to_string(axis) + " of " + text(from) + " is empty");
  Shape along(from.size(), Dim(1));
  along[at] = from[at];
  const Tensor positions = arange(from[at]).reshape(along).expand(from);
  const Tensor values = dtype().is_bool() ? cast(dt::u8) : *this;
  const UOp best(Op::ReduceAxis, values.dtype(), ReduceArg{"argmax", {at}}, {values.uop(), positions.uop()});
  const Tensor index(UOp(Op::Project, dt::i32, int64_t{1}, {best}));
  return keepdim ? index : without(index, {at});
}

/// The order is turned round without a step that could overflow: ~x of integers, -x of floats.
Tensor Tensor::argmin(int axis, bool keepdim) const {
  if (dtype().is_float()) return neg().argmax(axis, keepdim);
  const Tensor x = dtype().is_bool() ? cast(dt::u8) : *this;
  return (x ^ full({}, -1, x.dtype())).argmax(axis, keepdim);
}

namespace {
Tensor logical(const char* reducer, const Tensor& x, const std::vector<int>& asked, bool keepdim) {
  const std::vector<int> axes = checked_axes(reducer, asked, x.shape());
  return reduced(reducer, x.cast(dt::kBool).cast(dt::u8), axes, keepdim).cast(dt::kBool);
}
}  // namespace

Tensor Tensor::any(std::vector<int> axes, bool keepdim) const { return logical("max", *this, axes, keepdim); }
Tensor Tensor::all(std::vector<int> axes, bool keepdim) const { return logical("min", *this, axes, keepdim); }

Tensor Tensor::var(std::vector<int> axes, bool keepdim, int64_t correction) const {
  const Tensor x = dtype().is_float() ? cast(dt::f32) : *this;
  const Dim n = count_along("var", x, axes) - correction;
  const Tensor centred = x - x.mean(axes, true), squares = (centred * centred).sum(std::move(axes), keepdim);
  const Tensor count = scalar(n, dt::f32).maximum(full({}, 0));
  const Tensor result = squares / count;
  return dtype().is_float() ? result.cast(dtype()) : result;
}
Tensor Tensor::std(std::vector<int> axes, bool keepdim, int64_t correction) const {
  return var(std::move(axes), keepdim, correction).sqrt();
}

/// The maximum only keeps exp in range, and only where it is finite.
Tensor Tensor::logsumexp(std::vector<int> axes, bool keepdim) const {
  const Tensor x = as_float(*this);
  const Tensor top = x.max(axes, true).detach(), shift = where(top.isfinite(), top, full({}, 0, x.dtype()));
  const Tensor sum = (x - shift).exp().sum(axes, true).log() + shift;
  return keepdim ? sum : without(sum, checked_axes("logsumexp", axes, x.shape()));
}

/// The maximum only keeps exp in range; the result does not depend on it, so no gradient need flow through it.
Tensor Tensor::softmax(int axis) const {
  const Tensor x = as_float(*this);
  const Tensor e = (x - x.max({axis}, true).detach()).exp();
  return e * e.sum({axis}, true).reciprocal();  // a division a row, not an element
}

Tensor Tensor::log_softmax(int axis) const {
  const Tensor x = as_float(*this);
  const Tensor shifted = x - x.max({axis}, true).detach();
  return shifted - shifted.exp().sum({axis}, true).log();
}

Tensor Tensor::rmsnorm(const Tensor& weight, double eps) const {
  const Shape from = shape();
  if (from.empty() || weight.rank() != 1 || !same(weight.shape()[0], from.back()))
    throw UserError("rmsnorm: the weight " + text(weight.shape()) + " must be as long as the last axis of " + text(from));
  return *this * ((*this * *this).mean({-1}, true) + eps).rsqrt() * weight;
}

namespace {
/// (x - mean) / √(variance + eps) over some axes.
Tensor standardised(const Tensor& x, const std::vector<int>& axes, double eps) {
  const Tensor centred = x - x.mean(axes, true);
  return centred * ((centred * centred).mean(axes, true) + eps).rsqrt();
}
/// y * weight + bias, both with the shape `along`; empty ones are left out.
Tensor scaled(const Tensor& y, const Tensor& weight, const Tensor& bias, const Shape& along) {
  const Tensor product = weight ? y * weight.reshape(along) : y;
  return bias ? product + bias.reshape(along) : product;
}
}  // namespace

Tensor Tensor::layernorm(const Tensor& weight, const Tensor& bias, double eps) const {
  const Shape from = shape();
  if (from.empty()) throw UserError("layernorm: the tensor has no axes");
  for (const Tensor& t : {weight, bias})
    if (t && (t.rank() != 1 || !same(t.shape()[0], from.back())))
      throw UserError("layernorm: weight and bias must be as long as the last axis of " + text(from) + ", not " +
                      text(t.shape()));
  return scaled(standardised(*this, {-1}, eps), weight, bias, {from.back()});
}

/// Channels stay taken apart until the end: a kernel's axes are those of its last reduction (docs/architecture.md).
Tensor Tensor::groupnorm(int64_t groups, const Tensor& weight, const Tensor& bias, double eps) const {
  const Shape from = shape();
  if (from.size() < 2) throw UserError("groupnorm: " + text(from) + " is not [N, C, ..]");
  const auto channels = from[1].number();
  if (!channels || groups < 1 || *channels % groups != 0)
    throw UserError("groupnorm: " + text(from[1]) + " channels of " + text(from) + " do not fall into " +
                    std::to_string(groups) + " groups");
  for (const Tensor& t : {weight, bias})
    if (t && (t.rank() != 1 || !same(t.shape()[0], from[1])))
      throw UserError("groupnorm: weight and bias must be one number for each channel of " + text(from) + ", not " +
                      text(t.shape()));
  Shape split{from[0], groups, *channels / groups}, along{groups, *channels / groups};
  split.insert(split.end(), from.begin() + 2, from.end());
  along.insert(along.end(), from.size() - 2, Dim(1));
  std::vector<int> axes;
  for (size_t axis = 2; axis < split.size(); ++axis) axes.push_back(static_cast<int>(axis));
  return scaled(standardised(reshape(split), axes, eps), weight, bias, along).reshape(from);
}

}  // namespace pg
