#pragma once
// The axes of a finished kernel: as few and as affine as its accesses allow, and named. Each pass is Kernel → Kernel.
#include "uops/uop.h"

namespace pg {

/// Simplifies every definition of a kernel.
UOp kernel_simplified(const UOp& kernel);

/// Post: no index divides an axis (n / 64, n % 64) by a factor of its extent: such an axis became two.
UOp axes_split(const UOp& kernel);

/// Post: no two neighbouring axes of constant extents are walked as one contiguous axis by every access: they became one,
/// and so did the axes of the Params. An elementwise kernel over [4, 8, 16] has one axis of 512.
UOp axes_merged(const UOp& kernel);

/// Post: the axes, the Params and the kernel bear readable names. A sum of products has output axes b (in both factors), m,
/// n and reduce axes k, and Params C, A, B; a convolution has b, g, o, y, x and c, ky, kx, and Params Y, X, W; others have
/// i, j, l, .. and r, and Y, X. The name holds the extents.
UOp axes_named(const UOp& kernel);

}  // namespace pg
