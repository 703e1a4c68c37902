#pragma once
#include <optional>

#include "search/schedule.h"

namespace pg {

/// The default schedule on a CPU of an elementwise kernel whose value is another expression for each place of some short
/// axes (the points of a Winograd transform, the outputs of its tiles): these axes are written out, so that each expression
/// is computed where it is stored, and what they share once. None for other kernels.
std::optional<Schedule> choices_heuristic(const UOp& kernel, const Target&);

}  // namespace pg
