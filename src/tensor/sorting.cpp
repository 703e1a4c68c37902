// Sorting by merges. An element is packed with its place into one i64 — an order-preserving key above, the place below — so
// that all are different, the order is stable, and what moves is one number. Runs of kRun are sorted by counting, two
// kernels of kRun steps an element; then each pass merges pairs of runs in one kernel, in which each result finds by
// bisection how many of its predecessors come from the left run. Where only the first k are asked for, runs stay that short.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>

#include "src/tensor/rows.h"
#include "src/tensor/shape.h"
#include "uops/simplify.h"

namespace pg {

namespace {

constexpr int64_t kRun = 32;
constexpr double kLowWord = 0xffffffff;

Tensor last_of_all() { return Tensor(constant(dt::i64, std::numeric_limits<int64_t>::max())); }
Tensor number(int64_t value, DType dtype) { return Tensor::full({}, static_cast<double>(value), dtype); }

/// An i32 in the order of x: a NaN is the largest, zeros are equal. Of types of at most 32 bits.
Tensor key_of(const Tensor& x) {
  if (x.dtype() == dt::u32) return (x ^ number(int64_t{1} << 31, dt::u32)).bitcast(dt::i32);
  if (!x.dtype().is_float()) return x.cast(dt::i32);
  const Tensor v = x.cast(dt::f32), bits = v.bitcast(dt::i32), largest = number(INT32_MAX, dt::i32);
  const Tensor ordered = bits ^ ((bits >> 31) & largest);  // of negative numbers the order of the bits is turned round
  return Tensor::where(v.isnan(), largest, Tensor::where(v == 0, number(0, dt::i32), ordered));
}

/// Keys [count, n] of i32 with their places, which the order of equal ones keeps: i64, all different.
Tensor packed(const Tensor& key, bool descending) {
  const Tensor ordered = descending ? key ^ number(-1, dt::i32) : key;
  return (ordered.cast(dt::i64) << 32) | Tensor::arange(key.shape().back(), dt::i64);
}

Tensor padded(const Tensor& x, int axis, int64_t after) {
  if (after == 0) return x;
  std::vector<std::pair<Dim, Dim>> around(x.shape().size(), {0, 0});
  around[static_cast<size_t>(axis)].second = after;
  return Tensor::where(Tensor::full(x.shape(), 1, dt::kBool).pad(around), x.pad(around), last_of_all());
}

/// [.., n] sorted along the last axis, the first `keep`: element r is the largest of those with at most r smaller ones.
Tensor counted(const Tensor& x, int64_t keep) {
  const Tensor smaller = (x.unsqueeze(-2) < x.unsqueeze(-1)).cast(dt::f32).sum({-1});
  const Tensor r = Tensor::arange(keep).cast(dt::f32).unsqueeze(-1);
  const Tensor least(constant(dt::i64, std::numeric_limits<int64_t>::min()));
  return Tensor::where(smaller.unsqueeze(-2) <= r, x.unsqueeze(-2), least).max({-1});
}

/// Sorted runs [count, runs, length], an even number of them, merged in pairs; the first `keep` of each.
Tensor merged(const Tensor& runs, int64_t keep) {
  const Shape shape = runs.shape();
  const int64_t length = *shape[2].number();
  const Dim pairs = shape[0] * (*shape[1].number() / 2), all = pairs * (2 * length);
  const DType t = bounds(all.uop()).hi <= INT32_MAX ? dt::i32 : dt::i64;
  const Tensor table = runs.reshape({all});
  const Tensor left = (Tensor::arange(pairs, t) * number(2 * length, t)).unsqueeze(-1), right = left + number(length, t);
  const Tensor p = Tensor::arange(keep, t), zero = number(0, t), one = number(1, t), end = number(length, t);
  const Tensor last = end - one;
  const auto from_left = [&](const Tensor& i) { return table.gather(left + i.minimum(last)); };
  const auto from_right = [&](const Tensor& i) { return table.gather(right + i.minimum(last).maximum(zero)); };
  // How many of the p before a result are from the left: the last of `a` is if no more than p - a of the right are smaller.
  Tensor a = zero;
  for (int64_t step = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(length))); step > 0; step /= 2) {
    const Tensor next = a + number(step, t), others = p - next;
    const Tensor is_before = (end <= others) | (from_left(next - one) < from_right(others));
    a = Tensor::where((next <= p.minimum(end)) & is_before, next, a);
  }
  const Tensor others = p - a, x = from_left(a), y = from_right(others);
  const Tensor is_left = (a < end) & ((end <= others) | (x < y));
  return Tensor::where(is_left, x, y).reshape({shape[0], *shape[1].number() / 2, keep});
}

/// [count, n] → the first `keep` of each row in order.
Tensor sorted(const Tensor& x, int64_t keep) {
  const int64_t n = *x.shape()[1].number();
  if (n <= kRun) return counted(x, keep);
  int64_t runs = (n + kRun - 1) / kRun, length = std::min(kRun, keep);
  const Tensor rows = padded(x, 1, runs * kRun - n).reshape({x.shape()[0], runs, kRun});
  Tensor y = counted(rows.contiguous(), length).contiguous();
  while (runs > 1) {
    y = padded(y, 1, runs % 2);
    if (runs % 2 != 0) y = y.contiguous();
    runs = (runs + 1) / 2, length = std::min(2 * length, keep);
    y = merged(y, length).contiguous();
  }
  return y.squeeze(1).slice(1, 0, keep);
}

Tensor places(const Tensor& order) { return (order & number(static_cast<int64_t>(kLowWord), dt::i64)).cast(dt::i32); }

/// The places of the first `keep` of each row [count, n]. Numbers of 64 bits: by the low word, then by the high one.
Tensor ordered(const Tensor& x, bool descending, int64_t keep) {
  if (x.dtype().bytes() < 8) return places(sorted(packed(key_of(x), descending), keep));
  const Tensor low = key_of(x.cast(dt::u32)), high = (x >> 32).cast(dt::u32);
  const Tensor by_low = places(sorted(packed(low, descending), *x.shape()[1].number())).contiguous();
  const Tensor word = taken(x.dtype().is_unsigned() ? high : high.bitcast(dt::i32), by_low);
  return taken(by_low, places(sorted(packed(key_of(word), descending), keep)));
}

/// The axis, which must be known.
int checked_length(const char* op, const Tensor& x, int axis) {
  const int at = checked_axis(op, axis, x.shape());
  const auto n = x.shape()[at].number();
  if (!n)
    throw UserError(std::string(op) + ": axis " + std::to_string(axis) + " of " + text(x.shape()) + " holds Variables");
  if (*n > INT32_MAX)
    throw UserError(std::string(op) + ": axis " + std::to_string(axis) + " of " + text(x.shape()) + " is too long");
  return at;
}

std::pair<Tensor, Tensor> first(const Tensor& x, int axis, bool descending, int64_t keep) {
  if (keep == 0) return {x.slice(axis, 0, 0), Tensor::full(x.slice(axis, 0, 0).shape(), 0, dt::i32)};
  const auto [rows, others] = as_rows(x, axis);
  const Tensor order = ordered(rows, descending, keep);
  return {from_rows(taken(rows, order), others, axis), from_rows(order, others, axis)};
}

}  // namespace

std::pair<Tensor, Tensor> Tensor::sort(int axis, bool descending) const {
  const int at = checked_length("sort", *this, axis);
  return first(*this, at, descending, *shape()[at].number());
}
Tensor Tensor::argsort(int axis, bool descending) const { return sort(axis, descending).second; }

std::pair<Tensor, Tensor> Tensor::topk(int64_t k, int axis, bool largest) const {
  const int at = checked_length("topk", *this, axis);
  if (k < 0 || k > *shape()[at].number())
    throw UserError("topk: " + std::to_string(k) + " of axis " + std::to_string(axis) + " of " + text(shape()));
  return first(*this, at, largest, k);
}

}  // namespace pg
