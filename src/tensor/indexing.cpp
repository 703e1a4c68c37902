// Reading and writing by number, and writing into views of realised tensors. Nothing stores at a computed place: what is
// scattered is searched for by each place that it may go to.
#include "src/tensor/rows.h"
#include "src/tensor/shape.h"
#include "uops/simplify.h"

namespace pg {

namespace {

void check_ids(const char* op, const Tensor& ids) {
  if (!ids.dtype().is_int()) throw UserError(std::string(op) + ": the ids are " + text(ids.dtype()) + ", not integers");
}

/// What gather, scatter and scatter_add ask of an index beside x.
int checked_index(const char* op, const Tensor& x, int axis, const Tensor& index) {
  check_ids(op, index);
  const Shape from = x.shape(), at = index.shape();
  const int along = checked_axis(op, axis, from);
  bool fits = at.size() == from.size();
  for (int i = 0; fits && i < x.rank(); ++i) fits = i == along || bounds((from[i] - at[i]).uop()).lo >= 0;
  if (!fits)
    throw UserError(std::string(op) + ": the index " + text(at) + " does not fit " + text(from) +
                    ": as many axes, none longer but for axis " + std::to_string(along));
  return along;
}
/// x as far as the index goes, but whole along the axis.
Tensor under(const Tensor& x, int axis, const Tensor& index) {
  std::vector<std::pair<Dim, Dim>> region;
  for (int i = 0; i < x.rank(); ++i) region.emplace_back(0, i == axis ? x.shape()[i] : index.shape()[i]);
  return x.shrink(std::move(region));
}
/// The inverse: zeros where the index does not go.
Tensor spread(const Tensor& part, const Shape& whole) {
  std::vector<std::pair<Dim, Dim>> around;
  for (int i = 0; i < part.rank(); ++i) around.emplace_back(0, whole[static_cast<size_t>(i)] - part.shape()[i]);
  return part.pad(std::move(around));
}
/// [count, n, m] of bool: whether place n is what the id m names.
Tensor named(const Tensor& ids, const Dim& n) {
  const Tensor wide = as_ids(ids);
  return wide.unsqueeze(-2) == Tensor::arange(n, wide.dtype()).unsqueeze(-1);
}
void check_source(const char* op, const Tensor& index, const Tensor& source) {
  if (!same(index.shape(), source.shape()))
    throw UserError(std::string(op) + ": the index " + text(index.shape()) + " and the source " + text(source.shape()) +
                    " differ");
}

}  // namespace

Tensor Tensor::gather(const Tensor& ids) const {
  if (rank() == 0) throw UserError("gather: the tensor has no rows");
  check_ids("gather", ids);
  return Tensor(UOp(Op::Gather, dtype(), {}, {uop_, ids.uop()}));
}

Tensor Tensor::gather(int axis, const Tensor& index) const {
  const int at = checked_index("gather", *this, axis, index);
  const auto [ids, others] = as_rows(index, at);
  return from_rows(taken(as_rows(under(*this, at, index), at).rows, ids), others, at);
}

Tensor Tensor::index_select(int axis, const Tensor& ids) const {
  const int at = checked_axis("index_select", axis, shape());
  check_ids("index_select", ids);
  if (ids.rank() != 1) throw UserError("index_select: the ids " + text(ids.shape()) + " are not one axis");
  return transpose(0, at).gather(ids).transpose(0, at);
}

Tensor Tensor::scatter_add(int axis, const Tensor& index, const Tensor& source) const {
  const int at = checked_index("scatter_add", *this, axis, index);
  check_source("scatter_add", index, source);
  const auto [ids, others] = as_rows(index, at);
  const Tensor added = as_rows(source.cast(dtype()), at).rows.unsqueeze(-2);
  const Tensor sums = where(named(ids, shape()[at]), added, full({}, 0, added.dtype())).sum({-1});  // [count, n]
  return *this + spread(from_rows(sums, others, at), shape()).cast(dtype());
}

Tensor Tensor::scatter(int axis, const Tensor& index, const Tensor& source) const {
  const int at = checked_index("scatter", *this, axis, index);
  check_source("scatter", index, source);
  const auto [ids, others] = as_rows(index, at);
  const Tensor place = arange(ids.shape()[1]), none = full({}, -1, dt::i32);
  const Tensor last = where(named(ids, shape()[at]), place, none).max({-1});  // [count, n]
  const Tensor is_written = none < last, written = taken(as_rows(source.cast(dtype()), at).rows, last.maximum(none + 1));
  const auto whole = [&](const Tensor& rows) { return spread(from_rows(rows, others, at), shape()); };
  return where(whole(is_written), whole(written), *this);
}

namespace {
/// A view that can be written through: movement ops that give each element one place, over a Buffer or an earlier Assign.
void check_writable(const UOp& view) {
  UOp u = view;
  while (u.is(Op::Reshape) || u.is(Op::Permute) || u.is(Op::Shrink) || u.is(Op::Flip)) u = u.src(0);
  if (u.is(Op::Buffer) || u.is(Op::Assign)) return;
  if (u.is(Op::Expand) || u.is(Op::Pad))
    throw UserError(std::string("assign: an element of the view has no place of its own (") + info(u.op()).name + ")");
  throw UserError(std::string("assign: the tensor is not realised (its last step is ") + info(u.op()).name +
                  "); call realize() first");
}
}  // namespace

Tensor Tensor::assign(const Tensor& value) const {
  const Shape to = shape(), from = value.shape();
  check_writable(uop_);
  if (!same(broadcast_shape("assign", to, from), to))
    throw UserError("assign: a value of shape " + text(from) + " does not fit the view " + text(to));
  return Tensor(UOp(Op::Assign, dtype(), {}, {uop_, value.cast(dtype()).expand(to).uop()}));
}

}  // namespace pg
