#pragma once
#include <string_view>

#include "uops/uop.h"

namespace pg {

/// What a graph may hold, by stage of the way from tensors to a program.
///   Tensor     movement and reductions on shapes
///   Kernel     uops/kernel.h; root: Kernel
///   Scheduled  the same with the split Ranges; root: Scheduled
///   Nests      a tree of Block, For, If, Store, StoreAll, Memory; Ranges of register kinds (unroll, upcast, vec) still free
///   Expanded   the same without register Ranges and Reduces; vectors appear; one index an Index
///   Linear     uops/linear.h; root: Linear
enum class Stage { Tensor, Kernel, Scheduled, Nests, Expanded, Linear };

/// Checks ops allowed in the stage, arity, dtypes and lanes of every node, that Ranges are open where they are used, one
/// index per dimension (one after flattening), gates bool, constant kinds. Throws InternalError naming `pass`, the node and the
/// sub-graph (pretty form).
void verify(const UOp& root, Stage stage, std::string_view pass);

}  // namespace pg
