#pragma once
// The epilogue of a sum of products by a kernel of its own, as an alternative of plans.
#include "src/graph/epilogues.h"
#include "src/graph/partition.h"

namespace pg {

struct Separation {
  Alternative alternative;  // of the head
  UOps stored;              // what owns memory then: the sum, and other reductions' heads that its epilogue reads
};
/// For each sum of products whose epilogue may be worth it: it computes something or reorders the results, these are many,
/// and memory alone does not set the time of the sum. Attention is left out: one pass computes what it sums in place.
std::vector<Separation> separations(const TensorGraph&);

}  // namespace pg
