#include "src/graph/separate.h"

#include <algorithm>
#include <map>

#include "src/graph/alternatives.h"
#include "src/graph/index_map.h"
#include "src/graph/one_pass.h"
#include "uops/text.h"

namespace pg {

namespace {
constexpr int64_t kManyOutputs = 4 << 10;  // fewer are taken further for little

/// The nodes above a reduction up to its head, in the order of the graph.
UOps epilogue_of(const TensorGraph& graph, const UOps& chain) {
  std::map<int, UOp> found;
  UOps rest{chain.front()};
  while (!rest.empty()) {
    const UOp node = rest.back();
    rest.pop_back();
    if (node == chain.back()) continue;
    for (const UOp& user : graph.users.at(node))
      if (found.emplace(graph.position.at(user), user).second) rest.push_back(user);
  }
  UOps all;
  for (const auto& [position, node] : found) all.push_back(node);
  return all;
}

/// Elementwise, on floats, and no mere change of type.
bool computes(const UOp& node) {
  return info(node.op()).has(op_flag::Elementwise) && !node.is(Op::Cast) && !node.is(Op::Bitcast) &&
         (node.dtype().is_float() || node.src(0).dtype().is_float());
}

bool reorders_anywhere(const UOps& chain) {
  for (size_t at = 1; at < chain.size(); ++at)
    if (reorders(chain, at)) return true;
  return false;
}

/// "Add, Mul": what the epilogue computes, and where it moves results.
std::string ops_text(const UOps& epilogue) {
  std::string s;
  for (const UOp& node : epilogue)
    if (info(node.op()).has(op_flag::Elementwise) || node.is(Op::Permute) || node.is(Op::Flip))
      s += (s.empty() ? "" : ", ") + std::string(info(node.op()).name);
  return s;
}

/// Heads of other reductions that reach the epilogue, place by place: these would take it over once the sum is stored.
UOps heads_read(const TensorGraph& graph, const Epilogues& epilogues, const UOps& chain, const UOps& epilogue) {
  std::unordered_set<UOp> seen(epilogue.begin(), epilogue.end());
  seen.insert(chain.front());
  UOps heads, rest;
  for (const UOp& node : epilogue) rest.insert(rest.end(), node.src().begin(), node.src().end());
  while (!rest.empty()) {
    const UOp node = rest.back();
    rest.pop_back();
    if (!seen.insert(node).second || graph.kept.contains(node)) continue;
    if (epilogues.reduction_of.contains(node))
      heads.push_back(node);
    else if (keeps_index(node))
      rest.insert(rest.end(), node.src().begin(), node.src().end());
    else if (moves_each_once(node))
      rest.push_back(node.src(0));
  }
  return heads;
}
}  // namespace

std::vector<Separation> separations(const TensorGraph& graph) {
  const Epilogues epilogues(graph);
  const std::unordered_set<UOp> attention = attention_parts(graph);
  std::vector<Separation> all;
  for (const UOp& sum : graph.nodes) {
    const auto found = epilogues.chain.find(sum);
    if (found == epilogues.chain.end() || found->second.size() == 1) continue;
    const UOps& chain = found->second;
    const UOp& head = chain.back();
    if (sum.arg_as<ReduceArg>().reducer != "sum" || !sum.src(0).is(Op::Mul)) continue;
    if (at_most(sum, kManyOutputs - 1) || attention.contains(sum) || attention.contains(head)) continue;
    const UOps epilogue = epilogue_of(graph, chain);
    if (std::none_of(epilogue.begin(), epilogue.end(), computes) && !reorders_anywhere(chain)) continue;
    if (streams(sum)) continue;
    Alternative a{.name = "separate", .node = head};  // not the sum: it may be computed by panels in either case
    a.site = a.name + " " + text(head.dtype()) + "[" + shape_text(extents_of(head)) + "] of " +
             shape_text(extents_of(sum.src(0))) + " then " + ops_text(epilogue);
    UOps stored = heads_read(graph, epilogues, chain, epilogue);
    stored.push_back(sum);
    all.push_back({std::move(a), std::move(stored)});
  }
  return all;
}

}  // namespace pg
