#pragma once
#include "search/opt.h"
#include "uops/target.h"

namespace pg {

/// The default schedule on a GPU: blocks that fill the machine, threads along what is contiguous, tiles in shared memory.
Opts block_heuristic(const UOp& kernel, const Target&);

}  // namespace pg
