// Reading rows by number, and writing into views of realised tensors.
#include "src/tensor/shape.h"

namespace pg {

Tensor Tensor::gather(const Tensor& ids) const {
  if (rank() == 0) throw UserError("gather: the tensor has no rows");
  if (!ids.dtype().is_int()) throw UserError("gather: the ids are " + text(ids.dtype()) + ", not integers");
  return Tensor(UOp(Op::Gather, dtype(), {}, {uop_, ids.uop()}));
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
