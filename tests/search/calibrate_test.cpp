// What operations cost here: measured once, known from the store, and heard by the estimate.
#include "search/calibrate.h"

#include <doctest/doctest.h>

#include "search/moves.h"
#include "search/schedule.h"
#include "tests/renderers/linear_runs.h"
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
  const CpuCosts costs = measured_costs(device(), *store).value();
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
  const CpuCosts costs = measured_costs(device(), *planted).value();
  const Target& t = device().target();
  CHECK(costs.load == doctest::Approx(1e9 * t.vector_bytes / (static_cast<double>(t.l1_bytes / 2) * 64)).epsilon(0.1));
}
TEST_CASE("estimate: where memory is dear, tiles that stay in a cache are worth more") {
  const UOp kernel = gemm(2048, 2048, 2048);
  const Target target{.l1_bytes = 32 << 10, .l2_bytes = 1 << 20, .l3_bytes = 8 << 20};
  const auto cost = [&](const char* opts, const CpuCosts& costs) {
    return estimate(*Schedule(kernel, target).apply(parse_opts(opts)), target, costs);
  };
  const char* plain = "tile(m,6,upcast) tile(n,64,upcast) tile(n,16,vec)";
  const char* tiled = "tile(m,6,upcast) tile(n,256) tile(n,64,upcast) tile(n,16,vec) tile(k,256) order(n k m n:256 k:256)";
  CpuCosts dear, cheap;
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
TEST_CASE("calibrate: a store that cannot be written gets no measurements, a GPU has costs of its own") {
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
  const CpuCosts costs{.math = 0.25, .load = 0.5, .byte = {0.01, 0.02, 0.03}};
  CHECK(least_ms(2 * 16 * 8e6, 64, t, costs) == doctest::Approx(1));                           // 8e6 vectors at 0.25 ns by 2
  CHECK(least_ms(0, 64e3, t, costs) == doctest::Approx(1e3 * 0.5 / 2 * 1e-6));                 // from the L2: their loads
  CHECK(least_ms(0, 4e6, t, costs) == doctest::Approx(4e6 * (0.5 / 64 + 0.02) / 2 * 1e-6));    // from the L3
  CHECK(least_ms(2, 64e6, t, costs) == doctest::Approx(64e6 * (0.5 / 64 + 0.03) / 2 * 1e-6));  // from memory
}
