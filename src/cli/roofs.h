#pragma once
// The ceilings of this machine for a report, timed now.
#include "runtime/device.h"
#include "src/cli/report.h"

namespace pg {

/// Into `report.roofs`, for each of the thread counts of its winners; into `report.no_roofs` why there are none.
void measure_roofs(Report&, Device&);

}  // namespace pg
