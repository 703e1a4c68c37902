#include "runtime/cuda_graph.h"

#include <algorithm>

namespace pg {

namespace {

/// Runs `use` with the driver's form of a call.
template <class Use>
void with_params(CudaCall& call, Use&& use) {
  std::vector<void*> addresses = call.argument_addresses();
  cu::KernelNodeParams p;
  p.function = call.function->get();
  p.grid_x = call.blocks;
  p.block_x = call.threads;
  p.shared_bytes = call.shared_bytes;
  p.params = addresses.data();
  use(p);
}

}  // namespace

CudaGraph::CudaGraph(CudaDevice& device, std::vector<CudaLaunch> launches)
    : gpu_(device.gpu()), launches_(std::move(launches)) {
  update(gpu_->life());
}

void CudaGraph::update(const std::shared_ptr<CudaLife>& life) {
  std::vector<CudaCall> calls;
  for (const CudaLaunch& l : launches_) {
    auto* program = dynamic_cast<CudaProgram*>(l.program.get());
    if (!program || &program->gpu() != gpu_.get())
      throw InternalError(gpu_->name() + ": a graph was given a program of another device");
    for (CudaCall& c : program->calls(*life, l.buffers, l.variables, l.items)) calls.push_back(std::move(c));
  }
  const bool same_kernels = context_ == life->context && std::equal(nodes_.begin(), nodes_.end(), calls.begin(), calls.end(),
                                                                    [](const Node& n, const CudaCall& c) {
                                                                      return n.call.function->get() == c.function->get();
                                                                    });
  if (!same_kernels) return build(life, std::move(calls));
  for (size_t i = 0; i < calls.size(); ++i) {
    if (nodes_[i].call == calls[i]) continue;
    with_params(calls[i], [&](const cu::KernelNodeParams& p) {
      life->context->check(life->context->driver()->graph_exec_kernel_node_set_params(exec_.get(), nodes_[i].node, &p),
                           "patching kernel " + calls[i].function->name() + " of a graph");
    });
    nodes_[i].call = std::move(calls[i]);
    ++patched_;
  }
}

void CudaGraph::build(const std::shared_ptr<CudaLife>& life, std::vector<CudaCall> calls) {
  CudaContext& context = *life->context;
  const CudaDriver& driver = context.driver();
  exec_ = {};
  nodes_.clear();
  context_ = nullptr;  // until it is whole
  cu::Graph graph = nullptr;
  context.check(driver->graph_create(&graph, 0), "creating a graph");
  graph_ = {life->context, graph};
  for (CudaCall& call : calls) {
    Node node{nullptr, std::move(call)};
    const cu::GraphNode* const before = nodes_.empty() ? nullptr : &nodes_.back().node;
    with_params(node.call, [&](const cu::KernelNodeParams& p) {
      context.check(driver->graph_add_kernel_node(&node.node, graph, before, before ? 1 : 0, &p),
                    "adding kernel " + node.call.function->name() + " to a graph");
    });
    nodes_.push_back(std::move(node));
  }
  cu::GraphExec exec = nullptr;
  context.check(driver->graph_instantiate(&exec, graph, 0),
                "instantiating a graph of " + std::to_string(nodes_.size()) + " kernels");
  exec_ = {life->context, exec};
  context_ = life->context;
  ++built_;
}

void CudaGraph::replay() {
  const auto life = gpu_->life();
  if (context_ != life->context) update(life);
  for (const Node& n : nodes_) life->context->launched(n.call.function->name());
  life->context->check(life->context->driver()->graph_launch(exec_.get(), life->stream.get()),
                       "launching a graph of " + std::to_string(nodes_.size()) + " kernels");
}

void CudaGraph::replay(std::vector<CudaLaunch> launches) {
  launches_ = std::move(launches);
  update(gpu_->life());
  replay();
}

}  // namespace pg
