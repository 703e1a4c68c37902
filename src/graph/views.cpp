#include "src/graph/views.h"

#include <algorithm>

namespace pg {

namespace {
bool is_view(const UOp& node) { return info(node.op()).has(op_flag::Movement) && !node.is(Op::Pad); }
/// A Bitcast to its own type only stops gradients.
bool is_detached(const UOp& node) { return node.is(Op::Bitcast) && node.dtype() == node.src(0).dtype(); }
}  // namespace

UOps places(const UOp& node) {
  UOps index;
  for (const UOp& extent : extents_of(node))
    index.push_back(is_one(extent) ? iconst(0) : range("p" + std::to_string(index.size()), extent));
  return index;
}
bool among(const UOp& expression, const UOp& range) {
  const UOps nodes = toposort(expression);
  return std::find(nodes.begin(), nodes.end(), range) != nodes.end();
}

View through_views(UOp node, UOps index) {
  View v{std::move(node), std::move(index), {}};
  while (is_view(v.node) || is_detached(v.node)) {
    if (is_view(v.node)) {
      v.passed.push_back(v.node);
      v.index = source_index(v.node, v.index).index;
    }
    v.node = v.node.src(0);
  }
  return v;
}

UOp viewed(UOp node, const UOps& views) {
  for (auto view = views.rbegin(); view != views.rend(); ++view) {
    UOps src(view->src().begin(), view->src().end());
    src[0] = std::move(node);
    node = view->with_src(src);
  }
  return node;
}

const UOp& Rebuilt::of(const UOp& node) const {
  const auto it = now_.find(node);
  return it == now_.end() ? node : it->second;
}
UOps Rebuilt::of(const UOps& nodes) const {
  UOps all;
  for (const UOp& node : nodes) all.push_back(of(node));
  return all;
}
UOp Rebuilt::with_sources(const UOp& node) const {
  UOps src;
  for (const UOp& s : node.src()) src.push_back(of(s));
  return std::equal(src.begin(), src.end(), node.src().begin()) ? node : node.with_src(src);
}

}  // namespace pg
