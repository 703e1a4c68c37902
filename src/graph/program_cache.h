#pragma once
// Kernels ready to run: schedule chosen, lowered, compiled and loaded, once per process.
#include <memory>
#include <span>
#include <vector>

#include "search/build.h"
#include "search/tune.h"

namespace pg {

struct ReadyKernel {
  UOp ast;
  Opts opts;
  ScheduleSource source = ScheduleSource::Heuristic;
  Built built;
};
using ReadyKernelRef = std::shared_ptr<const ReadyKernel>;

/// The bindings of the Variables that occur in a kernel, by name. UserError naming a Variable without a value or with one
/// outside its limits.
Bindings64 own_bindings(std::span<const UOp> variables, const Bindings64& all);

/// A kernel and the values of its Variables that its schedule is chosen for.
struct KernelRequest {
  UOp ast;
  Bindings64 bindings;  // own_bindings
};
/// In the order of the requests. What is not compiled yet is compiled together. Programs are kept by (kernel, opts, device),
/// choices by (kernel, bucket, device, BEAM, database) until something is measured.
std::vector<ReadyKernelRef> ready_kernels(std::span<const KernelRequest>, Device&);

}  // namespace pg
