// Parts of a reduction in several items of a grid: kept in workspaces, and merged once all items are done.
#include <algorithm>

#include "uops/online.h"
#include "uops/opener.h"
#include "uops/simplify.h"

namespace pg {

/// The number of an item among those that have parts of the same results.
UOp Opener::part_of(const Nest& n, const Scope& scope) const {
  UOp part = iconst(0);
  for (const UOp& r : n.plan->split) part = part * grid_trips(n, r) + scope.value(r);
  return simplify(part);
}
Opener::Split& Opener::split(const Nest& n) {
  if (split_) return *split_;
  split_.emplace();
  UOp parts = iconst(1);
  for (const UOp& r : n.plan->split) parts = parts * grid_trips(n, r);
  std::string name = "part";
  while (std::find(axis_names_.begin(), axis_names_.end(), name) != axis_names_.end()) name += "_";
  split_->merge_axis = range(name, simplify(parts));
  return *split_;
}

/// The item's part of the reduction, kept until all items are done.
UOp Opener::store_split(Nest& n, Nest::Part& p, const Scope& scope, const UOps& values) {
  UOps& buffers = split(n).buffers;
  for (size_t s = buffers.size(); s < values.size(); ++s) {
    UOps extents{split(n).merge_axis.src(0)};
    for (const UOp& r : p.d->ranges) extents.push_back(r.src(0));
    buffers.push_back(UOp(Op::Param, p.d->bodies[s].dtype(),
                          ParamArg{kWorkspaceSlot + static_cast<int64_t>(s), "parts" + std::to_string(s)}, extents));
  }
  const UOp gate = gate_of_store(n, p, scope);
  UOps stores, at{part_of(n, scope)};
  for (const UOp& position : positions(p, n, scope)) at.push_back(position);
  for (size_t s = 0; s < values.size(); ++s) stores.push_back(store(index(buffers[s], at), values[s], gate));
  return store_all(stores);
}

/// Rescaled definitions over the parts of all items, M = max of M', L = sum of L'·exp(M' - M); the output reads these, and
/// its parts are told in terms of M.
UOps Opener::merged_states(Substitution& map, UOps& bodies) {
  UOps defined;
  const UOp& axis = split_->merge_axis;
  const NestPlan& root = placement_.nest(placement_.root());
  const auto maximum = static_cast<size_t>(online_maximum(definitions_, root.loops[root.online - 1]));
  const auto kept = [&](size_t d) {
    UOps at{axis};
    at.insert(at.end(), definitions_[d].ranges.begin(), definitions_[d].ranges.end());
    return load(index(split_->running.at(d), at));
  };
  const auto define = [&](size_t d, const char* reducer, const UOp& body) {
    UOps src{UOp(Op::Reduce, body.dtype(), ReduceArg{reducer, {}}, {body, axis})};
    src.insert(src.end(), definitions_[d].ranges.begin(), definitions_[d].ranges.end());
    defined.emplace_back(Op::Define, body.dtype(), placement_.nest(d).name, src);
    return defined.back();
  };
  const UOp largest = define(maximum, "max", kept(maximum));
  const UOp scale = alu(Op::Exp, kept(maximum) - load(index(largest, definitions_[maximum].ranges)));
  map.emplace_back(definitions_[maximum].node, largest);
  for (const auto& [d, buffer] : split_->running)
    if (d != maximum) map.emplace_back(definitions_[d].node, define(d, "sum", kept(d) * scale));
  bodies[0] = bodies[0] * scale;
  return defined;
}

/// A second grid, once all items of the first are done: the same reduction over the parts, and the epilogue.
UOp Opener::merge_split() {
  const Definition& d = definitions_.back();
  const NestPlan& plan = placement_.nest(placement_.root());
  const UOp& axis = split_->merge_axis;
  UOps at{axis}, bodies;
  at.insert(at.end(), d.ranges.begin(), d.ranges.end());
  for (const UOp& buffer : split_->buffers) bodies.push_back(load(index(buffer, at)));
  Substitution map;
  UOps kernel = plan.online ? merged_states(map, bodies) : UOps();
  bodies.push_back(axis);
  const UOp reduce = d.reduce.with_src(bodies);
  for (size_t s = 1; s < d.bodies.size(); ++s)
    map.emplace_back(state(d, s), UOp(Op::Project, d.bodies[s].dtype(), static_cast<int64_t>(s), {reduce}));
  map.emplace_back(d.reduce, reduce);
  UOps output{substitute(d.store, map)}, scheduled;
  output.insert(output.end(), d.ranges.begin(), d.ranges.end());
  kernel.emplace_back(Op::Output, dt::kVoid, Arg{}, output);
  scheduled.push_back(UOp(Op::Kernel, dt::kVoid, std::string("merge"), kernel));
  for (const UOps* ranges : {&plan.loops, &plan.locals, &plan.registers}) {
    for (const UOp& r : *ranges)
      if (!placement_.reduces(placement_.root(), r)) scheduled.push_back(r);
    if (ranges == &plan.loops) scheduled.push_back(range(axis_of(axis), axis.src(0)));
  }
  for (const Chain& c : plan.chains.all())
    if (!target_.gpu && c.padded && !placement_.reduces(placement_.root(), c.axis)) {
      const auto padding = divisor(c.extent);
      scheduled.push_back(directive(PadLoop{axis_of(c.axis), padding}));
    }
  const UOp merged = Opener(UOp(Op::Scheduled, dt::kVoid, {}, scheduled), target_).run();
  const bool has_grid =
      !collect(merged, [](const UOp& u) { return u.is(Op::Range) && kind_of(u) == pg::Kind::Grid; }).empty();
  return has_grid ? merged : UOp(Op::For, dt::kVoid, {}, {range("item", iconst(1), 0, pg::Kind::Grid), merged});
}

}  // namespace pg
