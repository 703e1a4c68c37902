#pragma once
// Which accesses of a buffer share a staged tile, the box that they need, and how it is laid out.
#include <string>
#include <vector>

#include "uops/tile.h"

namespace pg {

class Placement;
struct BufferStage;

/// Accesses whose boxes begin at the same place. A box has a coordinate per dimension of the buffer; where an index is not
/// affine, one per axis that moves the access (as im2col does).
struct StageGroup {
  struct User {
    size_t definition;
    UOp load;          // in the kernel's own axes
    UOps coordinates;  // of the element that it reads
    UOp gate;          // what the tile's zeros do not say; null: nothing
  };
  std::vector<User> users;
  bool by_axes = false;
  bool gated = false;  // some user reads zeros outside of the buffer
  std::vector<int64_t> extents;
  std::vector<TilePart> parts;
};

/// First coordinates of a user's box at a place of the tree.
UOps box_base(const Placement&, const StageGroup::User&, const BufferStage&, const Scope&);

/// `fault`: why its layout does not fit.
std::vector<StageGroup> stage_groups(const Placement&, const BufferStage&, std::string& fault);

}  // namespace pg
