#pragma once
// Windows that move along an axis, for convolutions, pooling and unfold.
#include "src/tensor/tensor.h"

namespace pg {

/// How a window moves along one spatial axis.
struct Walk {
  int64_t extent = 0;  // of the window
  int64_t stride = 1, dilation = 1, before = 0, after = 0;
  int64_t span() const { return dilation * (extent - 1) + 1; }
  int64_t places(int64_t padded) const { return (padded - span()) / stride + 1; }
};

/// [.., n, ..] → [.., window, places, ..], a view. n is a number and the window fits; `before` and `after` are the caller's.
Tensor windows(const Tensor& x, int axis, const Walk&);

/// UserError where an extent of the caller's `what` holds Variables.
int64_t known_extent(const char* op, const char* what, const Tensor&, int axis);

}  // namespace pg
