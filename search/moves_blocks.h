#pragma once
// The same as moves.h for blocks of threads: what `moves`, `templates` and `estimate` do where the target is a GPU.
#include <vector>

#include "search/schedule.h"

namespace pg {

std::vector<Schedule> block_moves(const Schedule&, const Target&);
std::vector<Schedule> block_templates(const UOp& kernel, const Target&);
double estimate_blocks(const Schedule&, const Target&);

/// 32-bit registers that a thread will need, about: accumulators, operands, what a copy with two slots holds, addresses.
int64_t thread_registers(const Schedule&);

}  // namespace pg
