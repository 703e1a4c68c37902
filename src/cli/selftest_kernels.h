#pragma once
// Kernels as a GPU gets them, under schedules that use everything there is: what tests compile and run on the host, and
// `picograd selftest` on the GPU.
#include <span>

#include "search/opt.h"
#include "uops/target.h"
#include "uops/uop.h"

namespace pg {

struct SelftestKernel {
  const char *kind, *shape, *layout, *opts;  // of bench_kernel; a schedule, or "default"
};
std::span<const SelftestKernel> selftest_kernels();
/// Its schedule. On what is no GPU: always the default one.
Opts selftest_opts(const SelftestKernel&, const UOp& kernel, const Target&);

}  // namespace pg
