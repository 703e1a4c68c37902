#include "runtime/cuda_device.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <exception>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

#include "runtime/cpu_info.h"
#include "runtime/cuda_graph.h"
#include "runtime/cuda_program.h"

namespace pg {

namespace {

constexpr const char* kCompilerName = "nvrtc";  // in the artifact cache

std::string joined(const std::vector<std::string>& words) {
  std::string s;
  for (const std::string& w : words) s += (s.empty() ? "" : " ") + w;
  return s;
}

std::shared_ptr<CudaGpu> open_gpu(int ordinal, const CudaLibraries& libraries) {
  const FoundCudaDriver found = CudaDriver::find(libraries.driver);
  const std::string who = "CUDA:" + std::to_string(ordinal);
  if (!found.driver) throw UserError(who + ": " + found.what + ": " + found.remedy);
  const int n = found.driver->devices();
  if (ordinal >= n)
    throw UserError(who + ": there is no such GPU: this machine's are CUDA:0" +
                    (n > 1 ? " .. CUDA:" + std::to_string(n - 1) : "") +
                    " (nvidia-smi and CUDA_VISIBLE_DEVICES tell which)");
  return std::make_shared<CudaGpu>(found.driver, ordinal);
}

cu::DevicePointer address(const void* p) { return reinterpret_cast<uintptr_t>(p); }

}  // namespace

CudaDevice::CudaDevice(const Config& c, int ordinal, const CudaLibraries& libraries)
    : config_(c), libraries_(libraries), gpu_(open_gpu(ordinal, libraries)), target_(cuda_target(gpu_->facts())) {}

DeviceInfo CudaDevice::info() const {
  const CudaFacts& f = facts();
  const nlohmann::json j = {{"gpu", f.name},
                            {"isa", f.architecture()},
                            {"sms", f.sms},
                            {"l2", f.l2_bytes},
                            {"shared_block", f.shared_block_bytes},
                            {"shared_sm", f.shared_sm_bytes},
                            {"registers_sm", f.sm_registers},
                            {"threads_sm", f.sm_threads},
                            {"clock_khz", f.clock_khz},
                            {"memory_clock_khz", f.memory_clock_khz},
                            {"memory_bits", f.memory_bits}};
  const std::string text = j.dump();
  return {ArtifactCache::key({text}), text};
}

ToolchainInfo CudaDevice::toolchain() const {
  const int version = compiler_version();
  const nlohmann::json j = {{"compiler", version ? "nvrtc " + cuda_version_text(version) : "none"},
                            {"flags", joined(options())},
                            {"codegen", kCodegenVersion}};
  const std::string text = j.dump();
  return {ArtifactCache::key({text}), text};
}

void* CudaDevice::allocate(size_t bytes) { return gpu_->memory().allocate(*gpu_->life()->context, bytes); }
void CudaDevice::free(void* p, size_t) noexcept { gpu_->memory().free(p); }
void CudaDevice::copy_in(void* device, const void* host, size_t bytes) {
  const auto life = gpu_->life();
  gpu_->check_alive(device, "a copy");
  life->staging.copy_in(address(device), host, bytes);
}
void CudaDevice::copy_out(void* host, const void* device, size_t bytes) {
  const auto life = gpu_->life();
  gpu_->check_alive(device, "a copy");
  life->staging.copy_out(host, address(device), bytes);
}
void CudaDevice::synchronize() { gpu_->life()->stream.synchronize(); }

std::vector<std::string> CudaDevice::options() const {
  std::vector<std::string> all{
      "--gpu-architecture=" + facts().architecture(), "--std=c++17",
      // The log tells registers and spills. Of the front end's warnings none matters in generated code.
      "--ptxas-options=-v", "--disable-warnings"};
  all.insert(all.end(), std::begin(kCudaOptions), std::end(kCudaOptions));
  return all;
}

const FoundNvrtc& CudaDevice::compiler() const {
  std::lock_guard lock(setup_);
  if (!compiler_)
    compiler_ = Nvrtc::find({config_.cuda_home, "", python_folders}, gpu_->driver().version(), libraries_.nvrtc);
  return *compiler_;
}

/// Without a compiler: the version of the one that filled the artifact cache, whose kernels still load.
int CudaDevice::compiler_version() const {
  if (const auto& nvrtc = compiler().nvrtc) return nvrtc->version();
  const std::string last = ArtifactCache::last_compiler(config_.cache_dir, kCompilerName);
  int version = 0;
  std::from_chars(last.data(), last.data() + last.size(), version);
  return version;
}

ArtifactCache& CudaDevice::cache() {
  std::lock_guard lock(setup_);
  if (!cache_) cache_.emplace(config_.cache_dir);
  return *cache_;
}

std::string CudaDevice::key(const Source& source) const {
  return ArtifactCache::key({source.text, joined(options()), "nvrtc", std::to_string(compiler_version())});
}

Artifact CudaDevice::compile_now(const Source& source, const std::string& key) {
  const FoundNvrtc& found = compiler();
  if (!found.nvrtc) throw UserError(name() + ": " + found.missing);
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  NvrtcResult result =
      with_context("compiling " + source.name, [&] { return found.nvrtc->compile(source.name, source.text, options()); });
  const int version = found.nvrtc->version();
  Artifact made{source.name, pack({facts().architecture(), version, std::move(result.log), std::move(result.cubin)}),
                std::chrono::duration<double, std::milli>(Clock::now() - start).count()};
  cache().put(key, made);
  cache().remember_compiler(std::to_string(version), kCompilerName);
  return made;
}

Artifact CudaDevice::compile(const Source& source) {
  const std::string k = key(source);
  if (auto known = cache().get(k)) return std::move(*known);
  return compile_now(source, k);
}

std::vector<Artifact> CudaDevice::compile_all(std::span<const Source> sources) {
  std::vector<Artifact> all(sources.size());
  std::vector<std::exception_ptr> errors(sources.size());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i; (i = next++) < sources.size();) try {
        all[i] = compile(sources[i]);
      } catch (const std::exception&) {  // rethrown below
        errors[i] = std::current_exception();
      }
  };
  // Kernels take from a tenth of a second to several: each thread takes the next when it is done.
  const size_t cores = static_cast<size_t>(config_.threads > 0 ? std::min(config_.threads, usable_cores()) : usable_cores());
  std::vector<std::thread> helpers;
  helpers.reserve(cores);
  try {
    for (size_t t = 1; t < std::min(cores, sources.size()); ++t) helpers.emplace_back(work);
  } catch (const std::system_error&) {  // no more threads: those there are do it
  }
  work();
  for (std::thread& t : helpers) t.join();
  for (const std::exception_ptr& e : errors)
    if (e) std::rethrow_exception(e);
  return all;
}

std::shared_ptr<Program> CudaDevice::load(const Artifact& artifact, const LaunchInfo& launch) {
  return with_context("loading " + artifact.name, [&] { return std::make_shared<CudaProgram>(gpu_, artifact, launch); });
}

std::unique_ptr<LaunchSequence> CudaDevice::sequence() { return std::make_unique<CudaGraph>(*this); }

std::vector<KernelResources> cuda_resources(const Artifact& artifact) {
  return parse_resources(unpack_cuda_binary(artifact.bytes).log);
}

}  // namespace pg
