#include "uops/bank_conflicts.h"

#include <doctest/doctest.h>

#include "random_expressions.h"

using namespace pg;
using namespace pg::test;

namespace {
int64_t ways(int width, int64_t (*f)(int64_t lane), int element_bytes = 4) {
  return conflict_ways(warp_access(width, f).addresses, width, element_bytes);
}
}  // namespace

TEST_CASE("layout, banks: accesses whose conflicts are known by hand") {
  CHECK(ways(1, [](int64_t l) { return l; }) == 1);
  CHECK(ways(1, [](int64_t) { return int64_t{7}; }) == 1);  // one word for all
  CHECK(ways(1, [](int64_t l) { return l * 2; }) == 2);
  CHECK(ways(1, [](int64_t l) { return l * 3; }) == 1);
  CHECK(ways(1, [](int64_t l) { return l * 32; }) == 32);  // a column of [32][32]
  CHECK(ways(1, [](int64_t l) { return l * 33; }) == 1);   // with rows padded by one
  CHECK(ways(1, [](int64_t l) { return l / 16 * 32 + l % 16; }) == 2);
  CHECK(ways(2, [](int64_t l) { return l * 2; }) == 1);  // half warps of 128 bytes each
  CHECK(ways(2, [](int64_t l) { return l * 32; }) == 16);
  CHECK(ways(4, [](int64_t l) { return l * 4; }) == 1);
  CHECK(ways(4, [](int64_t l) { return l * 32; }) == 8);  // rows of 32 floats: a quarter warp in one bank group
  CHECK(ways(4, [](int64_t l) { return l * 36; }) == 1);  // padded by 4
  CHECK(ways(
            1, [](int64_t l) { return l; }, 2) == 1);  // two lanes share a word
  CHECK(ways(
            1, [](int64_t l) { return l * 64; }, 2) == 32);
  CHECK(ways(
            8, [](int64_t l) { return l * 64; }, 2) == 8);
}

TEST_CASE("layout, banks: the simulation counts the worst phase only") {
  // Lanes 0-7 and 8-15 fall in the same banks; they are served one after the other anyhow.
  const WarpAccess a = warp_access(4, [](int64_t l) { return l % 8 * 4 + l / 8 * 32; });
  CHECK(conflict_ways(a.addresses, 4) == 1);
  CHECK(warp_spread(a.addresses, 4) == 4);
  const WarpAccess shared = warp_access(4, [](int64_t l) { return l / 4 * 4; });  // 8 vectors, each for 4 lanes
  CHECK(warp_spread(shared.addresses, 4) == 1);
}

TEST_CASE("layout, banks: by rank and by simulation, thousands of random linear maps") {
  const uint64_t seed = 5;
  INFO("seed " << seed);
  Random random(seed);
  std::map<int64_t, int> seen;
  for (int k = 0; k < 20000; ++k) {
    const int element_bytes = static_cast<int>(random.pick<int64_t>({1, 2, 4, 8}));
    const int width = static_cast<int>(random.pick<int64_t>({1, 2, 4, 8, 16}));
    if (width * element_bytes > 16) continue;
    LaneColumns columns;
    const bool powers = random.chance(50);  // as indices give them
    for (int64_t& c : columns) c = powers ? int64_t{1} << random(0, 10) : random(0, 2047);
    for (int64_t& c : columns) c = random.chance(10) ? 0 : c * width;
    const int64_t offset = random(0, 2047) * width;
    const WarpAccess a = warp_access(width, [&](int64_t l) {
      int64_t at = offset;
      for (int i = 0; i < kWarpLaneBits; ++i) at ^= l >> i & 1 ? columns[static_cast<size_t>(i)] : 0;
      return at;
    });
    REQUIRE(lane_columns(a.addresses) == columns);
    REQUIRE(conflict_ways(a.addresses, width, element_bytes) == conflict_ways(columns, width, element_bytes));
    REQUIRE(warp_spread(a.addresses, width, element_bytes) == warp_spread(columns, width, element_bytes));
    ++seen[conflict_ways(columns, width, element_bytes)];
  }
  for (int64_t w : {1, 2, 4, 8, 16}) CHECK(seen[w] > 20);
  CHECK(!lane_columns(warp_access(1, [](int64_t l) { return l * 36; }).addresses));
}

TEST_CASE("layout, banks: what no instruction does is refused") {
  CHECK_THROWS_WITH_AS(ways(3, [](int64_t l) { return l * 3; }), "an access of 12 bytes a lane", InternalError);
  CHECK_THROWS_WITH_AS(ways(8, [](int64_t l) { return l * 8; }), "an access of 32 bytes a lane", InternalError);
  CHECK_THROWS_WITH_AS(ways(4, [](int64_t l) { return l * 33; }), "an access of 16 bytes at byte 132", InternalError);
  CHECK_THROWS_WITH_AS(conflict_ways(LaneColumns{1, 2, 4, 8, 16}, 4), "lanes 1 apart access 4 elements", InternalError);
}
