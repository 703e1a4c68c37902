#include "search/calibrate.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>

#include "search/build.h"
#include "search/keys.h"
#include "search/measure.h"
#include "search/reference.h"
#include "search/runner.h"
#include "uops/kernel_writer.h"
#include "uops/text.h"

namespace pg {

namespace {

constexpr int kRuns = 9;
constexpr int64_t kMostBytes = 128 << 20;  // of a probe: more is L3 on no desktop, and takes long to fill

/// A kernel under a schedule of its own, and what it does on one core.
struct Probe {
  UOp kernel;
  Opts opts;
  double work = 0;  // vectors multiplied and added, or read
};

/// One core's axis is none.
std::string over_cores(const Target& t) { return t.cores > 1 ? "grid(c) " : ""; }

/// Rows of a product on every core, from registers as far as possible.
Probe math_probe(const Target& t) {
  const int64_t lanes = t.lanes_f32(), rows = t.registers >= 32 ? 6 : 4, wide = (t.registers >= 32 ? 4 : 2) * lanes;
  const UOp cores = iconst(t.cores), m = iconst(rows * 8), n = iconst(wide), k = iconst(256);
  KernelWriter w;
  const UOp c = w.axis("c", cores), i = w.axis("m", m), j = w.axis("n", n), r = w.axis("k", k);
  const UOp out = w.param("out", dt::f32, {cores, m, n}), a = w.param("A", dt::f32, {cores, m, k}),
            b = w.param("B", dt::f32, {k, n});
  const UOp product = KernelWriter::read(a, {c, i, r}) * KernelWriter::read(b, {r, j});
  const auto vec = std::to_string(lanes);
  return {w.output("calibrate_math", KernelWriter::at(out, {c, i, j}), w.reduce("sum", product, {r}), {c, i, j}),
          parse_opts(over_cores(t) + "tile(m," + std::to_string(rows) + ",upcast) tile(n," + std::to_string(wide) +
                     ",upcast) tile(n," + vec + ",vec) tile(k,4,unroll)"),
          static_cast<double>(rows * 8 * wide / lanes * 256)};
}

/// Every core reads `bytes` of its own some times over.
Probe read_probe(const std::string& name, const Target& t, int64_t bytes, int64_t times) {
  const int64_t lanes = t.lanes_f32(), elements = bytes / (32 * lanes) * 8 * lanes;
  const UOp cores = iconst(t.cores), repeat = iconst(times), n = iconst(elements);
  KernelWriter w;
  const UOp c = w.axis("c", cores), r = w.axis("r", repeat), j = w.axis("j", n);
  const UOp out = w.param("out", dt::f32, {cores, repeat}), x = w.param("X", dt::f32, {cores, n});
  const auto tile = [&](int64_t size, const char* kind) { return "tile(j," + std::to_string(size) + "," + kind + ") "; };
  return {w.output("calibrate_" + name, KernelWriter::at(out, {c, r}), w.reduce("sum", KernelWriter::read(x, {c, j}), {j}),
                   {c, r}),
          parse_opts(over_cores(t) + tile(8 * lanes, "upcast") + tile(lanes, "vec")),
          static_cast<double>(elements / lanes * times)};
}

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

double least_ms(double flops, double bytes, const Target& t, const CpuCosts& costs) {
  const auto cores = static_cast<double>(t.cores), vector = static_cast<double>(t.vector_bytes);
  const double capacity[] = {static_cast<double>(t.l2_bytes) * cores, static_cast<double>(t.l3_bytes)};
  const double beyond_l1 = bytes <= capacity[0] ? 0 : costs.byte[bytes <= capacity[1] ? 1 : 2];
  const double math = flops / 2 / static_cast<double>(t.lanes_f32()) * costs.math;
  return std::max(math, bytes * (costs.load / vector + beyond_l1)) / cores * 1e-6;
}

std::optional<CpuCosts> measured_costs(Device& device, Store& store, bool may_measure) {
  const Target& t = device.target();
  if (t.gpu) return std::nullopt;
  CpuCosts costs;
  const auto measure = [&](const Probe& probe) { return measured(probe, device, store, may_measure); };
  const double math = measure(math_probe(t)), load = measure(read_probe("l1", t, t.l1_bytes / 2, 64));
  if (math <= 0 || load <= 0) return std::nullopt;
  costs.math = math, costs.load = load;
  // A level's data must be too large for the one before. Where the next cache is hardly larger, its own cost is not seen.
  const int64_t sizes[] = {std::max(t.l2_bytes / 2, 2 * t.l1_bytes),
                           std::clamp(t.l3_bytes / t.cores / 2, 2 * t.l2_bytes, 16 * t.l2_bytes),
                           std::min(2 * t.l3_bytes, kMostBytes) / t.cores};
  const char* const names[] = {"l2", "l3", "dram"};
  for (size_t level = 0; level < costs.byte.size(); ++level) {
    const double vector = measure(read_probe(names[level], t, sizes[level], level == 0 ? 8 : 1));
    if (vector > 0) costs.byte[level] = std::max(0.0, vector - load) / t.vector_bytes;
  }
  return costs;
}

std::optional<CpuCosts> calibrate(Device& device, Store& store, bool may_measure) {
  static std::mutex mutex;
  static std::map<std::tuple<std::string, std::string, int>, CpuCosts> known;
  std::lock_guard lock(mutex);
  const auto key = std::tuple(device.info().id, device.toolchain().id, device.target().cores);
  if (const auto found = known.find(key); found != known.end()) return found->second;
  const std::optional<CpuCosts> costs = measured_costs(device, store, may_measure);
  if (costs) known[key] = *costs;
  return costs;
}

}  // namespace pg
