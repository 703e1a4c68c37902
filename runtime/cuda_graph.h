#pragma once
// A sequence of launches that is handed to the GPU as one: a kernel then costs it a microsecond instead of several.
#include "runtime/cuda_device.h"
#include "runtime/cuda_program.h"

namespace pg {

/// One launch of a program of a CudaDevice.
struct CudaLaunch {
  std::shared_ptr<Program> program;
  std::vector<void*> buffers;
  std::vector<int64_t> variables = {};
  int64_t items = 1;
};

class CudaGraph {
 public:
  /// Instantiates; nothing runs yet. Throws InternalError when a program is another device's.
  CudaGraph(CudaDevice&, std::vector<CudaLaunch>);
  /// Enqueues the sequence with the arguments that it had last.
  void replay();
  /// The same programs in the same order with other buffers, variables and items: nodes whose arguments changed are
  /// patched; where a phase comes or goes with its items the graph is built again.
  void replay(std::vector<CudaLaunch>);

  size_t kernels() const { return nodes_.size(); }
  /// Nodes that were patched, graphs that were built so far.
  int64_t patched() const { return patched_; }
  int64_t built() const { return built_; }

 private:
  struct Node {
    cu::GraphNode node = nullptr;
    CudaCall call;
  };
  void update(const std::shared_ptr<CudaLife>&);
  void build(const std::shared_ptr<CudaLife>&, std::vector<CudaCall>);

  std::shared_ptr<CudaGpu> gpu_;
  std::vector<CudaLaunch> launches_;
  std::shared_ptr<CudaContext> context_;  // that the nodes are of
  CudaHandle<cu::Graph, &CudaDriver::Functions::graph_destroy> graph_;
  CudaHandle<cu::GraphExec, &CudaDriver::Functions::graph_exec_destroy> exec_;
  std::vector<Node> nodes_;
  int64_t patched_ = 0, built_ = 0;
};

}  // namespace pg
