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

/// Of what a CPU takes by rule: what costs a GPU no parallelism, and no bytes worth mentioning. The processors of a GPU have
/// no caches of their own for long: what is read at two places (rotated keys) is fetched twice, and a row that several
/// kernels would each compute is waited for by each.
bool pays_on_a_gpu(const Alternative&);

/// Whether a reduction, no longer than a row, gives nothing but numbers that rows computed in place need: it goes with them.
bool belongs_to_a_row(const UOp& reduction, const std::vector<const Use*>& uses);
/// Whether each element of some operand is read once: then memory, not arithmetic, sets the time of the reduction, and what
/// is near is read again for little. A matrix times a vector.
bool streams(const UOp& reduction);
/// Whether a node has no more elements, symbolic extents at their largest.
bool at_most(const UOp& node, int64_t most);
/// "4x8xpos+1".
std::string shape_text(const UOps& extents);

}  // namespace pg
