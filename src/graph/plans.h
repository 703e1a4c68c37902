#pragma once
// Which plan a graph runs with on a device: alternatives (partition.h) as they were measured there, else by rule.
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "runtime/device.h"
#include "search/tune.h"
#include "src/graph/partition.h"

namespace pg {

/// What a store (the default one; null: nothing) knows of this device, toolchain and number of threads, else the rules.
PlanOptions plan_options(Device&);
PlanOptions plan_options(Device&, Store*);
/// What a store knows of them: site → whether it is computed in place.
std::map<std::string, bool> measured_plans(Store&, Device&);
/// The device that holds the inputs, the default one where none does. UserError when they lie on two.
Device& device_of(const UOps& roots);

/// An alternative, and the kernels that a graph has with it only, or without it only.
struct PlanTrial {
  struct Share {
    UOp ast;
    int launches = 0;  // for one site
  };
  Alternative alternative;
  std::vector<Share> in_place, stored;  // with it, and without
  std::vector<std::string> instead_of;  // sites of other ways for the same node, one of which `stored` may be
};
/// One for each kind of site, in the order of the graph, users first. Sites that make no difference are left out. Of several
/// ways for a node each one stands against what there is without it and without the later ones.
/// Only of the sites that `wanted` (empty: all) says yes to.
std::vector<PlanTrial> plan_trials(const UOps& roots, const PlanOptions&,
                                   const std::function<bool(const std::string& site)>& wanted = {});

/// The key of a device's row.
PlanRow plan_key(const std::string& site, Device&);

}  // namespace pg
