#include "runtime/cpu_device.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "runtime/scratch.h"
#include "runtime/shared_object.h"

namespace pg {

namespace {

using Clock = std::chrono::steady_clock;
double microseconds(Clock::duration d) { return std::chrono::duration<double, std::micro>(d).count(); }

// A translation unit costs some milliseconds whatever it holds, a process some more; more kernels gain little more.
constexpr size_t kTogether = 16;
// What waking the pool may cost; a launch that takes less alone runs alone.
constexpr double kWorthSharing = 15;

class CpuProgram final : public Program {
 public:
  CpuProgram(std::shared_ptr<SharedObject> code, const std::string& symbol, const LaunchInfo& launch,
             std::shared_ptr<ThreadPool> pool)
      : code_(std::move(code)),
        run_(reinterpret_cast<Kernel*>(code_->symbol(symbol))),
        launch_(launch),
        pool_(std::move(pool)) {}

  void launch(std::span<void* const> buffers, std::span<const int64_t> variables, int64_t items) override {
    if (buffers.size() != launch_.params.size() || variables.size() != launch_.variables.size())
      throw InternalError(launch_.name + ": launched with " + std::to_string(buffers.size()) + " buffers and " +
                          std::to_string(variables.size()) + " variables instead of " +
                          std::to_string(launch_.params.size()) + " and " + std::to_string(launch_.variables.size()));
    if (items <= 0) return;
    if (launch_.workspaces.empty() && launch_.phases.size() <= 1) return run(buffers.data(), variables, 0, items);
    std::vector<void*> all(buffers.begin(), buffers.end());
    for (void* w : workspaces(variables)) all.push_back(w);
    int64_t begin = 0;
    for (const UOp& phase : launch_.phases) {
      const int64_t end = std::min(items, begin + evaluate(phase, launch_.variables, variables));
      run(all.data(), variables, begin, end);
      begin = end;
    }
  }

 private:
  void run(void* const* buffers, std::span<const int64_t> variables, int64_t first, int64_t last) {
    static_assert(sizeof(long) == sizeof(int64_t));
    const long* v = reinterpret_cast<const long*>(variables.data());
    const auto start = Clock::now();
    const int64_t items = last - first;
    if (items <= 0) return;
    // The first launch shares: it measures what the next ones will take.
    const bool shared =
        items > 1 && pool_->threads() > 1 && (item_us_ == 0 || item_us_ * static_cast<double>(items) > kWorthSharing);
    if (shared)
      pool_->run(items, [&](int64_t begin, int64_t end) {
        run_(buffers, v, thread_scratch(launch_.scratch_bytes), first + begin, first + end);
      });
    else
      run_(buffers, v, thread_scratch(launch_.scratch_bytes), first, last);
    if (first > 0) return;  // what a part of the launch takes tells nothing of the rest
    const double threads = shared ? static_cast<double>(std::min<int64_t>(items, pool_->threads())) : 1;
    item_us_ = microseconds(Clock::now() - start) * threads / static_cast<double>(items);
  }

  std::vector<void*> workspaces(std::span<const int64_t> variables) {
    std::vector<int64_t> offsets;
    int64_t bytes = 0;
    for (const UOp& w : launch_.workspaces) {
      int64_t n = w.dtype().element_bytes();
      for (const UOp& extent : w.src()) n *= evaluate(extent, launch_.variables, variables);
      offsets.push_back(bytes);
      bytes += (n + 63) / 64 * 64;
    }
    std::vector<void*> all;
    for (int64_t offset : offsets) all.push_back(static_cast<char*>(workspace_.at_least(bytes)) + offset);
    return all;
  }

  using Kernel = void(void* const*, const long*, void*, long, long);
  std::shared_ptr<SharedObject> code_;
  Kernel* run_;
  LaunchInfo launch_;
  ScratchMemory workspace_;
  std::shared_ptr<ThreadPool> pool_;
  double item_us_ = 0;  // of one item on one core, as last seen
};

std::string joined(const std::vector<std::string>& words) {
  std::string s;
  for (const std::string& w : words) s += (s.empty() ? "" : " ") + w;
  return s;
}

}  // namespace

CpuDevice::CpuDevice(const Config& c)
    : cpu_(cpu_info()),
      target_(cpu_target(cpu_, c.isa, c.threads)),
      config_(c),
      pool_(std::make_shared<ThreadPool>(target_.cores)) {}

DeviceInfo CpuDevice::info() const {
  const nlohmann::json j = {{"cpu", cpu_.model},   {"isa", target_.isa},  {"features", joined(cpu_.features)},
                            {"cores", cpu_.cores}, {"l1", cpu_.l1_bytes}, {"l2", cpu_.l2_bytes},
                            {"l3", cpu_.l3_bytes}};
  const std::string text = j.dump();
  return {ArtifactCache::key({text}), text};
}

ToolchainInfo CpuDevice::toolchain() const {
  const nlohmann::json j = {
      {"compiler", compiler_version()}, {"flags", joined(clang_flags(target_.isa))}, {"codegen", kCodegenVersion}};
  const std::string text = j.dump();
  return {ArtifactCache::key({text}), text};
}

const FoundClang& CpuDevice::compiler() const {
  std::lock_guard lock(setup_);
  if (!compiler_) compiler_ = find_clang(config_);
  return *compiler_;
}

std::string CpuDevice::compiler_version() const {
  if (const auto& clang = compiler().clang) return clang->version();
  const std::string last = ArtifactCache::last_compiler(config_.cache_dir);
  return last.empty() ? "none" : last;
}

ArtifactCache& CpuDevice::cache() {
  std::lock_guard lock(setup_);
  if (!cache_) cache_.emplace(config_.cache_dir);
  return *cache_;
}

std::string CpuDevice::key(const Source& source) const {
  const std::string machine = target_.isa == "native" ? cpu_.model + " " + joined(cpu_.features) : "";
  return ArtifactCache::key({source.text, joined(clang_flags(target_.isa)), compiler_version(), machine});
}

const Clang& CpuDevice::required_compiler() const {
  const FoundClang& found = compiler();
  if (!found.clang) throw UserError(found.missing);
  return *found.clang;
}

Artifact CpuDevice::compile_now(const Source& source, const std::string& key) {
  const Clang& clang = required_compiler();
  const auto start = Clock::now();
  Artifact made{
      source.name,
      with_context("compiling " + source.name, [&] { return compile_shared_object(clang, target_.isa, source.text); }), 0};
  made.compile_ms = microseconds(Clock::now() - start) / 1000;
  cache().put(key, made);
  cache().remember_compiler(clang.version());
  return made;
}

Artifact CpuDevice::compile(const Source& source) {
  const std::string k = key(source);
  if (auto known = cache().get(k)) return std::move(*known);
  return compile_now(source, k);
}

std::vector<Artifact> CpuDevice::compile_all(std::span<const Source> sources) {
  std::vector<Artifact> all(sources.size());
  std::vector<std::string> keys;
  std::vector<size_t> missing;
  for (size_t i = 0; i < sources.size(); ++i) {
    keys.push_back(key(sources[i]));
    if (auto known = cache().get(keys[i]))
      all[i] = std::move(*known);
    else
      missing.push_back(i);
  }
  const std::span<const size_t> left(missing);
  for (size_t at = 0; at < left.size(); at += kTogether)
    compile_together(sources, keys, left.subspan(at, std::min(kTogether, left.size() - at)), all);
  return all;
}

void CpuDevice::compile_together(std::span<const Source> sources, std::span<const std::string> keys,
                                 std::span<const size_t> which, std::vector<Artifact>& out) {
  if (which.size() == 1) {
    out[which[0]] = compile_now(sources[which[0]], keys[which[0]]);
    return;
  }
  const Clang& clang = required_compiler();
  UOps linears;
  std::vector<std::string> symbols;
  for (size_t i : which) {
    linears.push_back(sources[i].linear);
    symbols.push_back(sources[i].name + "_" + std::to_string(symbols.size()));
  }
  const auto start = Clock::now();
  std::string bytes;
  try {
    bytes = compile_shared_object(clang, target_.isa, render_c_unit(linears, symbols));
  } catch (const InternalError&) {  // one of them: each alone says which
    for (size_t i : which) out[i] = compile_now(sources[i], keys[i]);
    return;
  }
  const double each = microseconds(Clock::now() - start) / 1000 / static_cast<double>(which.size());
  for (size_t i = 0; i < which.size(); ++i) {
    out[which[i]] = {symbols[i], bytes, each};
    cache().put(keys[which[i]], out[which[i]]);
  }
  cache().remember_compiler(clang.version());
}

std::shared_ptr<Program> CpuDevice::load(const Artifact& artifact, const LaunchInfo& launch) {
  return with_context("loading " + artifact.name, [&] {
    return std::make_shared<CpuProgram>(std::make_shared<SharedObject>(artifact.bytes), artifact.name, launch, pool_);
  });
}

}  // namespace pg
