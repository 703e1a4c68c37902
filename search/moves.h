#pragma once
// What the beam may do next, and what it would try before compiling anything.
#include <string>
#include <vector>

#include "search/calibrate.h"
#include "search/schedule.h"

namespace pg {

/// Every schedule one legal step away: another register tile, another vec width or vec axis, a loop tile more or less, an
/// unrolled reduction, another grid, another place for one loop, one stage more or less. Without duplicates and without `s`
/// itself.
std::vector<Schedule> moves(const Schedule& s, const Target&);

/// Bundles of opts that only pay together, for the beam to start from (the heuristic's schedule is not among them).
std::vector<Schedule> templates(const UOp& kernel, const Target&);

/// What a template is a variation of: on a GPU a block's tile of the outputs, its threads along a sum, whether blocks share
/// a sum, and which values come by which way. "": families are not told apart.
std::string family(const Schedule&, const Target&);

/// In which order seeds are measured that are given from the best estimate on, by family: the first of each family, then the
/// second ones, and so on. An estimate errs for a whole family alike; measuring one of each finds that out.
std::vector<size_t> varied(const std::vector<std::string>& families);

/// What an estimate is made of, in nanoseconds. The parts are sums over all nests, before cores share them out; the blocks of
/// a GPU have none.
struct Estimate {
  double ns = 0;                            // the estimate
  double math = 0, loads = 0, latency = 0;  // the largest of a nest counts
  double spills = 0, memory = 0, copies = 0;
};
Estimate estimate_parts(const Schedule&, const Target&, const Costs&);
/// Estimated time of a run in nanoseconds: arithmetic, loads (gathers by lane), latency of too few
/// accumulators, loops, caches and memory, spills, work in tails, grid quantisation. Only its order matters. Variables count
/// at their upper bounds.
double estimate(const Schedule&, const Target&, const Costs&);
inline double estimate(const Schedule& s, const Target& t) { return estimate(s, t, default_costs(t)); }

}  // namespace pg
