#pragma once
// What the lanes of accumulators come to, for several results at once.
#include <vector>

#include "uops/reducers.h"

namespace pg {

/// The lanes of each result's vectors combined among themselves, the upper half with the lower one in each turn. `results`:
/// their states, one vector each; a power of two of them, and no more than lanes. Returns a vector with a lane for each
/// result (of one: a scalar) per state. Two results share the vectors of a turn: 8 of 16 lanes take 23 steps, one after the
/// other 96.
UOps lanes_merged(const Reducer&, std::vector<UOps> results);

/// Of the register ranges of a statement without lanes of its own, one along which it may be computed for up to `lanes`
/// results at once: it merges lanes of accumulators, or computes on what was merged before and lies in private memory; its
/// stores walk over neighbours, and what it reads beside stays where it is or does so too. Null: there is none.
UOp results_together(const UOp& statement, const UOps& ranges, int64_t lanes);

}  // namespace pg
