// The search on a GPU from end to end, on a model of one: candidates compiled, judged by their resources, run in a process
// of their own, timed by the device's clock.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "runtime/config.h"
#include "runtime/cuda_device.h"
#include "search/keys.h"
#include "search/model_device.h"
#include "search/moves.h"
#include "search/schedule.h"
#include "search/tune.h"
#include "tests/cache/temporary.h"
#include "tests/uops/sample_kernels.h"
#include "uops/kernel.h"
#include "uops/lower.h"

using namespace pg;
using namespace pg::test;

namespace {

struct Fixture {
  Fixture() {
    Config c = pg::config();
    if (c.runner.empty()) c.runner = std::string(PICOGRAD_BINARY_DIR) + "/picograd-runner";
    set_config(c);
    store = Store::open(folder / "tune.db");
  }
  TuneResult tuned(const UOp& kernel, ModelDevice& device, double seconds = 4) {
    TuneOptions options;
    options.beam = 1;
    options.budget_seconds = seconds;
    return tune(kernel, {}, device, *store, options);
  }
  std::vector<MeasurementRow> rows(const UOp& kernel, ModelDevice& device) {
    return store->measurements(winner_key(kernel, {}, device).kernel);
  }
  TemporaryFolder folder;
  std::unique_ptr<Store> store;
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE_FIXTURE(Fixture, "tune on a GPU: a product, rows and a sum end with a winner that was verified") {
  for (const UOp& kernel : {gemm(20, 24, 16), softmax(6, 100), total(iconst(3000))}) {
    CAPTURE(kernel.arg_as<std::string>());
    ModelDevice device;
    const TuneResult r = tuned(kernel, device, 6);
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
TEST_CASE_FIXTURE(Fixture, "tune on a GPU: a replay measures nothing") {
  const UOp kernel = gemm(20, 24, 16);
  ModelDevice device;
  const TuneResult r = tuned(kernel, device, 6);
  const auto winner = store->winner(winner_key(kernel, {}, device));
  REQUIRE(winner);
  const auto before = rows(kernel, device).size();
  const Expected<Schedule> again = read_schedule(kernel, winner->schedule, device.target());
  REQUIRE(again);
  CHECK(text(again->opts()) == text(r.opts));
  CHECK(rows(kernel, device).size() == before);
}
TEST_CASE_FIXTURE(Fixture, "tune on a GPU: a budget ends the search") {
  ModelDevice device;
  const TuneResult r = tuned(gemm(20, 24, 16), device, 0.001);
  CHECK(!r.finished);
  CHECK(store->winner(winner_key(gemm(20, 24, 16), {}, device)));
}
TEST_CASE_FIXTURE(Fixture, "tune on a GPU: wrong programs are found and never win") {
  const UOp kernel = gemm(20, 24, 16);
  const std::string standard = text(heuristic(kernel, ModelDevice().target()));
  int programs = 0;
  ModelDevice device({.linear = [&](const UOp& linear) -> UOp {
    if (programs++ == 0) return {};  // the default, against which others are compared
    return transform(linear, [](const UOp& u) -> UOp {
      const bool product = u.is(Op::Fma) || u.is(Op::Mul);
      return product && u.dtype().is_float() ? u.src(0) * constant(u.dtype(), 1.0) : UOp();
    });
  }});
  const TuneResult r = tuned(kernel, device, 6);
  CHECK(text(r.opts) == standard);
  int wrong = 0;
  for (const MeasurementRow& row : rows(kernel, device)) wrong += row.status == "wrong";
  CHECK(wrong > 0);
}
TEST_CASE_FIXTURE(Fixture, "tune on a GPU: what spills or has a stack is refused before it runs, with the reason") {
  const UOp kernel = gemm(20, 24, 16);
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
  const TuneResult r = tuned(kernel, device, 6);
  CHECK(text(r.opts) == text(heuristic(kernel, device.target())));
  std::set<std::string> reasons;
  for (const MeasurementRow& row : rows(kernel, device))
    if (row.status == "compile_error") {
      reasons.insert(row.reason);
      CHECK(row.samples == 0);
    }
  CHECK(reasons == std::set<std::string>{"spills: 752 bytes of stores, 536 of loads, with 255 registers",
                                         "a stack of 64 bytes a thread"});
}
TEST_CASE("the model of a GPU: no device of the registry, and its compiler is NVRTC where there is one") {
  CHECK_THROWS_AS(device("CUDA-MODEL"), UserError);
  for (const DeviceReport& r : device_reports()) CHECK(!contains(r.name, "MODEL"));
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
