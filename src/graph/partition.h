#pragma once
#include <string>
#include <vector>

#include "uops/uop.h"

namespace pg {

/// One kernel of a plan: the AST and the Buffers its Params stand for.
struct PlannedKernel {
  UOp ast;       // Kernel
  UOps buffers;  // Buffer UOps by Param slot; slot 0 is the output
};
/// Step 3: the kernels that compute the roots, in order, and the Buffer that holds each root.
/// Where a buffer is materialised is written down here and nowhere else:
///   docs/architecture.md, "When a buffer is materialised".
struct Plan {
  std::vector<PlannedKernel> kernels;
  UOps outputs;  // parallel to the roots
};
Plan partition(const UOps& roots);

}  // namespace pg
