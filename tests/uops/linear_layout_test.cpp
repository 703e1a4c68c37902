#include "uops/linear_layout.h"

#include <doctest/doctest.h>

#include <numeric>
#include <set>

#include "random_expressions.h"

using namespace pg;
using namespace pg::test;

namespace {
LinearLayout random_layout(Random& random, int inputs, int outputs) {
  std::vector<int64_t> lane, rest;
  for (int i = 0; i < inputs; ++i) (i < inputs / 2 ? lane : rest).push_back(random(0, (int64_t{1} << outputs) - 1));
  return LinearLayout({{"lane", lane}, {"register", rest}});
}
/// The registers of A of mma m16n8k8 in a row-major tile of 16 rows of 8: PTX ISA, "Matrix fragments for mma.m16n8k8".
const LinearLayout fragment_a({{"lane", {1, 2, 8, 16, 32}}, {"register", {64, 4}}});
}  // namespace

TEST_CASE("layout: a fragment of a matrix atom is a linear map, and a bijection") {
  for (int64_t lane = 0; lane < 32; ++lane)
    for (int64_t r = 0; r < 4; ++r) {
      const int64_t row = lane / 4 + r % 2 * 8, column = lane % 4 + r / 2 * 4;
      CHECK(fragment_a.at({{"lane", lane}, {"register", r}}) == row * 8 + column);
      CHECK(fragment_a(lane + 32 * r) == row * 8 + column);
    }
  CHECK(fragment_a.is_injective());
  const auto owner = fragment_a.inverse();
  REQUIRE(owner);
  for (int64_t at = 0; at < 128; ++at) CHECK(fragment_a((*owner)(at)) == at);
  CHECK(fragment_a.only({"register"}).rank() == 2);
  CHECK(fragment_a.only({"register", "lane"}).columns() == std::vector<int64_t>{64, 4, 1, 2, 8, 16, 32});
}

TEST_CASE("layout: values that follow a linear map, and some that do not") {
  std::vector<int64_t> values(8);
  std::iota(values.begin(), values.end(), 0);
  for (int64_t& v : values) v = v ^ v >> 1;  // Gray code
  const auto gray = LinearLayout::through("i", values);
  REQUIRE(gray);
  CHECK(gray->columns() == std::vector<int64_t>{1, 3, 6});
  values[5] = 0;
  CHECK(!LinearLayout::through("i", values));
  CHECK(LinearLayout::through("i", std::vector<int64_t>{0, 36, 72, 108}));  // rows of 36: no carry yet
  CHECK(!LinearLayout::through("i", std::vector<int64_t>{0, 3, 6, 9}));
  CHECK(!LinearLayout::through("i", std::vector<int64_t>{1, 0}));  // 0 is mapped to 0
}

TEST_CASE("layout: composition, kernel, image and inverse of random maps agree with counting") {
  const uint64_t seed = 31;
  INFO("seed " << seed);
  Random random(seed);
  int inverted = 0;
  for (int k = 0; k < 2000; ++k) {
    const int inputs = static_cast<int>(random(1, 8)), outputs = static_cast<int>(random(1, 8));
    const LinearLayout f = random_layout(random, inputs, outputs), g = random_layout(random, outputs, 9);
    const int64_t count = int64_t{1} << inputs;
    std::set<int64_t> image, kernel;
    for (int64_t i = 0; i < count; ++i) {
      image.insert(f(i));
      if (f(i) == 0) kernel.insert(i);
      REQUIRE(f.then(g)(i) == g(f(i)));
      REQUIRE(f(i) == f.at({{"lane", i % (1 << inputs / 2)}, {"register", i >> inputs / 2}}));
    }
    REQUIRE(static_cast<int64_t>(image.size()) == int64_t{1} << f.rank());
    REQUIRE(f.is_injective() == (static_cast<int64_t>(image.size()) == count));
    const auto spans = [](const std::vector<int64_t>& basis, const std::set<int64_t>& all) {
      for (int64_t b : basis) REQUIRE(all.contains(b));
      return static_cast<int>(basis.size()) == gf2_rank(basis) && size_t{1} << basis.size() == all.size();
    };
    REQUIRE(spans(f.kernel(), kernel));
    REQUIRE(spans(f.image(), image));
    const auto back = f.inverse();
    REQUIRE(back.has_value() == (f.is_injective() && f.output_bits() == inputs));
    if (!back) continue;
    ++inverted;
    for (int64_t i = 0; i < count; ++i) REQUIRE((*back)(f(i)) == i);
  }
  CHECK(inverted > 50);
}

TEST_CASE("layout: what is no linear layout is refused") {
  CHECK_THROWS_WITH_AS(LinearLayout({{"lane", {-1}}}), "a linear layout's column -1 of lane", InternalError);
  CHECK_THROWS_WITH_AS(fragment_a(128), "an input beyond a linear layout's 7 bits", InternalError);
  CHECK_THROWS_WITH_AS(fragment_a.only({"warp"}), "a linear layout without warp", InternalError);
  CHECK_THROWS_AS(fragment_a.then(LinearLayout({{"a", {1, 2}}})), InternalError);
  CHECK_THROWS_AS(LinearLayout::through("i", std::vector<int64_t>{0, 1, 2}), InternalError);
}
