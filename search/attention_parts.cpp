#include "search/attention_parts.h"

#include "search/chains.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {
int64_t longest(const UOp& axis) { return bounds(axis.src(0)).hi; }

std::string param_along(const Definition& d, const UOp& axis) {
  for (const UOp& body : d.bodies)
    for (const UOp& u : expression_nodes(body))
      if (u.is(Op::Load) && u.src(0).src(0).is(Op::Param)) {
        const UOps moving = free_ranges(u.src(0));
        if (has_axis(moving, axis)) return u.src(0).src(0).arg_as<ParamArg>().name;
      }
  return "";
}
/// What a product with the keys reads beside them.
std::string param_beside(const Definition& d, const UOp& axis) {
  for (const UOp& body : d.bodies)
    for (const UOp& u : expression_nodes(body))
      if (u.is(Op::Load) && u.src(0).src(0).is(Op::Param)) {
        const UOps moving = free_ranges(u.src(0));
        if (!has_axis(moving, axis) && has_axis(moving, d.reduce_ranges.back()))
          return u.src(0).src(0).arg_as<ParamArg>().name;
      }
  return "";
}
std::string reducer_of(const Definition& d) { return d.reduce ? d.reduce.arg_as<ReduceArg>().reducer : ""; }

}  // namespace

std::optional<AttentionParts> attention_parts(const UOp& kernel) {
  const std::vector<Definition> all = definitions(kernel);
  const Definition& out = all.back();
  if (reducer_of(out) != "sum" || out.reduce_ranges.size() != 1) return std::nullopt;
  const UOp j = out.reduce_ranges[0];
  AttentionParts p{.output = out.store.src(0).src(0).arg_as<ParamArg>().name, .j = axis_of(j), .key_count = longest(j)};
  UOps rows;
  for (const Definition& d : all) {
    if (d.store) continue;
    const std::string name = d.node.arg_as<std::string>();
    const bool over_keys = d.reduce && d.reduce_ranges == UOps{j};
    if (over_keys && reducer_of(d) == "max" && p.maximum.empty()) {
      p.maximum = name;
      rows = d.ranges;
    } else if (over_keys && reducer_of(d) == "sum" && d.ranges == rows) {
      p.total = name;
    } else if (d.reduce && has_axis(d.ranges, j) && p.maximum.empty() && p.scores.empty()) {
      p.scores = name;
      p.keys = param_along(d, j);
      p.queries = param_beside(d, j);
      for (const UOp& r : d.reduce_ranges) p.e.push_back(axis_of(r)), p.depth *= longest(r);
    } else if (!d.reduce && has_axis(d.ranges, j) && !p.maximum.empty() && p.weights.empty()) {
      p.weights = name;
    } else if (!d.reduce) {
      p.in_place.push_back(name);
    } else {
      return std::nullopt;
    }
  }
  p.values = param_along(out, j);
  if (p.maximum.empty() || p.total.empty() || p.weights.empty() || p.values.empty()) return std::nullopt;
  UOp i;
  for (const UOp& r : rows)
    if (!moves(kernel, p.values, axis_of(r)) && (!i || longest(r) > longest(i))) i = r;
  for (const bool of_keys : {true, false})
    for (const UOp& r : rows)
      if (!(r == i) && moves(kernel, p.values, axis_of(r)) == of_keys) p.outer.push_back(r);
  if (i) p.i = axis_of(i), p.rows = longest(i);
  for (const UOp& r : out.ranges) {
    if (has_axis(rows, r)) continue;
    if (!p.d.empty() || !lies_along(kernel, p.values, axis_of(r))) return std::nullopt;
    p.d = axis_of(r), p.columns = longest(r);
  }
  if (p.d.empty() || p.columns < 2) return std::nullopt;
  return p;
}

}  // namespace pg
