#pragma once
// Work that was enqueued once and is handed to the GPU again as one, be it ours or another library's.
#include <functional>

#include "runtime/cuda_device.h"

namespace pg {

class CudaBatch {
 public:
  /// Records what `enqueue` enqueues in the order of the device's stream; nothing runs. It may not wait for the GPU.
  CudaBatch(CudaDevice&, const std::function<void()>& enqueue);
  /// Enqueues all of it. InternalError where the context it was recorded in is gone.
  void replay();

 private:
  std::shared_ptr<CudaGpu> gpu_;
  std::shared_ptr<CudaLife> life_;
  CudaHandle<cu::GraphExec, &CudaDriver::Functions::graph_exec_destroy> exec_;
};

}  // namespace pg
