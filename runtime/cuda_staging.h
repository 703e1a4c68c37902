#pragma once
// Copies between a GPU and memory that the GPU cannot reach: by way of two pinned buffers, so that one is filled while the
// other travels.
#include <array>
#include <mutex>

#include "runtime/cuda_stream.h"

namespace pg {

class CudaStaging {
 public:
  /// Copies run in the order of `stream`.
  CudaStaging(std::shared_ptr<CudaContext> context, cu::Stream stream) : context_(std::move(context)), stream_(stream) {}

  /// The host's bytes may change as soon as it returns.
  void copy_in(cu::DevicePointer, const void* host, size_t bytes);
  /// Returns when the bytes are there.
  void copy_out(void* host, cu::DevicePointer, size_t bytes);

 private:
  struct Slot {
    CudaHandle<void*, &CudaDriver::Functions::mem_free_host> memory;
    CudaEvent done;
    size_t used = 0;  // bytes that copies of this round have taken
  };
  bool prepare();
  void start_round(Slot&);
  Slot& other(Slot& s) { return &s == &slots_[0] ? slots_[1] : slots_[0]; }

  std::shared_ptr<CudaContext> context_;
  cu::Stream stream_;
  std::mutex mutex_;
  std::array<Slot, 2> slots_;
  Slot* filling_ = &slots_[0];
  bool tried_ = false;
};

}  // namespace pg
