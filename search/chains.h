#pragma once
// Schedules made from whole range chains, for the heuristic and the search's moves.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "search/schedule.h"

namespace pg {

using Splits = std::vector<Schedule::Split>;

/// `s` with other chains for some axes, its grid and what is left of its order; null when that is illegal.
std::optional<Schedule> with_chains(const Schedule& s, const std::vector<std::pair<std::string, Splits>>& changed);

/// A block of `columns` of the vec axis by `depth` of the longest reduce axis stays in the L2 while all rows pass; partial
/// results are merged in the output. One core takes all rows, several share them. Null when the axes are too short for that,
/// or the partial results would need more private memory than there is.
std::optional<Schedule> cache_tiled(const Schedule& s, const std::string& vec_axis, const std::string& row_axis,
                                    int64_t columns, int64_t depth, const Target&);

}  // namespace pg
