#pragma once
// The time that work takes on a GPU, as its own clock tells.
#include <functional>

#include "runtime/cuda_device.h"

namespace pg {

class CudaTimer {
 public:
  explicit CudaTimer(CudaDevice&);
  /// Milliseconds from the first to the last of what `enqueue` enqueues (Program::enqueue, CudaGraph::replay), gaps
  /// included. Resolution: half a microsecond. Waits for the work; throws what went wrong in it.
  double ms(const std::function<void()>& enqueue);
  /// The same for each of `n` calls, one behind the other: `enqueue(i)` is the i-th.
  std::vector<double> each_ms(size_t n, const std::function<void(size_t i)>& enqueue);

 private:
  std::shared_ptr<CudaGpu> gpu_;
};

}  // namespace pg
