#pragma once
// Copies that turn what they copy.
#include <functional>

#include "uops/uop.h"

namespace pg {

/// A copy whose lanes lie apart in a buffer and side by side in memory, repeated for as many neighbours of each in the
/// buffer: squares that are read by rows, turned in registers and written by columns, where one gather for each column would
/// read every line as often as it has lanes. `store`: flat, with these register ranges and `vec` free. Null: it is none.
UOp turned_copy(const UOp& store, const UOps& ranges, const UOp& vec);

/// The same for a value that is computed from such loads (a definition that unpacks weights), where one of the ranges walks
/// over as many neighbours of all of them: rows of the square are computed, then turned. `row(numbers, range)`: the value
/// with these numbers for ranges and that range as lanes. Null: it is no such value.
UOp turned_value(const UOp& store, const UOps& ranges, const UOp& vec,
                 const std::function<UOp(const Substitution&, const UOp&)>& row);

}  // namespace pg
