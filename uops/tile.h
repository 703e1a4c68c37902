#pragma once
// Private memory for a box of elements, with a layout: dimensions whole or split into outer and inner parts, in any order.
#include <string>
#include <vector>

#include "uops/directive.h"
#include "uops/scope.h"
#include "uops/swizzle.h"

namespace pg {

/// A part of a dimension of a tile, outer ones first.
struct TilePart {
  size_t dim = 0;
  LayoutPart::Kind kind = LayoutPart::Kind::Whole;
  int64_t size = 1;   // of the inner part
  int64_t count = 1;  // elements along this part
};
/// The parts that a layout's names stand for. `names` per dimension: what it may be called. Dimensions of extent 1 need no
/// part. Throws nothing: a layout that does not cover the box gives its reason in `fault`.
std::vector<TilePart> resolve_layout(const std::vector<LayoutPart>&, const std::vector<std::vector<std::string>>& names,
                                     const std::vector<int64_t>& extents, std::string& fault);
/// All dimensions whole, in this order; those of extent 1 left out.
std::vector<TilePart> plain_layout(const std::vector<int64_t>& extents, const std::vector<size_t>& order);

/// Elements of a row of the innermost part: whole vectors, so that copies need no masked end.
int64_t padded_row(int64_t count, int64_t lanes);
int64_t tile_elements(const std::vector<TilePart>&, int64_t lanes);

struct StagedTile {
  UOp memory;
  UOps base;  // per dimension: the first coordinate that the tile holds
  std::vector<TilePart> parts;
  UOp slot = {};  // of a ring, which the memory's first extent is; null: there is one tile
  Swizzle swizzle = {};

  /// `lanes`: to which the innermost part is padded.
  static StagedTile make(std::string name, int64_t number, DType, UOps base, std::vector<TilePart>, int64_t lanes);
  /// Shared memory: `slots` tiles, rows of the innermost part longer by `pad` elements.
  static StagedTile make_ring(std::string name, int64_t number, DType, UOps base, std::vector<TilePart>, int64_t slots,
                              int64_t pad);
  UOp at(const UOps& coordinates) const;  // Index of an element
  UOps indices(const UOps& coordinates) const;  // along each part
  /// Addresses exchanged within the tile: its memory has one dimension (and that of the slots).
  StagedTile swizzled(const Swizzle&) const;
  StagedTile in_slot(UOp s) const {
    StagedTile t = *this;
    t.slot = std::move(s);
    return t;
  }
};

}  // namespace pg
