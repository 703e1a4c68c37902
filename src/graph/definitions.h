#pragma once
// Which values of a kernel bear a name.
#include <unordered_set>
#include <vector>

#include "src/graph/materialise.h"

namespace pg {

/// The uses of a kernel whose value several of its definitions read: elementwise nodes that are made from memory and from
/// row definitions, such as softmax's exp(x - M), which L sums and the output divides. A schedule may keep their rows
/// (docs/schedule.md); without one they are inlined again. `sources_first` are the kernel's uses.
std::unordered_set<int> shared_values(const Sketches&, const KernelSketch&, const std::vector<int>& sources_first);

/// The uses of a kernel whose value is decoded from narrower elements and summed over: the operand of a product that lies
/// packed in memory. As a definition W[n, k] it is unpacked by whoever reads it, or a schedule stages tiles of it.
std::unordered_set<int> decoded_values(const Sketches&, const KernelSketch&, const std::vector<int>& sources_first);

}  // namespace pg
