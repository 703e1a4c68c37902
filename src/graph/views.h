#pragma once
// What a node of a tensor graph shows of another one, through views.
#include "src/graph/index_map.h"

namespace pg {

/// An index into each of the node's axes: a range p<axis> where the extent is not 1, else 0.
UOps places(const UOp& node);
/// Whether an index moves with one of these ranges.
bool among(const UOp& expression, const UOp& range);

struct View {
  UOp node;
  UOps index;   // of `node`, by the places of what it is seen from
  UOps passed;  // the views, outermost first
};
/// Through movement ops other than Pad, and what only stops gradients.
View through_views(UOp node, UOps index);
/// The node seen through these views, outermost first.
UOp viewed(UOp node, const UOps& views);

}  // namespace pg
