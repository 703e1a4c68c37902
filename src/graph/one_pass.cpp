#include "src/graph/one_pass.h"

#include <algorithm>
#include <optional>

#include "src/graph/views.h"

namespace pg {

namespace {
/// Σ of views(e / spread(total))·v.
struct Site {
  UOp sum;
  int side = 0;  // of the product that holds the softmax
  UOps views;    // of e, outermost first
  UOp e, scores, maximum, total;
  UOps spread;  // views of the total, as wide as e, outermost first
};

bool reduces(const UOp& node, const char* reducer) {
  return node.is(Op::ReduceAxis) && node.arg_as<ReduceArg>().reducer == reducer && node.arg_as<ReduceArg>().axes.size() == 1;
}
/// Whether what is seen from `of`, at its places `own`, is its own reduction over this axis.
bool is_row(const View& v, const char* reducer, const UOp& of, const UOps& own, size_t axis) {
  if (!reduces(v.node, reducer) || v.node.src(0) != of) return false;
  if (v.node.arg_as<ReduceArg>().axes[0] != static_cast<int64_t>(axis)) return false;
  for (size_t i = 0; i < own.size(); ++i)
    if (v.index[i] != (i == axis ? iconst(0) : own[i])) return false;
  return true;
}

/// s and M of exp(s − M).
std::optional<std::pair<UOp, UOp>> shifted(const UOp& e) {
  if (!e.is(Op::Exp)) return std::nullopt;
  const UOp& d = e.src(0);
  if (d.is(Op::Sub)) return std::pair(d.src(0), d.src(1));
  if (d.is(Op::Add))
    for (int i : {0, 1})
      if (d.src(i).is(Op::Neg)) return std::pair(d.src(1 - i), d.src(i).src(0));
  return std::nullopt;
}

std::optional<Site> site(const TensorGraph& graph, const UOp& sum) {
  if (!reduces(sum, "sum") || !sum.dtype().is_float()) return std::nullopt;
  const UOp& product = sum.src(0);
  if (!product.is(Op::Mul)) return std::nullopt;
  const UOps from = places(product);
  const UOp key = from[static_cast<size_t>(sum.arg_as<ReduceArg>().axes[0])];
  const auto only_user = [&](const UOp& node) {
    const auto it = graph.users.find(node);
    return it != graph.users.end() && it->second.size() == 1 && !graph.kept.contains(node);
  };
  for (int side : {0, 1}) {
    const View softmax = through_views(product.src(side), from);
    const UOp& p = softmax.node;
    // Nobody else reads the quotients.
    if (!p.is(Op::Mul) || !only_user(p) || !std::all_of(softmax.passed.begin(), softmax.passed.end(), only_user)) continue;
    const auto at = std::find(softmax.index.begin(), softmax.index.end(), key);
    if (at == softmax.index.end()) continue;
    const size_t axis = static_cast<size_t>(at - softmax.index.begin());
    if (std::count_if(softmax.index.begin(), softmax.index.end(), [&](const UOp& i) { return among(i, key); }) != 1)
      continue;
    const UOps own = places(p);
    for (int i : {0, 1}) {
      const UOp &e = p.src(i), &r = p.src(1 - i);
      const auto parts = shifted(e);
      const View quotient = through_views(r, own);
      if (!parts || !quotient.node.is(Op::Recip)) continue;
      const View total = through_views(quotient.node.src(0), quotient.index), maximum = through_views(parts->second, own);
      if (!is_row(total, "sum", e, own, axis) || !is_row(maximum, "max", parts->first, own, axis)) continue;
      UOps spread = quotient.passed;
      spread.insert(spread.end(), total.passed.begin(), total.passed.end());
      return Site{sum, side, softmax.passed, e, parts->first, maximum.node, total.node, spread};
    }
  }
  return std::nullopt;
}

UOp below_views(const UOp& node) { return through_views(node, places(node)).node; }

/// The first place along an axis of what is the same all along it.
UOp first_along(const UOp& node, int64_t axis) {
  UOps src{node};
  const UOps extents = extents_of(node);
  for (size_t i = 0; i < extents.size(); ++i) {
    src.push_back(iconst(0));
    src.push_back(static_cast<int64_t>(i) == axis ? iconst(1) : extents[i]);
  }
  return UOp(Op::Shrink, node.dtype(), Arg{}, src);
}
}  // namespace

std::unordered_set<UOp> attention_parts(const TensorGraph& graph) {
  std::unordered_set<UOp> parts;
  for (const UOp& node : graph.nodes)
    if (const auto found = site(graph, node)) parts.insert({found->sum, below_views(found->scores)});
  return parts;
}

OnePass one_pass(const TensorGraph& graph, const UOps& roots, const std::function<bool(const UOp& sum)>& wanted) {
  std::unordered_map<UOp, Site> sites;
  for (const UOp& node : graph.nodes)
    if (auto found = site(graph, node); found && wanted(node)) sites.emplace(node, *found);
  OnePass result{roots, {}};
  if (sites.empty()) return result;

  Rebuilt now;
  for (const UOp& node : graph.nodes) {
    const auto found = sites.find(node);
    if (found == sites.end()) {
      now.set(node, now.with_sources(node));
      continue;
    }
    const Site& s = found->second;
    const UOp other = now.of(s.sum.src(0).src(1 - s.side)), seen = viewed(now.of(s.e), s.views);
    const UOp sum = node.with_src(UOps{s.side == 0 ? alu(Op::Mul, seen, other) : alu(Op::Mul, other, seen)});
    // The reciprocal last: a total with an epilogue could not be rescaled.
    const UOp total = viewed(viewed(now.of(s.total), s.spread), s.views);
    now.set(node, alu(Op::Mul, sum, alu(Op::Recip, first_along(total, node.arg_as<ReduceArg>().axes[0]))));
    for (const UOp& inside : {s.e, below_views(s.scores), s.maximum, s.total}) result.in_place.insert(now.of(inside));
  }
  result.roots = now.of(result.roots);
  return result;
}

}  // namespace pg
