// The search on a GPU from end to end, on a model of one: candidates compiled, judged by their resources, run in a process
// of their own, timed by the device's clock.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "runtime/cuda_device.h"
#include "search/model_device.h"
#include "search/moves.h"
#include "search/schedule.h"
#include "tests/search/tune_fixture.h"
#include "tests/uops/sample_kernels.h"
#include "uops/kernel.h"
#include "uops/lower.h"

using namespace pg;
using namespace pg::test;

namespace {

// More than it takes: searches of kernels as small as these end by themselves.
constexpr double kSeconds = 6;

const UOp& product() {
  static const UOp kernel = gemm(20, 24, 16);
  return kernel;
}
std::string standard(const UOp& kernel) { return text(heuristic(kernel, ModelDevice().target())); }

}  // namespace

TEST_CASE_FIXTURE(TuneFixture, "tune on a GPU: a product, rows and a sum end with a winner that was verified") {
  for (const UOp& kernel : {product(), softmax(6, 100), total(iconst(3000))}) {
    CAPTURE(kernel.arg_as<std::string>());
    ModelDevice device;
    const TuneResult r = tuned(kernel, device, kSeconds);
    CHECK(r.candidates > 10);
    CHECK(r.measured > 1);
    CHECK(r.best_ms > 0);
    CHECK(r.best_ms <= r.default_ms * 1.02);
    const auto winner = store->winner(winner_key(kernel, {}, device));
    REQUIRE(winner);
    CHECK(winner->schedule == text(r.opts));
    CHECK(Schedule(kernel, device.target()).apply(r.opts));
    for (const MeasurementRow& row : rows(kernel, device)) {
      CAPTURE(row.schedule);
      CAPTURE(row.reason);
      CHECK((row.status == "ok" || row.status == "slow"));
      CHECK((row.status != "ok" || row.verified));
    }
    CHECK(store->check().empty());
  }
}
TEST_CASE_FIXTURE(TuneFixture, "tune on a GPU: of each family of seeds one is measured, where there are places for all") {
  const UOp kernel = relu(iconst(20000));  // whose twelve best estimates are of few families
  ModelDevice device;
  const Target& target = device.target();
  tuned(kernel, device, kSeconds);
  std::set<std::string> ran, measured, all;
  for (const MeasurementRow& row : rows(kernel, device)) ran.insert(row.schedule);
  for (const Schedule& s : templates(kernel, target)) {
    all.insert(family(s, target));
    if (ran.contains(text(s.opts()))) measured.insert(family(s, target));
  }
  CHECK(all.size() <= 12);
  CHECK(measured == all);
}
TEST_CASE("tune on a GPU: the graph's way to a schedule searches once, and a replay measures nothing") {
  use_built_runner();
  process_store();
  const auto beam = [](int width, double budget) {
    Config c = config();
    c.beam = width, c.budget = budget;
    set_config(c);
  };
  ModelDevice device;
  search_counters() = {};
  CHECK(best_schedule(product(), {}, device).source == ScheduleSource::Heuristic);
  beam(1, kSeconds);
  const Chosen found = best_schedule(product(), {}, device);
  beam(0, 0);
  CHECK(found.source == ScheduleSource::Beam);
  const SearchCounters searched = search_counters();
  CHECK(searched.measured > 1);
  const size_t rows = default_store()->measurements(winner_key(product(), {}, device).kernel).size();

  const Chosen again = best_schedule(product(), {}, device);
  CHECK(again.source == ScheduleSource::Cache);
  CHECK(text(again.opts) == text(found.opts));
  CHECK(search_counters().cache_hits == searched.cache_hits + 1);
  CHECK(search_counters().candidates == searched.candidates);
  CHECK(search_counters().compiled == searched.compiled);
  CHECK(search_counters().measured == searched.measured);
  CHECK(default_store()->measurements(winner_key(product(), {}, device).kernel).size() == rows);
}
TEST_CASE_FIXTURE(TuneFixture, "tune on a GPU: a budget ends the search") {
  ModelDevice device;
  CHECK(!tuned(product(), device, 0.001).finished);
  CHECK(store->winner(winner_key(product(), {}, device)));
}
TEST_CASE_FIXTURE(TuneFixture, "tune on a GPU: wrong programs are found, counted, and never win") {
  int programs = 0;
  ModelDevice device({.linear = [&](const UOp& linear) -> UOp {
    if (programs++ == 0) return {};  // the default, against which others are compared
    return transform(linear, [](const UOp& u) -> UOp {
      const bool multiplies = u.is(Op::Fma) || u.is(Op::Mul);
      return multiplies && u.dtype().is_float() ? u.src(0) * constant(u.dtype(), 1.0) : UOp();
    });
  }});
  search_counters() = {};
  CHECK(text(tuned(product(), device, kSeconds).opts) == standard(product()));
  int64_t wrong = 0;
  for (const MeasurementRow& row : rows(product(), device)) wrong += row.status == "wrong";
  CHECK(wrong > 0);
  CHECK(search_counters().rejected["wrong"] == wrong);
}
TEST_CASE_FIXTURE(TuneFixture, "tune on a GPU: what spills or has a stack is refused before it runs, with the reason") {
  int programs = 0;
  ModelDevice device({.log = [&](const Source& s) -> std::string {
    const int n = programs++;
    if (n == 0) return "";
    const std::string start = "ptxas info    : Compiling entry function '" + s.name + "' for 'sm_90a'\n";
    return start +
           (n % 2 ? "ptxas         .     272 bytes stack frame, 752 bytes spill stores, 536 bytes spill loads\n"
                  : "ptxas         .     64 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n") +
           "ptxas info    : Used 255 registers\n";
  }});
  search_counters() = {};
  CHECK(text(tuned(product(), device, kSeconds).opts) == standard(product()));
  std::set<std::string> reasons;
  int64_t refused = 0;
  for (const MeasurementRow& row : rows(product(), device))
    if (row.status == "compile_error") {
      ++refused;
      reasons.insert(row.reason);
      CHECK(row.samples == 0);
    }
  CHECK(reasons == std::set<std::string>{"spills: 752 bytes of stores, 536 of loads, with 255 registers",
                                         "a stack of 64 bytes a thread"});
  const auto& rejected = search_counters().rejected;
  CHECK(rejected.at("spills") + rejected.at("stack") == refused);
}
TEST_CASE("the model of a GPU: no device of the registry, and its compiler is NVRTC where there is one") {
  CHECK_THROWS_AS(device("CUDA-MODEL"), UserError);
  for (const DeviceReport& r : device_reports()) CHECK(r.name.find("MODEL") == std::string::npos);
  ModelDevice model({.nvrtc = true});
  const UOp kernel = total(iconst(4096));
  const Expected<Schedule> s = Schedule(kernel, model.target()).apply(heuristic(kernel, model.target()));
  REQUIRE(s);
  const Artifact a = model.compile(model.render(lower(s->scheduled(), model.target())));
  const std::vector<KernelResources> resources = cuda_resources(a);
  REQUIRE(!resources.empty());
  CHECK(!resources[0].spills());
  CHECK(resources[0].registers > 0);
}
