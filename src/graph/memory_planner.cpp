#include "src/graph/memory_planner.h"

#include <algorithm>
#include <numeric>

namespace pg {

MemoryLayout memory_layout(std::span<const Lifetime> lives) {
  const auto size = [&](size_t i) { return (lives[i].bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment; };
  std::vector<size_t> order(lives.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return lives[a].bytes > lives[b].bytes; });

  MemoryLayout layout{std::vector<int64_t>(lives.size(), 0), 0, 0};
  std::vector<size_t> placed;  // by offset
  for (size_t i : order) {
    int64_t at = 0;
    for (size_t other : placed) {
      const bool alive_together = lives[other].first <= lives[i].last && lives[i].first <= lives[other].last;
      if (!alive_together || layout.offsets[other] + size(other) <= at) continue;
      if (layout.offsets[other] >= at + size(i)) break;  // the gap in front of it is large enough
      at = layout.offsets[other] + size(other);
    }
    layout.offsets[i] = at;
    layout.bytes = std::max(layout.bytes, at + size(i));
    layout.without_reuse += size(i);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), at, [&](int64_t o, size_t p) { return o < layout.offsets[p]; }), i);
  }
  return layout;
}

}  // namespace pg
