#pragma once
#include <cstdint>

namespace pg {

/// The n-th 64-bit number of the stream `seed` (splitmix64, Steele et al. 2014): a counter, so any part can be computed
/// alone.
constexpr uint64_t random_bits(uint64_t seed, uint64_t n) {
  uint64_t z = seed * 0xD1342543DE82EF95u + (n + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

}  // namespace pg
