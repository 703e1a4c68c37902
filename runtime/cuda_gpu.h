#pragma once
// One GPU as its programs, graphs and timers share it. It outlives the CudaDevice where these do.
#include "runtime/cuda_facts.h"
#include "runtime/cuda_memory.h"
#include "runtime/cuda_staging.h"
#include "runtime/cuda_stream.h"

namespace pg {

/// What begins and ends with a context.
struct CudaLife {
  explicit CudaLife(std::shared_ptr<CudaContext> c)
      : context(std::move(c)), stream(context), staging(context, stream.get()) {}
  ~CudaLife();
  CudaLife(const CudaLife&) = delete;
  CudaLife& operator=(const CudaLife&) = delete;
  std::shared_ptr<CudaContext> context;
  CudaStream stream;  // all kernels and copies run in its order
  CudaStaging staging;
};

class CudaGpu {
 public:
  CudaGpu(std::shared_ptr<const CudaDriver>, int ordinal);

  const std::string& name() const { return name_; }  // "CUDA:0"
  const CudaFacts& facts() const { return facts_; }
  const CudaDriver& driver() const { return *driver_; }
  CudaMemory& memory() { return memory_; }
  /// The present life, its context current in this thread. The first begins with the first use: a context takes a moment and
  /// some memory. After a loss a new one begins, where the GPU has recovered; else UserError: restart the process.
  std::shared_ptr<CudaLife> life();
  /// Refuses a buffer whose contents were lost.
  void check_alive(const void* buffer, const std::string& kernel) const;

 private:
  std::shared_ptr<const CudaDriver> driver_;
  const int ordinal_;
  const std::string name_;
  const CudaFacts facts_;
  CudaMemory memory_;
  std::mutex mutex_;  // of life_
  std::shared_ptr<CudaLife> life_;
};

}  // namespace pg
