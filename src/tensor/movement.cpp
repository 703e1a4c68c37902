// Movement: views of the same elements. Chains of equal kinds collapse, a view that changes nothing is the tensor itself.
#include <algorithm>
#include <numeric>

#include "src/tensor/shape.h"
#include "uops/simplify.h"

namespace pg {

namespace {

Tensor movement(Op op, const UOp& x, const Shape& shape) { return Tensor(UOp(op, x.dtype(), {}, with_extents(x, shape))); }

void check_extents(const char* op, const Shape& shape) {
  for (const Dim& d : shape)
    if (d.number() && *d.number() < 0) throw UserError(std::string(op) + ": negative extent in " + text(shape));
}

/// A (first, second) pair of numbers per axis, for pad and shrink.
Tensor with_pairs(Op op, const UOp& x, const std::vector<std::pair<Dim, Dim>>& pairs) {
  UOps src{x};
  for (const auto& [first, second] : pairs) {
    src.push_back((first + 0).uop());
    src.push_back((second + 0).uop());
  }
  return Tensor(UOp(op, x.dtype(), {}, src));
}

/// Replaces the extent -1 by what is left of `elements`.
Shape inferred(const Shape& from, Shape to) {
  const auto unknown = std::find_if(to.begin(), to.end(), [](const Dim& d) { return d.number() == -1; });
  if (unknown == to.end()) return to;
  *unknown = 1;
  if (std::any_of(to.begin(), to.end(), [](const Dim& d) { return d.number() == -1; }))
    throw UserError("reshape: more than one extent is -1");
  const Dim known = element_count(to);
  if (known.number() == 0) throw UserError("reshape: -1 beside an extent of 0 is ambiguous");
  *unknown = element_count(from) / known;
  return to;
}

}  // namespace

Tensor Tensor::reshape(Shape asked) const {
  const Shape from = shape(), to = inferred(from, asked);
  check_extents("reshape", to);
  if (!same(element_count(from), element_count(to)))
    throw UserError("reshape: " + text(from) + " has " + text(element_count(from)) + " elements and does not fit " +
                    text(asked));
  const UOp base = uop_.is(Op::Reshape) ? uop_.src(0) : uop_;
  if (same(shape_of(base), to)) return Tensor(base);
  return movement(Op::Reshape, base, to);
}

Tensor Tensor::expand(Shape to) const {
  const Shape from = shape();
  if (to.size() < from.size()) throw UserError("expand: " + text(from) + " has more axes than " + text(to));
  check_extents("expand", to);
  Shape aligned(to.size() - from.size(), Dim(1));
  aligned.insert(aligned.end(), from.begin(), from.end());
  for (size_t i = 0; i < to.size(); ++i)
    if (aligned[i].number() != 1 && !same(aligned[i], to[i]))
      throw UserError("expand: " + text(from) + " to " + text(to) + ": only extents of 1 grow");
  if (same(aligned, to)) return reshape(aligned);
  const UOp base = reshape(aligned).uop();
  return movement(Op::Expand, base.is(Op::Expand) ? base.src(0) : base, to);
}

Tensor Tensor::permute(std::vector<int> axes) const {
  const Shape from = shape();
  Ints order;
  for (const int axis : axes) order.push_back(checked_axis("permute", axis, from));
  Ints sorted = order, identity(from.size());
  std::sort(sorted.begin(), sorted.end());
  std::iota(identity.begin(), identity.end(), 0);
  if (sorted != identity) throw UserError("permute: the axes must name each axis of " + text(from) + " once");
  UOp base = uop_;
  if (base.is(Op::Permute)) {
    for (int64_t& axis : order) axis = base.arg_as<Ints>()[axis];
    base = base.src(0);
  }
  if (order == identity) return Tensor(base);
  return Tensor(UOp(Op::Permute, dtype(), std::move(order), {base}));
}

Tensor Tensor::transpose(int a, int b) const {
  const Shape from = shape();
  std::vector<int> axes(from.size());
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes[checked_axis("transpose", a, from)], axes[checked_axis("transpose", b, from)]);
  return permute(std::move(axes));
}

Tensor Tensor::pad(std::vector<std::pair<Dim, Dim>> before_after) const {
  const Shape from = shape();
  if (before_after.size() != from.size())
    throw UserError("pad: " + std::to_string(before_after.size()) + " pairs for the shape " + text(from));
  bool changes = false;
  for (const auto& [before, after] : before_after) {
    if (bounds(before.uop()).hi < 0 || bounds(after.uop()).hi < 0)
      throw UserError("pad: (" + text(before) + ", " + text(after) + ") is negative; use shrink");
    changes |= before.number() != 0 || after.number() != 0;
  }
  return changes ? with_pairs(Op::Pad, uop_, before_after) : *this;
}

Tensor Tensor::pad(std::vector<std::pair<Dim, Dim>> before_after, double value) const {
  const Tensor zeros = pad(before_after);
  if (value == 0 || zeros.uop() == uop_) return zeros;
  return where(full(shape(), 1, dt::kBool).pad(before_after), zeros, full({}, value, dtype()));
}

Tensor Tensor::shrink(std::vector<std::pair<Dim, Dim>> begin_end) const {
  const Shape from = shape();
  if (begin_end.size() != from.size())
    throw UserError("shrink: " + std::to_string(begin_end.size()) + " pairs for the shape " + text(from));
  bool changes = false;
  for (size_t i = 0; i < from.size(); ++i) {
    const auto& [begin, end] = begin_end[i];
    // What cannot be decided before the Variables are known is the caller's promise.
    if (bounds(begin.uop()).hi < 0 || bounds((end - begin).uop()).hi < 0 || bounds((from[i] - end).uop()).hi < 0)
      throw UserError("shrink: [" + text(begin) + ", " + text(end) + ") is not within axis " + std::to_string(i) + " of " +
                      text(from));
    changes |= begin.number() != 0 || !same(end, from[i]);
  }
  return changes ? with_pairs(Op::Shrink, uop_, begin_end) : *this;
}

Tensor Tensor::slice(int axis, Dim begin, Dim end) const {
  const Shape from = shape();
  std::vector<std::pair<Dim, Dim>> pairs;
  for (const Dim& d : from) pairs.emplace_back(0, d);
  pairs[checked_axis("slice", axis, from)] = {std::move(begin), std::move(end)};
  return shrink(std::move(pairs));
}

Tensor Tensor::flip(std::vector<int> axes) const {
  const Shape from = shape();
  Ints flipped;
  if (axes.empty()) return *this;
  for (const int axis : checked_axes("flip", axes, from))
    if (from[axis].number() != 1) flipped.push_back(axis);
  return flipped.empty() ? *this : Tensor(UOp(Op::Flip, dtype(), std::move(flipped), {uop_}));
}

Tensor Tensor::unsqueeze(int axis) const {
  Shape to = shape();
  const int rank = static_cast<int>(to.size());
  if (axis < -rank - 1 || axis > rank)
    throw UserError("unsqueeze: axis " + std::to_string(axis) + " is out of range for a new axis of " + text(to));
  to.insert(to.begin() + (axis < 0 ? axis + rank + 1 : axis), 1);
  return reshape(std::move(to));
}
Tensor Tensor::squeeze(int axis) const {
  Shape to = shape();
  const int at = checked_axis("squeeze", axis, to);
  if (to[at].number() != 1)
    throw UserError("squeeze: axis " + std::to_string(axis) + " of " + text(to) + " is not of extent 1");
  to.erase(to.begin() + at);
  return reshape(std::move(to));
}

Tensor Tensor::stack(const std::vector<Tensor>& parts, int axis) {
  std::vector<Tensor> rows;
  for (const Tensor& t : parts) {
    if (!same(t.shape(), parts[0].shape()))
      throw UserError("stack: shapes " + text(parts[0].shape()) + " and " + text(t.shape()) + " differ");
    rows.push_back(t.unsqueeze(axis));
  }
  return cat(rows, axis);
}

/// The sum of the parts, each padded with zeros to the whole: every element has one part that is not padding.
Tensor Tensor::cat(const std::vector<Tensor>& parts, int axis) {
  if (parts.empty()) throw UserError("cat, stack: no tensors given");
  const Shape first = parts[0].shape();
  const int at = checked_axis("cat", axis, first);
  Dim total = 0;
  for (const Tensor& t : parts) {
    Shape shape = t.shape();
    const bool fits = shape.size() == first.size();
    if (fits) total = total + shape[at], shape[at] = first[at];
    if (!fits || !same(shape, first))
      throw UserError("cat: shapes " + text(first) + " and " + text(t.shape()) + " differ beside axis " +
                      std::to_string(at));
  }
  Tensor whole;
  Dim offset = 0;
  for (const Tensor& t : parts) {
    std::vector<std::pair<Dim, Dim>> around(first.size(), {0, 0});
    const Dim end = offset + t.shape()[at];
    around[at] = {offset, total - end};
    const Tensor padded = t.pad(std::move(around));
    whole = whole ? whole + padded : padded;
    offset = end;
  }
  return whole;
}

Tensor Tensor::contiguous() const {
  if (uop_.is(Op::Buffer) || uop_.is(Op::Contiguous)) return *this;
  return Tensor(UOp(Op::Contiguous, dtype(), {}, {uop_}));
}

}  // namespace pg
