#include "src/cli/bench_ranking.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "runtime/config.h"
#include "runtime/device.h"
#include "runtime/xgboost.h"
#include "src/cli/bench_search.h"
#include "tests/cache/temporary.h"
#include "tests/search/made_up_rows.h"

using namespace pg;
using namespace pg::test;

namespace {

struct Fixture {
  Fixture() {
    Config c = before;
    c.db = folder / "rows.db";
    set_config(c);
  }
  ~Fixture() { set_config(before); }
  void fill(size_t kernels) {
    const Device& d = default_device();
    const WinnerKey like{"", d.info().id, d.toolchain().id, d.target().cores, "fp32", ""};
    put_made_up_rows(*Store::open(config().db), like, d.target(), kernels, 100);
  }
  Config before = config();
  TemporaryFolder folder;
  std::ostringstream out;
};

bool has_xgboost() {
  const FoundXgboost found = Xgboost::find();
  if (!found.library) MESSAGE("skipped: " << found.what << ": " << found.remedy);
  return found.library != nullptr;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "bench ranking: too few kernels, or no library, is one error") {
  fill(2);
  CHECK_THROWS_WITH_AS(bench_ranking_command({}, out), doctest::Contains("measurements of 2 kernels"), UserError);
  fill(4);
  Config c = config();
  c.xgboost = "none";
  set_config(c);
  CHECK_THROWS_WITH_AS(bench_ranking_command({}, out), doctest::Contains("XGBoost is switched off"), UserError);
}

TEST_CASE_FIXTURE(Fixture, "bench ranking: a line a kernel and one with the means") {
  if (!has_xgboost()) return;
  fill(4);
  bench_ranking_command({.json = true}, out);
  std::istringstream lines(out.str());
  std::vector<nlohmann::json> all;
  for (std::string l; std::getline(lines, l);) all.push_back(nlohmann::json::parse(l));
  REQUIRE(all.size() == 5);
  CHECK(all.back()["kernel"] == "mean");
  CHECK(all.back()["rows"] == 400);
  CHECK(all.back()["learned_correlation"] > all.back()["estimate_correlation"]);
  for (const auto& j : all) CHECK(j["turns_regret"] >= 1);
}

TEST_CASE_FIXTURE(Fixture, "bench search: without the ranking too, where the database has enough to learn from") {
  if (!has_xgboost()) return;
  fill(4);
  bench_search_command({.shape = "24x32x16", .seconds = 3, .beam = 1, .rounds = 6, .json = true}, out);
  std::istringstream lines(out.str());
  std::set<std::string> without;
  for (std::string l; std::getline(lines, l);) without.insert(nlohmann::json::parse(l)["without"]);
  CHECK(without == std::set<std::string>{"", "templates", "estimate", "ranking", "chance", "moves"});
}
