#include "src/graph/plan_runner.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <set>
#include <unordered_set>

#include "runtime/config.h"
#include "src/graph/plans.h"
#include "src/tensor/buffers.h"
#include "uops/kernel.h"
#include "uops/text.h"
#include "uops/together.h"

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
  for (int s = 0; s < static_cast<int>(steps_.size()); ++s) {
    const std::vector<int64_t> first = first_slots(kernels_[steps_[s].kernel].ast);
    const std::set<int64_t> outputs(first.begin(), first.end() - 1);
    for (size_t slot = 0; slot < steps_[s].operands.size(); ++slot) {
      const UOp& buffer = steps_[s].operands[slot].buffer;
      if (memory_of(buffer)) continue;
      auto [it, is_new] = numbers.emplace(buffer, lives.size());
      if (is_new && !outputs.contains(static_cast<int64_t>(slot)))
        throw UserError("realize: a tensor of " + text(buffer.dtype()) + " that is read has no memory");
      if (is_new) lives.push_back({capacity(buffer), s, s});
      lives[it->second].last = s;
    }
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
  for (Kernel& k : kernels_) k.launches = k.ready->launches(k.bindings);
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
  size_t count = 0;
  for (size_t s = 0; s < steps_.size(); ++s) {
    if (steps_[s].constant) continue;
    for (const ReadyLaunch& ready : kernels_[steps_[s].kernel].launches) {
      if (count == launches_.size()) launches_.emplace_back();
      Launch& l = launches_[count++];
      l.program = ready.program;
      addresses(s, ready, l.buffers);
      l.variables = ready.variables;
      l.items = ready.items;
    }
  }
  launches_.resize(count);
  sequence_->replay(launches_);
}

void* PlanRunner::address(const Operand& operand) const {
  if (operand.offset >= 0) return static_cast<char*>(arena_->data()) + operand.offset;
  return memory_of(operand.buffer)->data();
}

void PlanRunner::addresses(size_t step, const ReadyLaunch& launch, std::vector<void*>& buffers) const {
  buffers.clear();
  for (const size_t slot : launch.slots) buffers.push_back(address(steps_[step].operands[slot]));
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
  for (const ReadyLaunch& l : kernel.launches) {
    addresses(step, l, buffers);
    l.program->enqueue(buffers, l.variables, l.items);
  }
}

double PlanRunner::timed_launch(size_t step, const Kernel& kernel, std::vector<void*>& buffers) const {
  double ms = 0;
  for (const ReadyLaunch& l : kernel.launches) {
    addresses(step, l, buffers);
    const auto begin = std::chrono::steady_clock::now();
    l.program->launch(buffers, l.variables, l.items);
    ms += std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  }
  return ms;
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
