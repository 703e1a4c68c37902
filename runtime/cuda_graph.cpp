#include "runtime/cuda_graph.h"

#include <algorithm>
#include <cstdio>

namespace pg {

namespace {

/// Runs `use` with the driver's form of a call.
template <class Use>
auto with_params(CudaCall& call, Use&& use) {
  std::vector<void*> addresses = call.argument_addresses();
  cu::KernelNodeParams p;
  p.function = call.function->get();
  p.grid_x = call.blocks;
  p.block_x = call.threads;
  p.shared_bytes = call.shared_bytes;
  p.params = addresses.data();
  return use(p);
}

}  // namespace

CudaGraph::CudaGraph(CudaDevice& device) : gpu_(device.gpu()) {}

size_t CudaGraph::kernels() const {
  size_t n = 0;
  for (const Step& s : steps_) n += s.nodes.size();
  return n;
}

/// Whether the driver did it. A kernel's error that comes out here is thrown; anything else is a refusal, and remembered:
/// what a driver cannot do once it is not asked for with every token.
bool CudaGraph::accepted(CudaContext& context, cu::Result result, const std::string& doing) {
  if (result == cu::Result::Success) return true;
  if (is_sticky(result)) context.check(result, doing);
  refused_ = doing + ": " + context.driver().words(result);
  if (config().debug >= 1) std::fprintf(stderr, "%s: launches go one by one: %s\n", gpu_->name().c_str(), refused_.c_str());
  return false;
}

std::vector<CudaCall> CudaGraph::calls(CudaLife& life, const Launch& l) const {
  auto* program = dynamic_cast<CudaProgram*>(l.program.get());
  if (!program || &program->gpu() != gpu_.get())
    throw InternalError(gpu_->name() + ": a graph was given a program of another device");
  return program->calls(life, l.buffers, l.variables, l.items);
}

void CudaGraph::update(const std::shared_ptr<CudaLife>& life, std::span<const Launch> launches) {
  if (context_ != life->context) return build(life, launches);
  if (!refused_.empty()) {
    steps_.clear();
    for (const Launch& l : launches) steps_.push_back({l, {}});
    return;
  }
  if (steps_.size() != launches.size()) return build(life, launches);
  for (size_t i = 0; i < launches.size(); ++i)
    if (steps_[i].launch != launches[i] && !patch(*life, steps_[i], launches[i])) return build(life, launches);
}

/// False where the step has other kernels now, or the driver does not patch.
bool CudaGraph::patch(CudaLife& life, Step& step, const Launch& launch) {
  std::vector<CudaCall> now = calls(life, launch);
  const bool same_kernels =
      std::equal(step.nodes.begin(), step.nodes.end(), now.begin(), now.end(),
                 [](const Node& n, const CudaCall& c) { return n.call.function->get() == c.function->get(); });
  if (!same_kernels) return false;
  for (size_t i = 0; i < now.size(); ++i) {
    Node& n = step.nodes[i];
    if (n.call == now[i]) continue;
    const cu::Result r = with_params(now[i], [&](const cu::KernelNodeParams& p) {
      return life.context->driver()->graph_exec_kernel_node_set_params(exec_.get(), n.node, &p);
    });
    if (is_sticky(r)) life.context->check(r, "patching kernel " + now[i].function->name() + " of a graph");
    if (r != cu::Result::Success) return false;
    n.call = std::move(now[i]);
    ++patched_;
  }
  step.launch = launch;
  return true;
}

void CudaGraph::build(const std::shared_ptr<CudaLife>& life, std::span<const Launch> launches) {
  CudaContext& context = *life->context;
  const CudaDriver& driver = context.driver();
  context_ = nullptr;  // until it is whole
  exec_ = {};
  std::vector<Step> steps;
  for (const Launch& l : launches) {
    steps.push_back({l, {}});
    for (CudaCall& c : calls(*life, l)) steps.back().nodes.push_back({nullptr, std::move(c)});
  }
  steps_ = std::move(steps);
  refused_.clear();
  context_ = life->context;

  cu::Graph graph = nullptr;
  if (!accepted(context, driver->graph_create(&graph, 0), "creating a graph")) return;
  graph_ = {life->context, graph};
  const cu::GraphNode* before = nullptr;
  for (Step& s : steps_)
    for (Node& n : s.nodes) {
      const cu::Result r = with_params(n.call, [&](const cu::KernelNodeParams& p) {
        return driver->graph_add_kernel_node(&n.node, graph, before, before ? 1 : 0, &p);
      });
      if (!accepted(context, r, "adding kernel " + n.call.function->name() + " to a graph")) return;
      before = &n.node;
    }
  cu::GraphExec exec = nullptr;
  if (!accepted(context, driver->graph_instantiate(&exec, graph, 0),
                "instantiating a graph of " + std::to_string(kernels()) + " kernels"))
    return;
  exec_ = {life->context, exec};
  ++built_;
}

void CudaGraph::launch(CudaLife& life) {
  CudaContext& context = *life.context;
  if (refused_.empty()) {
    for (const Step& s : steps_)
      for (const Node& n : s.nodes) context.launched(n.call.function->name());
    if (accepted(context, context.driver()->graph_launch(exec_.get(), life.stream.get()),
                 "launching a graph of " + std::to_string(kernels()) + " kernels"))
      return;
  }
  for (const Step& s : steps_) s.launch.program->enqueue(s.launch.buffers, s.launch.variables, s.launch.items);
}

void CudaGraph::replay(std::span<const Launch> launches) {
  const auto life = gpu_->life();
  update(life, launches);
  launch(*life);
}

void CudaGraph::replay() {
  const auto life = gpu_->life();
  if (context_ != life->context) {
    std::vector<Launch> last;
    for (const Step& s : steps_) last.push_back(s.launch);
    build(life, last);
  }
  launch(*life);
}

}  // namespace pg
