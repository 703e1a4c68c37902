#pragma once
// Kernels with an operand that lies packed in memory (quantised weights): scheduled as if the operand were floats.
#include "search/opt.h"
#include "uops/uop.h"

namespace pg {

/// The kernel with each definition that only unpacks (uops/kernel.h) as a buffer of floats with its name: an ordinary
/// product, to the heuristic and the templates. Null: there is none.
UOp as_if_unpacked(const UOp& kernel);
/// Opts for that kernel as opts for the real one. Who stages the operand stages the definition: its nest walks blocks, as
/// they lie in memory, and where the tile has the vectors across them, squares are turned in registers.
Opts for_packed(const UOp& kernel, const Opts& plain, int64_t lanes);

}  // namespace pg
