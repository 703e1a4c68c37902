#include <nlohmann/json.hpp>

#include "tests/end_to_end/program.h"

using namespace pg;
using nlohmann::json;

TEST_CASE("bench plans: a convolution by each plan, with times, ratios and errors") {
  CommandLine picograd;
  const std::vector<std::string> arguments{"bench",     "plans", "--shape", "16x8x8,16x3x3,p1", "--rounds", "6",
                                           "--threads", "1",     "--json"};
  const json j = json::parse(picograd.ok(arguments).out);
  CHECK(j["shape"] == "16x8x8,16x3x3,p1");
  CHECK(j["weights"] == "frozen");
  REQUIRE(j["plans"].size() == 3);
  const std::vector<std::pair<std::string, size_t>> plans{{"direct", 1}, {"winograd_2x3", 4}, {"winograd_4x3", 4}};
  for (size_t i = 0; i < plans.size(); ++i) {
    const json& plan = j["plans"][i];
    CAPTURE(plan.dump());
    CHECK(plan["plan"] == plans[i].first);
    REQUIRE(plan["kernels"].size() == plans[i].second);
    CHECK(plan["median_ms"] > 0);
    CHECK(plan["ratio"]["median"] > 0);
    CHECK((plan["error"]["rms"] > 0 && plan["error"]["rms"] < 1e-6));
    if (i > 0) CHECK(plan["kernels"][0]["once"] == true);
  }
  std::vector<std::string> trained = arguments;
  trained.push_back("--trained");
  CHECK(!json::parse(picograd.ok(trained).out)["plans"][1]["kernels"][0].contains("once"));
}
TEST_CASE("bench plans: what has one plan only is refused") {
  CommandLine picograd;
  check_error(picograd.run({"bench", "plans", "--shape", "16x8x8,16x3x3,s2"}), 1, {"there is one plan only"});
}
