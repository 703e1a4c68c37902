#pragma once
// Convolutions with windows of 3 x 3 by minimal filtering (Winograd 1980; Lavin and Gray 2016): a tile of m x m outputs
// takes (m + 2)² products of a channel instead of 9 m², for a few additions.
#include "src/graph/epilogues.h"
#include "src/graph/partition.h"

namespace pg {

/// The graph in which chosen convolutions are
///     U = G w Gᵀ [points, filters, channels],  V = Bᵀ d B [points, channels, tiles],
///     M = U V [points, filters, tiles],        sum = Aᵀ M A,
/// each materialised; the sum's epilogue stays its epilogue. `options` decides, and `offered` gets what there was to decide:
/// for each convolution winograd_2x3 and winograd_4x3, the last of those taken counts.
UOps with_winograd(const TensorGraph&, const UOps& roots, const PlanOptions& options, std::vector<Alternative>& offered);

}  // namespace pg
