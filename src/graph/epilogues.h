#pragma once
// Which elementwise nodes can be the epilogue of which reduction.
#include <unordered_map>
#include <unordered_set>

#include "uops/uop.h"

namespace pg {

/// A ReduceAxis that has something to reduce; one over extents of 1 only is its operand.
bool is_reduction(const UOp& node);
/// Nodes that keep the index: each of their elements is made from the elements of the sources at the same place.
bool keeps_index(const UOp& node);

/// Movement ops that give each element of the source exactly one place.
bool moves_each_once(const UOp& node);

/// Whether a node of a chain is a Reshape that merges axes behind a Permute or Flip: what it shows cannot be walked with
/// strides (attention's heads, permuted and then merged).
bool reorders(const UOps& chain, size_t at);

/// The tensor graph below some roots, sources before users.
struct TensorGraph {
  explicit TensorGraph(const UOps& roots);

  UOps nodes;                             // toposort
  std::unordered_map<UOp, int> position;  // in nodes
  std::unordered_map<UOp, UOps> users;    // distinct, in order
  std::unordered_set<UOp> kept;           // roots, Contiguous, Assign: they own memory whatever is fused
};

/// For each reduction the chain of nodes from it up to its *head*: every element of the head is made from one element of the
/// reduction, nothing outside the chain uses it, and no other reduction has claimed a node of it. The head is where the
/// reduction's kernel ends (or its row definition, see materialise.h): the nodes above the reduction are its epilogue.
/// Nodes between two entries of a chain form a diamond of elementwise nodes (gelu uses its input twice).
struct Epilogues {
  explicit Epilogues(const TensorGraph& graph);

  std::unordered_map<UOp, UOps> chain;        // reduction → {reduction, .., head}
  std::unordered_map<UOp, UOp> reduction_of;  // head → reduction
};

}  // namespace pg
