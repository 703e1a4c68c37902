#include "src/graph/memory_planner.h"

#include <doctest/doctest.h>

#include <random>

using namespace pg;

namespace {
bool together(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }
}  // namespace

TEST_CASE("a chain of intermediates needs two places") {
  std::vector<Lifetime> lives;
  for (int i = 0; i < 10; ++i) lives.push_back({1000, i, i + 1});
  const MemoryLayout layout = memory_layout(lives);
  CHECK(layout.bytes == 2 * 1024);
  CHECK(layout.without_reuse == 10 * 1024);
}
TEST_CASE("two that live at the same step never overlap; offsets are aligned; random lives") {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    std::vector<Lifetime> lives;
    for (int i = 0; i < 40; ++i) {
      const int first = static_cast<int>(random() % 50);
      lives.push_back({static_cast<int64_t>(random() % 5000 + 1), first, first + static_cast<int>(random() % 10)});
    }
    const MemoryLayout layout = memory_layout(lives);
    for (size_t i = 0; i < lives.size(); ++i) {
      REQUIRE(layout.offsets[i] % kArenaAlignment == 0);
      REQUIRE(layout.offsets[i] + lives[i].bytes <= layout.bytes);
      for (size_t j = 0; j < i; ++j) {
        if (!together(lives[i], lives[j])) continue;
        const bool apart = layout.offsets[i] + lives[i].bytes <= layout.offsets[j] ||
                           layout.offsets[j] + lives[j].bytes <= layout.offsets[i];
        REQUIRE(apart);
      }
    }
    CHECK(layout.bytes < layout.without_reuse);
  }
}
TEST_CASE("no intermediates, no memory") { CHECK(memory_layout({}).bytes == 0); }
