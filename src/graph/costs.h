#pragma once
// What it costs to compute a node of a tensor graph again.
#include <unordered_map>
#include <unordered_set>

#include "src/graph/epilogues.h"

namespace pg {

/// Of the nodes that are certainly inlined with a node.
struct Cost {
  bool loads = false;       // reads memory
  bool arithmetic = false;  // computes something from what it reads
  bool reduces = false;     // a reduction may be inlined below
  bool transcends = false;  // .. by an exp or the like
  int widest = 0;           // bytes of the widest elements that it reads
  /// A float unpacked from narrower elements, or an integer on the way there: to read the result from memory would take
  /// longer than to do that again, and a kernel may keep a tile of it (definitions.h).
  bool decodes = false;
};

class Costs {
 public:
  /// `stored`: nodes that will be materialised, beside those that the graph keeps.
  Costs(const TensorGraph&, const Epilogues&, const std::unordered_set<UOp>& stored);
  const Cost& of(const UOp& node) const { return costs_.at(node); }

 private:
  std::unordered_map<UOp, Cost> costs_;
};

}  // namespace pg
