#pragma once
// Reductions are rows: a tuple state with an identity and an associative combine, as sub-graphs. The lift is the bodies of
// the Reduce node (one per state), the projection is its epilogue (Reduce itself is state 0, Project(i) the others).
#include <string_view>
#include <vector>

#include "uops/uop.h"

namespace pg {

struct Reducer {
  const char* name;
  int states;
  /// The neutral state for bodies of these dtypes.
  UOps (*identity)(std::span<const DType> dtypes);
  /// state ⊕ state; scalar or vector alike.
  UOps (*combine)(std::span<const UOp> a, std::span<const UOp> b);
};

/// sum, prod, max, min (1 state) · argmax (value, index: the first of equal ones) · welford (count, mean, m2) ·
/// online_softmax (max, sum of exp(s − max), accumulator rescaled by exp(old max − new max)).
const std::vector<Reducer>& reducers();
/// Throws InternalError on an unknown name.
const Reducer& reducer(std::string_view name);

}  // namespace pg
