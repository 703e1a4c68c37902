// Resizing by reads at computed places, axis by axis; and batch norm.
#include <algorithm>

#include "src/tensor/nn.h"
#include "src/tensor/shape.h"
#include "src/tensor/windows.h"

namespace pg {

namespace {

Tensor number(int64_t value) { return Tensor::full({}, static_cast<double>(value), dt::i64); }

/// Places as exact fractions: whole parts, and what is left of `over`.
Tensor resized(const Tensor& x, int axis, int64_t m, Resize how, bool align_corners) {
  const int64_t n = known_extent("interpolate", "input", x, axis);
  if (n < 1 || m < 1) throw UserError("interpolate: " + std::to_string(n) + " elements resized to " + std::to_string(m));
  if (n == m) return x;
  const Tensor i = Tensor::arange(m, dt::i64);
  if (how == Resize::Nearest) {
    if (m % n == 0) return x.repeat_interleave(m / n, axis);
    return x.index_select(axis, (i * number(n)).floor_divide(number(m)));
  }
  // Pixel i reaches from i to i + 1: its middle is at (2i + 1) / 2 * n / m - 1/2.
  const int64_t over = align_corners ? std::max<int64_t>(m - 1, 1) : 2 * m;
  const Tensor place =
      align_corners ? i * number(n - 1) : ((i * number(2) + number(1)) * number(n) - number(m)).maximum(number(0));
  const Tensor low = place.floor_divide(number(over)), high = (low + number(1)).minimum(number(n - 1));
  Shape along(x.shape().size(), Dim(1));
  along[static_cast<size_t>(axis)] = m;
  const Tensor weight = ((place - low * number(over)).cast(dt::f32) * (1 / static_cast<double>(over))).reshape(along);
  const Tensor a = x.index_select(axis, low), b = x.index_select(axis, high);
  return a * (1 - weight) + b * weight;
}

/// [C] beside [N, C, ..].
Tensor per_channel(const char* what, const Tensor& x, const Tensor& t) {
  if (x.rank() < 2) throw UserError("batch_norm: " + text(x.shape()) + " is not [N, C, ..]");
  if (t.rank() != 1 || !same(t.shape()[0], x.shape()[1]))
    throw UserError(std::string("batch_norm: the ") + what + " " + text(t.shape()) +
                    " is not one number for each channel of " + text(x.shape()));
  Shape along(x.shape().size(), Dim(1));
  along[1] = x.shape()[1];
  return t.reshape(along);
}
Tensor normed(const Tensor& x, const Tensor& centred, const Tensor& variance, const Tensor& weight, const Tensor& bias,
              double eps) {
  Tensor y = centred * (variance + eps).rsqrt();
  if (weight) y = y * per_channel("weight", x, weight);
  return bias ? y + per_channel("bias", x, bias) : y;
}

}  // namespace

Tensor interpolate(const Tensor& x, const std::vector<int64_t>& sizes, Resize how, bool align_corners) {
  const int first = x.rank() - static_cast<int>(sizes.size());
  if (first < 0)
    throw UserError("interpolate: " + std::to_string(sizes.size()) + " extents for the shape " + text(x.shape()));
  if (how == Resize::Linear && !x.dtype().is_float())
    throw UserError("interpolate: the tensor is " + text(x.dtype()) + ", not of floats");
  if (how == Resize::Nearest && align_corners) throw UserError("interpolate: align_corners is for Resize::Linear");
  Tensor y = how == Resize::Linear ? x.cast(dt::f32) : x;
  for (size_t i = 0; i < sizes.size(); ++i) y = resized(y, first + static_cast<int>(i), sizes[i], how, align_corners);
  return y.cast(x.dtype());
}

Tensor batch_norm(const Tensor& x, const Tensor& mean, const Tensor& variance, const Tensor& weight, const Tensor& bias,
                  double eps) {
  return normed(x, x - per_channel("mean", x, mean), per_channel("variance", x, variance), weight, bias, eps);
}

BatchNorm batch_norm_training(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  if (x.rank() < 2) throw UserError("batch_norm: " + text(x.shape()) + " is not [N, C, ..]");
  std::vector<int> axes{0};
  for (int axis = 2; axis < x.rank(); ++axis) axes.push_back(axis);
  const Tensor mean = x.mean(axes, true), centred = x - mean, variance = (centred * centred).mean(axes, true);
  const Dim n = element_count(x.shape()) / x.shape()[1];
  const Tensor unbiased = variance * (Tensor::scalar(n, dt::f32) / Tensor::scalar(n - 1, dt::f32)).cast(variance.dtype());
  const Shape channels{x.shape()[1]};
  return {normed(x, centred, variance, weight, bias, eps), mean.reshape(channels), unbiased.reshape(channels)};
}

}  // namespace pg
