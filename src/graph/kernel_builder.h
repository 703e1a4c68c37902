#pragma once
// From a sketch to a kernel AST (uops/kernel.h).
#include <string>

#include "src/graph/materialise.h"
#include "src/graph/partition.h"

namespace pg {

/// A kernel and the memory it works on.
struct BuiltKernel {
  UOp ast;                       // Kernel
  UOps memory;                   // by Param slot: the Buffer, or the materialised node whose Buffer it is
  UOps reads;                    // what is loaded: Buffers, materialised nodes, Assigns
  bool reads_elsewhere = false;  // an Assign reads the Buffer that it writes at other places than where it writes (rule 7)
};
/// Slots, names and order follow from the structure alone, so that equal computations give equal kernels.
BuiltKernel build_kernel(const Sketches&, int kernel);

}  // namespace pg
