#include "src/graph/realize.h"

#include <unordered_map>
#include <unordered_set>

#include "src/graph/plan_runner.h"
#include "src/graph/plan_timing.h"
#include "src/tensor/buffers.h"
#include "src/tensor/executor.h"

namespace pg {

namespace {
UOps roots_of(std::span<const Tensor* const> tensors) {
  UOps roots;
  for (const Tensor* t : tensors) {
    t->shape();  // refuses an empty handle by name
    roots.push_back(t->uop());
  }
  return roots;
}
}  // namespace

void realize(std::vector<Tensor*> tensors, const Bindings64& bindings) {
  const UOps roots = roots_of({tensors.begin(), tensors.end()});
  tune_plans_by_beam(roots, bindings);
  PlanRunner runner(roots);
  runner.run(bindings);
  for (size_t i = 0; i < tensors.size(); ++i) *tensors[i] = Tensor(runner.plan().outputs[i]);
}

void execute(const std::vector<Tensor*>& tensors) { realize(tensors); }

void freeze(const Tensor& t) {
  t.shape();  // refuses an empty handle by name
  UOp memory = t.uop();
  while (info(memory.op()).has(op_flag::Movement)) memory = memory.src(0);
  if (!memory.is(Op::Buffer) || !memory_of(memory))
    throw UserError("freeze: a tensor that is not realised: realize() it first");
  freeze_buffer(memory);
}

struct Graph::Impl {
  PlanRunner runner;
  std::vector<Tensor> outputs;
};

namespace {
UOps kernels_of(const Plan& plan) {
  UOps kernels;
  for (const PlannedKernel& k : plan.kernels) kernels.push_back(k.ast);
  return kernels;
}
}  // namespace

Graph::Graph(std::vector<Tensor> outputs, const Bindings64& tuning_bindings) {
  std::vector<const Tensor*> tensors;
  for (const Tensor& t : outputs) tensors.push_back(&t);
  const UOps roots = roots_of(tensors);
  tune_plans_by_beam(roots, tuning_bindings);
  impl_.reset(new Impl{PlanRunner(roots), {}});
  for (const UOp& buffer : impl_->runner.plan().outputs) impl_->outputs.emplace_back(buffer);
  // Where every Variable has a value, the kernels can be made ready.
  if (bound(kernels_of(impl_->runner.plan()), tuning_bindings)) impl_->runner.prepare(tuning_bindings);
}
Graph::~Graph() = default;
Graph::Graph(Graph&&) noexcept = default;

void Graph::replay(const Bindings64& bindings) { impl_->runner.replay(bindings); }
const std::vector<Tensor>& Graph::outputs() const { return impl_->outputs; }

namespace {
int64_t seen_twice(const UOps& buffers) {
  std::unordered_set<const void*> known;
  int64_t bytes = 0;
  for (const UOp& b : buffers)
    if (const MemoryRef memory = memory_of(b); memory && !known.insert(memory->data()).second) bytes += capacity(b);
  return bytes;
}
}  // namespace

std::vector<Graph::KernelUse> Graph::kernels() const {
  std::vector<KernelUse> uses;
  std::unordered_map<UOp, size_t> numbers;
  for (const PlannedKernel& k : impl_->runner.plan().kernels) {
    auto [it, is_new] = numbers.emplace(k.ast, uses.size());
    if (is_new) uses.push_back({k.ast, k.ast.arg_as<std::string>(), 0, seen_twice(k.buffers)});
    ++uses[it->second].count;
  }
  return uses;
}
std::vector<double> Graph::profile(const Bindings64& bindings) {
  const std::vector<double> steps = impl_->runner.timed(bindings);
  std::vector<double> ms;
  std::unordered_map<UOp, size_t> numbers;
  for (size_t s = 0; s < steps.size(); ++s) {
    auto [it, is_new] = numbers.emplace(impl_->runner.plan().kernels[s].ast, ms.size());
    if (is_new) ms.push_back(0);
    ms[it->second] += steps[s];
  }
  return ms;
}

int Graph::kernel_count() const { return static_cast<int>(impl_->runner.plan().kernels.size()); }
Graph::MemoryPlan Graph::memory_plan() const { return {impl_->runner.layout().bytes, impl_->runner.layout().without_reuse}; }

}  // namespace pg
