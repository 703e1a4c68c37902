#include "src/graph/plan_timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include "runtime/config.h"
#include "runtime/memory.h"
#include "search/reference.h"
#include "src/graph/program_cache.h"
#include "uops/kernel.h"

namespace pg {

namespace {
constexpr int kRounds = 15;
constexpr double kShortestMs = 0.2;  // of a sample: shorter ones are repeated
constexpr int kMostRuns = 200;       // of one in a sample

/// A kernel with operands of its own.
class Launchable {
 public:
  Launchable(const PlanTrial::Share& share, const Bindings64& bindings, Device& device) : times_(share.launches) {
    const Bindings64 own = own_bindings(variables_of(share.ast), bindings);
    const KernelRequest request{share.ast, own};
    const ReadyKernelRef ready = ready_kernels({&request, 1}, device)[0];
    const std::vector<BufferSpec> specs = buffer_specs(share.ast, own);
    for (size_t slot = 0; slot < specs.size(); ++slot) {
      std::vector<std::byte> host(specs[slot].bytes());
      fill(host.data(), specs[slot], 1, slot);
      memory_.push_back(std::make_unique<Memory>(device, host.size()));
      device.copy_in(memory_.back()->data(), host.data(), host.size());
    }
    for (const ReadyLaunch& l : ready->launches(own)) {
      launches_.push_back({l.program, {}, l.variables, l.items});
      for (const size_t slot : l.slots) launches_.back().buffers.push_back(memory_.at(slot)->data());
    }
  }
  void enqueue() const {
    for (int i = 0; i < times_; ++i)
      for (const Launch& l : launches_) l.program->enqueue(l.buffers, l.variables, l.items);
  }

 private:
  int times_;
  std::vector<std::unique_ptr<Memory>> memory_;
  std::vector<Launch> launches_;
};

struct Side {
  std::vector<Launchable> kernels;
  int repeat = 1;
  std::vector<double> ms = {};

  Side(const std::vector<PlanTrial::Share>& shares, const Bindings64& bindings, Device& device) {
    for (const PlanTrial::Share& s : shares) kernels.emplace_back(s, bindings, device);
  }
  double sample(Device& device) const {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < repeat; ++i)
      for (const Launchable& k : kernels) k.enqueue();
    device.synchronize();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count() / repeat;
  }
};
}  // namespace

PlanTiming time_trial(const PlanTrial& trial, const Bindings64& bindings, Device& device) {
  Side in_place(trial.in_place, bindings, device), stored(trial.stored, bindings, device);
  for (Side* s : {&in_place, &stored}) {
    s->sample(device);
    s->repeat = static_cast<int>(std::clamp(kShortestMs / std::max(s->sample(device), 1e-6), 1.0, double(kMostRuns)));
  }
  for (int round = 0; round < kRounds; ++round) {
    Side *first = round % 2 ? &stored : &in_place, *second = round % 2 ? &in_place : &stored;
    first->ms.push_back(first->sample(device));
    second->ms.push_back(second->sample(device));
  }
  return {timing(in_place.ms).median_ms, timing(stored.ms).median_ms, speedup(stored.ms, in_place.ms)};
}

namespace {
/// Plans are timed with the schedules that there are: none is searched for a kernel that may not be wanted.
class WithoutBeam {
 public:
  WithoutBeam() {
    Config now = before_;
    now.beam = 0;
    set_config(now);
  }
  ~WithoutBeam() { set_config(before_); }

 private:
  const Config before_ = config();
};
/// What is not known yet and does not wait for another trial.
std::vector<PlanTrial> next_trials(const UOps& roots, Device& device, Store& store) {
  const std::map<std::string, bool> known = measured_plans(store, device);
  std::vector<PlanTrial> trials = plan_trials(roots, plan_options(device, &store),
                                              [&](const std::string& site) { return !known.contains(site); });
  std::set<std::string> unknown;
  for (const PlanTrial& t : trials) unknown.insert(t.alternative.site);
  std::erase_if(trials, [&](const PlanTrial& t) {
    return std::any_of(t.instead_of.begin(), t.instead_of.end(), [&](const auto& site) { return unknown.contains(site); });
  });
  return trials;
}

/// False: `told` ended the run.
bool time_trials(const std::vector<PlanTrial>& trials, const Bindings64& bindings, Device& device, Store& store,
                 const std::function<bool(const PlanRow&)>& told) {
  std::vector<KernelRequest> kernels;  // compiled together, on all cores
  for (const PlanTrial& t : trials)
    for (const auto* side : {&t.in_place, &t.stored})
      for (const PlanTrial::Share& s : *side) kernels.push_back({s.ast, own_bindings(variables_of(s.ast), bindings)});
  ready_kernels(kernels, device);
  for (const PlanTrial& trial : trials) {
    const PlanTiming t = time_trial(trial, bindings, device);
    PlanRow row = plan_key(trial.alternative.site, device);
    row.in_place_ms = t.in_place_ms, row.stored_ms = t.stored_ms;
    row.spread = (t.gain.high - t.gain.low) / 2 / t.gain.ratio;
    const double least = std::max(kWinMargin, trial.alternative.worth);
    row.in_place = trial.alternative.by_default ? t.gain.high > 1 / kWinMargin : t.gain.low > least;
    store.put_device(row.device, device.info().json);
    store.put_toolchain(row.toolchain, device.toolchain().json);
    store.put_plan(row);
    search_counters().measured += 2;
    if (!told(row)) return false;
  }
  return true;
}
}  // namespace

void tune_plans(const UOps& roots, const Bindings64& bindings, Device& device, Store& store,
                const std::function<bool(const PlanRow&)>& told) {
  const WithoutBeam as_they_are;
  for (;;) {
    const std::vector<PlanTrial> trials = next_trials(roots, device, store);
    if (trials.empty() || !time_trials(trials, bindings, device, store, told)) return;
  }
}

bool bound(const UOps& roots, const Bindings64& bindings) {
  for (const UOp& root : roots)
    for (const UOp& v : variables_of(root))
      if (std::none_of(bindings.begin(), bindings.end(),
                       [&](const VariableBinding& b) { return b.name == v.arg_as<VariableArg>().name; }))
        return false;
  return true;
}

void tune_plans_by_beam(const UOps& roots, const Bindings64& bindings) {
  if (config().beam <= 0) return;
  Device& device = device_of(roots);
  Store* store = device.name() == "REF" ? nullptr : default_store();
  if (!store || !bound(roots, bindings)) return;
  SearchCounters& counters = search_counters();
  const auto goes_on = [&] {
    return !search_interrupted() && (config().budget <= 0 || counters.seconds < config().budget);
  };
  if (!goes_on()) return;
  auto since = std::chrono::steady_clock::now();
  const auto count = [&] {
    const auto now = std::chrono::steady_clock::now();
    counters.seconds += std::chrono::duration<double>(now - since).count();
    since = now;
  };
  tune_plans(roots, bindings, device, *store, [&](const PlanRow&) {
    count();
    return goes_on();
  });
  count();
}

}  // namespace pg
