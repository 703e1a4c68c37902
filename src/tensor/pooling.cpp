// Pooling: reductions over windows, which are views.
#include <algorithm>
#include <limits>

#include "src/tensor/nn.h"
#include "src/tensor/shape.h"
#include "src/tensor/windows.h"

namespace pg {

namespace {

/// A window along one axis as it was asked for, and the places it has.
struct Pooled {
  int64_t n = 0;  // elements of the axis
  Walk walk;
  int64_t places = 0, more = 0;  // `more`: padding that only hangs over
};

std::vector<Pooled> checked(const char* op, const Tensor& x, std::vector<Walk> walks, bool ceil) {
  const auto fail = [&](const std::string& what) {
    throw UserError(std::string(op) + ": " + what + ": x " + text(x.shape()));
  };
  if (!x.dtype().is_float()) fail("the tensor is " + text(x.dtype()) + ", not of floats");
  const int spatial = static_cast<int>(walks.size());
  if (x.rank() < spatial) fail("fewer than " + std::to_string(spatial) + " axes");
  std::vector<Pooled> all;
  for (int i = 0; i < spatial; ++i) {
    Walk& w = walks[static_cast<size_t>(i)];
    if (w.stride == 0) w.stride = w.extent;
    if (w.extent < 1 || w.stride < 1 || w.dilation < 1) fail("window, stride and dilation are at least 1");
    if (w.before < 0 || w.after < 0 || 2 * std::max(w.before, w.after) > w.extent)
      fail("padding is at most half of the window of " + std::to_string(w.extent));
    Pooled p{.n = known_extent(op, "input", x, x.rank() - spatial + i), .walk = w};
    const int64_t padded = p.n + w.before + w.after;
    if (w.span() > padded)
      fail("a window of " + std::to_string(w.span()) + " does not fit the padded extent " + std::to_string(padded));
    p.places = w.places(padded);
    if (ceil && (padded - w.span()) % w.stride != 0 && p.places * w.stride < p.n + w.before) ++p.places;
    p.more = std::max<int64_t>(0, (p.places - 1) * w.stride + w.span() - padded);
    all.push_back(p);
  }
  return all;
}

/// [.., window, places, window, places], padded with `value`.
Tensor all_windows(const Tensor& x, const std::vector<Pooled>& pools, double value) {
  const int first = x.rank() - static_cast<int>(pools.size());
  std::vector<std::pair<Dim, Dim>> around(static_cast<size_t>(first), {0, 0});
  for (const Pooled& p : pools) around.emplace_back(p.walk.before, p.walk.after + p.more);
  Tensor y = x.pad(around, value);
  for (size_t i = 0; i < pools.size(); ++i) y = windows(y, first + 2 * static_cast<int>(i), pools[i].walk);
  return y;
}
/// The axes of all_windows() that hold windows.
std::vector<int> window_axes(const std::vector<Pooled>& pools) {
  std::vector<int> axes;
  for (size_t i = 0; i < pools.size(); ++i) axes.push_back(-2 * static_cast<int>(i) - 2);
  return axes;
}

Tensor max_pool(const char* op, const Tensor& x, std::vector<Walk> walks, bool ceil) {
  const std::vector<Pooled> pools = checked(op, x, std::move(walks), ceil);
  return all_windows(x, pools, -std::numeric_limits<double>::infinity()).max(window_axes(pools));
}

/// 1 / how many elements the window at each place has, [places].
Tensor shares(const Pooled& p, bool count_padding) {
  const Walk& w = p.walk;
  if (p.more == 0 && (count_padding || (w.before == 0 && w.after == 0)))
    return Tensor::full({p.places}, 1 / static_cast<double>(w.extent));
  const auto number = [](int64_t n) { return Tensor::full({}, static_cast<double>(n), dt::i32); };
  const Tensor begin = Tensor::arange(p.places) * static_cast<double>(w.stride) - static_cast<double>(w.before);
  const Tensor end = (begin + static_cast<double>(w.extent)).minimum(number(count_padding ? p.n + w.after : p.n));
  return (end - (count_padding ? begin : begin.maximum(number(0)))).reciprocal();
}

Tensor avg_pool(const char* op, const Tensor& x, std::vector<Walk> walks, bool ceil, bool count_padding) {
  const std::vector<Pooled> pools = checked(op, x, std::move(walks), ceil);
  Tensor y = all_windows(x.cast(dt::f32), pools, 0).sum(window_axes(pools));
  Tensor share = shares(pools[0], count_padding);
  if (pools.size() == 2) share = share.unsqueeze(-1) * shares(pools[1], count_padding);
  return (y * share).cast(x.dtype());
}

std::vector<Walk> walks(const Pool1d& p, int64_t dilation) {
  return {{.extent = p.window, .stride = p.stride, .dilation = dilation, .before = p.padding[0], .after = p.padding[1]}};
}
std::vector<Walk> walks(const Pool2d& p, int64_t dilation) {
  const auto [top, bottom, left, right] = p.padding;
  return {{.extent = p.window[0], .stride = p.stride[0], .dilation = dilation, .before = top, .after = bottom},
          {.extent = p.window[1], .stride = p.stride[1], .dilation = dilation, .before = left, .after = right}};
}
void check_dense(const char* op, int64_t dilation) {
  if (dilation != 1) throw UserError(std::string(op) + ": the windows of an average have no dilation");
}

/// The means along one axis: of each, the elements from floor(i n / m) to ceil((i + 1) n / m).
Tensor adaptive(const Tensor& x, int axis, int64_t m) {
  const int64_t n = known_extent("adaptive_avg_pool", "input", x, axis);
  if (m < 1 || n < 1)
    throw UserError("adaptive_avg_pool: " + std::to_string(m) + " means of " + std::to_string(n) + " elements");
  if (n % m == 0)
    return avg_pool("adaptive_avg_pool", x.transpose(axis, -1), {{.extent = n / m, .stride = n / m}}, false, true)
        .transpose(axis, -1);
  const auto number = [](int64_t value) { return Tensor::full({}, static_cast<double>(value), dt::i64); };
  const Tensor i = Tensor::arange(m, dt::i64), begin = (i * static_cast<double>(n)).floor_divide(number(m));
  const Tensor end = (i * static_cast<double>(n) + static_cast<double>(n + m - 1)).floor_divide(number(m));
  const Tensor j = Tensor::arange(n, dt::i64), is_in = (begin.unsqueeze(-1) <= j) & (j < end.unsqueeze(-1));  // [m, n]
  const Tensor rows = x.transpose(axis, -1).cast(dt::f32).unsqueeze(-2);
  const Tensor sums = Tensor::where(is_in, rows, Tensor::full({}, 0)).sum({-1});
  return (sums * (end - begin).reciprocal()).cast(x.dtype()).transpose(axis, -1);
}

}  // namespace

Tensor max_pool1d(const Tensor& x, const Pool1d& p) { return max_pool("max_pool1d", x, walks(p, p.dilation), p.ceil); }
Tensor max_pool2d(const Tensor& x, const Pool2d& p) { return max_pool("max_pool2d", x, walks(p, p.dilation), p.ceil); }
Tensor avg_pool1d(const Tensor& x, const Pool1d& p) {
  check_dense("avg_pool1d", p.dilation);
  return avg_pool("avg_pool1d", x, walks(p, 1), p.ceil, p.count_padding);
}
Tensor avg_pool2d(const Tensor& x, const Pool2d& p) {
  check_dense("avg_pool2d", p.dilation);
  return avg_pool("avg_pool2d", x, walks(p, 1), p.ceil, p.count_padding);
}

Tensor adaptive_avg_pool(const Tensor& x, const std::vector<int64_t>& sizes) {
  const int first = x.rank() - static_cast<int>(sizes.size());
  if (first < 0 || !x.dtype().is_float())
    throw UserError("adaptive_avg_pool: " + std::to_string(sizes.size()) + " extents for " + text(x.dtype()) + " " +
                    text(x.shape()));
  Tensor y = x;
  for (size_t i = 0; i < sizes.size(); ++i) y = adaptive(y, first + static_cast<int>(i), sizes[i]);
  return y;
}

Tensor im2col(const Tensor& x, std::array<int64_t, 2> window, const Conv2d& c) {
  if (x.rank() != 4) throw UserError("im2col: " + text(x.shape()) + " is not [N, C, H, W]");
  if (c.groups != 1) throw UserError("im2col: windows have no groups");
  const auto [top, bottom, left, right] = c.padding;
  if (top < 0 || bottom < 0 || left < 0 || right < 0) throw UserError("im2col: padding is not negative");
  Tensor y = x.pad({{0, 0}, {0, 0}, {top, bottom}, {left, right}});
  for (int i = 0; i < 2; ++i) {
    const Walk w{.extent = window[static_cast<size_t>(i)], .stride = c.stride, .dilation = c.dilation};
    const int64_t n = known_extent("im2col", "input", y, 2 + 2 * i);
    if (w.extent < 1 || w.stride < 1 || w.dilation < 1 || w.span() > n)
      throw UserError("im2col: a window of " + std::to_string(w.extent) + " does not fit the padded extent " +
                      std::to_string(n));
    y = windows(y, 2 + 2 * i, w);
  }
  const Shape s = y.shape();  // [N, C, KH, places, KW, places]
  return y.permute({0, 1, 2, 4, 3, 5}).reshape({s[0], s[1] * s[2] * s[4], s[3] * s[5]});
}

}  // namespace pg
