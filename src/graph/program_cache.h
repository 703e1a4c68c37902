#pragma once
// Kernels ready to run: schedule chosen, lowered, compiled and loaded, once per process.
#include <memory>
#include <span>
#include <vector>

#include "search/build.h"
#include "search/tune.h"

namespace pg {

/// One launch of what is ready, with the values of its Variables.
struct ReadyLaunch {
  std::shared_ptr<Program> program;
  std::vector<size_t> slots;  // of its buffers, among those of the kernel or Together
  std::vector<int64_t> variables;
  int64_t items = 1;
};

/// A Kernel or a Together.
struct ReadyKernel {
  struct Part {
    Built built;
    int64_t first_slot = 0;
  };
  UOp ast;
  std::vector<Opts> opts;                             // of each of its kernels
  ScheduleSource source = ScheduleSource::Heuristic;  // the least of them
  std::vector<Part> parts;                            // one; of a Together whose kernels cannot be one program, each of them

  /// One after the other.
  std::vector<ReadyLaunch> launches(const Bindings64&) const;
};
using ReadyKernelRef = std::shared_ptr<const ReadyKernel>;

/// The bindings of the Variables that occur in a kernel, by name. UserError naming a Variable without a value or with one
/// outside its limits.
Bindings64 own_bindings(std::span<const UOp> variables, const Bindings64& all);

/// A Kernel or Together, and the values of its Variables that its schedules are chosen for.
struct KernelRequest {
  UOp ast;
  Bindings64 bindings;  // own_bindings
};
/// In the order of the requests. What is not compiled yet is compiled together. Programs are kept by (kernel, opts, device),
/// choices by (kernel, bucket, device, BEAM, database) until something is measured.
std::vector<ReadyKernelRef> ready_kernels(std::span<const KernelRequest>, Device&);

}  // namespace pg
