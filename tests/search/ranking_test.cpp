// What is learned from a database whose times follow a rule that the estimate does not know.
#include "search/ranking.h"

#include <doctest/doctest.h>

#include "tests/renderers/linear_runs.h"
#include "tests/search/made_up_rows.h"
#include "tests/search/tune_fixture.h"
#include "tests/uops/sample_kernels.h"

using namespace pg;
using namespace pg::test;

namespace {

struct Fixture : TuneFixture {
  ~Fixture() { set_config(before); }

  void fill(size_t kernels, size_t rows) { put_made_up_rows(*store, like, target, kernels, rows); }
  bool has_xgboost() {
    found = Xgboost::find();
    if (!found.library) MESSAGE("skipped: " << found.what << ": " << found.remedy);
    return found.library != nullptr;
  }

  Config before = config();
  TestCpu cpu;
  Target target = cpu.device->target();
  WinnerKey like{"", cpu.device->info().id, cpu.device->toolchain().id, target.cores, "fp32", ""};
  FoundXgboost found;
};

}  // namespace

TEST_CASE("ranking: how good an order is") {
  const std::vector<double> ms = {1, 2, 3, 4};
  CHECK(order_quality(std::vector<double>{10, 20, 30, 40}, ms).correlation == doctest::Approx(1));
  CHECK(order_quality(std::vector<double>{4, 3, 2, 1}, ms).correlation == doctest::Approx(-1));
  CHECK(order_quality(std::vector<double>{1, 1, 1, 1}, ms).correlation == 0);
  std::vector<double> times, backwards;
  for (int i = 1; i <= 20; ++i) times.push_back(i), backwards.push_back(-i);
  CHECK(order_quality(times, times).regret == 1);
  CHECK(order_quality(backwards, times).regret == 5);  // the first 16 are 20 .. 5
}

TEST_CASE("ranking: two orders take turns") {
  const std::vector<size_t> one = {3, 1, 0, 2}, other = {3, 2, 1, 0};
  CHECK(taking_turns(one, other) == std::vector<size_t>{3, 2, 1, 0});
  CHECK(taking_turns(other, one) == std::vector<size_t>{3, 1, 2, 0});
  CHECK(taking_turns({}, {}).empty());
}

TEST_CASE_FIXTURE(Fixture, "ranking: only rows of this machine that were found right, each schedule once") {
  fill(1, 40);
  const std::string kernel = store->kernels()[0].id;
  std::vector<MeasurementRow> rows = store->measurements(kernel);
  std::vector<MeasurementRow> more;
  for (size_t i = 0; i < 4; ++i) more.push_back(rows[i]);
  store->put_toolchain("another", "{}");
  more[0].median_ms /= 2, more[0].run = "again";  // the least of one schedule counts
  more[1].median_ms /= 2, more[1].key.toolchain = "another";
  more[2].median_ms /= 2, more[2].key.threads = like.threads + 1;
  more[3].median_ms /= 2, more[3].verified = false, more[3].run = "not looked at";
  store->put_measurements(more);
  const RankingData data = ranking_data(*store, like, target, 1000, {});
  REQUIRE(data.groups.size() == 1);
  CHECK(data.kernels() == 1);
  CHECK(data.rows() == rows.size());
  CHECK(data.features.rows() == rows.size());
  double expected = 0, got = 0;
  for (const MeasurementRow& r : rows) expected += r.median_ms;
  for (const double ms : data.ms) got += ms;
  CHECK(got == doctest::Approx(expected - more[0].median_ms));
  CHECK(ranking_data(*store, like, target, 20, {}).rows() == 20);
}

TEST_CASE_FIXTURE(Fixture, "ranking: a rule that the estimate misses is learned, for kernels that were not seen too") {
  if (!has_xgboost()) return;
  for (const int bytes : {64, 32}) {
    CAPTURE(bytes);
    target = {.vector_bytes = bytes, .registers = bytes / 2, .cores = like.threads};
    store = Store::open(folder / std::to_string(bytes));
    fill(4, 120);
    const RankingData data = ranking_data(*store, like, target, kMostRankingRows, {});
    std::string why;
    const auto fitted = Ranking::fit(data, found.library, why);
    REQUIRE_MESSAGE(fitted, why);
    CAPTURE(fitted->analytic().correlation);
    CAPTURE(fitted->learned().correlation);
    CAPTURE(fitted->learned().regret);
    CHECK(fitted->learned().correlation > fitted->analytic().correlation + 0.05);
    CHECK(fitted->leads());
    const auto again = Ranking::fit(data, found.library, why);
    REQUIRE(again);
    CHECK(again->scores(data.features, data.estimates) == fitted->scores(data.features, data.estimates));
  }
}

TEST_CASE_FIXTURE(Fixture, "ranking: where the estimate is right already it stays alone") {
  if (!has_xgboost()) return;
  fill(4, 100);
  RankingData data = ranking_data(*store, like, target, kMostRankingRows, {});
  data.ms = data.estimates;
  std::string why;
  const auto fitted = Ranking::fit(data, found.library, why);
  REQUIRE_MESSAGE(fitted, why);
  CHECK(!fitted->leads());
}

TEST_CASE_FIXTURE(Fixture, "ranking: none from few rows, from few kernels, or without the library") {
  fill(2, 200);
  CHECK(!ranking(*store, like, target, {}));
  store = Store::open(folder / "few.db");
  fill(4, 20);
  CHECK(!ranking(*store, like, target, {}));
  store = Store::open(folder / "enough.db");
  fill(4, 120);
  Config c = before;
  for (const char* library : {"none", "libno-such-trees.so.0", "libc.so.6"}) {
    CAPTURE(library);
    c.xgboost = library;
    set_config(c);
    CHECK(!ranking(*store, like, target, {}));
  }
  set_config(before);
  if (!has_xgboost()) return;
  const auto found_one = ranking(*store, like, target, {});
  CHECK(found_one);
  CHECK(ranking(*store, like, target, {}) == found_one);  // nothing new: fitted once
}

TEST_CASE_FIXTURE(Fixture, "ranking: a search takes it, and goes without it where the library is missing") {
  fill(4, 120);
  const UOp kernel = gemm(32, 48, 32);
  Config c = before;
  c.xgboost = "none", c.runner = config().runner;
  set_config(c);
  const TuneResult without = tuned(kernel, *cpu.device, 3);
  CHECK(!without.ranked);
  CHECK(without.best_ms <= without.default_ms);
  c.xgboost.clear();
  set_config(c);
  if (!has_xgboost()) return;
  store = Store::open(folder / "with.db");  // what the first search measured is no part of the rule
  fill(4, 120);
  const TuneResult with = tuned(kernel, *cpu.device, 3);
  CHECK(with.ranked);
  CHECK(with.best_ms <= with.default_ms);
}
