#pragma once
// Alternatives of plans that are another graph of the same reductions: parts of long sums, panels of constant weights,
// epilogues by kernels of their own.
#include "src/graph/epilogues.h"
#include "src/graph/partition.h"

namespace pg {

/// The graph in which chosen reductions are made of others; `options` decides, and `offered` gets what there was to decide.
///   split     a reduction of many elements to a few: parts of it are one kernel, what joins them another
///   panels    a product with a frozen matrix that several rows read: the matrix is stored as panels of columns,
///             [N / width, K, width], once in the life of a Graph, and read as these lie
///   separate  a sum of products is stored as it is, and its epilogue computed from there (separate.h); with panels or not
UOps with_rewrites(const TensorGraph&, const UOps& roots, const PlanOptions& options, std::vector<Alternative>& offered);

}  // namespace pg
