#pragma once
// Attention that never has all of its scores at once: the sum over keys of softmax(s)·v as one kernel.
#include <functional>
#include <unordered_set>

#include "src/graph/epilogues.h"

namespace pg {

/// What a single pass computes inside: the sums over keys of softmax(s)·v, and the scores s, seen through views.
std::unordered_set<UOp> attention_parts(const TensorGraph& graph);

/// A graph in which the division by the softmax's sum stands behind the sum over keys,
///     Σ_j (e_j / L)·v_j  →  (Σ_j e_j·v_j) / L     with e = exp(s − M), M = max_j s, L = Σ_j e,
/// so that a schedule may rescale (uops/online.h), and what then has to be computed inside its kernel: s, M, e and L.
struct OnePass {
  UOps roots;  // parallel to the given ones
  std::unordered_set<UOp> in_place;
};
/// `wanted` is asked for each sum over keys (a ReduceAxis of `graph`) that nobody else's use of the softmax forbids.
OnePass one_pass(const TensorGraph& graph, const UOps& roots, const std::function<bool(const UOp& sum)>& wanted);

}  // namespace pg
