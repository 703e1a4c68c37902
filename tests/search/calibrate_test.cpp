// What operations cost here: measured once, known from the store, and heard by the estimate.
#include "search/calibrate.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "runtime/cuda_device.h"
#include "search/build.h"
#include "search/keys.h"
#include "search/model_device.h"
#include "search/moves.h"
#include "search/probes.h"
#include "search/reference.h"
#include "search/runner.h"
#include "search/schedule.h"
#include "tests/renderers/linear_runs.h"
#include "tests/search/block_target.h"
#include "tests/search/tune_fixture.h"
#include "tests/uops/sample_kernels.h"

using namespace pg;
using namespace pg::test;

namespace {

struct Fixture : TuneFixture {
  Fixture() {
    store->put_device(device().info().id, device().info().json);
    store->put_toolchain(device().toolchain().id, device().toolchain().json);
  }
  CpuDevice& device() { return *cpu.device; }
  /// Times that the store has of the probes.
  size_t rows() {
    size_t n = 0;
    for (const KernelRow& k : store->kernels()) n += store->measurements(k.id).size();
    return n;
  }
  /// The kept times as if each kernel had taken so many milliseconds.
  void plant(double ms) {
    for (const KernelRow& k : store->kernels())
      for (MeasurementRow m : store->measurements(k.id)) {
        m.median_ms = ms, m.run = "planted";
        planted->put_kernel(k);
        planted->put_measurements({m});
      }
  }

  TestCpu cpu;
  std::unique_ptr<Store> planted = Store::open(":memory:");
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "calibrate: measures each cost once and finds it again") {
  CHECK(!measured_costs(device(), *store, /*may_measure=*/false));
  CHECK(rows() == 0);
  const Costs costs = measured_costs(device(), *store).value();
  CHECK(rows() == 5);
  CHECK(costs.math > 0);
  CHECK(costs.load > 0);
  for (const double b : costs.byte) CHECK(b >= 0);
  CHECK(costs.byte[2] > 0);
  CHECK(measured_costs(device(), *store, /*may_measure=*/false) == costs);
  CHECK(rows() == 5);
}
TEST_CASE_FIXTURE(Fixture, "calibrate: what the store says is believed") {
  measured_costs(device(), *store);
  planted->put_device(device().info().id, device().info().json);
  planted->put_toolchain(device().toolchain().id, device().toolchain().json);
  plant(1000);
  const Costs costs = measured_costs(device(), *planted).value();
  const Target& t = device().target();
  CHECK(costs.load == doctest::Approx(1e9 * t.vector_bytes / (static_cast<double>(t.l1_bytes / 2) * 64)).epsilon(0.1));
}
TEST_CASE("estimate: where memory is dear, tiles that stay in a cache are worth more") {
  const UOp kernel = gemm(2048, 2048, 2048);
  const Target target{.l1_bytes = 32 << 10, .l2_bytes = 1 << 20, .l3_bytes = 8 << 20};
  const auto cost = [&](const char* opts, const Costs& costs) {
    return estimate(*Schedule(kernel, target).apply(parse_opts(opts)), target, costs);
  };
  const char* plain = "tile(m,6,upcast) tile(n,64,upcast) tile(n,16,vec)";
  const char* tiled = "tile(m,6,upcast) tile(n,256) tile(n,64,upcast) tile(n,16,vec) tile(k,256) order(n k m n:256 k:256)";
  Costs dear, cheap;
  for (double& b : dear.byte) b *= 20;
  for (double& b : cheap.byte) b /= 20;
  CHECK(cost(plain, dear) / cost(tiled, dear) > 1.2 * cost(plain, cheap) / cost(tiled, cheap));
}
TEST_CASE("estimate: loops cost, so a few steps of a sum a turn are worth something") {
  const UOp kernel = gemm(480, 512, 512);
  const auto cost = [&](const char* opts) {
    return estimate(*Schedule(kernel, Target{}).apply(parse_opts(opts)), Target{});
  };
  CHECK(cost("tile(m,6,upcast) tile(n,64,upcast) tile(n,16,vec) tile(k,4,unroll)") <
        cost("tile(m,6,upcast) tile(n,64,upcast) tile(n,16,vec)"));
}
TEST_CASE("calibrate: a store that cannot be written gets no measurements") {
  TestCpu cpu;
  struct ReadOnly {
    TemporaryDirectory directory;
    std::string path = directory.path() + "/a.db";
    ReadOnly() { Store::open(path); }
  } file;
  const auto store = Store::open(file.path, OpenMode::ReadOnly);
  CHECK(!measured_costs(*cpu.device, *store));
}
TEST_CASE("least time: the multiply-adds or the bytes, whichever takes longer, on all cores") {
  const Target t{.vector_bytes = 64, .cores = 2, .l1_bytes = 32 << 10, .l2_bytes = 1 << 20, .l3_bytes = 8 << 20};
  const Costs costs{.math = 0.25, .load = 0.5, .byte = {0.01, 0.02, 0.03}};
  CHECK(least_ms(2 * 16 * 8e6, 64, t, costs) == doctest::Approx(1));                           // 8e6 vectors at 0.25 ns by 2
  CHECK(least_ms(0, 64e3, t, costs) == doctest::Approx(1e3 * 0.5 / 2 * 1e-6));                 // from the L2: their loads
  CHECK(least_ms(0, 4e6, t, costs) == doctest::Approx(4e6 * (0.5 / 64 + 0.02) / 2 * 1e-6));    // from the L3
  CHECK(least_ms(2, 64e6, t, costs) == doctest::Approx(64e6 * (0.5 / 64 + 0.03) / 2 * 1e-6));  // from memory
}

namespace {

std::vector<Probe> probes(const Target& t) {
  std::vector<Probe> all = {math_probe(t), near_probe(t), launch_probe()};
  for (Probe& p : far_probes(t)) all.push_back(std::move(p));
  return all;
}

/// A store that says how long the probes took on CUDA-MODEL, where nothing is measured.
struct GpuFixture : TuneFixture {
  GpuFixture() {
    store->put_device(model.info().id, model.info().json);
    store->put_toolchain(model.toolchain().id, model.toolchain().json);
  }
  /// So many nanoseconds for each unit of its work.
  void plant(const Probe& p, double ns) {
    MeasurementRow row;
    row.key = winner_key(p.kernel, {}, model), row.schedule = text(p.opts), row.bindings = "{}", row.status = "ok";
    row.median_ms = ns * p.work * 1e-6, row.samples = 9, row.run = kCalibrationRun;
    store->put_kernel(kernel_row(p.kernel, {}));
    store->put_measurements({row});
  }
  ModelDevice model;
};

}  // namespace

TEST_CASE("probes: a GPU's fit it, whether large or small, and read in whole vectors") {
  for (const int sms : {2, 56, 132}) {
    Target t = gpu_target(sms);
    t.l1_bytes = t.shared_sm_bytes;
    if (sms == 2) t.l2_bytes = 1 << 20, t.l1_bytes = 32 << 10;
    ModelDevice::Plants plants;
    plants.nvrtc = true;
    ModelDevice device(plants);
    for (const Probe& p : probes(t)) {
      CAPTURE(p.kernel.arg_as<std::string>());
      CAPTURE(text(p.opts));
      const Expected<Schedule> s = Schedule(p.kernel, t).apply(p.opts);
      REQUIRE_MESSAGE(s, s.reason());
      const Built b = build(p.kernel, p.opts, device);
      for (const KernelResources& r : cuda_resources(b.artifact)) CHECK(!r.spills());
      CHECK((p.kernel.arg_as<std::string>() == "calibrate_launch") ==
            (b.source.text.find("f32x4 X_v") == std::string::npos && b.source.text.find("f32x4 B_v") == std::string::npos));
    }
  }
}
TEST_CASE("probes: what a GPU's reads sum up is right") {
  Target t = gpu_target(2);
  t.l1_bytes = t.l2_bytes = 64 << 10;
  ModelDevice device;
  use_built_runner();
  Runner runner({.threads = 1, .device = device.name()});
  std::vector<Probe> reads = far_probes(t);
  reads.pop_back();  // of memory: the interpreter would take a minute
  reads.push_back(near_probe(t));
  for (const Probe& p : reads) {
    CAPTURE(p.kernel.arg_as<std::string>());
    const auto specs = buffer_specs(p.kernel, {});
    runner.set_buffers(specs, 1);
    const Built b = build(p.kernel, p.opts, device);
    const RunResult r = runner.check(RunProgram::of(b.artifact, b.source.launch, {}));
    REQUIRE_MESSAGE(r.status == RunStatus::Ok, r.reason);
    const std::span<const std::byte> inputs[] = {{}, runner.input(1)};
    const Reference reference(p.kernel, {}, specs, {inputs[0], inputs[1]}, 1);
    CHECK(reference.check_samples(runner.output()) == "");
  }
}
TEST_CASE_FIXTURE(GpuFixture, "calibrate: a GPU's costs are those of its probes, a model's are never measured") {
  CHECK(!measured_costs(model, *store));
  CHECK(store->kernels().empty());
  const Target& t = model.target();
  plant(math_probe(t), 0.2), plant(near_probe(t), 1), plant(launch_probe(), 3000);
  const std::vector<Probe> far = far_probes(t);
  plant(far[0], 3), plant(far[2], 9);
  const Costs costs = measured_costs(model, *store).value();
  CHECK(costs.math == doctest::Approx(0.2));
  CHECK(costs.load == doctest::Approx(1));
  CHECK(costs.launch == doctest::Approx(3000));
  CHECK(costs.byte[0] == doctest::Approx((3 - 1) / 128.0));
  CHECK(costs.byte[1] == costs.byte[0]);
  CHECK(costs.byte[2] == doctest::Approx((9 - 1) / 128.0));
}
TEST_CASE("least time: of a GPU, with its launch; its default costs are its generation's round figures") {
  const Target t = gpu_target(132);
  const Costs costs = default_costs(t);
  CHECK(least_ms(2e12, 1, t, costs) == doctest::Approx(1e12 / (132 * 128 * 1.8) * 1e-6 + 0.0025));
  CHECK(least_ms(1, 3.35e9, t, costs) == doctest::Approx(1 + 0.0025));
  CHECK(least_ms(1, 13.2e6, t, costs) == doctest::Approx(13.2e6 / (132 * 32 * 1.8) * 1e-6 + 0.0025));  // from the L2
}
TEST_CASE("estimate of blocks: what was measured has a say") {
  const Target t = gpu_target();
  const UOp elements = relu(iconst(1 << 26));
  const Schedule s = *Schedule(elements, t).apply(parse_opts("tile(i,1024,local) tile(i,4,vec) grid(i)"));
  Costs slow = default_costs(t);
  slow.byte[2] *= 3;
  CHECK(estimate(s, t, slow) > 2 * estimate(s, t));
  Costs late = default_costs(t);
  late.launch *= 1000;
  CHECK(estimate(s, t, late) - estimate(s, t) == doctest::Approx(999 * 2500).epsilon(0.01));
}
TEST_CASE("gpu: what its probes say is what GPUs do") {
  if (const DeviceReport first = cuda_reports(config())[0]; !first.found) {
    MESSAGE("skipped: " << first.what);
    return;
  }
  use_built_runner();
  Device& gpu = device("CUDA");
  const auto store = Store::open(":memory:");
  store->put_device(gpu.info().id, gpu.info().json);
  store->put_toolchain(gpu.toolchain().id, gpu.toolchain().json);
  const Costs costs = measured_costs(gpu, *store).value();
  const double processors = gpu.target().sms, tflops = processors * 64 / costs.math * 1e-3,
               l2 = processors / (costs.load / 128 + costs.byte[0]), dram = processors / (costs.load / 128 + costs.byte[2]);
  MESSAGE(tflops << " TFLOP/s, L1 " << processors * 128 / costs.load << ", L2 " << l2 << ", memory " << dram
                 << " GB/s, a launch " << costs.launch << " ns");
  CHECK((tflops > 2 && tflops < 200));
  CHECK(costs.byte[2] > costs.byte[0]);
  CHECK((dram > 100 && dram < 2e4));
  CHECK((costs.launch > 300 && costs.launch < 5e4));
}
