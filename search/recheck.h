#pragma once
#include <string>

#include "search/measure.h"
#include "search/tune.h"

namespace pg {

struct Rechecked {
  bool here = false;              // it was run; winners of other devices or toolchains cannot be
  std::string problem;            // why it does not hold any more; empty: its outputs are right
  double ms = 0, default_ms = 0;  // of winner and default, timed in turns; 0: not timed, as where the winner is the default
  Speedup over_default;           // ratio > 1: the winner is faster
  bool slower = false;            // than the default, beyond noise, twice in a row, by half a microsecond at least
};
/// Builds a stored winner again, runs it in the runner, compares sampled outputs with the reference, and times it in turns
/// with the default schedule. `bindings`: the Variables' values, as MeasurementRow::bindings of the winner has them; those that it
/// does not name, or that are out of bounds: the end of the winner's bucket.
Rechecked recheck(const WinnerRow&, const KernelRow&, Device&, const std::string& bindings = "{}");

}  // namespace pg
