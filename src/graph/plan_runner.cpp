#include "src/graph/plan_runner.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <unordered_set>

#include "runtime/config.h"
#include "src/graph/plans.h"
#include "src/tensor/buffers.h"
#include "uops/kernel.h"
#include "uops/text.h"

namespace pg {

PlanRunner::PlanRunner(const UOps& roots) : device_(&device_of(roots)), plan_(partition(roots, plan_options(*device_))) {
  for (const UOp& output : plan_.outputs)
    if (!memory_of(output)) set_memory(output, std::make_shared<Memory>(*device_, static_cast<size_t>(capacity(output))));
  std::unordered_map<UOp, size_t> numbers;
  for (const PlannedKernel& k : plan_.kernels) {
    auto [it, is_new] = numbers.emplace(k.ast, kernels_.size());
    if (is_new) kernels_.push_back({.ast = k.ast, .variables = variables_of(k.ast), .sizing = sizing_variables(k.ast)});
    Step step{it->second, k.constant, {}};
    for (const UOp& b : k.buffers) step.operands.push_back({b});
    if (k.constant)
      set_memory(k.buffers[0], std::make_shared<Memory>(*device_, static_cast<size_t>(capacity(k.buffers[0]))));
    steps_.push_back(std::move(step));
  }
  place_intermediates();
}

void PlanRunner::place_intermediates() {
  std::unordered_map<UOp, size_t> numbers;
  std::vector<Lifetime> lives;
  for (int s = 0; s < static_cast<int>(steps_.size()); ++s)
    for (size_t slot = 0; slot < steps_[s].operands.size(); ++slot) {
      const UOp& buffer = steps_[s].operands[slot].buffer;
      if (memory_of(buffer)) continue;
      auto [it, is_new] = numbers.emplace(buffer, lives.size());
      if (is_new && slot != 0)
        throw UserError("realize: a tensor of " + text(buffer.dtype()) + " that is read has no memory");
      if (is_new) lives.push_back({capacity(buffer), s, s});
      lives[it->second].last = s;
    }
  layout_ = memory_layout(lives);
  for (Step& step : steps_)
    for (Operand& operand : step.operands)
      if (auto it = numbers.find(operand.buffer); it != numbers.end()) operand.offset = layout_.offsets[it->second];
  if (layout_.bytes > 0) arena_ = std::make_shared<Memory>(*device_, static_cast<size_t>(layout_.bytes));
}

void PlanRunner::prepare(const Bindings64& bindings) {
  std::vector<KernelRequest> missing;
  std::vector<Kernel*> waiting;
  for (Kernel& k : kernels_) {
    k.bindings = own_bindings(k.variables, bindings);
    const std::string wanted = bucket(k.sizing, k.bindings);
    if (k.ready && wanted == k.bucket) continue;
    k.bucket = wanted;
    k.ready = nullptr;
    if (auto it = k.by_bucket.find(wanted); it != k.by_bucket.end()) k.ready = it->second;
    if (k.ready) continue;
    missing.push_back({k.ast, k.bindings});
    waiting.push_back(&k);
  }
  if (!missing.empty()) {
    const std::vector<ReadyKernelRef> ready = ready_kernels(missing, *device_);
    for (size_t i = 0; i < waiting.size(); ++i) waiting[i]->ready = waiting[i]->by_bucket[waiting[i]->bucket] = ready[i];
  }
  for (Kernel& k : kernels_) {
    const LaunchInfo& info = k.ready->built.source.launch;
    k.values.clear();
    for (const UOp& v : info.variables)
      for (const VariableBinding& b : k.bindings)
        if (b.name == v.arg_as<VariableArg>().name) k.values.push_back(b.value);
    k.items = evaluate(info.items, info.variables, k.values);
  }
}

void PlanRunner::run(const Bindings64& bindings) {
  prepare(bindings);
  compute_constants();
  std::vector<void*> buffers;
  for (size_t s = 0; s < steps_.size(); ++s)
    if (!steps_[s].constant) launch(s, kernels_[steps_[s].kernel], buffers);
}

void PlanRunner::compute_constants() {
  if (constants_known_) return;
  std::vector<void*> buffers;
  for (size_t s = 0; s < steps_.size(); ++s)
    if (steps_[s].constant) launch(s, kernels_[steps_[s].kernel], buffers);
  constants_known_ = true;
}

void PlanRunner::replay(const Bindings64& bindings) {
  if (!sequence_) sequence_ = device_->sequence();
  if (!sequence_ || config().debug >= 2) return run(bindings);
  prepare(bindings);
  compute_constants();
  launches_.resize(
      static_cast<size_t>(std::count_if(steps_.begin(), steps_.end(), [](const Step& s) { return !s.constant; })));
  auto next = launches_.begin();
  for (size_t s = 0; s < steps_.size(); ++s) {
    if (steps_[s].constant) continue;
    const Kernel& kernel = kernels_[steps_[s].kernel];
    Launch& l = *next++;
    l.program = kernel.ready->built.program;
    addresses(s, kernel, l.buffers);
    l.variables = kernel.values;
    l.items = kernel.items;
  }
  sequence_->replay(launches_);
}

void* PlanRunner::address(const Operand& operand) const {
  if (operand.offset >= 0) return static_cast<char*>(arena_->data()) + operand.offset;
  return memory_of(operand.buffer)->data();
}

void PlanRunner::addresses(size_t step, const Kernel& kernel, std::vector<void*>& buffers) const {
  buffers.clear();
  for (const UOp& p : kernel.ready->built.source.launch.params)
    buffers.push_back(address(steps_[step].operands[p.arg_as<ParamArg>().slot]));
}

namespace {
/// DEBUG=2: where the time goes.
void print_line(size_t step, size_t steps, const ReadyKernel& k, double ms, const Bindings64& bindings) {
  UOps variables = variables_of(k.ast);
  std::vector<int64_t> values;
  for (const VariableBinding& b : bindings) values.push_back(b.value);
  const Work w = work(k.ast, variables, values);
  const char* source = k.source == ScheduleSource::Cache ? "cache" : k.source == ScheduleSource::Beam ? "beam" : "heuristic";
  std::fprintf(stderr, "[%3zu/%3zu] %-36s %9.3f ms %8.1f GFLOP/s %7.1f GB/s  %s\n", step + 1, steps,
               k.ast.arg_as<std::string>().c_str(), ms, w.flops / ms * 1e-6, w.bytes / ms * 1e-6, source);
}
}  // namespace

void PlanRunner::launch(size_t step, const Kernel& kernel, std::vector<void*>& buffers) {
  if (config().debug >= 2) {
    print_line(step, steps_.size(), *kernel.ready, timed_launch(step, kernel, buffers), kernel.bindings);
    return;
  }
  addresses(step, kernel, buffers);
  kernel.ready->built.program->enqueue(buffers, kernel.values, kernel.items);
}

double PlanRunner::timed_launch(size_t step, const Kernel& kernel, std::vector<void*>& buffers) const {
  addresses(step, kernel, buffers);
  const auto begin = std::chrono::steady_clock::now();
  kernel.ready->built.program->launch(buffers, kernel.values, kernel.items);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

std::vector<double> PlanRunner::timed(const Bindings64& bindings) {
  prepare(bindings);
  std::vector<void*> buffers;
  std::vector<double> ms;
  compute_constants();
  for (size_t s = 0; s < steps_.size(); ++s)
    ms.push_back(steps_[s].constant ? 0 : timed_launch(s, kernels_[steps_[s].kernel], buffers));
  return ms;
}

}  // namespace pg
