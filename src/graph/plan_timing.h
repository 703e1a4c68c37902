#pragma once
// What an alternative of plans is worth: the kernels with it and without it, run in turns.
#include "search/measure.h"
#include "src/graph/plans.h"

namespace pg {

struct PlanTiming {
  double in_place_ms = 0, stored_ms = 0;  // medians, of one site
  Speedup gain;                           // of computing in place over materialising
};
/// On random operands, each kernel with the best schedule that is known of it.
PlanTiming time_trial(const PlanTrial&, const Bindings64&, Device&);

/// Times the alternatives of these graphs that the store knows nothing of yet, and keeps which is better: the rule's choice
/// stays unless the other one is faster by 1 % with 95 % confidence. `told` gets each; false ends the run.
void tune_plans(const UOps& roots, const Bindings64&, Device&, Store&, const std::function<bool(const PlanRow&)>& told);
/// The same at run time, where BEAM=n asks for a search: within BUDGET, and where every Variable has a value.
void tune_plans_by_beam(const UOps& roots, const Bindings64&);
/// Whether all Variables of these graphs have values.
bool bound(const UOps& roots, const Bindings64&);

}  // namespace pg
