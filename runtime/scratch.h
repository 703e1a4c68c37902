#pragma once
#include <cstddef>
#include <cstdint>

namespace pg {

/// Memory from the system: aligned to large pages where it is large, an unmapped page behind it.
class ScratchMemory {
 public:
  ScratchMemory() = default;
  ~ScratchMemory();
  ScratchMemory(const ScratchMemory&) = delete;
  ScratchMemory& operator=(const ScratchMemory&) = delete;
  /// At least `bytes`, with whatever is in them; what an earlier call gave may have moved. Throws UserError when there is no
  /// memory.
  void* at_least(int64_t bytes);

 private:
  void release();
  void* mapping_ = nullptr;
  size_t mapped_ = 0;
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

/// The calling thread's own, for kernels that it runs.
void* thread_scratch(int64_t bytes);

}  // namespace pg
