#pragma once
#include <string_view>

#include "src/tensor/tensor.h"

namespace pg {

/// Sums of products by the letters of their axes, as PyTorch: "bik,bkj->bij" is a matmul. A letter twice in an operand is
/// its diagonal; letters that the result lacks are summed over; "..." stands for any leading axes, which broadcast. Without
/// "->" the result has those of "..." and then the letters that occur once, in the order of the alphabet (capitals first).
/// Extents of 1 broadcast. Operands are multiplied from left to right, each time by one sum of products.
/// UserError: what does not parse, names other axes than there are, or has extents that differ.
Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands);

}  // namespace pg
