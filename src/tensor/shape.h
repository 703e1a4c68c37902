#pragma once
// Shape arithmetic that the tensor ops share. `op` names the caller in errors.
#include "src/tensor/tensor.h"

namespace pg {

/// Provably the same number for all values of the Variables.
bool same(const Dim& a, const Dim& b);
bool same(const Shape& a, const Shape& b);

/// The number of elements.
Dim element_count(const Shape&);
/// The same for a shape of numbers; UserError when there are Variables in it.
int64_t known_count(const char* op, const Shape&);

/// The shape both broadcast to (from the back; extents of 1 grow).
Shape broadcast_shape(const char* op, const Shape& a, const Shape& b);

/// An axis counted from the front; `axis` may be negative.
int checked_axis(const char* op, int axis, const Shape&);
/// Sorted, each at most once; no axes: all of them.
std::vector<int> checked_axes(const char* op, const std::vector<int>& axes, const Shape&);

/// {x, extents..}: the sources of a Reshape or Expand.
UOps with_extents(const UOp& x, const Shape&);

/// Integers and bool become f32.
Tensor as_float(const Tensor&);
/// `value` as a tensor like x that leaves x's dtype alone where it can: a fraction makes integers f32, any number bool i64.
Tensor beside(const Tensor& x, double value);

}  // namespace pg
