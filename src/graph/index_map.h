#pragma once
// Movement is index arithmetic: where an element of a Reshape, Permute, Expand, Pad, Shrink or Flip is found in its source.
#include <span>

#include "uops/uop.h"

namespace pg {

/// Extents of a tensor-level node as index expressions.
UOps extents_of(const UOp& node);
inline bool is_one(const UOp& extent) { return const_int(extent) == 1; }

struct SourceIndex {
  UOps index;  // one per axis of the source, simplified
  UOp valid;   // bool: false where Pad gives 0 instead (the index may then lie outside); null: always true
};
/// `index` has one expression per axis of `movement`. Axes of extent 1 are at 0.
SourceIndex source_index(const UOp& movement, std::span<const UOp> index);

/// The way back: where the element of its source at `index` stands in a Reshape, Permute or Flip.
UOps view_index(const UOp& movement, std::span<const UOp> index);

/// The index of a row-major view `from` in the extents `to` of the same elements. Extents that pass one to one, symbolic
/// ones too, stay as they are; only merged and split groups pay with IDiv and Mod.
UOps reshaped_index(std::span<const UOp> from, std::span<const UOp> to, std::span<const UOp> index);

/// Conjunction; null is true.
UOp both(const UOp& a, const UOp& b);

}  // namespace pg
