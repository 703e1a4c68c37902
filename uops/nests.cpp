// Pass 1: loops are opened, tiles are filled and reductions become accumulators (docs/schedule.md, "What the loops become").
#include <algorithm>
#include <unordered_set>

#include "uops/online.h"
#include "uops/opener.h"
#include "uops/passes.h"
#include "uops/simplify.h"

namespace pg {

UOp store_all(const UOps& stores) { return stores.size() == 1 ? stores[0] : UOp(Op::StoreAll, dt::kVoid, {}, stores); }
UOp when(const UOp& condition, const UOp& body) {
  if (!body) return {};
  if (const auto c = const_int(condition)) return *c ? body : UOp();
  return UOp(Op::If, dt::kVoid, {}, {condition, body});
}

Opener::Opener(const UOp& scheduled, const Target& target)
    : target_(target), placement_(scheduled, target.gpu), definitions_(placement_.definitions()) {
  if (!placement_.fault().empty()) throw InternalError("Scheduled: " + placement_.fault());
  for (size_t d = 0; d < definitions_.size(); ++d)
    for (const Chain& c : placement_.nest(d).chains.all()) axis_names_.push_back(axis_of(c.axis));
  if (!target_.gpu) return;
  std::string name = "thread";
  while (std::find(axis_names_.begin(), axis_names_.end(), name) != axis_names_.end()) name += "_";
  const int64_t blocks = placement_.blocks();
  thread_ = range(name, iconst(placement_.threads()), blocks > 1 ? blocks : 0, pg::Kind::Local);
}

UOp Opener::run() {
  Nest root;
  root.number = placement_.root();
  root.plan = &placement_.nest(root.number);
  root.is_root = true;
  root.parts.push_back({.definition = root.number, .d = &definitions_.back()});
  Scope outermost;
  if (target_.gpu) outermost = with_threads(*root.plan, {});
  const Scope scope = enter(root, outermost);
  const UOp body = open(root, 0, scope);
  return split_ ? block(UOps{body, merge_split()}) : body;
}

// ---- loops -----------------------------------------------------------------------------------------------------------

/// Loops of one trip need no For: they are open from the start, with their tails decided.
Scope Opener::enter(Nest& n, Scope scope) const {
  for (size_t i = 0; i < n.plan->loops.size(); ++i)
    if (n.plan->trivial[i]) scope.values.emplace_back(n.plan->loops[i], iconst(0));
  for (const Chain& c : n.plan->chains.all()) {
    if (!scope.is_open(c.ranges[c.innermost_loop])) continue;
    bool all_open = true;
    for (int i = 0; i <= c.innermost_loop; ++i) all_open &= scope.is_open(c.ranges[i]);
    if (!all_open) continue;
    if (c.padded)
      scope = with_position_gate(c, scope);
    else if (is_ragged(scope, c, c.ranges[c.innermost_loop]))
      scope = tail(c, scope, scope.region(c).extent);
  }
  return scope;
}

UOp Opener::open(Nest& n, size_t i, Scope scope) {
  UOps out;
  const NestPlan& plan = *n.plan;
  if (target_.gpu && n.is_root && !threads_open_) {
    const bool in_grid = i < plan.loops.size() && kind_of(plan.loops[i]) == pg::Kind::Grid;
    if (!in_grid) return open_threads(n, i, scope);
    outside_.push_back(scope);
    return open_grid(n, i, scope);
  }
  if (!(scope.accumulating && i == plan.accumulate_at)) out.push_back(open_attached(n, i, scope));
  if (target_.gpu && plan.online && i == plan.online) out.push_back(rescaled_accumulators(n, scope));
  if (n.reduces() && plan.crossing && i == plan.first_reduce && !scope.accumulating) out.push_back(open_partial(n, scope));
  if (n.reduces() && i == plan.accumulate_at && !scope.accumulating) {
    out.push_back(accumulate(n, i, scope));
    return block(out);
  }
  if (i == plan.loops.size()) {
    out.push_back(open_body(n, scope));
    return block(out);
  }
  if (plan.trivial[i]) {
    out.push_back(open(n, i + 1, scope));
  } else if (n.parts[0].neutral && reduces(n, plan.loops[i])) {
    out.push_back(open(n, i + 1, scope));
  } else {
    if (plan.online == i + 1) out.push_back(open_carried(scope));
    out.push_back(n.is_root && kind_of(plan.loops[i]) == pg::Kind::Grid ? open_grid(n, i, scope) : open_loop(n, i, scope));
    if (plan.online == i + 1 && !plan.split.empty()) out.push_back(keep_carried(n, scope));
  }
  return block(out);
}

UOp Opener::open_body(Nest& n, const Scope& scope) {
  UOps out;
  for (const Nest::Part& p : n.parts) out.push_back(hints(n, p, scope));
  for (Nest::Part& p : n.parts)
    if (n.reduces())
      out.push_back(update(n, p, scope));
    else if (p.kept)
      out.push_back(keep_state(n, p, scope));
    else if (p.neutral)
      out.push_back(store(p.result.at(positions(p, n, scope)), identity(p)[0], gate_of_store(n, p, scope)));
    else
      out.push_back(store_result(n, p, bind(n, p.d->value, scope, {}), scope));
  return block(out);
}

std::string Opener::loop_name(const Nest& n, const UOp& range) const {
  if (n.is_root) return axis_of(range);
  // A definition's loops stand inside the output's: their ranges must not be the same nodes.
  std::string name = n.plan->name + "_" + axis_of(range);
  while (std::find(axis_names_.begin(), axis_names_.end(), name) != axis_names_.end()) name += "_";
  return name;
}

/// Whether the axis ends within a register tile of this loop, its innermost one.
bool Opener::is_ragged(const Scope& scope, const Chain& c, const UOp& range) const {
  if (!(c.ranges[c.innermost_loop] == range) || c.register_tile == 1 || c.padded) return false;
  return !divides(c.register_tile, scope.region(c).extent);
}
/// The register tile holds `count` elements: offsets beyond are gated off.
Scope Opener::tail(const Chain& c, Scope scope, const UOp& count) const {
  UOp offset = iconst(0);
  for (size_t i = static_cast<size_t>(c.innermost_loop) + 1; i < c.ranges.size(); ++i)
    offset = offset + c.ranges[i] * iconst(c.steps[i]);
  scope.gates.emplace_back(axis_of(c.axis), alu(Op::Lt, offset, count));
  scope.counts[axis_of(c.axis)] = count;
  return scope;
}
/// A padded axis runs over its end, and over that of the part of it that is walked where register tiles do not divide this.
Scope Opener::with_position_gate(const Chain& c, Scope scope) const {
  const Region region = scope.region(c);
  UOp end = c.axis.src(0);
  if (!divides(c.register_tile, region.extent)) end = alu(Op::Min, end, region.base + region.extent);
  const UOp inside = simplify(alu(Op::Lt, scope.position(c), end));
  if (!(const_int(inside) == 1)) scope.gates.emplace_back(axis_of(c.axis), inside);
  return scope;
}

UOp Opener::open_loop(Nest& n, size_t i, const Scope& scope) {
  const UOp& r = n.plan->loops[i];
  const auto& arg = r.arg_as<RangeArg>();
  const Chain& c = n.plan->chains.of(r);
  const int64_t step = c.step(r);
  const Region region = scope.region(c);
  // Only the outermost range of an axis is ragged: inner ones are clipped where their tile does not divide the extent.
  UOp size = region.extent;
  if (arg.tile && target_.gpu)
    size = iconst(arg.tile);  // threads turn alike: positions decide
  else if (arg.tile)
    size = divides(arg.tile, region.extent) ? iconst(arg.tile)
                                            : simplify(alu(Op::Min, iconst(arg.tile), region.extent - scope.walked(c)));
  const bool ragged = is_ragged(scope, c, r), innermost = c.ranges[c.innermost_loop] == r;
  const UOp trips = simplify(ragged ? idiv(size, iconst(step)) : ceildiv(size, step));
  UOps out;
  if (const auto t = const_int(trips); !(t == 0)) {
    const UOp loop = range(loop_name(n, r), trips, arg.tile, pg::Kind::Loop);
    Scope inner = scope.with(r, t == 1 ? iconst(0) : loop);
    if (c.padded && innermost) inner = with_position_gate(c, inner);
    if (!(t == 1)) turning_[{n.number, i + 1}] = loop;
    const UOp body = open(n, i + 1, inner);
    turning_.erase({n.number, i + 1});
    out.push_back(t == 1 ? body : target_.gpu ? turned(n, i, loop, body) : UOp(Op::For, dt::kVoid, {}, {loop, body}));
  }
  if (ragged) {
    const UOp rest = simplify(alu(Op::Lt, trips * iconst(step), size));
    // Tiles are aligned to the register tile, so what is left is known wherever the axis is.
    const int64_t walked = n.is_root ? 0 : placement_.closed_at(n.number, c.axis, n.plan->attach);
    const bool aligned =
        divides(c.register_tile, region.base) && (walked % c.register_tile == 0 || walked == bounds(c.extent).hi);
    const UOp count = simplify(aligned ? mod(c.extent, iconst(c.register_tile)) : size - trips * iconst(step));
    const UOp body = open(n, i + 1, tail(c, scope.with(r, trips), count));
    out.push_back(when(rest, body));
  }
  return block(out);
}

UOp Opener::grid_trips(const Nest& n, const UOp& r) const {
  const Chain& c = n.plan->chains.of(r);
  return simplify(ceildiv(c.extent, c.step(r)));
}

/// The grid's ranges are digits of one item number, the last named fastest.
UOp Opener::open_grid(Nest& n, size_t i, Scope scope) {
  const UOps& loops = n.plan->loops;
  UOp item = scope.item;
  UOp loop;
  if (!item) {
    UOp items = iconst(1);
    for (const UOp& r : loops)
      if (kind_of(r) == pg::Kind::Grid) items = items * grid_trips(n, r);
    loop = item = scope.item = range("item", simplify(items), 0, pg::Kind::Grid);
  }
  turning_[{n.number, i + 1}] = item;
  const UOp& r = loops[i];
  UOp inner = iconst(1);
  bool outermost = true;
  for (size_t j = 0; j < loops.size() && kind_of(loops[j]) == pg::Kind::Grid; ++j) {
    if (j > i) inner = inner * grid_trips(n, loops[j]);
    if (j < i) outermost = false;
  }
  const UOp quotient = idiv(item, inner);
  const UOp digit = simplify(outermost ? quotient : mod(quotient, grid_trips(n, r)));
  const Chain& c = n.plan->chains.of(r);
  UOps out;
  if (!is_ragged(scope, c, r)) {
    Scope next = scope.with(r, digit);
    if (c.padded && c.ranges[c.innermost_loop] == r) next = with_position_gate(c, next);
    out.push_back(open(n, i + 1, next));
  } else {
    const UOp full = simplify(alu(Op::Lt, digit, idiv(c.extent, iconst(c.step(r)))));
    if (!(const_int(full) == 0)) out.push_back(UOp(Op::If, dt::kVoid, {}, {full, open(n, i + 1, scope.with(r, digit))}));
    const UOp count = simplify(mod(c.extent, iconst(c.register_tile)));
    out.push_back(when(simplify(alu(Op::Not, full)), open(n, i + 1, tail(c, scope.with(r, digit), count))));
  }
  const UOp body = block(out);
  return loop ? UOp(Op::For, dt::kVoid, {}, {loop, body}) : body;
}

// ---- what stands at a loop -------------------------------------------------------------------------------------------

/// Copies first, then definitions in the kernel's order.
UOp Opener::open_attached(Nest& n, size_t i, Scope& scope) {
  const Attach here{n.number, i};
  UOps out;
  if (!n.parts[0].neutral) {
    for (size_t s = 0; s < placement_.buffer_stages().size(); ++s)
      if (placement_.buffer_stages()[s].attach == here) out.push_back(open_stage(placement_.buffer_stages()[s], scope, s));
    for (const std::vector<size_t>& group : placement_.groups())
      if (!group.empty() && group[0] != placement_.root() && placement_.nest(group[0]).attach == here)
        out.push_back(open_definition(group, scope));
  }
  return block(out);
}

StagedTile Opener::definition_tile(size_t d, const Scope& scope, const char* suffix) {
  const NestPlan& plan = placement_.nest(d);
  const NestPlan& place = placement_.nest(plan.attach.nest);
  UOps base;
  for (const UOp& axis : definitions_[d].ranges)
    base.push_back(placement_.follows(d, axis, plan.attach) ? simplify(scope.closed(place.chains.of(axis)).base)
                                                            : iconst(0));
  const DType t = definitions_[d].value.dtype();
  std::string fault;  // there is none: placement would have refused
  return StagedTile::make(plan.name + suffix, number_of(plan.name + suffix), t, base, placement_.tile_parts(d, fault), 1);
}

/// The part of an axis that a nest walks at a place of another one. What lies beyond the end of the axis is not computed.
Region Opener::region_at(const NestPlan& place, const Chain& c, const Scope& scope) const {
  const Chain& outer = place.chains.of(c.axis);
  const Region r = scope.closed(outer);
  const UOp base = simplify(r.base);
  // A part of a whole number of them, or all of it in one turn of the threads.
  if (const auto part = const_int(r.extent); part && target_.gpu)
    if (c.register_tile >= *part || (divides(*part, base) && divides(*part, c.extent))) return {base, r.extent};
  if (const_int(base) == 0 && r.extent == c.extent) return {base, r.extent};
  bool in_registers = true;  // its loops are open: a whole register tile is left, or its tail
  for (const UOp& range : outer.ranges) in_registers &= is_register(kind_of(range)) || scope.is_open(range);
  const auto count = scope.counts.find(axis_of(c.axis));
  if (in_registers && !c.padded) return {base, count == scope.counts.end() ? r.extent : count->second};
  return {base, simplify(alu(Op::Min, r.extent, c.extent - base))};
}

UOp Opener::open_definition(const std::vector<size_t>& group, const Scope& scope) {
  Nest n;
  n.number = group[0];
  n.plan = &placement_.nest(n.number);
  const NestPlan& place = placement_.nest(n.plan->attach.nest);
  Scope inner;
  inner.staged = scope.staged;
  inner.item = scope.item;
  if (target_.gpu) inner = with_threads(*n.plan, inner);
  for (const Chain& c : n.plan->chains.all()) {
    if (!placement_.follows(n.number, c.axis, n.plan->attach)) continue;
    inner.regions[axis_of(c.axis)] = region_at(place, c, scope);
  }
  UOps out;
  for (size_t d : group) {
    Nest::Part p{.definition = d, .d = &definitions_[d]};
    if (!n.plan->carried) {
      tiles_[d] = definition_tile(d, scope);
      out.push_back(declared(tiles_[d].memory));
    }
    p.result = tiles_.at(d);
    n.parts.push_back(std::move(p));
  }
  out.push_back(open(n, 0, enter(n, inner)));
  return block(out);
}

int64_t Opener::number_of(const std::string& what) {
  return numbers_.try_emplace(what, static_cast<int64_t>(numbers_.size())).first->second;
}

// ---- expressions -----------------------------------------------------------------------------------------------------

UOps Opener::positions(const Nest::Part& p, const Nest& n, const Scope& scope) const {
  UOps at;
  for (const UOp& axis : p.d->ranges) at.push_back(scope.position(n.plan->chains.of(axis)));
  return at;
}

/// Where a part's results are: within the tails, in the thread that stores them.
UOp Opener::gate_of_store(const Nest& n, const Nest::Part& p, const Scope& scope) const {
  const UOp gate = scope.gate(p.d->ranges), own = thread_gate(n);
  return gate && own ? alu(Op::And, gate, own) : gate ? gate : own;
}

UOp Opener::store_result(Nest& n, Nest::Part& p, const UOp& value, const Scope& scope) {
  const UOp gate = gate_of_store(n, p, scope);
  if (!p.d->store) {
    if (n.plan->carried && n.reduces()) return store_rescaled(n, p, scope, value);
    const UOp place = p.result.at(positions(p, n, scope)), beyond = scope.gate(p.d->ranges);
    // A tile of a block is 0 beyond the end of an axis, as one of a buffer is: sums over it need no mask.
    if (target_.gpu && !p.d->reduce && beyond)
      return store(place, alu(Op::Where, beyond, value, constant(value.dtype(), int64_t{0})), thread_gate(n));
    return store(place, value, gate);
  }
  UOp all = p.d->store.src().size() == 3 ? bind(n, p.d->store.src(2), scope, {}) : UOp();
  if (gate) all = all ? alu(Op::And, all, gate) : gate;
  return store(bind(n, p.d->store.src(0), scope, {}), value, all);
}

/// An expression of the kernel at this point: axes by their ranges, definitions and staged buffers by their tiles. Global
/// loads touch nothing outside the tail.
UOp Opener::bind(const Nest& n, const UOp& expression, const Scope& scope, Substitution map) const {
  for (const Chain& c : n.plan->chains.all()) map.emplace_back(c.axis, scope.position(c));
  std::unordered_set<const void*> own;  // not what stands inside the definitions that it reads
  for (const UOp& u : expression_nodes(expression)) own.insert(u.id());
  for (const UOp& u : toposort(expression)) {  // sources first: what an index reads is bound before it
    if (!u.is(Op::Load) || !own.contains(u.id())) continue;
    const UOp& buffer = u.src(0).src(0);
    if (buffer.is(Op::Define)) map.emplace_back(u, load(tiles_.at(number_of_definition(buffer)).at(bound_indices(u, map))));
    if (!buffer.is(Op::Param)) continue;
    UOp gate = u.src().size() == 2 ? u.src(1) : UOp();
    if (const auto [tile, user] = staged_load(scope, n.number, u); tile) {
      UOps at;
      for (const UOp& c : user->coordinates) at.push_back(substitute(c, map));
      map.emplace_back(u, load(tile->at(at), user->gate ? substitute(user->gate, map) : UOp()));
    } else if (UOp tail = gate_of_load(n, u, scope)) {
      // Ranges of its own gate count too: padding may tell lanes apart that the index does not.
      if (gate) tail = alu(Op::And, substitute(gate, map), tail);
      map.emplace_back(u, load(index(buffer, bound_indices(u, map)), tail));
    }
  }
  return substitute(expression, map);
}

/// Where a load of a buffer must not look: beyond its axes' ends; at the output's own element, where another thread stores it.
UOp Opener::gate_of_load(const Nest& n, const UOp& load, const Scope& scope) const {
  UOp gate = scope.gate(free_ranges(load));
  const UOp& output = definitions_.back().store.src(0).src(0);
  if (const UOp own = thread_gate(n); own && n.is_root && load.src(0).src(0) == output)
    gate = gate ? alu(Op::And, gate, own) : own;
  return gate;
}

UOps Opener::bound_indices(const UOp& load, const Substitution& map) {
  UOps at;
  for (const UOp& i : load.src(0).src().subspan(1)) at.push_back(substitute(i, map));
  return at;
}
size_t Opener::number_of_definition(const UOp& define) const {
  for (size_t d = 0; d < definitions_.size(); ++d)
    if (definitions_[d].node == define) return d;
  throw InternalError("a definition of another kernel is read");
}
std::pair<const StagedTile*, const StageGroup::User*> Opener::staged_load(const Scope& scope, size_t definition,
                                                                          const UOp& load) {
  for (size_t s = scope.staged.size(); s-- > 0;)
    for (const StageGroup::User& user : scope.staged[s]->group.users)
      if (user.definition == definition && user.load == load) return {&scope.staged[s]->tile, &user};
  return {nullptr, nullptr};
}

UOp nests_opened(const UOp& scheduled, const Target& target) { return Opener(scheduled, target).run(); }

}  // namespace pg
