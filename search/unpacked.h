#pragma once
// Kernels with an operand that lies packed in memory (quantised weights): scheduled as if the operand were floats.
#include "search/opt.h"
#include "uops/uop.h"

namespace pg {

/// The kernel with each definition that only unpacks (uops/kernel.h) as a buffer of floats with its name: an ordinary
/// product, to the heuristic and the templates. Null: there is none.
UOp as_if_unpacked(const UOp& kernel);
/// Opts for that kernel as opts for the real one. Staged, the operand is unpacked as it lies and turned in registers where
/// the tile has the vectors across its rows; with vectors along the rows it is staged where several blocks of rows read it;
/// else it is unpacked where it is multiplied.
Opts for_packed(const UOp& kernel, const Opts& plain, int64_t lanes);
/// The kernel with these definitions inlined where they are read; the kernel itself where there are none. Opts for it hold
/// for the real one.
UOp unpacked_inline(const UOp& kernel);

}  // namespace pg
