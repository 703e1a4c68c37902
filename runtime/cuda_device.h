#pragma once
// A GPU of NVIDIA: CUDA C through NVRTC, kernels through the Driver API. Both are found at run time.
#include <mutex>
#include <optional>

#include "renderers/cuda.h"
#include "runtime/artifact_cache.h"
#include "runtime/config.h"
#include "runtime/cuda_gpu.h"
#include "runtime/cuda_resources.h"
#include "runtime/nvrtc.h"

namespace pg {

/// Files that are used instead of the system's; empty: those are searched for. Tests bring a driver of their own.
struct CudaLibraries {
  std::string driver = {}, nvrtc = {};
};

class CudaDevice final : public Device {
 public:
  /// Throws UserError when there is no driver, or no GPU of this number.
  CudaDevice(const Config&, int ordinal, const CudaLibraries& = {});

  const std::string& name() const override { return gpu_->name(); }  // "CUDA:0"
  const Target& target() const override { return target_; }
  DeviceInfo info() const override;
  ToolchainInfo toolchain() const override;
  void* allocate(size_t bytes) override;
  void free(void*, size_t bytes) noexcept override;
  bool pools() const override { return true; }  // and knows what a lost context took with it
  void copy_in(void* device, const void* host, size_t bytes) override;
  void copy_out(void* host, const void* device, size_t bytes) override;
  Source render(const UOp& linear) const override { return render_cuda(linear, target_); }
  /// A thread compiles one kernel; compile_all takes all cores.
  Artifact compile(const Source&) override;
  std::vector<Artifact> compile_all(std::span<const Source>) override;
  std::shared_ptr<Program> load(const Artifact&, const LaunchInfo&) override;
  ArtifactCache* artifacts() override { return &cache(); }
  std::unique_ptr<LaunchSequence> sequence() override;  // a CudaGraph
  void synchronize() override;

  const CudaFacts& facts() const { return gpu_->facts(); }
  const std::shared_ptr<CudaGpu>& gpu() const { return gpu_; }
  /// By what kernels are compiled, or why by nothing.
  const FoundNvrtc& compiler() const;
  CudaMemoryUse memory_use() const { return gpu_->memory().use(); }
  /// NVRTC's options for this GPU.
  std::vector<std::string> options() const;

 private:
  ArtifactCache& cache();
  int compiler_version() const;
  std::string key(const Source&) const;
  Artifact compile_now(const Source&, const std::string& key);

  const Config config_;
  const CudaLibraries libraries_;
  const std::shared_ptr<CudaGpu> gpu_;
  const Target target_;
  mutable std::mutex setup_;  // of the two below
  mutable std::optional<FoundNvrtc> compiler_;
  std::optional<ArtifactCache> cache_;
};

/// What ptxas said of an artifact's kernels, whether it was compiled now or found in the cache.
std::vector<KernelResources> cuda_resources(const Artifact&);

/// A line for each GPU, or one that says why there is none.
std::vector<DeviceReport> cuda_reports(const Config&, const CudaLibraries& = {});

}  // namespace pg
