#pragma once
// Benchmarks on a GPU of NVIDIA: time by its own clock, memory that no launch finds in the L2 cache, copies as the ceiling.
#include <map>

#include "runtime/cuda_batch.h"
#include "runtime/cuda_timer.h"
#include "src/cli/bench_device.h"

namespace pg {

/// What is short is replayed as one batch, so that the GPU need not wait for the host between launches.
class CudaStopwatch final : public Stopwatch {
 public:
  CudaStopwatch(CudaDevice& device) : device_(device), timer_(device) {}
  /// A batch has each set of buffers equally often.
  void set_sets(size_t n) { sets_ = n; }
  double milliseconds(const Contestant&, int repeat, bool warm) override;

 private:
  struct Batch {
    CudaBatch batch;
    size_t launches;
  };
  CudaDevice& device_;
  CudaTimer timer_;
  size_t sets_ = 1;
  std::map<std::string, Batch> batches_;  // by contestant
};

/// Floating-point operations of 32 bits a second at most, and what that assumes.
struct GpuPeak {
  double flops_per_ms = 0;
  std::string assumes;  // "132 SMs x 128 FMA x 1.98 GHz"
};
GpuPeak fp32_peak(const CudaFacts&);

class CudaBench final : public BenchDevice {
 public:
  explicit CudaBench(CudaDevice&);
  ~CudaBench() override;
  Stopwatch& stopwatch() override { return watch_; }
  /// At least twice the L2 cache, unless one set exceeds that.
  size_t sets(size_t bytes) const override;
  void sweep() override;
  std::vector<Contestant> ceilings(const Operands&) override;
  void report(Json& line, const Work&, std::span<const Contestant> all) const override;
  void describe(Json& row, const Artifact&) const override;
  std::vector<std::unique_ptr<KernelPeer>> peers(const std::string& name, const BenchKernel&, const std::vector<OperandSet>&,
                                                 std::string& why) override;

 private:
  CudaDevice& device_;
  CudaStopwatch watch_;
  std::unique_ptr<Memory> from_, to_, sink_;  // of the copy and of the read
  std::shared_ptr<Program> read_;
  size_t sets_ = 1;
};

}  // namespace pg
