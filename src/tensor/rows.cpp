#include "src/tensor/rows.h"

#include <cstdint>

#include "src/tensor/shape.h"
#include "uops/simplify.h"

namespace pg {

Tensor as_ids(const Tensor& ids) {
  const DType t = ids.dtype();
  return t.bytes() < 4 ? ids.cast(dt::i32) : t == dt::u64 ? ids.cast(dt::i64) : ids;
}

Rows as_rows(const Tensor& x, int axis) {
  std::vector<int> order;
  Shape others;
  for (int i = 0; i < x.rank(); ++i)
    if (i != axis) order.push_back(i), others.push_back(x.shape()[i]);
  order.push_back(axis);
  const Tensor last = x.permute(order);
  return {last.reshape({element_count(others), last.shape().back()}), others};
}
Tensor from_rows(const Tensor& rows, const Shape& others, int axis) {
  Shape shape = others;
  shape.push_back(rows.shape().back());
  std::vector<int> order;
  for (int i = 0; i < static_cast<int>(shape.size()); ++i)
    order.push_back(i < axis ? i : i == axis ? static_cast<int>(shape.size()) - 1 : i - 1);
  return rows.reshape(std::move(shape)).permute(order);
}

Tensor taken(const Tensor& rows, const Tensor& ids) {
  const Dim count = rows.shape()[0], n = rows.shape()[1];
  const DType wide = bounds((count * n).uop()).hi <= INT32_MAX ? dt::i32 : dt::i64;
  const Tensor first = (Tensor::arange(count, wide) * Tensor::scalar(n, wide)).unsqueeze(-1), at = first + ids.cast(wide);
  const UOp table = rows.reshape({count * n}).uop();
  const auto blocks = count.number();  // each row is a block of its own: the gradient's sums are that much shorter
  return Tensor(UOp(Op::Gather, rows.dtype(), blocks ? Arg(*blocks) : Arg(), {table, at.uop()}));
}

}  // namespace pg
