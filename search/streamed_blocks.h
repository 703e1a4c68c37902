#pragma once
// A matrix times a vector with what else reads the matrix' rows or the vector, on a GPU: sums side by side at each output,
// and the reductions of a normalised vector, which each block computes for itself. Several outputs of a block share that.
#include <optional>
#include <vector>

#include "search/schedule.h"

namespace pg {

struct StreamedBlock {
  int64_t warps = 8;  // of a block: each has outputs of its own, or, where neighbours lie along these, a part of the sum
  int64_t own = 1;    // outputs of a warp that are on their way together
};
/// Null when the kernel is anything else.
std::optional<Schedule> streamed_block(const UOp& kernel, const Target&, const StreamedBlock&);
/// The default one: as many outputs of a warp as leave each processor two blocks.
std::optional<Schedule> streamed_block_heuristic(const UOp& kernel, const Target&);

}  // namespace pg
