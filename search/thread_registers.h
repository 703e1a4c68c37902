#pragma once
#include "uops/placement.h"

namespace pg {

/// 32-bit registers that a thread of a block will need, about: accumulators, operands, what a copy with two slots holds,
/// addresses. 0: the schedule is not allowed.
int64_t thread_registers(const Placement&);

}  // namespace pg
