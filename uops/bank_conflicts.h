#pragma once
// What one access of a warp to shared memory costs: 32 banks of 4 bytes serve one word each at a time.
#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace pg {

inline constexpr int kWarpLanes = 32, kWarpLaneBits = 5;
inline constexpr int kBanks = 32, kBankBytes = 4;

/// One instruction of a warp: each lane reads or writes `width` neighbours from its element address on; 1, 2, 4, 8 or 16
/// bytes in all, aligned to that.
struct WarpAccess {
  std::array<int64_t, kWarpLanes> addresses{};
  int width = 1;
};
/// The access whose lane l is at f(l).
template <class F>
WarpAccess warp_access(int width, F f) {
  WarpAccess a{.width = width};
  for (int lane = 0; lane < kWarpLanes; ++lane) a.addresses[static_cast<size_t>(lane)] = f(lane);
  return a;
}

/// How many times the banks are asked, by simulation: 1 is free of conflicts. 8 bytes a lane are served by half warps, 16 by
/// quarter warps; in each such phase, the most distinct words in one bank. Lanes at the same word share it.
int64_t conflict_ways(std::span<const int64_t, kWarpLanes> element_addresses, int width, int element_bytes = 4);
/// The same with all lanes in one phase: of accesses without conflicts in their phases, the one that is spread better over
/// the banks is the one that stays so when the hardware pairs phases.
int64_t warp_spread(std::span<const int64_t, kWarpLanes> element_addresses, int width, int element_bytes = 4);

/// What each lane bit XORs into the address, where lane 0's address and these give all others.
using LaneColumns = std::array<int64_t, kWarpLaneBits>;
std::optional<LaneColumns> lane_columns(std::span<const int64_t, kWarpLanes> element_addresses);

/// Both by rank: 2^(rank of the words − rank of their banks). This is a proof for all accesses at once that differ by an
/// XOR: other registers, chunks or loop trips, whose address bits the lanes do not carry into.
int64_t conflict_ways(const LaneColumns&, int width, int element_bytes = 4);
int64_t warp_spread(const LaneColumns&, int width, int element_bytes = 4);

}  // namespace pg
