// Reductions of opened nests: accumulators, partial results merged in memory, rescaling. Parts of grid items:
// nests_parts.cpp.
#include <algorithm>

#include "uops/online.h"
#include "uops/opener.h"
#include "uops/simplify.h"

namespace pg {

const Reducer& Opener::row(const Definition& d) { return reducer(d.reduce.arg_as<ReduceArg>().reducer); }
UOp Opener::state(const Definition& d, size_t s) {
  return s == 0 ? d.reduce : UOp(Op::Project, d.bodies[s].dtype(), static_cast<int64_t>(s), {d.reduce});
}
Substitution Opener::states(const Definition& d, const UOps& values) {
  Substitution map;
  for (size_t s = 0; s < values.size(); ++s) map.emplace_back(state(d, s), values[s]);
  return map;
}

UOps Opener::identity(const Nest::Part& p) const {
  std::vector<DType> types;
  for (const UOp& b : p.d->bodies) types.push_back(b.dtype());
  UOps neutral = row(*p.d).identity(types);
  // A running maximum starts at the lowest finite number: -inf - (-inf) is none.
  if (p.neutral && row(*p.d).name == std::string_view("max")) neutral[0] = constant(types[0], -3.4028234663852886e38);
  return neutral;
}

/// Register ranges that index an accumulator: those of the outputs, and the widening ones of the reduction.
UOps Opener::accumulator_ranges(const Nest& n) const {
  UOps all;
  for (const UOp& r : n.plan->registers)
    if (!reduces(n, r) || kind_of(r) != pg::Kind::Unroll) all.push_back(r);
  return all;
}

UOp Opener::accumulator(const Nest& n, const Nest::Part& p, size_t s) const {
  UOps indices;
  UOp lane;
  for (const UOp& r : accumulator_ranges(n)) (kind_of(r) == pg::Kind::Vec ? lane = r : indices.emplace_back(r));
  if (indices.empty()) indices.push_back(iconst(0));
  if (lane) indices.push_back(lane);
  UOps src{p.accumulators[s]};
  src.insert(src.end(), indices.begin(), indices.end());
  return UOp(Op::Index, p.accumulators[s].dtype().element(), {}, src);
}

/// Where a crossing nest merges its partial results.
UOp Opener::open_partial(Nest& n, const Scope& scope) {
  UOps declared;
  for (Nest::Part& p : n.parts) {
    p.in_output = n.is_root && !n.plan->online && n.plan->split.empty() && merges_in_output(*p.d);
    if (p.in_output) continue;
    UOps base;
    std::vector<int64_t> extents;
    std::vector<size_t> order;
    for (const UOp& axis : p.d->ranges) {
      const Chain& c = n.plan->chains.of(axis);
      base.push_back(simplify(scope.closed(c).base));
      extents.push_back(round_up(placement_.closed(n.number, axis_of(axis), n.plan->first_reduce), c.register_tile));
      order.push_back(order.size());
    }
    p.partial.clear();
    for (size_t s = 0; s < p.d->bodies.size(); ++s) {
      const std::string name = placement_.nest(p.definition).name + "_partial" + (s ? std::to_string(s) : "");
      p.partial.push_back(
          StagedTile::make(name, number_of(name), p.d->bodies[s].dtype(), base, plain_layout(extents, order), 1));
      declared.push_back(p.partial.back().memory);
    }
  }
  return block(declared);
}

UOp Opener::accumulate(Nest& n, size_t i, Scope scope) {
  scope.accumulating = true;
  UOps out;
  for (Nest::Part& p : n.parts) {
    UOps stores;
    p.accumulators.clear();
    for (size_t s = 0; s < p.d->bodies.size(); ++s) {
      UOps extents;
      int lanes = 1;
      for (const UOp& r : accumulator_ranges(n)) {
        const int64_t trips = *const_int(r.src(0));
        if (kind_of(r) == pg::Kind::Vec)
          lanes = static_cast<int>(trips);
        else
          extents.push_back(iconst(trips));
      }
      if (extents.empty()) extents.push_back(iconst(1));
      // Several nests may be open at once; peeled copies of one loop never are.
      const int64_t number = number_of(placement_.nest(p.definition).name + " accumulator " + std::to_string(s));
      p.accumulators.push_back(UOp(Op::Memory, p.d->bodies[s].dtype().vec(lanes), ParamArg{number, "acc"}, extents));
      out.push_back(p.accumulators.back());
    }
    const UOps neutral = identity(p);
    for (size_t s = 0; s < neutral.size(); ++s)
      stores.push_back(store(accumulator(n, p, s), neutral[s], scope.gate(p.d->ranges)));
    out.push_back(store_all(stores));
  }
  // What a part is merged into comes near while the part is summed.
  if (n.plan->crossing)
    for (const Nest::Part& p : n.parts)
      for (size_t s = 0; s < p.d->bodies.size(); ++s) {
        const UOp gate = scope.gate(p.d->ranges);
        UOps hint{merge_target(n, p, s, scope)};
        if (gate) hint.push_back(gate);
        out.push_back(UOp(Op::Prefetch, dt::kVoid, int64_t{1}, hint));
      }
  out.push_back(open(n, i, scope));
  for (Nest::Part& p : n.parts) {
    if (n.plan->crossing) {
      out.push_back(merge_partial(n, p, scope));
    } else if (n.is_root && !n.plan->split.empty()) {
      const Substitution total = target_.gpu ? merged_threads(n, p, scope, out) : totals(n, p);
      UOps values;
      for (size_t s = 0; s < p.accumulators.size(); ++s) values.push_back(bind(n, state(*p.d, s), scope, total));
      out.push_back(store_split(n, p, scope, values));
    } else {
      const Substitution total = target_.gpu ? merged_threads(n, p, scope, out) : totals(n, p);
      out.push_back(store_result(n, p, bind(n, p.d->value, scope, total), scope));
    }
  }
  return block(out);
}

namespace {
void factors_of(const UOp& product, UOps& factors) {
  if (!product.is(Op::Mul)) return factors.push_back(product);
  for (const UOp& f : product.src()) factors_of(f, factors);
}
UOp multiplied(const UOps& factors) {
  UOp product;
  for (const UOp& f : factors) product = product ? product * f : f;
  return product;
}
}  // namespace

/// A sum's steps on one accumulator that share a factor from memory are summed before it: the scale of a block of quantised
/// weights multiplies once. Not where other results of the block of registers would share the product of each step.
UOp Opener::factored(const Nest& n, const UOp& body, UOps& repeats) const {
  if (repeats.empty() || !body.is(Op::Mul) || !body.dtype().is_float()) return body;
  UOps factors, common, own;
  factors_of(body, factors);
  for (UOp& f : factors) f = simplify(f);
  for (const UOp& f : factors) {
    const bool moves = std::any_of(repeats.begin(), repeats.end(), [&](const UOp& r) { return depends_on(f, r); });
    (moves ? own : common).push_back(f);
  }
  if (common.empty() || own.size() < 2) return body;
  const UOp shared = multiplied(common);
  const bool loads = !collect(shared, [](const UOp& u) { return u.is(Op::Load); }).empty();
  const bool for_each = std::all_of(n.plan->registers.begin(), n.plan->registers.end(), [&](const UOp& r) {
    return reduces(n, r) || kind_of(r) == pg::Kind::Vec || depends_on(shared, r);
  });
  if (!loads || !for_each) return body;
  UOps sum{multiplied(own)};
  sum.insert(sum.end(), repeats.begin(), repeats.end());
  repeats.clear();
  return shared * UOp(Op::Reduce, body.dtype(), ReduceArg{"sum", {}}, sum);
}

UOp Opener::update(Nest& n, Nest::Part& p, const Scope& scope) {
  const UOps neutral = identity(p);
  UOp reduce_gate = scope.gate(p.d->reduce_ranges);
  if (reduce_gate && target_.gpu && adds_nothing_beyond(n, p, scope)) reduce_gate = {};
  UOps old, bodies, stores, repeats;
  for (const UOp& r : n.plan->registers)
    if (kind_of(r) == pg::Kind::Unroll && reduces(n, r)) repeats.push_back(r);
  const bool plain_sum = !target_.gpu && row(*p.d).name == std::string_view("sum") && !reduce_gate && n.parts.size() == 1;
  for (size_t s = 0; s < neutral.size(); ++s) {
    UOp body = bind(n, p.d->bodies[s], scope, {});
    if (plain_sum) body = factored(n, body, repeats);
    // Neutral only after the body was evaluated: exp(0 - m) is not 0.
    if (reduce_gate) body = alu(Op::Where, reduce_gate, body, neutral[s]);
    old.push_back(load(accumulator(n, p, s)));
    bodies.push_back(body);
  }
  const UOps next = row(*p.d).combine(old, bodies);
  UOps axes = p.d->ranges;
  axes.insert(axes.end(), p.d->reduce_ranges.begin(), p.d->reduce_ranges.end());
  for (size_t s = 0; s < next.size(); ++s) stores.push_back(store(accumulator(n, p, s), next[s], scope.gate(axes)));
  // A range that does not occur in the update (a sum of a constant) repeats it all the same.
  UOp statement = store_all(stores);
  for (const UOp& r : repeats) statement = UOp(Op::For, dt::kVoid, {}, {r, statement});
  return statement;
}

/// What the reduction's node and its projections stand for once the loops are done: widened accumulators merged.
Substitution Opener::totals(const Nest& n, const Nest::Part& p) const {
  UOps loads, widened;
  for (size_t s = 0; s < p.accumulators.size(); ++s) loads.push_back(load(accumulator(n, p, s)));
  for (const UOp& r : accumulator_ranges(n))
    if (reduces(n, r)) widened.push_back(r);
  if (widened.empty()) return states(*p.d, loads);
  loads.insert(loads.end(), widened.begin(), widened.end());
  return {{p.d->reduce, p.d->reduce.with_src(loads)}};
}

UOp Opener::merge_target(const Nest& n, const Nest::Part& p, size_t s, const Scope& scope) const {
  return p.in_output ? bind(n, p.d->store.src(0), scope, {}) : p.partial[s].at(positions(p, n, scope));
}

/// A crossing nest: memory = first ? total : memory ⊕ total; after the last part the epilogue.
UOp Opener::merge_partial(Nest& n, Nest::Part& p, const Scope& scope) {
  const Definition& d = *p.d;
  UOp first = constant(dt::kBool, int64_t{1}), last = first, rescales = first;
  for (size_t i = n.plan->first_reduce; i < n.plan->accumulate_at; ++i) {
    const UOp& r = n.plan->loops[i];
    if (!reduces(n, r) || n.plan->trivial[i]) continue;
    const Chain& c = n.plan->chains.of(r);
    const UOp at = scope.value(r), step = iconst(c.step(r));
    UOp end = at * step + step;
    for (size_t j = 0; j < c.ranges.size() && !(c.ranges[j] == r); ++j)
      end = end + scope.value(c.ranges[j]) * iconst(c.steps[j]);
    // The last trip ends at the end of the enclosing tile or of what is walked of the axis.
    UOp is_last = alu(Op::Not, alu(Op::Lt, end, scope.region(c).extent));
    if (const int64_t tile = r.arg_as<RangeArg>().tile)
      is_last = alu(Op::Or, is_last, alu(Op::Eq, (at + iconst(1)) * step, iconst(tile)));
    first = alu(Op::And, first, alu(Op::Eq, at, iconst(0)));
    if (i + 1 != n.plan->online) rescales = alu(Op::And, rescales, alu(Op::Eq, at, iconst(0)));
    last = alu(Op::And, last, is_last);
  }
  const Substitution map = totals(n, p);
  const UOp gate = gate_of_store(n, p, scope);
  UOps fresh, old, merged_stores, fresh_stores, targets;
  for (size_t s = 0; s < p.accumulators.size(); ++s) {
    fresh.push_back(bind(n, state(d, s), scope, map));
    targets.push_back(merge_target(n, p, s, scope));
    old.push_back(p.in_output && gate ? load(targets[s], gate) : load(targets[s]));
  }
  // The running sum is told in terms of the old maximum, until the first part of a step is merged.
  UOps before = old;
  if (n.plan->online) {
    const UOp scale = bind(n, correction(), scope, {});
    before[0] = old[0] * simplify(alu(Op::Where, simplify(rescales), scale, constant(scale.dtype(), 1.0)));
  }
  const UOps merged = row(d).combine(before, fresh);
  for (size_t s = 0; s < fresh.size(); ++s) {
    fresh_stores.push_back(store(targets[s], fresh[s], gate));
    merged_stores.push_back(store(targets[s], merged[s], gate));
  }
  UOps out{when(simplify(first), store_all(fresh_stores)), when(simplify(alu(Op::Not, first)), store_all(merged_stores))};
  if (p.in_output) return block(out);
  const UOp done = n.is_root && !n.plan->split.empty() ? store_split(n, p, scope, old)
                                                       : store_result(n, p, bind(n, d.value, scope, states(d, old)), scope);
  out.push_back(when(simplify(last), done));
  return block(out);
}

// ---- rescaling -------------------------------------------------------------------------------------------------------

/// The scope of a rescaled definition's nest, at the loop that rescales.
Scope Opener::inside(const NestPlan& plan, const Definition& d, const Scope& scope) const {
  Scope inner;
  inner.item = scope.item;
  if (target_.gpu) inner = with_threads(plan, inner);
  const size_t number = static_cast<size_t>(&d - definitions_.data());
  for (const UOp& axis : d.ranges)
    if (placement_.follows(number, axis, plan.attach))
      inner.regions[axis_of(axis)] = region_at(placement_.nest(plan.attach.nest), plan.chains.of(axis), scope);
  return inner;
}

/// Before the loop that rescales: the running states, neutral.
UOp Opener::open_carried(const Scope& scope) {
  UOps out;
  const NestPlan& root = placement_.nest(placement_.root());
  for (size_t d = 0; d < placement_.root(); ++d) {
    const NestPlan& plan = placement_.nest(d);
    if (!plan.carried) continue;
    tiles_[d] = definition_tile(d, scope);
    out.push_back(declared(tiles_[d].memory));
    Nest n;
    n.number = d, n.plan = &plan;
    n.parts.push_back({.definition = d, .d = &definitions_[d], .result = tiles_[d], .neutral = true});
    out.push_back(open(n, 0, enter(n, inside(plan, definitions_[d], scope))));
    if (static_cast<int>(d) == online_maximum(definitions_, root.loops[root.online - 1])) {
      correction_ = definition_tile(d, scope, "_scale");
      out.push_back(declared(correction_->memory));
    }
  }
  return block(out);
}

/// Behind that loop, where items have parts of the axis: the running states of this one.
UOp Opener::keep_carried(const Nest& root, const Scope& scope) {
  UOps out;
  for (size_t d = 0; d < placement_.root(); ++d) {
    const NestPlan& plan = placement_.nest(d);
    if (!plan.carried) continue;
    UOps extents{split(root).merge_axis.src(0)};
    for (const UOp& r : definitions_[d].ranges) extents.push_back(r.src(0));
    const int64_t slot = kWorkspaceSlot + static_cast<int64_t>(definitions_.back().bodies.size() + d);
    const UOp kept(Op::Param, definitions_[d].value.dtype(), ParamArg{slot, "parts_" + plan.name}, extents);
    split(root).running[d] = kept;
    Nest n;
    n.number = d, n.plan = &plan;
    n.parts.push_back({.definition = d,
                       .d = &definitions_[d],
                       .result = tiles_[d],
                       .neutral = true,
                       .kept = kept,
                       .part = part_of(root, scope)});
    out.push_back(open(n, 0, enter(n, inside(plan, definitions_[d], scope))));
  }
  return block(out);
}
UOp Opener::keep_state(const Nest& n, const Nest::Part& p, const Scope& scope) const {
  const UOps at = positions(p, n, scope);
  UOps kept{p.part};
  kept.insert(kept.end(), at.begin(), at.end());
  return store(index(p.kept, kept), load(p.result.at(at)), gate_of_store(n, p, scope));
}

/// exp(M - M') at the axes of the running maximum, as an expression of the kernel's axes.
UOp Opener::correction() const {
  const NestPlan& out = placement_.nest(placement_.root());
  const int m = online_maximum(definitions_, out.loops[out.online - 1]);
  return load(correction_->at(definitions_[static_cast<size_t>(m)].ranges));
}

/// The sums that a thread of a block has of the output so far, told in terms of the new maximum: once a turn, before the
/// turn adds to them.
UOp Opener::rescaled_accumulators(const Nest& n, const Scope& scope) const {
  const Nest::Part& p = n.parts[0];
  const UOp sum = accumulator(n, p, 0);
  return store(sum, load(sum) * bind(n, correction(), scope, {}));
}

/// The state of a rescaled definition after one more part of the axis: M' = max(M, part), or L·exp(M - M') + part.
UOp Opener::store_rescaled(Nest& n, Nest::Part& p, const Scope& scope, const UOp& total) {
  const UOps at = positions(p, n, scope);
  // The old state is read by the thread alone that stores the new one.
  const UOp place = p.result.at(at), gate = gate_of_store(n, p, scope), old = target_.gpu ? load(place, gate) : load(place);
  const NestPlan& out = placement_.nest(placement_.root());
  if (static_cast<int>(p.definition) != online_maximum(definitions_, out.loops[out.online - 1]))
    return store(place, old * load(correction_->at(at)) + total, gate);
  const UOp next = alu(Op::Max, old, total);
  return store_all({store(correction_->at(at), alu(Op::Exp, old - next), gate), store(place, next, gate)});
}

}  // namespace pg
