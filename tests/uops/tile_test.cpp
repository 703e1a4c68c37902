// Which element of a tile is where.
#include "uops/tile.h"

#include <doctest/doctest.h>

#include <set>

#include "uops/directive.h"
#include "uops/evaluate.h"
#include "uops/simplify.h"
#include "uops/text.h"

using namespace pg;

namespace {
using Part = LayoutPart::Kind;
const std::vector<std::vector<std::string>> kNames{{"0", "k"}, {"1", "n"}};

std::vector<LayoutPart> layout(const std::string& s) {
  return std::get<StageOpt>(parse_directive("stage(B,top,layout=" + s + ")")).layout;
}
std::string fault(const std::string& s, const std::vector<int64_t>& extents) {
  std::string why;
  const auto parts = resolve_layout(layout(s), kNames, extents, why);
  CHECK(parts.empty() == !why.empty());
  return why;
}
StagedTile tile(const std::string& s, const std::vector<int64_t>& extents, int64_t lanes,
                UOps base = {iconst(0), iconst(0)}) {
  std::string why;
  auto parts = resolve_layout(layout(s), kNames, extents, why);
  REQUIRE(why == "");
  return StagedTile::make("B_tile", 0, dt::f32, std::move(base), std::move(parts), lanes);
}
std::string shape(const StagedTile& t) {
  std::string s;
  for (const UOp& e : t.memory.src()) s += (s.empty() ? "" : " ") + pretty(e);
  return s;
}
std::string place(const StagedTile& t, int64_t k, int64_t n) {
  std::string s;
  const UOp index = t.at({iconst(k), iconst(n)});
  for (const UOp& i : index.src().subspan(1)) s += (s.empty() ? "" : " ") + pretty(i);
  return s;
}
/// Whether the elements of a box have places of their own, all of them within the memory.
bool is_injective(const StagedTile& t, int64_t rows, int64_t columns) {
  std::set<std::vector<int64_t>> seen;
  for (int64_t k = 0; k < rows; ++k)
    for (int64_t n = 0; n < columns; ++n) {
      std::vector<int64_t> at;
      const UOp index = t.at({iconst(k), iconst(n)});
      for (size_t i = 1; i < index.src().size(); ++i) {
        at.push_back(*const_int(index.src(i)));
        if (at.back() < 0 || at.back() >= *const_int(t.memory.src(i - 1))) return false;
      }
      seen.insert(at);
    }
  return static_cast<int64_t>(seen.size()) == rows * columns;
}
}  // namespace

TEST_CASE("tile: whole dimensions in the order of the layout") {
  const StagedTile t = tile("n k", {3, 5}, 1);
  CHECK(shape(t) == "5 3");
  CHECK(place(t, 2, 4) == "4 2");
  CHECK(is_injective(t, 3, 5));
}

TEST_CASE("tile: panels of 4 columns lie behind one another") {
  const StagedTile t = tile("n/4 k n%4", {3, 10}, 4);
  CHECK(shape(t) == "3 3 4");  // the last panel is a whole one too
  CHECK(place(t, 2, 9) == "2 2 1");
  CHECK(place(t, 0, 3) == "0 0 3");
  CHECK(is_injective(t, 3, 10));
}

TEST_CASE("tile: parts in any order, dimensions by number") {
  const StagedTile t = tile("1%2 0/2 1/2 0%2", {4, 6}, 1);
  CHECK(shape(t) == "2 2 3 2");
  CHECK(place(t, 3, 4) == "0 1 2 1");
  CHECK(is_injective(t, 4, 6));
}

TEST_CASE("tile: dimensions of one element need no part") {
  CHECK(shape(tile("n", {1, 5}, 1)) == "5");
  CHECK(shape(tile("k n", {1, 5}, 1)) == "5");
  const StagedTile one = tile("k", {1, 1}, 8);
  CHECK(shape(one) == "1");
  CHECK(place(one, 0, 0) == "0");
}

TEST_CASE("tile: an inner part alone that holds everything will do") {
  CHECK(shape(tile("k n%8", {3, 8}, 1)) == "3 8");
  CHECK(shape(tile("k n%8", {3, 5}, 1)) == "3 8");
  CHECK(fault("k n%8", {3, 9}) == "stage: the layout does not say each dimension once: 1");
}

TEST_CASE("tile: rows are whole vectors, short ones a power of two") {
  CHECK(padded_row(16, 16) == 16);
  CHECK(padded_row(17, 16) == 32);
  CHECK(padded_row(66, 16) == 80);
  CHECK(padded_row(5, 16) == 8);
  CHECK(padded_row(1, 16) == 1);
  CHECK(padded_row(5, 1) == 5);
  const StagedTile t = tile("k n", {3, 18}, 16);
  CHECK(shape(t) == "3 32");
  CHECK(tile_elements(t.parts, 16) == 96);
  CHECK(tile_elements({}, 16) == 1);
  CHECK(tile_elements({{0, Part::Whole, 1, int64_t{1} << 40}, {1, Part::Whole, 1, int64_t{1} << 40}}, 1) == int64_t{1}
                                                                                                                << 50);
}

TEST_CASE("tile: places are counted from its base") {
  const UOp i = range("i", iconst(9)), j = range("j", iconst(64));
  const StagedTile t = tile("k n", {4, 32}, 1, {i * iconst(4), j});
  CHECK(pretty(t.at({i * iconst(4) + iconst(3), j + iconst(5)})) == "B_tile[3, 5]");
}

TEST_CASE("tile: layouts that do not cover the box") {
  CHECK(fault("k", {3, 5}) == "stage: the layout does not say each dimension once: 1");
  CHECK(fault("k n k", {3, 5}) == "stage: the layout does not say each dimension once: 0");
  CHECK(fault("k n/4", {3, 5}) == "stage: the layout does not say each dimension once: 1");
  CHECK(fault("n/4 k n%2", {3, 5}) == "stage: the layout does not say each dimension once: 1");
  CHECK(fault("n/4 k n%4 n", {3, 5}) == "stage: the layout does not say each dimension once: 1");
  CHECK(fault("k n z", {3, 5}) == "stage: no dimension z");
  CHECK(fault("k n 2", {3, 5}) == "stage: no dimension 2");
}
