#include "src/cli/peers.h"

#include <dlfcn.h>

#include <cstdlib>
#include <vector>

#include "uops/error.h"

namespace pg {

namespace {

/// Stays loaded: these libraries start threads of their own and do not survive dlclose.
void* open_first(const std::vector<const char*>& names, std::string& why) {
  for (const char* n : names)
    if (void* handle = dlopen(n, RTLD_NOW | RTLD_LOCAL)) return handle;
  why = dlerror();
  return nullptr;
}
template <class F>
F* symbol(void* handle, const char* name) {
  return reinterpret_cast<F*>(dlsym(handle, name));
}

constexpr int kRowMajor = 101, kNoTrans = 111, kTrans = 112;  // enum CBLAS_ORDER, CBLAS_TRANSPOSE

class OpenBlas final : public Peer {
 public:
  OpenBlas(void* handle, int threads)
      : gemm_(symbol<Sgemm>(handle, "cblas_sgemm")), gemv_(symbol<Sgemv>(handle, "cblas_sgemv")) {
    if (auto* set = symbol<void(int)>(handle, "openblas_set_num_threads")) set(threads);
    if (auto* config = symbol<char*()>(handle, "openblas_get_config")) version_ = config();
    if (auto* core = symbol<char*()>(handle, "openblas_get_corename")) version_ += std::string(", kernels ") + core();
  }
  bool usable() const { return gemm_ && gemv_; }
  const std::string& name() const override { return name_; }
  const std::string& version() const override { return version_; }
  void gemv(int64_t n, int64_t k, bool rows, const float* w, const float* x, float* y) override {
    const int height = static_cast<int>(rows ? n : k), width = static_cast<int>(rows ? k : n);
    gemv_(kRowMajor, rows ? kNoTrans : kTrans, height, width, 1, w, width, x, 1, 0, y, 1);
  }
  void gemm(const GemmProblem& p, const float* a, const float* b, float* c) override {
    const int m = static_cast<int>(p.m), n = static_cast<int>(p.n), k = static_cast<int>(p.k);
    gemm_(kRowMajor, p.transpose_a ? kTrans : kNoTrans, p.transpose_b ? kTrans : kNoTrans, m, n, k, 1, a,
          p.transpose_a ? m : k, b, p.transpose_b ? k : n, 0, c, n);
  }

 private:
  using Sgemm = void(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
  using Sgemv = void(int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
  Sgemm* gemm_;
  Sgemv* gemv_;
  std::string name_ = "openblas", version_;
};

class OneDnn final : public Peer {
 public:
  OneDnn(void* handle, int threads) : gemm_(symbol<Sgemm>(handle, "dnnl_sgemm")) {
    struct Version {
      int major, minor, patch;
    };
    if (auto* version = symbol<const Version*()>(handle, "dnnl_version"))
      version_ = "oneDNN " + std::to_string(version()->major) + "." + std::to_string(version()->minor) + "." +
                 std::to_string(version()->patch);
    // Debian's build runs on OpenMP, which the library brought with it.
    if (auto* set = symbol<void(int)>(handle, "omp_set_num_threads")) set(threads);
  }
  bool usable() const { return gemm_ != nullptr; }
  const std::string& name() const override { return name_; }
  const std::string& version() const override { return version_; }
  void gemm(const GemmProblem& p, const float* a, const float* b, float* c) override {
    gemm_(p.transpose_a ? 'T' : 'N', p.transpose_b ? 'T' : 'N', p.m, p.n, p.k, 1, a, p.transpose_a ? p.m : p.k, b,
          p.transpose_b ? p.k : p.n, 0, c, p.n);
  }

 private:
  using Sgemm = int(char, char, int64_t, int64_t, int64_t, float, const float*, int64_t, const float*, int64_t, float,
                    float*, int64_t);
  Sgemm* gemm_;
  std::string name_ = "onednn", version_;
};

const char* openblas_core_type() {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    return "SkylakeX";
  return __builtin_cpu_supports("avx2") ? "Haswell" : nullptr;
}

template <class P>
std::unique_ptr<Peer> usable_or_null(void* handle, int threads, std::string& why) {
  auto peer = std::make_unique<P>(handle, threads);
  if (peer->usable()) return peer;
  why = "the library has no sgemm";
  return nullptr;
}

}  // namespace

std::unique_ptr<Peer> load_peer(const std::string& name, int threads, std::string& why) {
  if (name == "openblas") {
    if (const char* core = openblas_core_type()) setenv("OPENBLAS_CORETYPE", core, 1);  // also over what a login script set
    void* handle = open_first(
        {"libopenblas.so.0", "/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.so.0", "libopenblas.so"}, why);
    return handle ? usable_or_null<OpenBlas>(handle, threads, why) : nullptr;
  }
  if (name == "onednn") {
    void* handle = open_first({"libdnnl.so.3", "libdnnl.so.2", "libdnnl.so"}, why);
    return handle ? usable_or_null<OneDnn>(handle, threads, why) : nullptr;
  }
  if (name == "cublas") {
    why = "it computes on GPUs of NVIDIA: --device CUDA";
    return nullptr;
  }
  throw UserError("bench: no peer is named '" + name + "'; known are openblas, onednn, cublas");
}

}  // namespace pg
