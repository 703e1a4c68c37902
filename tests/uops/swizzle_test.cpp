#include "uops/swizzle.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "random_expressions.h"
#include "uops/evaluate.h"
#include "uops/simplify.h"
#include "uops/text.h"

using namespace pg;
using namespace pg::test;

namespace {
std::vector<int64_t> ways_of(const Swizzle& s, const std::vector<WarpAccess>& accesses, int element_bytes = 4) {
  std::vector<int64_t> ways;
  for (const WarpAccess& a : accesses) {
    const WarpAccess moved = warp_access(a.width, [&](int64_t l) { return s.apply(a.addresses[static_cast<size_t>(l)]); });
    ways.push_back(conflict_ways(moved.addresses, a.width, element_bytes));
  }
  return ways;
}
int64_t product(const std::vector<int64_t>& ways) {
  int64_t p = 1;
  for (int64_t w : ways) p *= w;
  return p;
}
/// By rank, for all accesses that differ from it by an XOR.
bool proved_free(const Swizzle& s, const WarpAccess& a) {
  auto columns = lane_columns(a.addresses);
  REQUIRE(columns);
  for (int64_t& c : *columns) c = s.apply(c);
  return conflict_ways(*columns, a.width) == 1;
}
// The accesses of a matrix product's tiles; names say [rows][floats of a row].
const WarpAccess mma_a_ldmatrix = warp_access(4, [](int64_t l) { return l % 16 * 32 + l / 16 * 4; });  // [m][32k], x4
const WarpAccess mma_a_copy = warp_access(4, [](int64_t l) { return l / 8 * 32 + l % 8 * 4; });
const WarpAccess mma_b_fragment = warp_access(1, [](int64_t l) { return l % 4 * 128 + l / 4; });  // [k][128n]
const WarpAccess mma_b_copy = warp_access(4, [](int64_t l) { return l * 4; });
const WarpAccess simt_a_transposed = warp_access(4, [](int64_t l) { return l / 4 * 8; });  // [k][128m], 8 rows a thread
const WarpAccess simt_a = warp_access(4, [](int64_t l) { return l / 4 * 16; });            // [m][16k], 4 of k at a time
const WarpAccess simt_a_copy = warp_access(4, [](int64_t l) { return l / 4 * 16 + l % 4 * 4; });
const WarpAccess column = warp_access(1, [](int64_t l) { return l * 32; });  // of [32][32]
const WarpAccess row = warp_access(1, [](int64_t l) { return l; });
}  // namespace

TEST_CASE("layout, swizzle: an involution, a bijection of each block, and runs stay whole") {
  for (int bits = 0; bits <= 4; ++bits)
    for (int base = 0; base <= 4; ++base)
      for (int shift = std::max(bits, 1); shift <= 5; ++shift) {
        const Swizzle s{bits, base, shift};
        const int n = base + shift + bits;
        CHECK(s.block() == int64_t{1} << n);
        for (int64_t a = 0; a < 4 * s.block(); ++a) {
          REQUIRE(s.apply(s.apply(a)) == a);
          REQUIRE(s.apply(a) / s.block() == a / s.block());
          REQUIRE(s.apply(a) == s.apply(a >> base << base) + (a & ((1 << base) - 1)));
        }
        const LinearLayout map = s.layout(n);
        CHECK(map.then(map) == Swizzle{}.layout(n));
        CHECK(map.inverse() == map);
        CHECK(map(s.block() - 1) == s.apply(s.block() - 1));
      }
  const Swizzle overlapping{3, 2, 1};  // still a bijection, but no involution
  CHECK(overlapping.layout(6).rank() == 6);
  CHECK(overlapping.apply(overlapping.apply(32)) != 32);
}

TEST_CASE("layout, swizzle: A of mma m16n8k8 in rows of 32 floats asks for exactly Swizzle<3,2,3>") {
  const std::vector<WarpAccess> accesses{mma_a_ldmatrix, mma_a_copy};
  CHECK(ways_of({}, accesses) == std::vector<int64_t>{8, 1});
  const SolvedSwizzle solved = solve_swizzle(12, accesses);
  CHECK(solved.swizzle == Swizzle{3, 2, 3});
  CHECK(solved.swizzle.in_bytes(4) == Swizzle{3, 4, 3});
  CHECK(solved.ways == std::vector<int64_t>{1, 1});
  int free = 0;
  for (int bits = 0; bits <= 4; ++bits)
    for (int base = 2; base <= 6; ++base)
      for (int shift = bits; base + shift + bits <= 12; ++shift)
        free += product(ways_of({bits, base, shift}, accesses)) == 1;
  CHECK(free == 1);  // no other keeps both free of conflicts
}

TEST_CASE("layout, swizzle: what helps nothing is left out") {
  CHECK(solve_swizzle(12, std::vector{mma_b_copy, row}).swizzle.is_identity());
  CHECK(solve_swizzle(12, {}).swizzle.is_identity());
  const WarpAccess one = warp_access(1, [](int64_t) { return 5; });
  CHECK(solve_swizzle(12, std::vector{one}).swizzle.is_identity());
}

TEST_CASE("layout, swizzle: of swizzles without conflicts, the better spread over the warp") {
  // A transposed, 8 rows a thread: no quarter warp has conflicts, but half of the banks serve all of the warp.
  CHECK(ways_of({}, {simt_a_transposed, mma_b_copy}) == std::vector<int64_t>{1, 1});
  CHECK(warp_spread(simt_a_transposed.addresses, 4) == 2);
  const SolvedSwizzle solved = solve_swizzle(12, std::vector{simt_a_transposed, mma_b_copy});
  CHECK(solved.ways == std::vector<int64_t>{1, 1});
  CHECK(solved.swizzle == Swizzle{1, 2, 3});
  // Conflicts come first: a spread is not bought with them.
  CHECK(solve_swizzle(12, std::vector{simt_a_transposed, row}).ways == std::vector<int64_t>{1, 1});
}

TEST_CASE("layout, swizzle: a column of [32][32] by swizzle or by padding") {
  CHECK(conflict_ways(column.addresses, 1) == 32);
  const SolvedSwizzle solved = solve_swizzle(10, std::vector{column, row});
  CHECK(solved.swizzle == Swizzle{5, 0, 5});
  CHECK(solved.ways == std::vector<int64_t>{1, 1});
  const SolvedPadding padded = solve_padding(32, std::vector{column, row});
  CHECK(padded.padding == 1);
  CHECK(padded.ways == std::vector<int64_t>{1, 1});
}

TEST_CASE("layout, swizzle: solved tiles of a matrix product are free of conflicts, proved by rank") {
  const std::vector<std::vector<WarpAccess>> tiles{{mma_a_ldmatrix, mma_a_copy},
                                                   {mma_b_fragment, mma_b_copy},
                                                   {simt_a, simt_a_copy},
                                                   {simt_a_transposed, mma_b_copy},
                                                   {column, row}};
  for (const std::vector<WarpAccess>& accesses : tiles) {
    const SolvedSwizzle solved = solve_swizzle(10, accesses);
    for (const WarpAccess& a : accesses) {
      CHECK(proved_free(solved.swizzle, a));
      // The proof holds for each fragment and chunk of the tile; count some.
      for (int64_t base = 0; base < 1024; base += 4) {
        const WarpAccess there = warp_access(
            a.width, [&](int64_t l) { return solved.swizzle.apply(a.addresses[static_cast<size_t>(l)] ^ base); });
        REQUIRE(conflict_ways(there.addresses, a.width) == 1);
      }
    }
  }
  // B's fragment: 4 rows of k, 128 floats apart, at 8 columns.
  CHECK(ways_of({}, {mma_b_fragment, mma_b_copy}) == std::vector<int64_t>{4, 1});
}

TEST_CASE("layout, swizzle: of equal products, the earlier access is served") {
  // Eight rows of 32 floats, and eight of 256: each wants its own row number in the same three bits.
  const WarpAccess near = warp_access(4, [](int64_t l) { return l % 8 * 32; }),
                   far = warp_access(4, [](int64_t l) { return l % 8 * 256; });
  const SolvedSwizzle a = solve_swizzle(11, std::vector{near, far}), b = solve_swizzle(11, std::vector{far, near});
  CHECK(a.swizzle == Swizzle{3, 2, 3});
  CHECK(b.swizzle == Swizzle{3, 2, 6});
  CHECK(a.ways == std::vector<int64_t>{1, 8});
  CHECK(b.ways == std::vector<int64_t>{1, 8});
}

TEST_CASE("layout, swizzle: solved is never worse than not swizzled, on random accesses") {
  const uint64_t seed = 17;
  INFO("seed " << seed);
  Random random(seed);
  int better = 0;
  for (int k = 0; k < 400; ++k) {
    const int tile_bits = static_cast<int>(random(6, 12)), element_bytes = static_cast<int>(random.pick<int64_t>({2, 4}));
    std::vector<WarpAccess> accesses;
    for (int64_t n = random(1, 3); n > 0; --n) {
      const int width = static_cast<int>(random.pick<int64_t>({1, 2, 4}));
      const int64_t step = random(1, 64), wrap = (int64_t{1} << tile_bits) / width;
      LaneColumns columns;
      for (int64_t& c : columns) c = (int64_t{1} << random(0, tile_bits - 1)) / width * width;
      const bool linear = random.chance(60);
      accesses.push_back(warp_access(width, [&](int64_t l) {
        int64_t at = 0;
        for (int i = 0; i < kWarpLaneBits; ++i) at ^= l >> i & 1 ? columns[static_cast<size_t>(i)] : 0;
        return linear ? at : l * step % wrap * width;
      }));
    }
    const SolvedSwizzle solved = solve_swizzle(tile_bits, accesses, element_bytes);
    REQUIRE(solved.ways == ways_of(solved.swizzle, accesses, element_bytes));
    REQUIRE(product(solved.ways) <= product(ways_of({}, accesses, element_bytes)));
    REQUIRE(solved.swizzle.block() <= int64_t{1} << tile_bits);
    better += product(solved.ways) < product(ways_of({}, accesses, element_bytes));
    for (const WarpAccess& a : accesses)
      for (int64_t at : a.addresses)
        for (int64_t i = 1; i < a.width; ++i) REQUIRE(solved.swizzle.apply(at + i) == solved.swizzle.apply(at) + i);
  }
  CHECK(better > 100);
  CHECK_THROWS_WITH_AS(solve_swizzle(9, std::vector{column}), "address 512 in a tile of 2^9", InternalError);
}

TEST_CASE("layout, padding: the least that helps, in whole vectors") {
  // Rows of 48 floats, read by columns and written by rows of 16 bytes.
  const WarpAccess read = warp_access(1, [](int64_t l) { return l * 48; });
  const WarpAccess write = warp_access(4, [](int64_t l) { return l / 12 * 48 + l % 12 * 4; });
  CHECK(conflict_ways(read.addresses, 1) == 16);
  const SolvedPadding vectors = solve_padding(48, std::vector{read, write});
  CHECK(vectors.padding ==
        4);  // the column's step of 52 meets 8 banks; rows that end within a quarter warp cost the write 2
  CHECK(vectors.ways == std::vector<int64_t>{4, 2});
  CHECK(solve_padding(48, std::vector{read}).padding == 1);
  CHECK(solve_padding(48, std::vector{write}).padding == 0);
  // 8 rows at 16 bytes: 36 floats a row need none, 24 need 4.
  const auto rows = [](int64_t row) { return warp_access(4, [row](int64_t l) { return l % 8 * row; }); };
  CHECK(solve_padding(36, std::vector{rows(36)}).padding == 0);
  CHECK(solve_padding(24, std::vector{rows(24)}).padding == 4);
  // A row that no vector divides is padded up to one that it does.
  const WarpAccess pairs = warp_access(2, [](int64_t l) { return l * 7; });
  CHECK(solve_padding(7, std::vector{pairs}).padding % 2 == 1);
}

TEST_CASE("layout, swizzle: the index expression means the same, whatever the address is made of") {
  const uint64_t seed = 23;
  INFO("seed " << seed);
  Random random(seed);
  Expressions expressions(random);
  int compared = 0;
  for (int k = 0; k < 4000; ++k) {
    const int bits = static_cast<int>(random(1, 5)), base = static_cast<int>(random(0, 4));
    const Swizzle s{bits, base, static_cast<int>(random(1, 6))};
    UOp address;
    if (random.chance(50)) {
      address = expressions.of(dt::index, static_cast<int>(random(1, 4)));
    } else {  // as a tile gives it: Σ of ranges by strides, mostly powers of two
      address = iconst(random(-3, 300));
      for (int64_t t = random(1, 5); t > 0; --t) {
        const UOp r = range("r" + std::to_string(t), iconst(int64_t{1} << random(0, 5)));
        address = address + (random.chance(30) ? idiv(r, iconst(2)) : r) *
                                iconst(random.chance(80) ? int64_t{1} << random(0, 9) : random(-40, 70));
      }
    }
    const UOp mixed = s.apply(address);
    for (int b = 0; b < 8; ++b) {
      Binding binding(random);
      const auto before = binding.value(address);
      if (!before) continue;
      ++compared;
      const auto after = binding.value(mixed);
      INFO(bits << "," << base << "," << s.shift << " of " << pretty(address) << " -> " << pretty(mixed));
      REQUIRE(after);
      REQUIRE(std::get<int64_t>(*after) == s.apply(std::get<int64_t>(*before)));
      REQUIRE(bounds(mixed).lo <= std::get<int64_t>(*after));
      REQUIRE(bounds(mixed).hi >= std::get<int64_t>(*after));
    }
  }
  CHECK(compared > 20000);
}

TEST_CASE("layout, swizzle: the index expression stays in the tile and its runs keep their step") {
  const Swizzle s{3, 2, 3};
  const UOp m = range("m", iconst(96)), chunk = range("c", iconst(8)), lane = range("v", iconst(4)),
            slot = range("s", iconst(3));
  const UOp address = slot * iconst(96 * 32) + m * iconst(32) + chunk * iconst(4) + lane, mixed = s.apply(address);
  CHECK(bounds(mixed) == Interval{0, 3 * 96 * 32 - 1});  // 96 rows are no power of two
  CHECK(coefficient(mixed, lane) == 1);
  CHECK(coefficient(mixed, slot) == 96 * 32);
  CHECK(divisor(simplify(substitute(mixed, {{lane, iconst(0)}}))) == 4);
  CHECK(collect(mixed, [](const UOp& u) { return u.is(Op::Xor); }).size() == 1);
  CHECK(pretty(s.apply(m * iconst(32) + chunk * iconst(4))) == "m*32 + (c ^ m%8)*4");
  CHECK(s.apply(m * iconst(256) + lane) == simplify(m * iconst(256) + lane));  // clear of all swizzled bits
  CHECK(Swizzle{}.apply(address) == address);
  CHECK_THROWS_WITH_AS(s.apply(constant(dt::i32, int64_t{1})), "a swizzled address of type i32", InternalError);
}

TEST_CASE("layout, swizzle: instances that differ by a constant share the XOR of the rest") {
  const Swizzle s{3, 2, 3};
  const UOp thread = range("t", iconst(8)), half = range("h", iconst(2)), k = range("k", iconst(4));
  const UOp mixed = s.apply(thread * iconst(32) + k * iconst(8) + half * iconst(4));
  const auto instance = [&](int64_t i, int64_t j) {
    return simplify(substitute(mixed, {{half, iconst(j)}, {k, iconst(i)}}));
  };
  CHECK(pretty(instance(0, 0)) == "t*36");  // the row's own number in units of 4
  CHECK(pretty(instance(1, 1)) == "t*32 + (t ^ 3)*4");
  CHECK(pretty(instance(2, 0)) == "t*32 + (t ^ 4)*4");
}
