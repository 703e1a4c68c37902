// Convolutions: windows of the input are views of it, so a convolution is a broadcast product summed over channels and
// window.
#include "src/tensor/shape.h"
#include "src/tensor/windows.h"

namespace pg {

namespace {

/// x [N, C, spatial..], weight [O, C/groups, window..] → [N, O, places..].
Tensor convolved(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, const std::vector<Walk>& walks,
                 int64_t groups) {
  const int spatial = static_cast<int>(walks.size());
  const int64_t filters = known_extent(op, "weight", weight, 0), channels = known_extent(op, "weight", weight, 1);
  const DType dtype = promote(x.dtype(), weight.dtype());
  const DType wide = dtype.is_float() ? dt::f32 : dtype;  // 16-bit floats add up in f32, rounded once
  std::vector<std::pair<Dim, Dim>> padding{{0, 0}, {0, 0}};
  for (const Walk& w : walks) padding.emplace_back(w.before, w.after);
  Tensor views = x.cast(wide).pad(padding);
  for (int i = 0; i < spatial; ++i) views = windows(views, 2 + 2 * i, walks[i]);  // [N, C, (window, places)..]

  // [N, groups, 1, places.., C/groups, window..] * [groups, O/groups, 1.., C/groups, window..]
  const Shape seen = views.shape();
  Shape split{seen[0], groups, channels};
  split.insert(split.end(), seen.begin() + 2, seen.end());
  std::vector<int> order{0, 1};
  for (int i = 0; i < spatial; ++i) order.push_back(4 + 2 * i);
  order.push_back(2);
  for (int i = 0; i < spatial; ++i) order.push_back(3 + 2 * i);
  Shape filter{groups, filters / groups};
  filter.insert(filter.end(), spatial, Dim(1));
  filter.push_back(channels);
  for (const Walk& w : walks) filter.push_back(w.extent);
  const Tensor product = views.reshape(split).permute(order).unsqueeze(2) * weight.cast(wide).reshape(filter);
  std::vector<int> summed;
  for (int axis = 0; axis <= spatial; ++axis) summed.push_back(-1 - axis);
  Tensor y = product.sum(summed);  // [N, groups, O/groups, places..]
  if (bias) {
    Shape along{groups, filters / groups};
    along.insert(along.end(), spatial, Dim(1));
    y = y + bias.cast(wide).reshape(along);
  }
  Shape merged = y.shape();
  merged.erase(merged.begin() + 1);
  merged[1] = filters;
  return y.cast(dtype).reshape(merged);
}

Tensor checked(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, std::vector<Walk> walks,
               int64_t groups) {
  const int spatial = static_cast<int>(walks.size());
  const auto fail = [&](const std::string& what) {
    throw UserError(std::string(op) + ": " + what + ": x " + text(x.shape()) + ", weight " + text(weight.shape()));
  };
  if (weight.rank() != 2 + spatial || (x.rank() != 1 + spatial && x.rank() != 2 + spatial))
    fail(spatial == 1 ? "x is [N, C, W] or [C, W], the weight [O, C/groups, KW]"
                      : "x is [N, C, H, W] or [C, H, W], the weight [O, C/groups, KH, KW]");
  if (x.rank() == 1 + spatial) return checked(op, x.unsqueeze(0), weight, bias, std::move(walks), groups).squeeze(0);
  if (groups < 1) fail(std::to_string(groups) + " groups");
  const int64_t filters = known_extent(op, "weight", weight, 0), channels = known_extent(op, "weight", weight, 1);
  if (!same(x.shape()[1], Dim(channels * groups)))
    fail("the weight takes " + std::to_string(channels * groups) + " channels" +
         (groups == 1 ? "" : " in " + std::to_string(groups) + " groups") + ", x has " + text(x.shape()[1]));
  if (filters % groups != 0)
    fail(std::to_string(filters) + " filters do not fall into " + std::to_string(groups) + " groups");
  if (bias && (bias.rank() != 1 || !same(bias.shape()[0], Dim(filters))))
    fail("the bias " + text(bias.shape()) + " is not one number for each of " + std::to_string(filters) + " filters");
  for (int i = 0; i < spatial; ++i) {
    Walk& w = walks[i];
    w.extent = known_extent(op, "weight", weight, 2 + i);
    if (w.stride < 1 || w.dilation < 1) fail("stride and dilation are at least 1");
    if (w.before < 0 || w.after < 0) fail("padding is not negative");
    const int64_t padded = known_extent(op, "input", x, 2 + i) + w.before + w.after;
    if (w.extent < 1 || w.span() > padded)
      fail("a window of " + std::to_string(w.span()) + " does not fit the padded extent " + std::to_string(padded));
  }
  return convolved(op, x, weight, bias, walks, groups);
}

}  // namespace

Tensor Tensor::conv2d(const Tensor& weight, const Tensor& bias, const Conv2d& c) const {
  const auto [top, bottom, left, right] = c.padding;
  return checked("conv2d", *this, weight, bias,
                 {{.stride = c.stride, .dilation = c.dilation, .before = top, .after = bottom},
                  {.stride = c.stride, .dilation = c.dilation, .before = left, .after = right}},
                 c.groups);
}

Tensor Tensor::conv1d(const Tensor& weight, const Tensor& bias, const Conv1d& c) const {
  const auto [left, right] = c.padding;
  return checked("conv1d", *this, weight, bias,
                 {{.stride = c.stride, .dilation = c.dilation, .before = left, .after = right}}, c.groups);
}

}  // namespace pg
