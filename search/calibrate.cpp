#include "search/calibrate.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>

#include "search/build.h"
#include "search/keys.h"
#include "search/measure.h"
#include "search/model_device.h"
#include "search/probes.h"
#include "search/reference.h"
#include "search/runner.h"
#include "uops/text.h"

namespace pg {

namespace {

constexpr int kRuns = 9;
/// That an access of a core takes: of a GPU's, four of each thread of a warp.
double vector_bytes(const Target& t) { return t.gpu ? 128 : t.vector_bytes; }

/// Nanoseconds for each unit of a probe's work; 0: it failed, or is not in the store and may not be measured.
double measured(const Probe& probe, Device& device, Store& store, bool may_measure) {
  const WinnerKey key = winner_key(probe.kernel, {}, device);
  const std::string opts = text(probe.opts);
  for (const MeasurementRow& m : store.measurements(key.kernel))
    if (m.status == "ok" && m.schedule == opts && m.key == key) return m.median_ms * 1e6 / probe.work;
  if (!may_measure || !store.writable()) return 0;
  const Built b = build(probe.kernel, probe.opts, device);
  Runner runner({.threads = device.target().cores, .isa = device.target().isa, .device = device.name()});
  runner.set_buffers(buffer_specs(probe.kernel, {}), 1);
  const RunResult r = runner.time({RunProgram::of(b.artifact, b.source.launch, {})}, {.runs = kRuns})[0];
  if (r.status != RunStatus::Ok) return 0;
  const Timing t = timing(r.ms);
  MeasurementRow row;
  row.key = key, row.schedule = opts, row.bindings = "{}", row.status = "ok", row.run = kCalibrationRun;
  row.median_ms = t.median_ms, row.spread = t.spread, row.samples = t.samples;
  store.put_kernel(kernel_row(probe.kernel, {}));
  store.put_measurements({row});
  return t.median_ms * 1e6 / probe.work;
}

}  // namespace

Costs default_costs(const Target& t) {
  if (!t.gpu) return {};
  const double clock = t.sm >= 89 ? 1.8 : 1.4;                                            // GHz
  const double dram = t.sm >= 100 ? 8000 : t.sm == 90 ? 3350 : t.sm == 89 ? 1000 : 1500;  // bytes in a nanosecond
  Costs costs{.math = 1 / (4 * clock), .load = 1 / clock, .launch = 2500};
  const double near = costs.load / vector_bytes(t);
  const double l2 = 1 / (32 * clock) - near;
  costs.byte = {l2, l2, std::max(1, t.sms) / dram - near};
  return costs;
}

double least_ms(double flops, double bytes, const Target& t, const Costs& costs) {
  const auto cores = static_cast<double>(t.cores), vector = vector_bytes(t);
  double beyond_l1 = costs.byte[bytes <= static_cast<double>(t.l3_bytes) ? 1 : 2];
  if (!t.gpu && bytes <= static_cast<double>(t.l2_bytes) * cores) beyond_l1 = 0;
  const double math = flops / 2 / (vector / 4) * costs.math;
  return (std::max(math, bytes * (costs.load / vector + beyond_l1)) / cores + costs.launch) * 1e-6;
}

std::optional<Costs> measured_costs(Device& device, Store& store, bool may_measure) {
  const Target& t = device.target();
  if (device.name() == ModelDevice::kName) may_measure = false;
  Costs costs = default_costs(t);
  const auto measure = [&](const Probe& probe) { return measured(probe, device, store, may_measure); };
  costs.math = measure(math_probe(t)), costs.load = measure(near_probe(t));
  if (t.gpu) costs.launch = measure(launch_probe());
  if (costs.math <= 0 || costs.load <= 0 || (t.gpu && costs.launch <= 0)) return std::nullopt;
  const std::vector<Probe> far = far_probes(t);
  for (size_t level = 0; level < far.size(); ++level)
    if (const double vector = measure(far[level]); vector > 0)
      costs.byte[level] = std::max(0.0, vector - costs.load) / vector_bytes(t);
  return costs;
}

std::optional<Costs> calibrate(Device& device, Store& store, bool may_measure) {
  static std::mutex mutex;
  static std::map<std::tuple<std::string, std::string, int>, Costs> known;
  std::lock_guard lock(mutex);
  const auto key = std::tuple(device.info().id, device.toolchain().id, device.target().cores);
  if (const auto found = known.find(key); found != known.end()) return found->second;
  const std::optional<Costs> costs = measured_costs(device, store, may_measure);
  if (costs) known[key] = *costs;
  return costs;
}

}  // namespace pg
