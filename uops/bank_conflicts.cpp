#include "uops/bank_conflicts.h"

#include <algorithm>
#include <bit>
#include <string>

#include "uops/error.h"
#include "uops/linear_layout.h"

namespace pg {

namespace {
int access_bytes(int width, int element_bytes) {
  const int bytes = width * element_bytes;
  if (bytes < 1 || bytes > 16 || !std::has_single_bit(static_cast<unsigned>(bytes)))
    throw InternalError("an access of " + std::to_string(bytes) + " bytes a lane");
  return bytes;
}
/// Lanes served at a time: as many as 128 bytes hold.
int phase_lanes(int bytes) { return kBanks * kBankBytes / std::max(bytes, kBankBytes); }

int64_t simulated(std::span<const int64_t, kWarpLanes> addresses, int width, int element_bytes, int lanes) {
  const int bytes = access_bytes(width, element_bytes);
  int64_t most = 0;
  for (int first = 0; first < kWarpLanes; first += lanes) {
    std::array<int64_t, kWarpLanes * 4> words;  // 4: the words of 16 bytes
    size_t n = 0;
    for (int lane = first; lane < first + lanes; ++lane) {
      const int64_t start = addresses[static_cast<size_t>(lane)] * element_bytes;
      if (start < 0 || start % bytes != 0)
        throw InternalError("an access of " + std::to_string(bytes) + " bytes at byte " + std::to_string(start));
      for (int64_t w = start / kBankBytes; w * kBankBytes < start + bytes; ++w) words[n++] = w;
    }
    std::sort(words.begin(), words.begin() + n);
    const auto end = std::unique(words.begin(), words.begin() + n);
    std::array<int64_t, kBanks> in_bank{};
    for (auto w = words.begin(); w != end; ++w) most = std::max(most, ++in_bank[static_cast<size_t>(*w % kBanks)]);
  }
  return most;
}

int64_t by_rank(const LaneColumns& columns, int width, int element_bytes, int lanes) {
  const int bytes = access_bytes(width, element_bytes);
  // What is served as one: a lane's vector, or the word in which several narrow elements lie.
  const int64_t unit = std::max(bytes, kBankBytes) / element_bytes,
                units_in_banks = kBanks * kBankBytes / std::max(bytes, kBankBytes);
  LaneColumns words, banks;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] % width != 0)
      throw InternalError("lanes " + std::to_string(columns[i]) + " apart access " + std::to_string(width) + " elements");
    words[i] = columns[i] / unit;
    banks[i] = words[i] % units_in_banks;
  }
  const auto bits = static_cast<size_t>(std::countr_zero(static_cast<unsigned>(lanes)));
  return int64_t{1} << (gf2_rank(std::span(words).first(bits)) - gf2_rank(std::span(banks).first(bits)));
}
}  // namespace

int64_t conflict_ways(std::span<const int64_t, kWarpLanes> addresses, int width, int element_bytes) {
  return simulated(addresses, width, element_bytes, phase_lanes(access_bytes(width, element_bytes)));
}
int64_t warp_spread(std::span<const int64_t, kWarpLanes> addresses, int width, int element_bytes) {
  return simulated(addresses, width, element_bytes, kWarpLanes);
}

std::optional<LaneColumns> lane_columns(std::span<const int64_t, kWarpLanes> addresses) {
  LaneColumns columns;
  for (size_t i = 0; i < columns.size(); ++i) columns[i] = addresses[size_t{1} << i] ^ addresses[0];
  for (size_t lane = 0; lane < addresses.size(); ++lane) {
    int64_t at = addresses[0];
    for (size_t i = 0; i < columns.size(); ++i)
      if (lane >> i & 1) at ^= columns[i];
    if (at != addresses[lane]) return std::nullopt;
  }
  return columns;
}

int64_t conflict_ways(const LaneColumns& columns, int width, int element_bytes) {
  return by_rank(columns, width, element_bytes, phase_lanes(access_bytes(width, element_bytes)));
}
int64_t warp_spread(const LaneColumns& columns, int width, int element_bytes) {
  return by_rank(columns, width, element_bytes, kWarpLanes);
}

}  // namespace pg
