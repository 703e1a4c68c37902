#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/config.h"
#include "uops/uop.h"

namespace pg {

/// One launch of a plan: the AST and the Buffers its Params stand for.
struct PlannedKernel {
  UOp ast;                // Kernel, or Together (uops/together.h)
  UOps buffers;           // Buffer UOps by Param slot; slot 0 is the output, of a Together the first of each of its kernels
  bool constant = false;  // an intermediate that depends on frozen Buffers alone: a Graph computes it once
};
/// Another way to compute a node: in place, as a definition of each kernel that reads it, instead of materialised; or by
/// another graph (one_pass.h, winograd.h). Of several ways for one node the last one that is taken counts.
struct Alternative {
  std::string name;         // "one_pass", "rows", "queries", "side_by_side", ..: docs/architecture.md, "Plans"
  std::string site;         // the name, and the shapes of what is computed and of who reads it: equal sites choose alike
  UOp node;                 // of the tensor graph
  bool by_default = false;  // whether the rule of that name takes it
  bool taken = false;
  size_t readers = 1;   // kernels that would each compute it
  double worth = 1;     // how many times as fast it must be, beyond what a measurement tells: it takes memory
  double rounding = 1;  // how many times as large the rounding error may be; 1: it differs by the order of a sum at most
};
struct PlanOptions {
  bool defaults = true;                 // take what the rules say; else materialise
  bool gpu = false;                     // whose rules
  double rounding = Config().rounding;  // alternatives that may err more are not offered
  /// Whether to take an alternative; nothing: by default. May be empty.
  std::function<std::optional<bool>(const Alternative&)> choose = {};

  /// Decides about one.
  void take(Alternative&) const;
};
/// Step 3: the kernels that compute the roots, in order, and the Buffer that holds each root.
/// Where a buffer is materialised is written down here and nowhere else:
///   docs/architecture.md, "When a buffer is materialised".
struct Plan {
  std::vector<PlannedKernel> kernels;
  UOps outputs;                           // parallel to the roots
  std::vector<Alternative> alternatives;  // that there were
};
Plan partition(const UOps& roots, const PlanOptions& = {});

}  // namespace pg
