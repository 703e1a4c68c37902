#pragma once
// Copies that turn what they copy.
#include "uops/uop.h"

namespace pg {

/// A copy whose lanes lie apart in a buffer and side by side in memory, repeated for as many neighbours of each in the
/// buffer: squares that are read by rows, turned in registers and written by columns, where one gather for each column would
/// read every line as often as it has lanes. `store`: flat, with these register ranges and `vec` free. Null: it is none.
UOp turned_copy(const UOp& store, const UOps& ranges, const UOp& vec);

}  // namespace pg
