#include "src/graph/program_cache.h"

#include <map>
#include <mutex>
#include <unordered_set>

#include "runtime/config.h"
#include "search/kept_kernel.h"
#include "search/trace.h"
#include "uops/kernel.h"

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

class ProgramCache {
 public:
  static ProgramCache& get() {
    static ProgramCache* cache = new ProgramCache;  // never destroyed: programs may outlive any order of destruction
    return *cache;
  }

  std::vector<ReadyKernelRef> ready(std::span<const KernelRequest> requests, Device& device) {
    std::lock_guard lock(mutex_);
    std::vector<Chosen> chosen;
    for (const KernelRequest& r : requests) chosen.push_back(choose(r, device));
    compile_missing(requests, chosen, device);
    std::vector<ReadyKernelRef> all;
    for (size_t i = 0; i < requests.size(); ++i) all.push_back(programs_.at(key(requests[i].ast, chosen[i], device)));
    return all;
  }

 private:
  static ProgramKey key(const UOp& ast, const Chosen& c, const Device& device) { return {ast.id(), &device, text(c.opts)}; }

  Chosen choose(const KernelRequest& r, Device& device) {
    // A tuning run in this process may have found better ones.
    if (const int64_t measured = search_counters().measured; measured != measured_) {
      choices_.clear();
      measured_ = measured;
    }
    kernels_.insert(r.ast);
    const ChoiceKey k{r.ast.id(), &device, bucket(sizing_variables(r.ast), r.bindings), config().db, config().beam};
    if (auto it = choices_.find(k); it != choices_.end()) return it->second;
    return choices_[k] = best_schedule(r.ast, r.bindings, device);
  }

  void compile_missing(std::span<const KernelRequest> requests, std::span<const Chosen> chosen, Device& device) {
    std::vector<Source> sources;
    std::vector<size_t> origin;
    std::map<ProgramKey, size_t> seen;
    for (size_t i = 0; i < requests.size(); ++i) {
      const ProgramKey k = key(requests[i].ast, chosen[i], device);
      if (programs_.contains(k) || !seen.emplace(k, i).second) continue;
      trace_kernel(requests[i].ast, chosen[i].opts, device);
      if (std::optional<Built> kept = kept_kernel(requests[i].ast, chosen[i].opts, device)) {
        add(requests[i].ast, chosen[i], std::move(*kept), device);
        continue;
      }
      sources.push_back(render_kernel(requests[i].ast, chosen[i].opts, device));
      origin.push_back(i);
    }
    if (sources.empty()) return;
    std::vector<Artifact> artifacts = device.compile_all(sources);
    for (size_t s = 0; s < sources.size(); ++s) {
      const UOp& ast = requests[origin[s]].ast;
      const Chosen& c = chosen[origin[s]];
      keep_kernel(ast, c.opts, device, sources[s], artifacts[s]);
      add(ast, c, {device.load(artifacts[s], sources[s].launch), sources[s], artifacts[s]}, device);
    }
  }
  void add(const UOp& ast, const Chosen& c, Built built, Device& device) {
    programs_.emplace(key(ast, c, device),
                      std::make_shared<ReadyKernel>(ReadyKernel{ast, c.opts, c.source, std::move(built)}));
  }

  std::mutex mutex_;
  std::unordered_set<UOp> kernels_;  // keeps the nodes whose ids are keys
  std::map<ChoiceKey, Chosen> choices_;
  std::map<ProgramKey, ReadyKernelRef> programs_;
  int64_t measured_ = 0;
};
}  // namespace

std::vector<ReadyKernelRef> ready_kernels(std::span<const KernelRequest> requests, Device& device) {
  return ProgramCache::get().ready(requests, device);
}

}  // namespace pg
