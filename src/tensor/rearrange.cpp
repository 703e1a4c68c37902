// Movement and creation that is made of the views in movement.cpp.
#include <algorithm>

#include "src/tensor/shape.h"
#include "src/tensor/windows.h"

namespace pg {

namespace {

/// UserError where the extent is no number.
int64_t extent(const char* op, const Tensor& x, int axis) {
  const Shape shape = x.shape();
  const int at = checked_axis(op, axis, shape);
  const auto n = shape[at].number();
  if (!n) throw UserError(std::string(op) + ": axis " + std::to_string(axis) + " of " + text(shape) + " is no number");
  return *n;
}

/// x kept where row + diagonal and column compare so, 0 elsewhere.
Tensor triangle(const char* op, const Tensor& x, int64_t diagonal, bool lower) {
  const Shape shape = x.shape();
  if (shape.size() < 2) throw UserError(std::string(op) + ": " + text(shape) + " has no rows and columns");
  const Tensor last = Tensor::arange(shape[shape.size() - 2], dt::i64).unsqueeze(-1) + static_cast<double>(diagonal);
  const Tensor column = Tensor::arange(shape.back(), dt::i64);
  return Tensor::where(lower ? column <= last : column >= last, x, Tensor::full({}, 0, x.dtype()));
}

}  // namespace

Tensor Tensor::slice_step(int axis, std::optional<int64_t> begin, std::optional<int64_t> end, int64_t step) const {
  const int64_t n = extent("slice", *this, axis);
  if (step == 0) throw UserError("slice: a step of 0");
  const auto within = [&](std::optional<int64_t> i, int64_t none, int64_t low, int64_t high) {
    return i ? std::clamp(*i < 0 ? *i + n : *i, low, high) : none;
  };
  if (step < 0) {  // the same of the axis turned round
    const int64_t first = within(begin, n - 1, -1, n - 1), last = within(end, -1, -1, n - 1);
    return flip({axis}).slice_step(axis, n - 1 - first, std::max(n - 1 - first, n - 1 - last), -step);
  }
  const int64_t first = within(begin, 0, 0, n), last = std::max(first, within(end, n, 0, n));
  const int64_t count = (last - first + step - 1) / step;
  if (step == 1 || count == 0) return slice(axis, first, first + count);
  // Rows of `step`, of which the first element stays.
  const int at = checked_axis("slice", axis, shape());
  std::vector<std::pair<Dim, Dim>> around(shape().size(), {0, 0});
  around[static_cast<size_t>(at)] = {0, std::max<int64_t>(0, first + count * step - n)};
  const Tensor rows = pad(std::move(around)).slice(at, first, first + count * step);
  Shape split = rows.shape();
  split[static_cast<size_t>(at)] = count;
  split.insert(split.begin() + at + 1, step);
  return rows.reshape(std::move(split)).slice(at + 1, 0, 1).squeeze(at + 1);
}

Tensor Tensor::repeat(std::vector<int64_t> times) const {
  const Shape from = shape();
  if (times.size() < from.size() || std::any_of(times.begin(), times.end(), [](int64_t t) { return t < 0; }))
    throw UserError("repeat: needs a number of times, 0 or more, for each axis of " + text(from));
  Shape apart, grown, to;
  for (size_t i = 0; i < times.size(); ++i) {
    const Dim n = i + from.size() < times.size() ? Dim(1) : from[i + from.size() - times.size()];
    apart.insert(apart.end(), {Dim(1), n});
    grown.insert(grown.end(), {Dim(times[i]), n});
    to.push_back(n * times[i]);
  }
  return reshape(std::move(apart)).expand(std::move(grown)).reshape(std::move(to));
}

Tensor Tensor::repeat_interleave(int64_t times, int axis) const {
  Shape to = shape();
  const int at = checked_axis("repeat_interleave", axis, to);
  if (times < 0) throw UserError("repeat_interleave: " + std::to_string(times) + " times");
  Shape grown = to;
  grown.insert(grown.begin() + at + 1, times);
  to[static_cast<size_t>(at)] = to[static_cast<size_t>(at)] * times;
  return unsqueeze(at + 1).expand(std::move(grown)).reshape(std::move(to));
}

Tensor Tensor::roll(int64_t by, int axis) const {
  const int64_t n = extent("roll", *this, axis), shift = n == 0 ? 0 : (by % n + n) % n;
  return shift == 0 ? *this : cat({slice(axis, n - shift, n), slice(axis, 0, n - shift)}, axis);
}

std::vector<Tensor> Tensor::split(const std::vector<int64_t>& sizes, int axis) const {
  const int64_t n = extent("split", *this, axis);
  int64_t begin = 0;
  std::vector<Tensor> parts;
  for (const int64_t size : sizes) {
    if (size < 0 || begin + size > n) break;
    parts.push_back(slice(axis, begin, begin + size));
    begin += size;
  }
  if (parts.size() != sizes.size() || begin != n)
    throw UserError("split: the sizes must add up to the " + std::to_string(n) + " of axis " + std::to_string(axis));
  return parts;
}
std::vector<Tensor> Tensor::split(int64_t size, int axis) const {
  const int64_t n = extent("split", *this, axis);
  if (size < 1) throw UserError("split: parts of " + std::to_string(size));
  std::vector<int64_t> sizes(static_cast<size_t>(n / size), size);
  if (n % size != 0 || n == 0) sizes.push_back(n % size);
  return split(sizes, axis);
}

Tensor Tensor::tril(int64_t diagonal) const { return triangle("tril", *this, diagonal, true); }
Tensor Tensor::triu(int64_t diagonal) const { return triangle("triu", *this, diagonal, false); }

Tensor Tensor::pad_reflect(int axis, int64_t before, int64_t after) const {
  const int64_t n = extent("pad_reflect", *this, axis);
  if (before < 0 || after < 0 || before >= n || after >= n)
    throw UserError("pad_reflect: " + std::to_string(before) + " and " + std::to_string(after) +
                    " must be 0 or more and less than the " + std::to_string(n) + " elements that are mirrored");
  std::vector<Tensor> parts;
  if (before > 0) parts.push_back(slice(axis, 1, before + 1).flip({axis}));
  parts.push_back(*this);
  if (after > 0) parts.push_back(slice(axis, n - 1 - after, n - 1).flip({axis}));
  return cat(parts, axis);
}
Tensor Tensor::pad_replicate(int axis, int64_t before, int64_t after) const {
  const int64_t n = extent("pad_replicate", *this, axis);
  if (before < 0 || after < 0 || n == 0)
    throw UserError("pad_replicate: " + std::to_string(before) + " and " + std::to_string(after) + " beside " +
                    std::to_string(n) + " elements");
  std::vector<Tensor> parts;
  if (before > 0) parts.push_back(slice(axis, 0, 1).repeat_interleave(before, axis));
  parts.push_back(*this);
  if (after > 0) parts.push_back(slice(axis, n - 1, n).repeat_interleave(after, axis));
  return cat(parts, axis);
}

Tensor Tensor::pad_circular(int axis, int64_t before, int64_t after) const {
  const int64_t n = extent("pad_circular", *this, axis);
  if (before < 0 || after < 0 || before > n || after > n)
    throw UserError("pad_circular: " + std::to_string(before) + " and " + std::to_string(after) +
                    " must be 0 or more and at most the " + std::to_string(n) + " elements of the axis");
  std::vector<Tensor> parts;
  if (before > 0) parts.push_back(slice(axis, n - before, n));
  parts.push_back(*this);
  if (after > 0) parts.push_back(slice(axis, 0, after));
  return cat(parts, axis);
}

Tensor Tensor::unfold(int axis, int64_t size, int64_t step) const {
  const int64_t n = extent("unfold", *this, axis);
  if (size < 1 || size > n || step < 1)
    throw UserError("unfold: windows of " + std::to_string(size) + " every " + std::to_string(step) + " of " +
                    std::to_string(n) + " elements");
  const int at = checked_axis("unfold", axis, shape());
  const Tensor views = windows(*this, at, {.extent = size, .stride = step});  // [.., size, places, ..]
  std::vector<int> order;
  for (int i = 0; i < views.rank(); ++i)
    if (i != at) order.push_back(i);
  order.push_back(at);
  return views.permute(order);
}

/// In rows that are longer by one, the diagonal is a column.
Tensor Tensor::diagonal(int a, int b) const {
  const Shape from = shape();
  const int first = checked_axis("diagonal", a, from), second = checked_axis("diagonal", b, from);
  const Dim n = from[static_cast<size_t>(first)];
  if (first == second || !same(n, from[static_cast<size_t>(second)]))
    throw UserError("diagonal: axes " + std::to_string(a) + " and " + std::to_string(b) + " of " + text(from) +
                    " must be two of equal extent");
  std::vector<int> order;
  Shape others;
  for (int i = 0; i < static_cast<int>(from.size()); ++i)
    if (i != first && i != second) order.push_back(i), others.push_back(from[static_cast<size_t>(i)]);
  order.insert(order.end(), {first, second});
  const auto with = [&](std::initializer_list<Dim> last) {
    Shape s = others;
    s.insert(s.end(), last);
    return s;
  };
  std::vector<std::pair<Dim, Dim>> around(others.size() + 1, {0, 0});
  around.back().second = n;
  return permute(order).reshape(with({n * n})).pad(around).reshape(with({n, n + 1})).slice(-1, 0, 1).squeeze(-1);
}

Tensor Tensor::linspace(double first, double last, int64_t n) {
  if (n < 1) throw UserError("linspace: " + std::to_string(n) + " numbers");
  if (n == 1) return full({1}, first);
  // From whichever end is nearer, so that both ends are exact.
  const Tensor i = arange(n).cast(dt::f32);
  const double step = (last - first) / static_cast<double>(n - 1);
  return where(i < static_cast<double>(n) / 2, i * step + first, last - (static_cast<double>(n - 1) - i) * step);
}
Tensor Tensor::eye(Dim n, DType dtype) { return (arange(n).unsqueeze(-1) == arange(n)).cast(dtype); }

Tensor Tensor::one_hot(Dim classes) const {
  if (dtype().is_float() || dtype().is_bool()) throw UserError("one_hot: ids are integers, not " + text(dtype()));
  return (unsqueeze(-1) == arange(std::move(classes))).cast(dt::i64);
}

}  // namespace pg
