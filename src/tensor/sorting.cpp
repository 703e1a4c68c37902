// Sorting by counting and by merges. An element is packed with its place into one i64 — an order-preserving key above, the
// place below — so that all are different, the order is stable, and what moves is one number. Runs of kRun are sorted by
// counting, two kernels of kRun steps an element. Then each pass merges pairs of runs: every result finds by bisection how
// many of its predecessors come from the left run. The length of the runs is data, so that all passes are one kernel.
#include <algorithm>
#include <cstdint>
#include <limits>

#include "src/tensor/rows.h"
#include "src/tensor/shape.h"
#include "uops/simplify.h"

namespace pg {

namespace {

constexpr int64_t kRun = 128;
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

/// [count, n] cut into runs [count, runs, length]; what the last one lacks is larger than all.
Tensor in_runs(const Tensor& x, int64_t runs, int64_t length) {
  return padded(x, 1, runs * length - *x.shape()[1].number()).reshape({x.shape()[0], runs, length});
}

/// [.., n] sorted along the last axis, the first `keep`: element r is the largest of those with at most r smaller ones.
Tensor counted(const Tensor& x, int64_t keep) {
  const Tensor smaller = (x.unsqueeze(-2) < x.unsqueeze(-1)).cast(dt::f32).sum({-1});
  const Tensor r = Tensor::arange(keep).cast(dt::f32).unsqueeze(-1);
  const Tensor least(constant(dt::i64, std::numeric_limits<int64_t>::min()));
  return Tensor::where(smaller.unsqueeze(-2) <= r, x.unsqueeze(-2), least).max({-1});
}

/// Runs of `length`, a number in memory, that lie one behind the other in each row [count, n] are merged in pairs; n is a
/// power of two.
Tensor merged(const Tensor& runs, const Tensor& length) {
  const Dim count = runs.shape()[0], all = count * runs.shape()[1];
  const int64_t n = *runs.shape()[1].number();
  const DType t = length.dtype();
  const Tensor table = runs.reshape({all}), zero = number(0, t), one = number(1, t), last = length - one;
  const Tensor row = (Tensor::arange(count, t) * number(n, t)).unsqueeze(-1), place = Tensor::arange(n, t);
  const Tensor p = place & (length + last);  // within the pair
  const Tensor left = row + (place - p), right = left + length;
  // How many of the p before this one are from the left: so many that the last of them is less than the next of the right.
  const Tensor most = p.minimum(length);
  Tensor a = (p - length).maximum(zero);
  for (int64_t step = n / 2; step > 0; step /= 2) {
    const Tensor next = (a + number(step, t)).minimum(most);
    const Tensor is_before = table.gather((left + next - one).maximum(zero)) < table.gather(right + (p - next));
    a = Tensor::where(is_before, next, a);
  }
  const Tensor b = p - a, x = table.gather(left + a.minimum(last)), y = table.gather(right + b.minimum(last));
  return Tensor::where(a < length, Tensor::where(b < length, x.minimum(y), x), y);
}

/// [count, n] → each row in order.
Tensor sorted(const Tensor& x) {
  const int64_t n = *x.shape()[1].number();
  if (n <= kRun) return counted(x, n);
  int64_t runs = 2;
  while (runs * kRun < n) runs *= 2;
  const Dim whole = runs * kRun;
  Tensor y = counted(in_runs(x, runs, kRun).contiguous(), kRun).reshape({x.shape()[0], whole}).contiguous();
  Tensor length = number(kRun, bounds((x.shape()[0] * whole).uop()).hi <= INT32_MAX ? dt::i32 : dt::i64).contiguous();
  for (int64_t pass = runs; pass > 1; pass /= 2) {
    y = merged(y, length).contiguous();
    length = (length + length).contiguous();
  }
  return y.slice(1, 0, n);
}

/// The first k of each row in order: of long rows the first k of each run, until one run is left.
Tensor first_of(const Tensor& x, int64_t k) {
  constexpr int64_t kShrinking = 4, kMostCounted = 128;
  if (k > kMostCounted) return sorted(x).slice(1, 0, k);
  const int64_t run = std::max(kRun, kShrinking * k);
  Tensor y = x;
  for (int64_t n; (n = *y.shape()[1].number()) > run;) {
    const int64_t runs = (n + run - 1) / run;
    y = counted(in_runs(y, runs, run).contiguous(), k).reshape({x.shape()[0], runs * k});
  }
  return counted(y.contiguous(), k);
}

Tensor places(const Tensor& order) { return (order & number(static_cast<int64_t>(kLowWord), dt::i64)).cast(dt::i32); }

/// The places of the first k of each row [count, n] in order. Numbers of 64 bits: by the low word, then by the high one.
Tensor ordered(const Tensor& x, bool descending, int64_t k) {
  if (x.dtype().bytes() < 8) return places(first_of(packed(key_of(x), descending), k));
  const Tensor low = key_of(x.cast(dt::u32)), high = (x >> 32).cast(dt::u32);
  const Tensor by_low = places(sorted(packed(low, descending))).contiguous();
  const Tensor word = taken(x.dtype().is_unsigned() ? high : high.bitcast(dt::i32), by_low);
  return taken(by_low, places(first_of(packed(key_of(word), descending), k)));
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

std::pair<Tensor, Tensor> first(const Tensor& x, int axis, bool descending, int64_t k) {
  if (k == 0) return {x.slice(axis, 0, 0), Tensor::full(x.slice(axis, 0, 0).shape(), 0, dt::i32)};
  const auto [rows, others] = as_rows(x, axis);
  const Tensor order = ordered(rows, descending, k);
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
