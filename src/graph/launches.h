#pragma once
// Kernels that share an input and do not wait for each other, as one launch: a token's q, k and v.
#include <vector>

#include "src/graph/partition.h"

namespace pg {

/// What decides whether a kernel of a plan may share a launch.
struct LaunchNeeds {
  bool reduces = false, streams = false;  // has a reduction, has one that memory sets the time of
  size_t after = 0;                       // how many of the plan's kernels have run before it may
};

/// Offers `together` for kernels that reduce, read a common Buffer that is not frozen, and could all run where the first of
/// them does; replaces those that are taken by one Together. `needs` is parallel to the plan's kernels.
void launch_together(Plan&, const std::vector<LaunchNeeds>& needs, const PlanOptions&);

}  // namespace pg
