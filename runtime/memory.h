#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/device.h"
#include "uops/dtype.h"

namespace pg {

/// Memory on a device, freed into the device's pool with the last owner.
class Memory {
 public:
  Memory(Device&, size_t bytes);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  /// Memory that somebody else owns (a mapped file); `keep` is released with it.
  static std::shared_ptr<Memory> borrow(Device&, void* data, size_t bytes, std::shared_ptr<void> keep);

  /// Zeros. On a host that has its pages from the system at first touch, they take neither time nor memory before.
  static std::shared_ptr<Memory> zeroed(Device&, size_t bytes);

  Device& device() const { return device_; }
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  Memory(Device&, void* data, size_t bytes, std::shared_ptr<void> keep);
  Device& device_;
  void* data_;
  size_t bytes_;
  std::shared_ptr<void> keep_;
  bool owned_ = false;
};
using MemoryRef = std::shared_ptr<Memory>;

/// Bytes held by live Memory objects and by the pool (tests, DEBUG).
struct MemoryUse {
  int64_t live = 0, pooled = 0, peak = 0;
};
MemoryUse memory_use();

}  // namespace pg
