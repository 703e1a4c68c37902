#pragma once
// A kernel loaded on a GPU.
#include <optional>

#include "runtime/cuda_gpu.h"
#include "runtime/cuda_module.h"
#include "runtime/device.h"

namespace pg {

/// One kernel with its arguments, ready to be launched or to become a node of a graph.
struct CudaCall {
  const CudaFunction* function = nullptr;  // the program's
  unsigned blocks = 1, threads = 1, shared_bytes = 0;
  std::vector<uint64_t> arguments = {};  // addresses, then the Variables as long long: all have 8 bytes
  friend bool operator==(const CudaCall&, const CudaCall&) = default;

  /// The address of each argument, as the driver wants them; valid while this call is where it is.
  std::vector<void*> argument_addresses();
};

/// Kernel i of the module runs phase i of the launch, a block an item: the first is called NAME, those behind it
/// NAME_phase1, NAME_phase2, ... Each is
///   extern "C" __global__ void NAME(T* buffer.., T* workspace.., long long variable..)
/// with as many of each as LaunchInfo's params, workspaces and variables, in their order.
class CudaProgram final : public Program {
 public:
  /// Throws what CudaModule and CudaFunction::allow throw.
  CudaProgram(std::shared_ptr<CudaGpu>, const Artifact&, const LaunchInfo&);
  ~CudaProgram() override;

  void launch(std::span<void* const> buffers, std::span<const int64_t> variables, int64_t items) override;
  void enqueue(std::span<void* const> buffers, std::span<const int64_t> variables, int64_t items) override;

  /// What a launch would do: a call for each phase that has items. Valid for this life of the context.
  std::vector<CudaCall> calls(CudaLife&, std::span<void* const> buffers, std::span<const int64_t> variables, int64_t items);
  /// Blocks of the first phase that fit on an SM at once.
  int blocks_per_sm();
  const CudaGpu& gpu() const { return *gpu_; }

 private:
  /// The program in this life: loaded again where the last one was lost.
  void load(CudaLife&);
  void free_workspaces() noexcept;
  std::vector<void*> workspaces(CudaLife&, std::span<const int64_t> variables);

  std::shared_ptr<CudaGpu> gpu_;
  const std::string name_;
  const CudaBinary binary_;
  const LaunchInfo launch_;
  std::optional<CudaModule> module_;
  std::vector<CudaFunction> functions_;  // by phase
  std::vector<void*> workspaces_;        // the last one is used; graphs may still use those before, which were too small
  int64_t workspace_bytes_ = 0;
};

}  // namespace pg
