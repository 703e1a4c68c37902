#pragma once
// A CudaDevice over the fake driver.
#include <dlfcn.h>
#include <doctest/doctest.h>

#include "runtime/cuda_device.h"
#include "runtime/cuda_module.h"
#include "runtime/process.h"
#include "tests/runtime/fake_cuda.h"

namespace pg::test {

/// The fake driver, as it is at its beginning; and nothing that is alive or was misused at its end.
class FakeDriver {
 public:
  FakeDriver() {
    library_ = dlopen(PICOGRAD_FAKE_CUDA, RTLD_NOW | RTLD_LOCAL);
    REQUIRE_MESSAGE(library_ != nullptr, dlerror());
    reset();
  }
  ~FakeDriver() {
    CHECK((*this)->misuse == std::vector<std::string>{});
    CHECK((*this)->objects == 0);
    CHECK((*this)->contexts == 0);
    reset();
    dlclose(library_);
  }
  FakeCuda* operator->() const { return reinterpret_cast<FakeCuda* (*)()>(dlsym(library_, "fake_cuda"))(); }

 private:
  void reset() { reinterpret_cast<void (*)()>(dlsym(library_, "fake_cuda_reset"))(); }
  void* library_;
};

struct FakeGpu {
  FakeDriver fake;
  TemporaryDirectory directory;
  std::unique_ptr<CudaDevice> device;

  Config config() const {
    Config c;
    c.cache_dir = directory.path() + "/artifacts";
    c.threads = 2;
    return c;
  }
  CudaDevice& open(int ordinal = 0) {
    device = std::make_unique<CudaDevice>(config(), ordinal, CudaLibraries{.driver = PICOGRAD_FAKE_CUDA});
    return *device;
  }
};

/// An artifact that the fake driver loads: "k 3" is a kernel k with three arguments.
inline Artifact fake_artifact(const std::string& name, const std::string& kernels,
                              const std::string& architecture = "sm_90a", int nvrtc = 13000) {
  return {name, pack({.architecture = architecture, .nvrtc = nvrtc, .log = "", .cubin = "fake\n" + kernels}), 0};
}

/// What a launch needs: so many buffers, Variables of these names, phases of so many items.
inline LaunchInfo fake_launch(size_t buffers, const std::vector<std::string>& variables = {}, UOps phases = {}) {
  LaunchInfo l;
  l.name = "k";
  l.threads = 128;
  for (size_t i = 0; i < buffers; ++i)
    l.params.push_back(UOp(Op::Param, dt::f32, ParamArg{static_cast<int64_t>(i), "b"}, {iconst(16)}));
  for (const std::string& v : variables) l.variables.push_back(variable(v, 0, 1000));
  l.phases = std::move(phases);
  return l;
}
inline void* pointer(uintptr_t p) { return reinterpret_cast<void*>(p); }

}  // namespace pg::test
