#pragma once
// A sequence of launches that is handed to the GPU as one: a kernel then costs it a microsecond instead of several.
#include "runtime/cuda_device.h"
#include "runtime/cuda_program.h"

namespace pg {

class CudaGraph final : public LaunchSequence {
 public:
  explicit CudaGraph(CudaDevice&);
  /// Nodes whose arguments changed are patched. The graph is built again where the programs or their order are others, and
  /// where a phase comes or goes with its items. Where the driver refuses, the launches are enqueued one by one. Throws what
  /// Program::enqueue throws, InternalError when a program is another device's.
  void replay(std::span<const Launch>) override;
  /// The launches of the last time, which are not even looked at: for who takes the time.
  void replay();

  size_t kernels() const;
  /// Nodes that were patched, graphs that were built so far.
  int64_t patched() const { return patched_; }
  int64_t built() const { return built_; }
  /// Why launches are enqueued one by one; empty: they are not.
  const std::string& refused() const { return refused_; }

 private:
  struct Node {
    cu::GraphNode node = nullptr;
    CudaCall call;
  };
  struct Step {
    Launch launch;
    std::vector<Node> nodes;  // by phase
  };
  std::vector<CudaCall> calls(CudaLife&, const Launch&) const;
  void update(const std::shared_ptr<CudaLife>&, std::span<const Launch>);
  bool patch(CudaLife&, Step&, const Launch&);
  void build(const std::shared_ptr<CudaLife>&, std::span<const Launch>);
  void launch(CudaLife&);
  bool accepted(CudaContext&, cu::Result, const std::string& doing);

  std::shared_ptr<CudaGpu> gpu_;
  std::shared_ptr<CudaContext> context_;  // that the nodes, or the refusal, are of
  CudaHandle<cu::Graph, &CudaDriver::Functions::graph_destroy> graph_;
  CudaHandle<cu::GraphExec, &CudaDriver::Functions::graph_exec_destroy> exec_;
  std::vector<Step> steps_;
  int64_t patched_ = 0, built_ = 0;
  std::string refused_;
};

}  // namespace pg
