#pragma once
// Devices whose memory is the host's: CPU and REF.
#include "runtime/device.h"

namespace pg {

class HostMemoryDevice : public Device {
 public:
  bool shares_host_memory() const override { return true; }
  void* allocate(size_t bytes) override;
  void free(void*, size_t bytes) noexcept override;
  void copy_in(void* device, const void* host, size_t bytes) override;
  void copy_out(void* host, const void* device, size_t bytes) override;
};

}  // namespace pg
