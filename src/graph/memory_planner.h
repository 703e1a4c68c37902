#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace pg {

/// An intermediate: written first by step `first`, read last by step `last` (inclusive).
struct Lifetime {
  int64_t bytes = 0;
  int first = 0, last = 0;
};
struct MemoryLayout {
  std::vector<int64_t> offsets;  // by intermediate, multiples of kArenaAlignment
  int64_t bytes = 0;             // of the arena
  int64_t without_reuse = 0;     // if each intermediate had memory of its own
};
/// Where buffers begin on a GPU, by which its kernels know what they may move at once; several cache lines of a CPU.
inline constexpr int64_t kArenaAlignment = 256;

/// Places intermediates in one arena; two that live at the same step never overlap. Greedy, the largest first, each at the
/// lowest place that is free for its whole life.
MemoryLayout memory_layout(std::span<const Lifetime>);

}  // namespace pg
