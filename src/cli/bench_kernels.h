#pragma once
// The kernels that `picograd bench kernel` knows, by kind and shape. Everything is fp32 (but ids).
#include <cstdint>
#include <string>
#include <vector>

#include "search/build.h"
#include "uops/uop.h"

namespace pg {

struct BenchKernel {
  std::string kind, shape, layout;
  UOp ast;
  Work work;
  std::vector<int64_t> dims;   // as bench/peers/peer.h lists them for the kind
  std::vector<size_t> inputs;  // Param slots in the order in which peers take the operands; slot 0 is the result
};

struct BenchKind {
  const char *name, *form, *layouts;  // layouts: the first one is the default; "": there is no choice
};
const std::vector<BenchKind>& bench_kinds();

/// UserError for an unknown kind (naming the known ones), a shape or a layout that makes no sense.
BenchKernel bench_kernel(const std::string& kind, const std::string& shape, const std::string& layout);

}  // namespace pg
