#pragma once
// The same as moves.h for blocks of threads: what its functions do where the target is a GPU.
#include <string>
#include <vector>

#include "search/calibrate.h"
#include "search/schedule.h"

namespace pg {

std::vector<Schedule> block_moves(const Schedule&, const Target&);
std::vector<Schedule> block_templates(const UOp& kernel, const Target&);
std::string block_family(const Schedule&);
double estimate_blocks(const Schedule&, const Target&, const Costs&);

}  // namespace pg
