#pragma once
// Steps 6-9 as one function: what is timed is what runs.
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "runtime/device.h"
#include "search/schedule.h"

namespace pg {

struct Built {
  std::shared_ptr<Program> program;
  Source source;
  Artifact artifact;
};
/// apply → lower → render → compile → load. Errors name the kernel and the opts.
Source render_kernel(const UOp& kernel, const Opts&, Device&);
/// The kernels of a Together as one program, each with its opts; nullopt where they cannot be one (DEBUG=1 says why).
std::optional<Source> render_together(const UOp& together, std::span<const Opts>, Device&);
Built build(const UOp& kernel, const Opts&, Device&);

/// Work of one run, from the AST (a Together: of all its kernels) with Variables bound: floating-point operations (an Fma
/// counts 2, a transcendental 1) and the bytes of every buffer touched at least once.
struct Work {
  double flops = 0, bytes = 0;
};
Work work(const UOp& launch, std::span<const UOp> variables, std::span<const int64_t> values);

}  // namespace pg
