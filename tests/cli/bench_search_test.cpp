#include "src/cli/bench_search.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "runtime/config.h"
#include "uops/error.h"

using namespace pg;

TEST_CASE("bench search: a line for the whole search and for each one without a part, curves that fall") {
  std::ostringstream out;
  bench_search_command({.shape = "24x32x16", .seconds = 1, .beam = 1, .rounds = 6, .json = true}, out);
  std::istringstream lines(out.str());
  std::set<std::string> without;
  for (std::string l; std::getline(lines, l);) {
    const auto j = nlohmann::json::parse(l);
    CAPTURE(l);
    without.insert(j["without"].get<std::string>());
    CHECK(j["shape"] == "24x32x16");
    CHECK(j["speed"].get<double>() > 0);
    CHECK(j["low"].get<double>() <= j["speed"].get<double>());
    CHECK(j["high"].get<double>() >= j["speed"].get<double>());
    CHECK(j["measured"].get<int>() <= j["candidates"].get<int>() + 8);  // and those of the final once more
    REQUIRE(!j["curve"].empty());
    for (size_t i = 1; i < j["curve"].size(); ++i) {
      CHECK(j["curve"][i][0].get<double>() >= j["curve"][i - 1][0].get<double>());
      CHECK(j["curve"][i][1].get<double>() < j["curve"][i - 1][1].get<double>());
    }
  }
  CHECK(without == std::set<std::string>{"", "templates", "estimate", "chance", "moves"});
}

TEST_CASE("bench search: an unknown kind is one error") {
  std::ostringstream out;
  CHECK_THROWS_AS(bench_search_command({.kind = "nothing"}, out), UserError);
}
