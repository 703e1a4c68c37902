#include "src/graph/costs.h"

#include <algorithm>

namespace pg {

namespace {
bool is_arithmetic(Op op) {
  switch (op) {
    case Op::Neg:
    case Op::Cast:
    case Op::Bitcast:
    case Op::Where:
    case Op::Not:
    case Op::Lt:
    case Op::Eq:
    case Op::Ne:
    case Op::And:
    case Op::Or: return false;
    default: return info(op).has(op_flag::Elementwise);
  }
}
bool is_transcendental(Op op) { return info(op).has(op_flag::Float) && op != Op::Div && op != Op::Fma; }
}  // namespace

Costs::Costs(const TensorGraph& graph, const Epilogues& epilogues, const std::unordered_set<UOp>& stored) {
  for (const UOp& node : graph.nodes) {
    Cost& c = costs_[node];
    c.widest = node.dtype().bytes();
    c.loads = node.is(Op::Buffer) || graph.kept.contains(node) || stored.contains(node);
    // A head is materialised or a row definition: nothing below it is computed again without it.
    c.reduces = !c.loads && epilogues.reduction_of.contains(node);
    if (c.loads || c.reduces) {
      c.loads = true;
      continue;
    }
    c.widest = 0;
    for (const UOp& s : node.src()) {
      const auto it = costs_.find(s);
      if (it == costs_.end()) continue;  // an extent
      c.loads |= it->second.loads;
      c.arithmetic |= it->second.arithmetic;
      c.reduces |= it->second.reduces;
      c.transcends |= it->second.transcends;
      c.widest = std::max(c.widest, it->second.widest);
    }
    c.transcends |= is_transcendental(node.op());
    c.arithmetic |= (is_arithmetic(node.op()) && c.loads) || is_transcendental(node.op());
  }
  // Users first: an integer decodes where all that it is for do.
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    Cost& c = costs_.at(*node);
    const int bytes = node->dtype().bytes();
    if (c.reduces || c.transcends || c.widest > bytes) continue;
    if (node->dtype().is_float()) {
      c.decodes = c.widest < bytes;
    } else if (const auto users = graph.users.find(*node); users != graph.users.end()) {
      c.decodes =
          std::all_of(users->second.begin(), users->second.end(), [&](const UOp& u) { return costs_.at(u).decodes; });
    }
  }
}

}  // namespace pg
