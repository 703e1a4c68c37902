#pragma once
#include <optional>

#include "search/schedule.h"

namespace pg {

/// The default schedule on a CPU of a product whose one operand lies in memory as panels [N / width, K, width] (the plan
/// "panels"): a panel is read as it lies, by block after block of rows. None for other kernels.
std::optional<Schedule> panels_heuristic(const UOp& kernel, const Target&);

}  // namespace pg
