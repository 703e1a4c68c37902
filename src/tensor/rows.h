#pragma once
// An axis of a tensor as the last of two, for what works on each row by itself.
#include "src/tensor/tensor.h"

namespace pg {

struct Rows {
  Tensor rows;   // [count, n]: the axis moved to the end, the others merged in front of it
  Shape others;  // the extents that were merged
};
/// `axis` counts from the front.
Rows as_rows(const Tensor& x, int axis);
/// [count, m] back to the other extents, with m at the axis.
Tensor from_rows(const Tensor& rows, const Shape& others, int axis);

/// rows [count, n] by integer ids [count, m], each row by its own ids → [count, m]. Differentiable in the rows.
Tensor taken(const Tensor& rows, const Tensor& ids);
/// Ids in a type that holds any row number: i32, u32 or i64.
Tensor as_ids(const Tensor& ids);

}  // namespace pg
