#pragma once
// What a node of a tensor graph shows of another one, through views.
#include <unordered_map>
#include <utility>

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

/// A graph that is made anew, sources before users: what its nodes have become so far.
class Rebuilt {
 public:
  /// What a node has become; itself where it is none of the graph's (an extent).
  const UOp& of(const UOp& node) const;
  UOps of(const UOps& nodes) const;
  /// The node with its sources as they are now.
  UOp with_sources(const UOp& node) const;
  void set(const UOp& node, UOp now) { now_.insert_or_assign(node, std::move(now)); }

 private:
  std::unordered_map<UOp, UOp> now_;
};

}  // namespace pg
