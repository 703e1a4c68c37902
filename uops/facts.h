#pragma once
#include <atomic>
#include <cstdint>

namespace pg {

/// What is known of a node for its whole life, computed at most once: two threads that race write the same values.
struct Facts {
  enum : uint8_t {
    Bounds = 1,    // lo, hi are valid
    Wraps = 2,     // with Bounds: the arithmetic of this node may leave its type's range
    Divisor = 4,   // divisor is valid
    Simplest = 8,  // simplify leaves the node as it is
    Typed = 16,    // the verifier has found nothing wrong with its dtypes
  };
  std::atomic<uint8_t> known{0};
  std::atomic<int64_t> lo{0}, hi{0}, divisor{0};

  bool has(uint8_t flag) const { return (known.load(std::memory_order_acquire) & flag) != 0; }
  void add(uint8_t flags) { known.fetch_or(flags, std::memory_order_release); }
};

}  // namespace pg
