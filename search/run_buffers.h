#pragma once
// The buffers that candidates of one kernel run on: what they hold, and where each lies in the memory shared with the
// runner.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "uops/dtype.h"

namespace pg {

enum class BufferUse : uint8_t {
  Input,   // random: floats in [-1, 1), integers in [-8, 8) (unsigned: [0, 8)), bools; write-protected in the runner
  Ids,     // random integers in [0, limit): token ids, gather indices; write-protected in the runner
  Output,  // poisoned; every element must be written
  InOut,   // random like Input, restored before each checked run; may be written in part (an assign into a slice)
};

/// A buffer argument, by Param slot.
struct BufferSpec {
  int64_t elements = 0;
  DType dtype;
  BufferUse use = BufferUse::Input;
  int64_t limit = 0;  // Ids
  bool written() const { return use == BufferUse::Output || use == BufferUse::InOut; }
  size_t bytes() const { return static_cast<size_t>(elements) * static_cast<size_t>(dtype.element_bytes()); }
  friend bool operator==(const BufferSpec&, const BufferSpec&) = default;
};

/// Shared memory: one control page, then each buffer's initial contents (not for Output) and its result (where written).
struct RunLayout {
  struct Place {
    size_t initial = 0, result = 0;  // offsets; 0: there is none
  };
  std::vector<Place> places;  // by slot
  size_t bytes = 0;
};
inline constexpr size_t kPage = 4096;
RunLayout layout(std::span<const BufferSpec>);

/// The same contents for the same (spec, seed, slot) on every machine: floats finite and away from zero (zeros and
/// subnormals have a speed of their own).
void fill(std::byte* at, const BufferSpec&, uint64_t seed, size_t slot);

}  // namespace pg
