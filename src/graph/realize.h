#pragma once
// Step 4: eager execution (realize) and captured graphs (Graph).
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "search/tune.h"
#include "src/tensor/tensor.h"

namespace pg {

/// Computes the tensors; each then refers to its own memory. `bindings` gives every Variable a value.
void realize(std::vector<Tensor*> tensors, const Bindings64& bindings = {});

/// Promises that a realised tensor's memory keeps its contents, as a trained weight does. What depends on such tensors alone
/// and has to be materialised, a Graph computes at its first replay and keeps. UserError: the tensor is not realised, or the
/// program is to write to it.
void freeze(const Tensor&);

/// A captured program: partitioned, scheduled, compiled and memory-planned once, replayed with other Variable values and
/// other contents of the input buffers. Nothing is searched, rendered or measured on replay.
class Graph {
 public:
  /// Captures the computation of `outputs`; Variables stay free. Schedules are chosen for `tuning_bindings`, per
  /// power-of-two bucket as new values are met.
  Graph(std::vector<Tensor> outputs, const Bindings64& tuning_bindings = {});
  ~Graph();
  Graph(Graph&&) noexcept;
  /// Runs; the outputs' memory holds the results.
  void replay(const Bindings64& bindings = {});
  const std::vector<Tensor>& outputs() const;
  /// The distinct kernels with how often each runs (tune, bench, tests).
  struct KernelUse {
    UOp ast;
    std::string name;
    int count = 0;
    int64_t seen_twice = 0;  // bytes of buffers that are views of another one's memory (packed weights)
  };
  std::vector<KernelUse> kernels() const;
  int kernel_count() const;
  /// One run with a clock at each launch: milliseconds of all launches of each of `kernels()`.
  std::vector<double> profile(const Bindings64& bindings = {});
  /// Bytes of intermediates with and without reuse by lifetime.
  struct MemoryPlan {
    int64_t planned = 0, without_reuse = 0;
  };
  MemoryPlan memory_plan() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pg
