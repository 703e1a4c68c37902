#pragma once
// Shared-memory tiles whose addresses are permuted or padded so that a warp's lanes fall into different banks.
#include <cstdint>
#include <span>
#include <vector>

#include "uops/bank_conflicts.h"
#include "uops/linear_layout.h"
#include "uops/uop.h"

namespace pg {

/// XORs `bits` (B) bits of the element address, from bit base + shift (M + S) on, into those from bit `base` on. With S ≥ B
/// it is its own inverse; aligned runs of 2^M elements stay whole; aligned blocks of 2^(M+S+B) elements are permuted in
/// themselves. The hardware's modes count bytes: in_bytes.
struct Swizzle {
  int bits = 0, base = 0, shift = 0;

  bool is_identity() const { return bits == 0; }
  int64_t block() const { return int64_t{1} << (base + shift + bits); }
  int64_t apply(int64_t address) const {
    return address ^ (((address >> (base + shift)) & ((int64_t{1} << bits) - 1)) << base);
  }
  /// The index expression. Terms that stay clear of the swizzled bits are kept outside of the XOR, so that a vec range over
  /// a whole run keeps its step of 1, and what is constant or outside a loop can be XORed in last or first.
  UOp apply(const UOp& address) const;

  /// As a map of addresses of so many bits.
  LinearLayout layout(int address_bits) const;
  /// The same of byte addresses, as CuTe and the hardware say it: Swizzle<3,2,3> of floats is Swizzle<3,4,3>.
  Swizzle in_bytes(int element_bytes) const;

  friend bool operator==(const Swizzle&, const Swizzle&) = default;
};

struct SolvedSwizzle {
  Swizzle swizzle;
  std::vector<int64_t> ways;  // per access
};
/// For a tile of 2^tile_bits elements that these accesses share, readers and writers: the swizzle with the least product of
/// their ways. Of equal ones, that with fewer ways for the earlier accesses (name the most frequent first), then the better
/// spread over the whole warp, then the fewest bits; identity where nothing helps.
SolvedSwizzle solve_swizzle(int tile_bits, std::span<const WarpAccess>, int element_bytes = 4);

struct SolvedPadding {
  int64_t padding = 0;        // elements behind each row
  std::vector<int64_t> ways;  // per access
};
/// For a tile of rows of `row` elements, addressed without padding: the least padding with the least product of ways. Padded
/// rows are multiples of the widest access.
SolvedPadding solve_padding(int64_t row, std::span<const WarpAccess>, int element_bytes = 4);

}  // namespace pg
