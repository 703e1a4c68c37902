#pragma once
// Vendor libraries to compare with, found by dlopen: never needed to build, test or run.
#include <cstdint>
#include <memory>
#include <string>

namespace pg {

/// C[M,N] = op(A)·op(B), fp32, row-major; a transposed A is stored [K,M], a transposed B [N,K].
struct GemmProblem {
  int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false;
};

class Peer {
 public:
  virtual ~Peer() = default;
  virtual const std::string& name() const = 0;
  /// What was loaded, with the kernels it uses ("OpenBLAS 0.3.21 .., kernels SkylakeX").
  virtual const std::string& version() const = 0;
  virtual void gemm(const GemmProblem&, const float* a, const float* b, float* c) = 0;
  /// y[N] = W·x; W is [N,K] row-major when `rows`, else [K,N].
  virtual void gemv(int64_t n, int64_t k, bool rows, const float* w, const float* x, float* y) {
    gemm({1, n, k, false, rows}, x, w, y);
  }
};

/// "openblas" or "onednn" on this many threads. Null with `why` set when it is not installed; UserError on an unknown name.
/// OpenBLAS is told what the CPU can do (OPENBLAS_CORETYPE): Debian's takes new CPUs for old ones.
std::unique_ptr<Peer> load_peer(const std::string& name, int threads, std::string& why);

}  // namespace pg
