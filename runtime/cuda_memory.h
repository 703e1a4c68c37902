#pragma once
// Memory of a GPU. The driver takes a millisecond to give and takes back only when the GPU rests: freed blocks wait here.
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/cuda_context.h"

namespace pg {

struct CudaMemoryUse {
  int64_t live = 0, cached = 0, peak = 0;  // bytes: handed out; waiting; the most that both ever were
  int64_t asked = 0;                       // how often the driver was asked for more
};

/// Blocks by size class, of one GPU and over all lives of its context. Thread-safe. Work is in the order of one stream: a
/// block that is freed while a kernel still uses it is handed out again to work behind that kernel.
class CudaMemory {
 public:
  /// 256-byte aligned. Out of memory: what waits here goes back first; then a UserError with what is free and what there is.
  void* allocate(CudaContext&, size_t bytes);
  void free(void*) noexcept;
  /// Gives what waits back to the driver.
  void trim(CudaContext&);
  /// The context is gone, and every block with it. Owners will still free theirs; until then is_lost knows them.
  void forget();
  /// Whether an address, or one behind it in the same block, was lost with a context.
  bool is_lost(const void*) const;
  CudaMemoryUse use() const;

 private:
  cu::DevicePointer from_driver(CudaContext&, size_t size);
  void trim_locked(CudaContext&);

  mutable std::mutex mutex_;
  std::map<cu::DevicePointer, size_t> live_;
  std::map<size_t, std::vector<cu::DevicePointer>> waiting_;
  std::map<cu::DevicePointer, size_t> lost_;
  /// Blocks that the driver gave at an address which the owner of a lost one will yet free.
  std::unordered_map<cu::DevicePointer, size_t> withheld_;
  CudaMemoryUse use_;
};

/// 3.2 GiB
std::string bytes_text(int64_t);

}  // namespace pg
