#pragma once
// A CUDA device whose kernels compute, without a GPU: the real CudaDevice on the fake driver, where a launch runs in the
// interpreter of thread blocks, as late as the driver likes, with what the driver was given. The host cannot touch its
// memory.
#include <dlfcn.h>
#include <doctest/doctest.h>

#include <map>
#include <utility>

#include "runtime/cuda_device.h"
#include "runtime/cuda_module.h"
#include "tests/models/private_store.h"
#include "tests/runtime/fake_cuda.h"
#include "uops/interpret.h"

namespace pg::test {

class InterpretedGpu final : public Device {
 public:
  /// One for the process: programs are kept as long.
  static InterpretedGpu& get() {
    static auto* gpu = new InterpretedGpu;
    return *gpu;
  }
  FakeCuda& fake() { return *fake_; }
  /// How often a function of the driver was called since the last time that this was asked of it.
  int calls(const std::string& symbol) { return std::exchange(fake_->calls[symbol], 0); }
  /// What went wrong while kernels ran, once.
  std::string errors() { return std::exchange(errors_, ""); }

  const std::string& name() const override { return cuda_->name(); }
  const Target& target() const override { return cuda_->target(); }
  DeviceInfo info() const override { return cuda_->info(); }
  ToolchainInfo toolchain() const override { return {"interpreter", "{}"}; }
  void* allocate(size_t bytes) override { return cuda_->allocate(bytes); }
  void free(void* p, size_t bytes) noexcept override { cuda_->free(p, bytes); }
  bool pools() const override { return cuda_->pools(); }
  void copy_in(void* to, const void* host, size_t bytes) override { cuda_->copy_in(to, host, bytes); }
  void copy_out(void* host, const void* from, size_t bytes) override { cuda_->copy_out(host, from, bytes); }
  Source render(const UOp& linear) const override { return cuda_->render(linear); }
  /// A module with a kernel for each phase, under a name of its own.
  Artifact compile(const Source& source) override {
    const std::string name = source.name + "_" + std::to_string(programs_.size());
    const LaunchInfo& l = source.launch;
    const size_t arguments = l.params.size() + l.workspaces.size() + l.variables.size();
    std::string image = "fake\n";
    for (size_t phase = 0; phase < l.phases.size(); ++phase) {
      image += cuda_kernel(name, phase) + " " + std::to_string(arguments) + "\n";
      programs_[cuda_kernel(name, phase)] = {source.linear, l, phase};
    }
    return {name, pack({.architecture = "sm_90a", .nvrtc = 13000, .log = "", .cubin = image}), 0};
  }
  std::shared_ptr<Program> load(const Artifact& a, const LaunchInfo& l) override { return cuda_->load(a, l); }
  std::unique_ptr<LaunchSequence> sequence() override { return cuda_->sequence(); }
  void synchronize() override { cuda_->synchronize(); }

 private:
  struct Phase {
    UOp linear;
    LaunchInfo launch;
    size_t number = 0;
  };

  InterpretedGpu() {
    void* library = dlopen(PICOGRAD_FAKE_CUDA, RTLD_NOW | RTLD_LOCAL);
    REQUIRE_MESSAGE(library != nullptr, dlerror());
    fake_ = reinterpret_cast<FakeCuda* (*)()>(dlsym(library, "fake_cuda"))();
    fake_->kernel = [](const FakeLaunch& l) {
      try {
        get().run(l);
      } catch (const std::exception& e) {  // the driver has a C++ library of its own
        get().errors_ += l.kernel + ": " + e.what() + "\n";
      }
    };
    Config c;
    c.cache_dir = tests::private_store.folder;
    cuda_ = std::make_unique<CudaDevice>(c, 0, CudaLibraries{.driver = PICOGRAD_FAKE_CUDA});
  }

  void run(const FakeLaunch& l) {
    const Phase& p = programs_.at(l.kernel);
    const LaunchInfo& info = p.launch;
    std::vector<int64_t> variables;
    for (size_t v = 0; v < info.variables.size(); ++v)
      variables.push_back(static_cast<int64_t>(l.arguments[info.params.size() + info.workspaces.size() + v]));
    const auto count = [&](const UOp& e) { return evaluate(e, info.variables, variables); };
    if (l.block != info.threads || l.shared != info.shared_bytes || l.grid != count(info.phases[p.number]))
      throw InternalError("launched with another grid, block or shared memory than it needs");
    std::vector<HostBuffer> buffers;
    for (size_t i = 0; i < info.params.size(); ++i) {
      if (l.arguments[i] % 256 != 0) throw InternalError("buffer " + std::to_string(i) + " is not aligned");
      int64_t elements = 1;
      for (const UOp& extent : info.params[i].src()) elements *= count(extent);
      buffers.push_back({fake_host(l.arguments[i]), elements});
    }
    // What phases share lies in the interpreter, so the last one runs them all.
    if (p.number + 1 == info.phases.size()) interpret(p.linear, buffers, variables, {}, 0, count(info.items));
  }

  FakeCuda* fake_ = nullptr;
  std::unique_ptr<CudaDevice> cuda_;
  std::map<std::string, Phase> programs_;
  std::string errors_;
};

}  // namespace pg::test
