#pragma once
// What the default and the templates of a GPU ask of a kernel: which axes threads go along, what a product's operands are.
#include <optional>
#include <string>
#include <vector>

#include "uops/kernel.h"

namespace pg {

int64_t extent(const UOp& axis);  // at most
int64_t extents(const UOps& axes);
UOp longest(const UOps& axes);
std::vector<std::string> axis_names(const UOps& axes);

/// The axis along which most accesses lie side by side; null: there is none.
UOp contiguous(const UOp& kernel, const UOps& axes);

/// Of a kernel whose outputs share operands: two output axes that each leave some operand alone, neighbouring elements along
/// the second one, and the longest axis of the sum.
struct ProductAxes {
  UOp rows, columns, deep;
};
/// None where two such axes of `least` elements are missing.
std::optional<ProductAxes> product_axes(const UOp& kernel, int64_t least);

/// A buffer that a sum reads.
struct Operand {
  std::string name;
  bool along_sum = false;  // its rows lie along the sum: threads that read a column of it meet in a bank
  size_t dimensions = 0;
  bool turns() const { return along_sum && dimensions == 2; }  // round, when it is staged: layout=1 0
};
std::vector<Operand> operands(const Definition& sum, const UOp& deep);

}  // namespace pg
