#pragma once
// Barriers between what the threads of a block store in shared memory and what they read of it.
#include "uops/uop.h"

namespace pg {

/// The body of a block's threads with a Barrier wherever, since the last one, a memory of `shared` may have been stored to
/// that is now read, or read that is now stored to; loops count as followed by themselves. `rings` are left alone: whoever
/// made them placed theirs. Of `owned` ones each element is always stored by the same thread: what a statement reads of it
/// at the place where it stores is no reason for one. Where a condition depends on the thread, the Barrier stands before the
/// If; InternalError when that is not enough.
UOp barriers_placed(const UOp& body, const UOps& shared, const UOps& rings, const UOps& owned, const UOp& thread);

}  // namespace pg
