#include "src/graph/plans.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "runtime/config.h"
#include "src/graph/epilogues.h"
#include "src/tensor/buffers.h"

namespace pg {

PlanRow plan_key(const std::string& site, Device& device) {
  PlanRow row;
  row.site = site;
  row.device = device.info().id;
  row.toolchain = device.toolchain().id;
  row.threads = device.target().cores;
  return row;
}

/// The interpreter takes no time worth measuring: it runs what a CPU does by rule.
PlanOptions plan_options(Device& device) { return plan_options(device, device.name() == "REF" ? nullptr : default_store()); }
PlanOptions plan_options(Device& device, Store* store) {
  PlanOptions options{.gpu = device.target().gpu, .rounding = config().rounding};
  if (!store) return options;
  options.choose = [known = measured_plans(*store, device)](const Alternative& a) {
    const auto it = known.find(a.site);
    return it == known.end() ? std::nullopt : std::optional(it->second);
  };
  return options;
}

std::map<std::string, bool> measured_plans(Store& store, Device& device) {
  const PlanRow key = plan_key("", device);
  std::map<std::string, bool> known;
  for (const PlanRow& row : store.plans())
    if (row.device == key.device && row.toolchain == key.toolchain && row.threads == key.threads &&
        row.precision == key.precision)
      known[row.site] = row.in_place;
  return known;
}

Device& device_of(const UOps& roots) {
  Device* found = nullptr;
  for (const UOp& node : TensorGraph(roots).nodes) {
    const MemoryRef memory = node.is(Op::Buffer) ? memory_of(node) : nullptr;
    if (!memory) continue;
    if (found && found != &memory->device())
      throw UserError("realize: tensors on " + found->name() + " and on " + memory->device().name() +
                      " in one computation; copy one over first");
    found = &memory->device();
  }
  return found ? *found : default_device();
}

namespace {
std::unordered_map<UOp, int> launches(const Plan& plan) {
  std::unordered_map<UOp, int> count;
  for (const PlannedKernel& k : plan.kernels) count[k.ast] += !k.constant;
  return count;
}
/// The kernels of `of` that `other` has less often, in the order of the plan; without those that run once.
std::vector<PlanTrial::Share> only_in(const Plan& of, const Plan& other, int sites) {
  std::unordered_map<UOp, int> here = launches(of), there = launches(other);
  std::vector<PlanTrial::Share> shares;
  for (const PlannedKernel& k : of.kernels) {
    int& more = here[k.ast];
    more -= there[k.ast];
    if (more > 0) shares.push_back({k.ast, std::max(1, (more + sites / 2) / sites)});
    more = 0, there[k.ast] = 0;
  }
  return shares;
}
}  // namespace

std::vector<PlanTrial> plan_trials(const UOps& roots, const PlanOptions& options,
                                   const std::function<bool(const std::string& site)>& wanted) {
  const Plan plan = partition(roots, options);
  std::map<std::string, int> sites;
  for (const Alternative& a : plan.alternatives) ++sites[a.site];
  std::vector<PlanTrial> trials;
  for (const Alternative& a : plan.alternatives) {
    const auto kind = sites.find(a.site);
    if (kind == sites.end()) continue;  // seen before
    if (wanted && !wanted(a.site)) continue;
    std::vector<std::string> earlier, later;  // ways for the same node
    for (const Alternative& other : plan.alternatives)
      if (other.node == a.node && other.site != a.site) (&other < &a ? earlier : later).push_back(other.site);
    const auto planned = [&](bool taken) {
      PlanOptions decided = options;
      decided.choose = [&](const Alternative& other) {
        if (other.site == a.site) return std::optional(taken);
        if (std::find(later.begin(), later.end(), other.site) != later.end()) return std::optional(false);
        return options.choose ? options.choose(other) : std::nullopt;
      };
      return partition(roots, decided);
    };
    const Plan with = planned(true), without = planned(false);
    PlanTrial trial{a, only_in(with, without, kind->second), only_in(without, with, kind->second), earlier};
    if (!trial.in_place.empty() && !trial.stored.empty()) trials.push_back(std::move(trial));
    sites.erase(kind);
  }
  return trials;
}

}  // namespace pg
