#include "runtime/xgboost.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "uops/error.h"

using namespace pg;

namespace {

/// 2 where the second number is above a half, plus the first one.
struct Steps {
  Steps() {
    for (int i = 0; i < 400; ++i) {
      const float x = static_cast<float>(i % 20) / 20, y = static_cast<float>(i * 7 % 31) / 31;
      table.add(std::vector<float>{x, y, 0.5f});
      labels.push_back(x + (y > 0.5f ? 2 : 0));
    }
  }
  Table table{3};
  std::vector<float> labels;
};

}  // namespace

TEST_CASE("xgboost: without the library it says what to do") {
  const FoundXgboost missing = Xgboost::find("libno-such-trees.so.0");
  CHECK(!missing.library);
  CHECK(missing.what == "libno-such-trees.so.0 not found");
  CHECK(missing.remedy.find("setup --full") != std::string::npos);
  CHECK(!Xgboost::find("none").library);
  const FoundXgboost other = Xgboost::find("libc.so.6");  // a library, but another one
  CHECK(!other.library);
  CHECK(other.what.find("XGBGetLastError") != std::string::npos);
}

TEST_CASE("xgboost: trees learn a step, the same ones each time, and refuse nonsense in words") {
  const FoundXgboost found = Xgboost::find();
  if (!found.library) {
    MESSAGE("skipped: " << found.what << ": " << found.remedy);
    return;
  }
  const Steps steps;
  std::string why;
  const auto trees = Trees::fit(found.library, steps.table, steps.labels, {}, why);
  REQUIRE_MESSAGE(trees, why);
  const std::vector<float> predicted = trees->predict(steps.table);
  REQUIRE(predicted.size() == steps.labels.size());
  for (size_t i = 0; i < predicted.size(); ++i) CHECK(std::abs(predicted[i] - steps.labels[i]) < 0.2);
  const auto again = Trees::fit(found.library, steps.table, steps.labels, {}, why);
  REQUIRE(again);
  CHECK(again->predict(steps.table) == predicted);

  CHECK(!Trees::fit(found.library, steps.table, steps.labels, {.parameters = {{"objective", "reg:nonsense"}}}, why));
  CHECK(why.find("XGBoost refuses") == 0);
  CHECK(!Trees::fit(found.library, steps.table, std::span(steps.labels).subspan(1), {}, why));
}
