// Blocks of threads: their number's digits, who stores what, reductions that several threads have parts of.
#include <algorithm>
#include <bit>

#include "uops/barriers.h"
#include "uops/opener.h"
#include "uops/simplify.h"

namespace pg {

namespace {
constexpr int64_t kWarp = 32;
bool is_power_of_two(int64_t n) { return std::has_single_bit(static_cast<uint64_t>(n)); }
UOp digit(const UOp& number, int64_t below, int64_t trips) {
  return simplify(mod(idiv(number, iconst(below)), iconst(trips)));
}
}  // namespace

UOp Opener::declared(const UOp& memory) {
  if (!target_.gpu) return memory;
  if (std::find(shared_.begin(), shared_.end(), memory) == shared_.end()) shared_.push_back(memory);
  return block(UOps{});
}

/// Local ranges are digits of the thread's number, the last one fastest. A nest with fewer threads than the block is walked
/// several times over, alike.
Scope Opener::with_threads(const NestPlan& plan, Scope scope) const {
  scope.thread = thread_;
  int64_t below = 1;
  for (size_t i = plan.locals.size(); i-- > 0;) {
    const int64_t trips = *const_int(plan.locals[i].src(0));
    scope.values.emplace_back(plan.locals[i], digit(thread_, below, trips));
    below *= trips;
  }
  return scope;
}

/// Inside the grid: what stands at any of its loops is once a block.
UOp Opener::open_threads(Nest& n, size_t i, Scope scope) {
  threads_open_ = true;
  UOps body;
  for (size_t depth = 0; depth < i; ++depth) {
    Scope there = outside_[depth];
    there.staged = scope.staged;
    body.push_back(open_attached(n, depth, there));
    scope.staged = there.staged;
  }
  body.push_back(open(n, i, scope));
  UOps rings, states;
  for (const Ring& r : rings_) rings.push_back(r.tile.memory);
  for (const auto& [d, tile] : tiles_)
    if (placement_.nest(d).carried) states.push_back(tile.memory);
  UOps out = shared_;
  out.push_back(UOp(Op::For, dt::kVoid, {}, {thread_, barriers_placed(block(body), shared_, rings, states, thread_)}));
  return block(out);
}

/// Whether this thread is the one that stores its part of the nest's results; null: each is.
UOp Opener::thread_gate(const Nest& n) const {
  if (!target_.gpu) return {};
  const int64_t outputs = placement_.output_threads(n.number), all = Placement::threads_of(*n.plan);
  const int64_t storing = n.plan->merges_lanes ? all : outputs;
  UOp gate = storing < placement_.threads() ? alu(Op::Lt, thread_, iconst(storing)) : UOp();
  if (!n.plan->merges_lanes || outputs == all) return gate;
  const UOp first = alu(Op::Eq, mod(thread_, iconst(all / outputs)), iconst(0));
  return gate ? alu(Op::And, gate, first) : first;
}

/// Whether what a load gives is 0 beyond the end of this axis: it is gated there, or its tile holds zeros.
bool Opener::is_zero_beyond(const Nest& n, const UOp& load, const UOp& axis, const Scope& scope) const {
  const UOp& buffer = load.src(0).src(0);
  const auto index = load.src(0).src().subspan(1);
  if (buffer.is(Op::Define)) {
    const size_t d = number_of_definition(buffer), dim = std::find(index.begin(), index.end(), axis) - index.begin();
    if (definitions_[d].reduce || dim == index.size()) return false;
    // Its threads walk whatever the reader's walk of it.
    const int64_t own = placement_.nest(d).chains.of(axis).register_tile, reader = n.plan->chains.of(axis).register_tile,
                  tile = placement_.tile_extents(d)[dim];
    const auto whole = const_int(axis.src(0));
    return own % reader == 0 || own >= tile || (whole == tile && round_up(tile, own) == tile);
  }
  const auto [tile, user] = staged_load(scope, n.number, load);
  if (!tile) return has_axis(free_ranges(load), axis);
  const UOps& at = user->coordinates;
  const size_t dim = std::find(at.begin(), at.end(), axis) - at.begin();
  return !user->gate && dim < at.size() && dim < buffer.src().size() && buffer.src(dim) == axis.src(0);
}

/// Whether a sum's body is 0 beyond the end of the axes that are gated here.
bool Opener::adds_nothing_beyond(const Nest& n, const Nest::Part& p, const Scope& scope) const {
  if (p.d->bodies.size() != 1 || row(*p.d).name != std::string_view("sum")) return false;
  Substitution zeros;
  for (const UOp& u : expression_nodes(p.d->bodies[0])) {
    if (!u.is(Op::Load)) continue;
    for (const auto& [axis, condition] : scope.gates)
      for (const UOp& r : p.d->reduce_ranges)
        if (axis_of(r) == axis && !is_zero_beyond(n, u, r, scope)) return false;
    zeros.emplace_back(u, constant(u.dtype(), int64_t{0}));
  }
  const UOp beyond = simplify(substitute(p.d->bodies[0], zeros));
  return beyond == constant(beyond.dtype(), int64_t{0}) || beyond == constant(beyond.dtype(), 0.0);
}

/// The states of a reduction once the threads' parts are merged: within a warp by exchange, beyond it in shared memory.
/// Reduce digits are the slowest, threads of one result `apart` from each other, or, as lanes, the fastest.
Substitution Opener::merged_threads(Nest& n, Nest::Part& p, const Scope& scope, UOps& out) {
  const Substitution own = totals(n, p);
  const int64_t threads = Placement::threads_of(*n.plan), outputs = placement_.output_threads(n.number);
  if (threads == outputs) return own;
  UOps merged;
  for (size_t s = 0; s < p.accumulators.size(); ++s) merged.push_back(bind(n, state(*p.d, s), scope, own));
  const bool lanes = n.plan->merges_lanes;
  const int64_t apart = lanes ? 1 : outputs, parts = threads / outputs;
  const auto exchanges = [&](int64_t distance) {
    if (distance >= kWarp) return false;
    if (lanes) return parts % (2 * distance) == 0 && placement_.threads() % (2 * distance) == 0;
    return is_power_of_two(threads) && is_power_of_two(outputs) && distance < threads &&
           placement_.threads() % std::min(threads, kWarp) == 0;
  };
  int64_t group = apart;  // threads that hold no more than one part of each result among them
  for (; exchanges(group); group *= 2) {
    UOps others;
    for (const UOp& m : merged) others.push_back(UOp(Op::LaneXor, m.dtype(), group, {m}));
    merged = row(*p.d).combine(merged, others);
  }
  const int64_t groups = (lanes ? parts : threads) / group;
  if (groups == 1) return states(*p.d, merged);

  UOps registers, extents{iconst(groups)};
  for (const UOp& r : n.plan->registers)
    if (!reduces(n, r)) registers.push_back(r), extents.push_back(r.src(0));
  extents.push_back(iconst(outputs));
  UOp gate = scope.gate(p.d->ranges);
  const auto require = [&](const UOp& condition) { gate = gate ? alu(Op::And, gate, condition) : condition; };
  if (threads < placement_.threads()) require(alu(Op::Lt, thread_, iconst(threads)));
  if (apart < group) require(alu(Op::Lt, mod(thread_, iconst(group)), iconst(apart)));  // one of those that exchanged
  UOps memories, stores, totals;
  const auto place = [&](size_t s, const UOp& of) {
    UOps at{of};
    at.insert(at.end(), registers.begin(), registers.end());
    at.push_back(digit(thread_, lanes ? parts : 1, outputs));
    return index(memories[s], at);
  };
  for (size_t s = 0; s < merged.size(); ++s) {
    const std::string name = n.plan->name + "_parts" + (p.definition == n.number ? "" : std::to_string(p.definition)) +
                             (s ? "_" + std::to_string(s) : "");
    memories.push_back(UOp(Op::Memory, merged[s].dtype().element(), ParamArg{number_of(name), name}, extents));
    declared(memories.back());
    stores.push_back(store(place(s, digit(thread_, group, groups)), merged[s], gate));
  }
  out.push_back(store_all(stores));
  for (int64_t g = 0; g < groups; ++g) {
    UOps parts;
    for (size_t s = 0; s < merged.size(); ++s) parts.push_back(load(place(s, iconst(g))));
    totals = g ? row(*p.d).combine(totals, parts) : parts;
  }
  return states(*p.d, totals);
}

}  // namespace pg
