// Step 5 as the graph asks for it.
#include <doctest/doctest.h>

#include "search/keys.h"
#include "search/schedule.h"
#include "tests/renderers/linear_runs.h"
#include "tests/search/tune_fixture.h"
#include "tests/uops/sample_kernels.h"

using namespace pg;
using namespace pg::test;

namespace {

struct Fixture {
  Fixture() {
    use_built_runner();
    process_store();
    beam(0);
  }
  ~Fixture() { beam(0); }
  static void beam(int width) {
    search_counters().seconds = 0;  // a budget of its own
    Config c = config();
    c.beam = width;
    c.budget = 3;
    set_config(c);
  }
  void remember(const UOp& kernel, const std::string& schedule, bool finished = true) {
    Store& store = *default_store();
    store.put_device(cpu.device->info().id, cpu.device->info().json);
    store.put_toolchain(cpu.device->toolchain().id, cpu.device->toolchain().json);
    store.put_kernel(kernel_row(kernel, {}));
    store.put_winner({winner_key(kernel, {}, *cpu.device), schedule, 1, 2, 10, 1, finished});
  }
  TestCpu cpu;
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "choose: the heuristic where nothing is known") {
  const UOp kernel = gemm(40, 64, 11);
  const Chosen c = best_schedule(kernel, {}, *cpu.device);
  CHECK(c.source == ScheduleSource::Heuristic);
  CHECK(c.opts == heuristic(kernel, cpu.device->target()));
}

TEST_CASE_FIXTURE(Fixture, "choose: the winner of the store, without a measurement") {
  const UOp kernel = gemm(40, 64, 12);
  remember(kernel, "tile(n,8,vec)");
  const SearchCounters before = search_counters();
  const Chosen c = best_schedule(kernel, {}, *cpu.device);
  CHECK(c.source == ScheduleSource::Cache);
  CHECK(text(c.opts) == "tile(n,8,vec)");
  CHECK(search_counters().cache_hits == before.cache_hits + 1);
  CHECK(search_counters().measured == before.measured);
}

TEST_CASE_FIXTURE(Fixture, "choose: an unfinished winner is used without BEAM and resumed with it") {
  const UOp kernel = gemm(40, 64, 13);
  remember(kernel, "tile(n,8,vec)", false);
  CHECK(best_schedule(kernel, {}, *cpu.device).source == ScheduleSource::Cache);
  beam(1);
  const SearchCounters before = search_counters();
  CHECK(best_schedule(kernel, {}, *cpu.device).source == ScheduleSource::Beam);
  CHECK(search_counters().measured > before.measured);
}

TEST_CASE_FIXTURE(Fixture, "choose: a finished winner is not searched for again") {
  const UOp kernel = gemm(40, 64, 14);
  remember(kernel, "tile(n,16,vec)");
  beam(4);
  CHECK(best_schedule(kernel, {}, *cpu.device).source == ScheduleSource::Cache);
}

TEST_CASE_FIXTURE(Fixture, "choose: a row that is not legal, or no schedule at all, does not stop a run") {
  for (const char* schedule : {"tile(z,8)", "tile(n,8,vec) tile(m,8,vec)", "nonsense", "tile(n"}) {
    CAPTURE(schedule);
    const UOp kernel = gemm(40, 64, 15);
    remember(kernel, schedule);
    CHECK(best_schedule(kernel, {}, *cpu.device).source == ScheduleSource::Heuristic);
    remember(kernel, schedule, false);  // a search starts without it
    beam(1);
    CHECK(best_schedule(kernel, {}, *cpu.device).source == ScheduleSource::Beam);
    beam(0);
  }
}

TEST_CASE_FIXTURE(Fixture, "choose: other bindings of the same bucket find the winner, those of another one do not") {
  const UOp kernel = gemm(iconst(40), variable("T", 1, 512), iconst(16));
  Store& store = *default_store();
  remember(gemm(1, 2, 3), "");
  store.put_kernel(kernel_row(kernel, {{"T", 100}}));
  store.put_winner({winner_key(kernel, {{"T", 100}}, *cpu.device), "tile(n,8,vec)", 1, 2, 10, 1, true});
  CHECK(best_schedule(kernel, {{"T", 128}}, *cpu.device).source == ScheduleSource::Cache);
  CHECK(best_schedule(kernel, {{"T", 129}}, *cpu.device).source == ScheduleSource::Heuristic);
}

TEST_CASE_FIXTURE(Fixture, "choose: BUDGET is for all searches together; behind it the heuristic decides") {
  beam(1);
  search_counters().seconds = 1000;
  const SearchCounters before = search_counters();
  CHECK(best_schedule(gemm(40, 64, 16), {}, *cpu.device).source == ScheduleSource::Heuristic);
  CHECK(search_counters().measured == before.measured);
}
