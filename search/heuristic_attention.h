#pragma once
#include <optional>

#include "search/schedule.h"

namespace pg {

/// The default schedule on a CPU of a kernel that weighs by a softmax: O[.., i, d] = Σ_j exp(S[.., i, j] − M)·V[.., j, d] /
/// L. None when the kernel is another one, or has an axis that this does not know.
std::optional<Schedule> attention_heuristic(const UOp& kernel, const Target&);

}  // namespace pg
