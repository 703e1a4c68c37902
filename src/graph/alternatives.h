#pragma once
// Which nodes may be computed in place instead of being materialised, and for which that pays by rule (materialise.h, rule
// 8).
#include <optional>

#include "src/graph/materialise.h"

namespace pg {

/// The alternative that there is for a node which would be materialised, all of whose uses may be definitions; none where it
/// could only lose. `reduction`: whose head it is, or null.
std::optional<Alternative> alternative_of(const UOp& node, const UOp& reduction, const std::vector<const Use*>& uses,
                                          const std::vector<KernelSketch>& kernels);

/// Whether a reduction, no longer than a row, gives nothing but numbers that rows computed in place need: it goes with them.
bool belongs_to_a_row(const UOp& reduction, const std::vector<const Use*>& uses);
/// "4x8xpos+1".
std::string shape_text(const UOps& extents);

}  // namespace pg
