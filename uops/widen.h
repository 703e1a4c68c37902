#pragma once
#include "uops/target.h"
#include "uops/uop.h"

namespace pg {

/// On a GPU: neighbours in memory are accessed by one instruction. Scalar Loads at base + 0, base + 1, .. of one scope, with
/// nothing in between that may change the memory, become a one-lane Shuffle each of one vector Load, and Stores one vector
/// Store, where the address of the first is known to be a multiple of the lanes. 16 bytes at most. Elsewhere nothing
/// changes. Post: a Linear of the same meaning.
UOp accesses_widened(const UOp& linear, const Target&);

}  // namespace pg
