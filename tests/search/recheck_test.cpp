#include "search/recheck.h"

#include <doctest/doctest.h>

#include "search/keys.h"
#include "search/schedule.h"
#include "tests/renderers/linear_runs.h"
#include "tests/uops/sample_kernels.h"

using namespace pg;
using namespace pg::test;

namespace {

struct Fixture {
  Fixture() {
    Config c = pg::config();
    if (c.runner.empty()) c.runner = std::string(PICOGRAD_BINARY_DIR) + "/picograd-runner";
    set_config(c);
  }
  Rechecked rechecked(const std::string& schedule) { return rechecked(schedule, winner_key(kernel, {}, *cpu.device)); }
  Rechecked rechecked(const std::string& schedule, const WinnerKey& key) {
    return recheck({.key = key, .schedule = schedule, .median_ms = 1}, kernel_row(kernel, {}), *cpu.device);
  }
  TestCpu cpu;
  UOp kernel = gemm(128, 128, 96);
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "recheck: a winner that is right, and far slower than the default") {
  const Rechecked r = rechecked("");
  CHECK(r.here);
  CHECK(r.problem == "");
  CHECK(r.ms > 2 * r.default_ms);
  CHECK(r.over_default.ratio < 0.5);
  CHECK(r.over_default.low <= r.over_default.ratio);
  CHECK(r.slower);
}

TEST_CASE_FIXTURE(Fixture, "recheck: the default itself is not timed against itself") {
  const Expected<Schedule> s = Schedule(kernel, cpu.device->target()).apply(heuristic(kernel, cpu.device->target()));
  REQUIRE(s);
  const Rechecked r = rechecked(text(s->opts()));
  CHECK(r.here);
  CHECK(r.problem == "");
  CHECK(r.ms == 0);
  CHECK_FALSE(r.slower);
}

TEST_CASE_FIXTURE(Fixture, "recheck: a schedule that does not apply or is none says so") {
  CHECK(rechecked("tile(z,4)").problem.find("no axis z") != std::string::npos);
  CHECK(rechecked("tile(m").problem.find("tile(m") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "recheck: another device's or toolchain's winner is not run") {
  WinnerKey key = winner_key(kernel, {}, *cpu.device);
  SUBCASE("device") { key.device = "other"; }
  SUBCASE("toolchain") { key.toolchain = "other"; }
  CHECK_FALSE(rechecked("tile(m", key).here);
}

TEST_CASE_FIXTURE(Fixture, "recheck: Variables have the values that were measured, else the end of the bucket") {
  const UOp rows = variable("rows", 1, 4096);
  kernel = gemm(rows, iconst(256), iconst(256));
  WinnerRow w{.key = winner_key(kernel, {{"rows", 2000}}, *cpu.device), .schedule = "tile(n,16,vec)", .median_ms = 1};
  const KernelRow row = kernel_row(kernel, {{"rows", 2000}});
  CHECK(w.key.bucket == "rows=2048");
  const double whole = recheck(w, row, *cpu.device).ms, small = recheck(w, row, *cpu.device, "{\"rows\": 8}").ms;
  CHECK(small > 0);
  CHECK(small < whole / 10);
  CHECK(recheck(w, row, *cpu.device, "{\"rows\": 9999999}").ms > whole / 4);  // out of bounds
}
