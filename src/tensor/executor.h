#pragma once
#include <vector>

namespace pg {

class Tensor;

/// What realize(), to_floats() and item() call: computes the tensors; each then is a Buffer with memory. Defined in
/// src/graph, which stands to the right of this folder. UserError when a Variable has no value.
void execute(const std::vector<Tensor*>& tensors);

}  // namespace pg
