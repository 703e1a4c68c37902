#pragma once
// The default schedule's part for windows: a convolution's input, of which several outputs read each element.
#include <optional>
#include <string>

#include "search/schedule.h"

namespace pg {

/// Loads of the output's reduction that an output axis moves by a few elements a step, and windows by single ones: strided
/// convolutions. Staged with their elements sorted by what is left over (every second one, then the others), they are runs.
int combed_loads(const UOp& kernel, const UOp& axis);

/// A buffer that is read by overlapping windows: a few lines of it, with their halo and their padding, are copied once and
/// read by all filters. `vec` is the axis of vectors, `vectors` how many of them a block of registers has along it, `row`
/// the axis of its rows. Null where there are no windows.
std::optional<Schedule> windows_staged(const Schedule& blocked, const UOp& vec, int64_t vectors, const std::string& row,
                                       const Target&);

}  // namespace pg
