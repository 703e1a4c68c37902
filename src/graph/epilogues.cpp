#include "src/graph/epilogues.h"

#include <map>

#include "src/graph/index_map.h"

namespace pg {

bool is_reduction(const UOp& node) {
  if (!node.is(Op::ReduceAxis)) return false;
  const UOps extents = extents_of(node.src(0));
  for (int64_t axis : node.arg_as<ReduceArg>().axes)
    if (!is_one(extents[axis])) return true;
  return false;
}

bool keeps_index(const UOp& node) {
  if (node.is(Op::ReduceAxis)) return !is_reduction(node);
  return info(node.op()).has(op_flag::Elementwise) || node.is(Op::Project) || node.is(Op::Contiguous);
}

bool moves_each_once(const UOp& node) { return node.is(Op::Reshape) || node.is(Op::Permute) || node.is(Op::Flip); }

namespace {
bool is_view(const UOp& node) { return info(node.op()).has(op_flag::Movement); }
size_t axes(const UOp& node) {
  size_t n = 0;
  for (const UOp& extent : extents_of(node)) n += !is_one(extent);
  return n;
}
}  // namespace

bool reorders(const UOps& chain, size_t at) {
  if (!chain[at].is(Op::Reshape) || axes(chain[at]) >= axes(chain[at].src(0))) return false;
  for (; is_view(chain[at]); --at)
    if (!chain[at].is(Op::Reshape)) return true;
  return false;
}

namespace {
/// A value, not the shape arithmetic that hangs below the movement ops.
bool is_tensor(const UOp& node, size_t source_number) {
  if (node.is(Op::Buffer) || node.is(Op::Arange)) return false;
  return !info(node.op()).has(op_flag::Movement) || source_number == 0;
}
}  // namespace

TensorGraph::TensorGraph(const UOps& roots) {
  // Not toposort(roots): extents are no part of the graph.
  struct Frame {
    UOp node;
    size_t next = 0;
  };
  for (const UOp& root : roots) {
    std::vector<Frame> stack;
    if (!position.contains(root)) stack.push_back({root});
    while (!stack.empty()) {
      Frame& top = stack.back();
      if (position.contains(top.node)) {
        stack.pop_back();
      } else if (top.next < top.node.src().size()) {
        const size_t i = top.next++;
        if (is_tensor(top.node, i) && !position.contains(top.node.src(i))) stack.push_back({top.node.src(i)});
      } else {
        position.emplace(top.node, static_cast<int>(nodes.size()));
        nodes.push_back(top.node);
        stack.pop_back();
      }
    }
  }
  for (const UOp& node : nodes) {
    if (node.is(Op::Contiguous) || node.is(Op::Assign)) kept.insert(node);
    for (size_t i = 0; i < node.src().size(); ++i) {
      if (!is_tensor(node, i)) continue;
      UOps& list = users[node.src(i)];
      if (list.empty() || list.back() != node) list.push_back(node);
    }
  }
  for (const UOp& root : roots)
    if (!root.is(Op::Buffer)) kept.insert(root);
}

namespace {
class Climber {
 public:
  Climber(const TensorGraph& graph, std::unordered_map<UOp, UOp>& claims) : graph_(graph), claims_(claims) {}

  UOps chain(const UOp& reduction) {
    UOps chain{reduction};
    claims_[reduction] = reduction;
    for (;;) {
      const UOp from = chain.back();
      if (graph_.kept.contains(from)) break;
      UOps inside;
      const UOp next = join(from, inside);
      if (!next) break;
      for (const UOp& node : inside) claims_[node] = reduction;
      claims_[next] = reduction;
      chain.push_back(next);
    }
    // A view is no place to end, the value in front of it is; unless the view cannot be walked with strides: then the
    // reduction writes its results in that order at once (attention's heads, merged again after a permute).
    while (is_view(chain.back()) && !graph_.kept.contains(chain.back()) && !reorders(chain, chain.size() - 1))
      chain.pop_back();
    return chain;
  }

 private:
  const UOps& users(const UOp& node) const {
    static const UOps none;
    auto it = graph_.users.find(node);
    return it == graph_.users.end() ? none : it->second;
  }
  bool free(const UOp& node) const { return !claims_.contains(node); }

  /// The one node through which all uses of `from` pass, null if there is none; the nodes in between are appended to
  /// `inside`.
  UOp join(const UOp& from, UOps& inside) const {
    if (users(from).size() == 1) {
      const UOp& user = users(from)[0];
      const bool written = user.is(Op::Assign) && user.src(1) == from && user.src(0) != from;
      return (keeps_index(user) || moves_each_once(user) || written) && free(user) ? user : UOp();
    }
    // Earliest nodes first: what they use has been seen, so when one node is left, all paths lead through it.
    std::map<int, UOp> frontier;
    for (const UOp& user : users(from)) frontier.emplace(graph_.position.at(user), user);
    constexpr size_t kLargestDiamond = 256;
    while (!frontier.empty() && inside.size() < kLargestDiamond) {
      const UOp node = frontier.begin()->second;
      if (!keeps_index(node) || !free(node)) return {};
      if (frontier.size() == 1) return node;
      if (graph_.kept.contains(node) || users(node).empty()) return {};
      frontier.erase(frontier.begin());
      inside.push_back(node);
      for (const UOp& user : users(node)) frontier.emplace(graph_.position.at(user), user);
    }
    return {};
  }

  const TensorGraph& graph_;
  std::unordered_map<UOp, UOp>& claims_;
};
}  // namespace

Epilogues::Epilogues(const TensorGraph& graph) {
  std::unordered_map<UOp, UOp> claims;
  Climber climber(graph, claims);
  for (const UOp& node : graph.nodes) {
    if (!is_reduction(node)) continue;
    UOps links = climber.chain(node);
    reduction_of.emplace(links.back(), node);
    chain.emplace(node, std::move(links));
  }
}

}  // namespace pg
