#pragma once
#include <vector>

#include "src/tensor/tensor.h"

namespace pg {

/// One row per differentiable op: the gradient at each source from the node and the gradient at its value, which has the
/// node's shape and dtype. An empty Tensor: none flows there. Fewer than the sources: none to the rest.
struct GradientRule {
  Op op;
  std::vector<Tensor> (*sources)(const UOp& node, const Tensor& gradient);
};
/// Null when the op has no row.
const GradientRule* gradient_rule(Op);

}  // namespace pg
