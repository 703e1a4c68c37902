#pragma once
// Other libraries' ways to compute a BenchKernel. Eigen and oneDNN come as small sources in bench/peers/, compiled on first
// use where g++ and their headers are; OpenBLAS by dlopen (peers.h). None is needed to build, test or run.
#include <memory>
#include <string>
#include <vector>

#include "src/cli/bench_kernels.h"

namespace pg {

class KernelPeer {
 public:
  virtual ~KernelPeer() = default;
  /// On a GPU: enqueues. `set` says which of the sets of buffers.
  virtual void run(size_t set) = 0;
  /// Untimed: puts the result where it was asked for, if it is not there yet.
  virtual void finish() {}
  std::string name, version;
};

/// All ways in which the library ("eigen", "onednn", "openblas") computes the kernel on this many threads of the host; `buffers` by
/// Param slot, the result goes to `result`. Empty with `why` set when it is not installed or has no such operation;
/// UserError on an unknown name.
std::vector<std::unique_ptr<KernelPeer>> kernel_peers(const std::string& name, const BenchKernel&,
                                                      const std::vector<void*>& buffers, float* result, int threads,
                                                      std::string& why);

}  // namespace pg
