#include "src/graph/program_cache.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <unordered_set>

#include "runtime/config.h"
#include "search/kept_kernel.h"
#include "search/trace.h"
#include "uops/kernel.h"
#include "uops/together.h"

namespace pg {

Bindings64 own_bindings(std::span<const UOp> variables, const Bindings64& all) {
  Bindings64 own;
  for (const UOp& variable : variables) {
    const VariableArg& v = variable.arg_as<VariableArg>();
    const VariableBinding* bound = nullptr;
    for (const VariableBinding& b : all)
      if (b.name == v.name) bound = &b;
    if (!bound) throw UserError("Variable " + v.name + " has no value: give one to realize() or replay()");
    if (bound->value < v.lo || bound->value > v.hi)
      throw UserError("Variable " + v.name + " = " + std::to_string(bound->value) + " is outside its limits " +
                      std::to_string(v.lo) + " .. " + std::to_string(v.hi));
    own.push_back(*bound);
  }
  return own;
}

namespace {
struct ChoiceKey {
  const void* kernel;
  const Device* device;
  std::string bucket, database;
  int beam;
  auto operator<=>(const ChoiceKey&) const = default;
};
struct ProgramKey {
  const void* kernel;
  const Device* device;
  std::string opts;
  auto operator<=>(const ProgramKey&) const = default;
};
/// Opts of each kernel.
struct Choice {
  std::vector<Opts> opts;
  ScheduleSource source = ScheduleSource::Cache;
};

class ProgramCache {
 public:
  static ProgramCache& get() {
    static ProgramCache* cache = new ProgramCache;  // never destroyed: programs may outlive any order of destruction
    return *cache;
  }

  std::vector<ReadyKernelRef> ready(std::span<const KernelRequest> requests, Device& device) {
    std::lock_guard lock(mutex_);
    std::vector<ProgramKey> keys;
    std::map<ProgramKey, std::shared_ptr<ReadyKernel>> missing;
    for (const KernelRequest& r : requests) {
      const Choice c = choose(r, device);
      keys.push_back(key(r.ast, c, device));
      if (!programs_.contains(keys.back()))
        missing.try_emplace(keys.back(), std::make_shared<ReadyKernel>(ReadyKernel{r.ast, c.opts, c.source, {}}));
    }
    compile(missing, device);
    programs_.merge(missing);
    std::vector<ReadyKernelRef> all;
    for (const ProgramKey& k : keys) all.push_back(programs_.at(k));
    return all;
  }

 private:
  static ProgramKey key(const UOp& ast, const Choice& c, const Device& device) {
    std::string opts;
    for (const Opts& o : c.opts) opts += text(o) + "\n";
    return {ast.id(), &device, opts};
  }

  Choice choose(const KernelRequest& r, Device& device) {
    // A tuning run in this process may have found better ones.
    if (const int64_t measured = search_counters().measured; measured != measured_) {
      choices_.clear();
      measured_ = measured;
    }
    kernels_.insert(r.ast);
    const ChoiceKey k{r.ast.id(), &device, bucket(sizing_variables(r.ast), r.bindings), config().db, config().beam};
    if (auto it = choices_.find(k); it != choices_.end()) return it->second;
    Choice choice;
    for (const UOp& kernel : kernels_in(r.ast)) {
      const Chosen one = best_schedule(kernel, own_bindings(variables_of(kernel), r.bindings), device);
      choice.opts.push_back(one.opts);
      choice.source = std::max(choice.source, one.source);
    }
    return choices_[k] = choice;
  }

  /// A program still to be compiled.
  struct Job {
    ReadyKernel* of;
    size_t part;
    UOp ast;
    std::span<const Opts> opts;
  };
  static void compile(const std::map<ProgramKey, std::shared_ptr<ReadyKernel>>& missing, Device& device) {
    std::vector<Source> sources;
    std::vector<Job> jobs;
    const auto add = [&](ReadyKernel& of, const UOp& ast, std::span<const Opts> opts, int64_t first_slot) {
      of.parts.push_back({{}, first_slot});
      if (std::optional<Built> kept = kept_kernel(ast, opts, device)) {
        of.parts.back().built = std::move(*kept);
        return true;
      }
      std::optional<Source> source =
          ast.is(Op::Together) ? render_together(ast, opts, device) : render_kernel(ast, opts[0], device);
      if (!source) return of.parts.pop_back(), false;
      sources.push_back(std::move(*source));
      jobs.push_back({&of, of.parts.size() - 1, ast, opts});
      return true;
    };
    for (const auto& [_, ready] : missing) {
      const UOps kernels = kernels_in(ready->ast);
      const std::span<const Opts> opts = ready->opts;
      for (size_t k = 0; k < kernels.size(); ++k) trace_kernel(kernels[k], opts[k], device);
      if (add(*ready, ready->ast, opts, 0)) continue;
      for (size_t k = 0; k < kernels.size(); ++k)
        add(*ready, kernels[k], opts.subspan(k, 1), first_slots(ready->ast)[k]);
    }
    if (sources.empty()) return;
    const std::vector<Artifact> artifacts = device.compile_all(sources);
    for (size_t s = 0; s < sources.size(); ++s) {
      const Job& job = jobs[s];
      keep_kernel(job.ast, job.opts, device, sources[s], artifacts[s]);
      job.of->parts[job.part].built = {device.load(artifacts[s], sources[s].launch), sources[s], artifacts[s]};
    }
  }

  std::mutex mutex_;
  std::unordered_set<UOp> kernels_;  // keeps the nodes whose ids are keys
  std::map<ChoiceKey, Choice> choices_;
  std::map<ProgramKey, std::shared_ptr<ReadyKernel>> programs_;
  int64_t measured_ = 0;
};
}  // namespace

std::vector<ReadyKernelRef> ready_kernels(std::span<const KernelRequest> requests, Device& device) {
  return ProgramCache::get().ready(requests, device);
}

std::vector<ReadyLaunch> ReadyKernel::launches(const Bindings64& bindings) const {
  std::vector<ReadyLaunch> all;
  for (const Part& part : parts) {
    const LaunchInfo& info = part.built.source.launch;
    ReadyLaunch& l = all.emplace_back();
    l.program = part.built.program;
    for (const UOp& p : info.params) l.slots.push_back(static_cast<size_t>(part.first_slot + p.arg_as<ParamArg>().slot));
    for (const UOp& v : info.variables)
      for (const VariableBinding& b : bindings)
        if (b.name == v.arg_as<VariableArg>().name) l.variables.push_back(b.value);
    l.items = evaluate(info.items, info.variables, l.variables);
  }
  return all;
}

}  // namespace pg
