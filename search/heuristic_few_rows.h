#pragma once
#include <optional>
#include <string>

#include "search/schedule.h"

namespace pg {

/// The default schedule on a CPU of a product of a few rows with a matrix, both of which lie along the sum: the matrix is
/// read once, as it lies, and memory is busy with the next columns while these are multiplied. `plain`: unscheduled. Null
/// for other kernels, and where nothing is gained.
std::optional<Schedule> few_rows_heuristic(const Schedule& plain, const std::string& sum);

}  // namespace pg
