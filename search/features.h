#pragma once
// A schedule as a row of numbers, the same for all kernels of a device, so that what was measured of one tells of another.
#include <string>
#include <vector>

#include "search/moves.h"
#include "search/schedule.h"

namespace pg {

/// What of a row is the kernel's: worked out once.
class Features {
 public:
  Features(const UOp& kernel, const Target&);
  /// Sizes are logarithms, Variables count at their upper bounds, work stands in units of the least time that the kernel can
  /// take.
  std::vector<float> of(const Schedule&, const Estimate&) const;
  /// One a column.
  static const std::vector<std::string>& names();

 private:
  Target target_;
  double least_ = 1;  // of arithmetic and memory at their peaks
  std::vector<float> kernel_;
};

}  // namespace pg
