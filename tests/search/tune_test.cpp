// The beam on a small matmul, with a store of its own.
#include "search/tune.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "search/build.h"
#include "search/candidates.h"
#include "search/keys.h"
#include "search/moves.h"
#include "search/schedule.h"
#include "tests/renderers/linear_runs.h"
#include "tests/search/tune_fixture.h"
#include "tests/uops/kernel_writer.h"
#include "tests/uops/sample_kernels.h"

using namespace pg;
using namespace pg::test;

namespace {

struct Fixture : TuneFixture {
  TuneResult tuned(double seconds = 3) { return TuneFixture::tuned(kernel, *cpu.device, seconds); }
  WinnerKey key() { return winner_key(kernel, {}, *cpu.device); }
  std::vector<MeasurementRow> rows() { return TuneFixture::rows(kernel, *cpu.device); }
  /// Schedules that ran, of all runs.
  std::set<std::string> measured() {
    std::set<std::string> all;
    for (const MeasurementRow& r : rows()) all.insert(r.schedule);
    return all;
  }

  TestCpu cpu;
  UOp kernel = gemm(48, 64, 48);
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "tune: the winner is found again, and no slower than the default") {
  const TuneResult r = tuned();
  CHECK(r.candidates > 10);
  CHECK(r.measured > 1);
  CHECK(r.best_ms > 0);
  CHECK(r.best_ms <= r.default_ms);
  CHECK(Schedule(kernel).apply(r.opts));
  const auto winner = store->winner(key());
  REQUIRE(winner);
  CHECK(winner->schedule == text(r.opts));
  CHECK(winner->median_ms == r.best_ms);
  CHECK(winner->default_ms == r.default_ms);
  CHECK(winner->candidates == r.candidates);
  CHECK(store->kernel(key().kernel)->shape == "m=48 n=64 k=48");
  CHECK(store->check().empty());
}

TEST_CASE_FIXTURE(Fixture, "tune: every measurement is kept, with its schedule in canonical form") {
  tuned();
  const std::string standard = text(heuristic(kernel, cpu.device->target()));
  CHECK(measured().contains(standard));
  CHECK(rows().size() > 1);
  for (const MeasurementRow& row : rows()) {
    CAPTURE(row.schedule);
    CAPTURE(row.reason);
    CHECK((row.status == "ok" || row.status == "slow"));
    if (row.status == "ok") {
      CHECK(row.verified);
      CHECK(row.median_ms > 0);
      CHECK(row.samples > 0);
    }
    const Expected<Schedule> s = Schedule(kernel).apply(parse_opts(row.schedule));
    REQUIRE(s);
    CHECK(text(s->opts()) == row.schedule);
    CHECK(row.run == rows()[0].run);
  }
}

TEST_CASE_FIXTURE(Fixture, "tune: of each schedule it is stored how it came to be") {
  tuned(6);
  std::map<std::string, int64_t> timed;  // by schedule, the first round in which it had a time
  const auto all = rows();
  std::set<std::string> origins;
  for (const MeasurementRow& r : all)
    if (r.status == "ok") timed.emplace(r.schedule, r.lineage.round);
  for (const MeasurementRow& r : all) {
    CAPTURE(r.schedule);
    origins.insert(r.lineage.origin);
    CHECK((r.lineage.origin == "default") == (r.schedule == text(heuristic(kernel, cpu.device->target()))));
    CHECK((r.lineage.origin == "move") == r.lineage.parent.has_value());
    if (r.lineage.origin != "move") CHECK(r.lineage.round == 0);
    if (!r.lineage.parent) continue;
    CHECK(r.lineage.round > 0);
    REQUIRE(timed.contains(*r.lineage.parent));
    CHECK(timed[*r.lineage.parent] < r.lineage.round);
    const Schedule parent = *Schedule(kernel).apply(parse_opts(*r.lineage.parent));
    const std::vector<Schedule> next = moves(parent, cpu.device->target());
    CHECK(std::any_of(next.begin(), next.end(), [&](const Schedule& s) { return text(s.opts()) == r.schedule; }));
  }
  CHECK(origins == std::set<std::string>{"default", "move", "template"});
  tuned();
  const auto both = rows();
  CHECK(std::any_of(both.begin(), both.end(), [&](const MeasurementRow& r) {
    return r.run != all[0].run && r.lineage.origin == "earlier" && !r.lineage.parent;
  }));
}

TEST_CASE_FIXTURE(Fixture, "tune: a search that its budget ended is unfinished, and a later one goes on from its best") {
  CHECK(!tuned(0.001).finished);
  CHECK(!store->winner(key())->finished);
  CHECK(measured().size() >= 1);  // the default at least
  MeasurementRow fast;            // something the beam would not come to by itself
  fast.key = key();
  fast.schedule = "tile(m,3,upcast) tile(n,48,upcast) tile(n,16,vec) order(k n m)";
  fast.bindings = "{}", fast.median_ms = 1e-6, fast.samples = 5, fast.status = "ok", fast.verified = true,
  fast.run = "earlier";
  REQUIRE(Schedule(kernel).apply(parse_opts(fast.schedule)));
  fast.schedule = text(Schedule(kernel).apply(parse_opts(fast.schedule))->opts());
  store->put_measurements({fast});
  const auto before = rows().size();
  tuned(4);
  const auto all = rows();
  CHECK(std::count_if(all.begin(), all.end(),
                      [&](const MeasurementRow& r) { return r.schedule == fast.schedule && r.run != "earlier"; }) >= 1);
  CHECK(all.size() > before);
}

TEST_CASE_FIXTURE(Fixture, "tune: a search that has no time to look at an earlier winner leaves it") {
  const std::string opts =
      text(Schedule(kernel).apply(parse_opts("tile(m,3,upcast) tile(n,48,upcast) tile(n,16,vec)"))->opts());
  store->put_kernel(kernel_row(kernel, {}));
  store->put_device(device("CPU").info().id, device("CPU").info().json);
  store->put_toolchain(device("CPU").toolchain().id, device("CPU").toolchain().json);
  store->put_winner({key(), opts, 0.5, 1, 10, 3, false});
  const TuneResult r = tuned(0.001);
  CHECK(!r.finished);
  CHECK(text(r.opts) == opts);
  CHECK(store->winner(key())->schedule == opts);
  CHECK(store->winner(key())->median_ms == 0.5);
}

TEST_CASE_FIXTURE(Fixture, "candidates: what takes too long to compile is refused with its reason, and not tried again") {
  KernelWriter w;
  const UOp m = iconst(32), n = iconst(32), o = iconst(8);
  const UOp i = w.axis("i", m), j = w.axis("j", n), l = w.axis("l", o);
  const UOp y = w.param("y", dt::f32, {m, n, o}), a = w.param("a", dt::f32, {o, n, m}), b = w.param("b", dt::f32, {n, o, m});
  const UOp sum = alu(Op::Exp, KernelWriter::read(a, {l, j, i}) * KernelWriter::read(b, {j, l, i}));
  kernel = w.output("spread", KernelWriter::at(y, {i, j, l}), sum, {i, j, l});
  store->put_device(device("CPU").info().id, device("CPU").info().json);
  store->put_toolchain(device("CPU").toolchain().id, device("CPU").toolchain().json);
  store->put_kernel(kernel_row(kernel, {}));
  Candidates candidates(kernel, {}, *cpu.device, *store, key(), 1);
  const Timed plain = candidates.measure_default(Schedule(kernel, cpu.device->target()));
  const Schedule huge =
      *Schedule(kernel, cpu.device->target()).apply(parse_opts("tile(i,8,upcast) tile(j,8,upcast) tile(l,8,upcast)"));
  CHECK(candidates.measure({{huge, {.origin = "move"}}}, plain, [] { return false; }).empty());
  CHECK(candidates.rejected["long"] == 1);
  CHECK(!Candidates(kernel, {}, *cpu.device, *store, key(), 1).is_new(huge));
}

TEST_CASE_FIXTURE(Fixture, "tune: quarantined schedules are not tried") {
  tuned();
  std::vector<MeasurementRow> planted;
  const std::string standard = text(heuristic(kernel, cpu.device->target()));
  const std::set<std::string> tried = measured();
  for (const Schedule& s : templates(kernel, cpu.device->target())) {  // the seeds: the same in every run
    if (!tried.contains(text(s.opts())) || text(s.opts()) == standard) continue;
    MeasurementRow row;
    row.key = key(), row.schedule = text(s.opts()), row.bindings = "{}", row.status = "crash", row.reason = "SIGSEGV",
    row.run = "earlier";
    planted.push_back(row);
  }
  REQUIRE(planted.size() > 1);
  store = Store::open(folder / "other.db");
  store->put_device(cpu.device->info().id, cpu.device->info().json);
  store->put_toolchain(cpu.device->toolchain().id, cpu.device->toolchain().json);
  store->put_kernel(kernel_row(kernel, {}));
  store->put_measurements(planted);
  REQUIRE(store->quarantined(key()).size() == planted.size());
  tuned();
  for (const MeasurementRow& row : rows())
    if (row.run != "earlier")
      CHECK(
          std::none_of(planted.begin(), planted.end(), [&](const MeasurementRow& p) { return p.schedule == row.schedule; }));
}

TEST_CASE_FIXTURE(Fixture, "tune: what is quarantined does not come back under other opts") {
  const Target& target = cpu.device->target();
  const auto code = [&](const Schedule& s) { return render_kernel(kernel, s.opts(), *cpu.device).text; };
  const Opts standard = heuristic(kernel, target);
  std::string bad, twin;  // a move that changes no code: a prefetch of what is contiguous
  for (const Schedule& one : templates(kernel, target)) {
    if (!twin.empty() || text(one.opts()) == text(standard)) continue;
    for (const Schedule& other : moves(one, target))
      if (twin.empty() && code(other) == code(one)) bad = text(one.opts()), twin = text(other.opts());
  }
  REQUIRE(!twin.empty());
  tuned(0.001);
  MeasurementRow row;
  row.key = key(), row.schedule = bad, row.bindings = "{}", row.status = "crash", row.reason = "SIGSEGV (planted)",
  row.run = "earlier";
  store->put_measurements({row});
  row.schedule = twin, row.median_ms = 1e-6, row.samples = 5, row.status = "ok", row.reason = "", row.verified = true;
  store->put_measurements({row});  // so that the search begins with it
  tuned();
  size_t met = 0;
  for (const MeasurementRow& r : rows()) {
    if (r.schedule != twin || r.run == "earlier") continue;
    ++met;
    CHECK(r.status == "crash");
    CHECK(r.reason == "SIGSEGV (planted)");
  }
  CHECK(met == 1);
}

TEST_CASE_FIXTURE(Fixture, "tune: a store that cannot be written is refused before anything is measured") {
  store = nullptr;
  store = Store::open(folder / "tune.db", OpenMode::ReadOnly);
  const std::string path = folder / "tune.db";
  CHECK_THROWS_WITH_AS(
      tuned(),
      ("tuning needs a database that can be written: " + path + " is read-only (set PICOGRAD_DB or --db to another place)")
          .c_str(),
      UserError);
}

TEST_CASE_FIXTURE(Fixture, "tune: the same opts on the same seed score the same candidates") {
  // Which of them are timed depends on the clock; what the first round chooses from does not.
  const Schedule base = *Schedule(kernel).apply(heuristic(kernel, cpu.device->target()));
  const auto texts = [](const std::vector<Schedule>& all) {
    std::vector<std::string> t;
    for (const Schedule& s : all) t.push_back(text(s.opts()));
    return t;
  };
  CHECK(texts(moves(base, cpu.device->target())) == texts(moves(base, cpu.device->target())));
  CHECK(texts(templates(kernel, cpu.device->target())) == texts(templates(kernel, cpu.device->target())));
}
