#pragma once
// The lowering passes, in the order of passes(). Each is named after its post-condition.
#include "uops/target.h"
#include "uops/uop.h"

namespace pg {

/// Scheduled kernel → a tree of Block / For / If / Store / StoreAll / Memory. Loops are opened in schedule order, ragged axes are
/// peeled, Reduces become accumulators, definitions stand where they are computed.
/// Post: no Define; Reduce only over register ranges (merges); every Loop and Grid range has a For, and so have the unroll
/// ranges of reductions; other register ranges (unroll, upcast, vec) are still free in the statements.
UOp nests_opened(const UOp& scheduled, const Target&);

/// Post: float a*b + c is one Fma. What the source rounds once, every device rounds once.
UOp products_fused(const UOp& tree, const Target&);

/// Post: every Index has one index, counted in elements of the (scalar) element type, and simplified.
UOp indices_flattened(const UOp& tree, const Target&);

/// Post: no unroll, upcast or vec range remains: statements are repeated per instance and vectorised.
UOp registers_expanded(const UOp& tree, const Target&);

/// Post: a Linear (uops/linear.h).
UOp linearized(const UOp& tree, const Target&);

}  // namespace pg
