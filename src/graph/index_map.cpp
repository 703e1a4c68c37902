#include "src/graph/index_map.h"

#include "src/tensor/tensor.h"
#include "uops/simplify.h"
#include "uops/text.h"

namespace pg {

UOps extents_of(const UOp& node) {
  UOps extents;
  for (const Dim& d : shape_of(node)) extents.push_back(d.uop());
  return extents;
}

UOp both(const UOp& a, const UOp& b) {
  if (!a || a == b) return b;
  return b ? alu(Op::And, a, b) : a;
}

namespace {
/// Extents [at, end) of one side that hold the same elements as the other side's.
struct Side {
  std::span<const UOp> extents;
  size_t at = 0, end = 0;
  UOp product;

  void skip_ones() {
    while (at < extents.size() && is_one(extents[at])) ++at;
  }
  bool done() const { return at == extents.size(); }
  bool can_grow() const { return end < extents.size(); }
  void start() {
    product = extents[at];
    end = at + 1;
  }
  void grow() { product = simplify(product * extents[end++]); }
};

/// Whether `a` holds fewer elements than `b`, as far as their bounds tell.
bool smaller(const UOp& a, const UOp& b) { return bounds(a).hi < bounds(b).hi; }

/// Splits the row-major position in the group over its extents, the first one taking what is left.
void split_group(const Side& to, UOp position, UOps& index) {
  for (size_t axis = to.end; axis-- > to.at;) {
    if (is_one(to.extents[axis])) continue;
    bool first = true;
    for (size_t before = to.at; before < axis; ++before) first = first && is_one(to.extents[before]);
    index[axis] = simplify(first ? position : mod(position, to.extents[axis]));
    position = simplify(idiv(position, to.extents[axis]));
  }
}
}  // namespace

UOps reshaped_index(std::span<const UOp> from, std::span<const UOp> to, std::span<const UOp> index) {
  UOps result(to.size(), iconst(0));
  Side a{from}, b{to};
  for (;;) {
    a.skip_ones();
    b.skip_ones();
    if (a.done() || b.done()) break;
    a.start();
    b.start();
    while (a.product != b.product) {
      Side& grown = (smaller(a.product, b.product) && a.can_grow()) || !b.can_grow() ? a : b;
      if (!grown.can_grow())
        throw InternalError("reshape: extents do not match: " + pretty(a.product) + " and " + pretty(b.product));
      grown.grow();
    }
    UOp position = iconst(0);
    for (size_t axis = a.at; axis < a.end; ++axis)
      position = is_one(from[axis]) ? position : position * from[axis] + index[axis];
    split_group(b, simplify(position), result);
    a.at = a.end;
    b.at = b.end;
  }
  if (!a.done() || !b.done()) throw InternalError("reshape: one side has extents left over");
  return result;
}

namespace {
SourceIndex padded_index(const UOp& pad, std::span<const UOp> extents, std::span<const UOp> index) {
  SourceIndex result;
  for (size_t axis = 0; axis < extents.size(); ++axis) {
    const UOp &before = pad.src(1 + 2 * axis), &after = pad.src(2 + 2 * axis);
    const UOp& at = index[axis];
    if (const_int(before) != 0) result.valid = both(result.valid, alu(Op::Lt, before - iconst(1), at));
    if (const_int(after) != 0) result.valid = both(result.valid, alu(Op::Lt, at, simplify(before + extents[axis])));
    result.index.push_back(is_one(extents[axis]) ? iconst(0) : simplify(at - before));
  }
  if (result.valid) result.valid = simplify(result.valid);
  if (result.valid && const_int(result.valid) == 1) result.valid = {};
  return result;
}
}  // namespace

UOps view_index(const UOp& movement, std::span<const UOp> index) {
  UOps result(index.begin(), index.end());
  switch (movement.op()) {
    case Op::Reshape: return reshaped_index(extents_of(movement.src(0)), extents_of(movement), index);
    case Op::Permute:
      for (size_t i = 0; i < result.size(); ++i) result[i] = index[static_cast<size_t>(movement.arg_as<Ints>()[i])];
      return result;
    case Op::Flip: return source_index(movement, index).index;  // its own inverse
    default: throw InternalError("view_index: not one place for each element: " + pretty(movement));
  }
}

SourceIndex source_index(const UOp& movement, std::span<const UOp> index) {
  const UOps extents = extents_of(movement.src(0));
  if (movement.is(Op::Reshape)) {
    const UOps shape = extents_of(movement);
    return {reshaped_index(shape, extents, index), {}};
  }
  if (movement.is(Op::Pad)) return padded_index(movement, extents, index);

  SourceIndex result{UOps(extents.size(), iconst(0)), {}};
  auto put = [&](size_t axis, const UOp& at) {
    if (!is_one(extents[axis])) result.index[axis] = simplify(at);
  };
  switch (movement.op()) {
    case Op::Permute: {
      const Ints& axes = movement.arg_as<Ints>();
      for (size_t i = 0; i < axes.size(); ++i) put(static_cast<size_t>(axes[i]), index[i]);
      break;
    }
    case Op::Expand:  // an extent that grows was 1: its index stays 0
      for (size_t i = 0; i < extents.size(); ++i) put(i, index[i]);
      break;
    case Op::Shrink:
      for (size_t i = 0; i < extents.size(); ++i) put(i, index[i] + movement.src(1 + 2 * i));
      break;
    case Op::Flip: {
      for (size_t i = 0; i < extents.size(); ++i) put(i, index[i]);
      for (int64_t axis : movement.arg_as<Ints>()) {
        const size_t i = static_cast<size_t>(axis);
        put(i, extents[i] - iconst(1) - index[i]);
      }
      break;
    }
    default: throw InternalError("not a movement op: " + pretty(movement));
  }
  return result;
}

}  // namespace pg
