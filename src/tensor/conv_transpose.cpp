// Transposed convolutions: convolutions by the turned window of an input with zeros between its elements.
#include <algorithm>

#include "src/tensor/nn.h"
#include "src/tensor/shape.h"
#include "src/tensor/windows.h"

namespace pg {

namespace {

struct Spread {
  int64_t stride, before, after, output_padding;
};

/// stride - 1 zeros between neighbours.
Tensor spaced(const Tensor& x, int axis, int64_t stride) {
  if (stride == 1) return x;
  const int64_t n = *x.shape()[static_cast<size_t>(axis)].number();
  Shape apart = x.shape(), together = apart;
  apart.insert(apart.begin() + axis + 1, 1);
  together[static_cast<size_t>(axis)] = n * stride;
  std::vector<std::pair<Dim, Dim>> around(apart.size(), {0, 0});
  around[static_cast<size_t>(axis) + 1].second = stride - 1;
  return x.reshape(apart).pad(around).reshape(together).slice(axis, 0, (n - 1) * stride + 1);
}
/// Padding, or cut off where it is negative.
Tensor resized(const Tensor& x, int axis, int64_t before, int64_t after) {
  std::vector<std::pair<Dim, Dim>> around(x.shape().size(), {0, 0});
  around[static_cast<size_t>(axis)] = {std::max<int64_t>(before, 0), std::max<int64_t>(after, 0)};
  const Tensor padded = x.pad(around);
  const int64_t n = *padded.shape()[static_cast<size_t>(axis)].number();
  return padded.slice(axis, std::max<int64_t>(-before, 0), n - std::max<int64_t>(-after, 0));
}

/// What the convolution is to be applied to, and its weight; x has a batch.
std::pair<Tensor, Tensor> turned(const char* op, const Tensor& x, const Tensor& weight, const std::vector<Spread>& spreads,
                                 int64_t dilation, int64_t groups) {
  const int spatial = static_cast<int>(spreads.size());
  const auto fail = [&](const std::string& what) {
    throw UserError(std::string(op) + ": " + what + ": x " + text(x.shape()) + ", weight " + text(weight.shape()));
  };
  if (x.rank() != 2 + spatial || weight.rank() != 2 + spatial)
    fail(spatial == 1 ? "x is [N, C, W] or [C, W], the weight [C, O/groups, KW]"
                      : "x is [N, C, H, W] or [C, H, W], the weight [C, O/groups, KH, KW]");
  const int64_t channels = known_extent(op, "weight", weight, 0), each = known_extent(op, "weight", weight, 1);
  if (!same(x.shape()[1], Dim(channels)))
    fail("the weight takes " + std::to_string(channels) + " channels, x has " + text(x.shape()[1]));
  if (groups < 1 || channels % groups != 0)
    fail(std::to_string(channels) + " channels do not fall into " + std::to_string(groups) + " groups");
  if (dilation < 1) fail("the dilation is at least 1");
  Tensor y = x;
  Shape split{groups, channels / groups, each}, merged{groups * each, channels / groups};
  std::vector<int> order{0, 2, 1}, spatial_axes;
  for (int i = 0; i < spatial; ++i) {
    const auto [stride, before, after, more] = spreads[static_cast<size_t>(i)];
    if (stride < 1) fail("the stride is at least 1");
    if (before < 0 || after < 0) fail("padding is not negative");
    if (more < 0 || (more >= stride && more >= dilation)) fail("the output padding is less than the stride or the dilation");
    const int64_t n = known_extent(op, "input", x, 2 + i), k = known_extent(op, "weight", weight, 2 + i);
    const int64_t reach = dilation * (k - 1), result = (n - 1) * stride + reach + 1 - before - after + more;
    if (n < 1 || k < 1 || result < 1) fail("a result of extent " + std::to_string(result));
    y = resized(spaced(y, 2 + i, stride), 2 + i, reach - before, reach - after + more);
    split.push_back(k), merged.push_back(k), order.push_back(3 + i), spatial_axes.push_back(2 + i);
  }
  return {y, weight.reshape(split).permute(order).reshape(merged).flip(spatial_axes)};
}

}  // namespace

Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvTranspose1d& c) {
  if (x.rank() == 2) return conv_transpose1d(x.unsqueeze(0), weight, bias, c).squeeze(0);
  const Spread along{c.stride, c.padding[0], c.padding[1], c.output_padding};
  const auto [y, w] = turned("conv_transpose1d", x, weight, {along}, c.dilation, c.groups);
  return y.conv1d(w, bias, {.dilation = c.dilation, .groups = c.groups});
}

Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvTranspose2d& c) {
  if (x.rank() == 3) return conv_transpose2d(x.unsqueeze(0), weight, bias, c).squeeze(0);
  const auto [top, bottom, left, right] = c.padding;
  const std::vector<Spread> along{{c.stride, top, bottom, c.output_padding[0]},
                                  {c.stride, left, right, c.output_padding[1]}};
  const auto [y, w] = turned("conv_transpose2d", x, weight, along, c.dilation, c.groups);
  return y.conv2d(w, bias, {.dilation = c.dilation, .groups = c.groups});
}

}  // namespace pg
