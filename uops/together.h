#pragma once
// Kernels that do not read each other's results, run by one launch: their grids lie side by side.
#include <span>
#include <string>
#include <vector>

#include "uops/target.h"
#include "uops/uop.h"

namespace pg {

/// A Together of two or more Kernels. Its buffers are those of the first, then those of the second, ..: see first_slots.
UOp together(std::span<const UOp> kernels);
/// The Kernels of a Together, in order; of a Kernel itself.
UOps kernels_in(const UOp& launch);
/// Where each kernel's buffers begin, and behind them the number of all.
std::vector<int64_t> first_slots(const UOp& launch);

/// What became of an attempt to make several programs one.
struct JoinedPrograms {
  UOp linear;           // null: they cannot be one
  std::string why_not;  // then
};
/// The programs of a Together's kernels as one: phase by phase, a grid as long as theirs together, whose items belong to the
/// first, then to the second, .. What stands in front of their grids stands in front of this one. Blocks of threads must be
/// of one size; what their kernels share in memory may lie at the same place.
JoinedPrograms joined(const UOp& together, std::span<const UOp> linears, const Target&);

}  // namespace pg
