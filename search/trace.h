#pragma once
// DEBUG=3..6: what steps 6 to 8 make of a kernel, on stderr. For kernels that run, not for the thousands of candidates.
#include <iosfwd>

#include "runtime/device.h"
#include "search/opt.h"

namespace pg {

/// At `level` 3 the opts; 4 also the source; 5 the UOps after each pass; 6 each rewrite step on the way.
void trace_kernel(const UOp& kernel, const Opts&, const Device&, int level, std::ostream&);
/// The same at config().debug, on stderr; nothing below 3.
void trace_kernel(const UOp& kernel, const Opts&, const Device&);

}  // namespace pg
