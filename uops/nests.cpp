// Pass 1: loops are opened and reductions become accumulators (docs/schedule.md, "Emission").
#include <algorithm>
#include <map>

#include "uops/kernel.h"
#include "uops/passes.h"
#include "uops/reducers.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

// ---- opening ---------------------------------------------------------------------------------------------------------

namespace {

class Opener {
 public:
  explicit Opener(const UOp& scheduled)
      : chains_(scheduled), definitions_(definitions(elementwise_inlined(scheduled.src(0)))) {
    for (const UOp& r : scheduled.src().subspan(1)) order_.push_back(r);
    place_definitions();
  }
  UOp run() {
    Nest root = nest(definitions_.back(), {});
    root.is_root = true;
    return open(root, 0, {});
  }

 private:
  struct Nest {
    const Definition* d;
    UOps loops, registers;     // of this nest, in schedule order
    size_t first_reduce = 0;   // p: position of the first reduce loop
    size_t accumulate_at = 0;  // where the accumulators live
    bool crossing = false;     // an output loop stands inside a reduce loop: results are merged in memory
    bool is_root = false;
    PrivateTile result;                // a Define's memory
    std::vector<PrivateTile> partial;  // crossing: per state, where partial results are merged
    bool in_output = false;            // crossing: the output itself is the memory
    UOps accumulators;                 // Memory per state, while inside the accumulation
  };

  bool reduces(const Nest& n, const UOp& range) const {
    return std::any_of(n.d->reduce_ranges.begin(), n.d->reduce_ranges.end(),
                       [&](const UOp& a) { return axis_of(a) == axis_of(range); });
  }
  bool outputs(const Definition& d, const UOp& range) const {
    return std::any_of(d.ranges.begin(), d.ranges.end(), [&](const UOp& a) { return axis_of(a) == axis_of(range); });
  }

  /// A definition stands at the innermost root loop all of whose enclosing ranges index it, and not inside a reader's place.
  void place_definitions() {
    const Nest root = nest(definitions_.back(), {});
    place_.assign(definitions_.size(), root.loops.size());
    for (size_t d = definitions_.size() - 1; d-- > 0;) {
      size_t depth = 0;
      while (depth < root.loops.size() && outputs(definitions_[d], root.loops[depth])) ++depth;
      for (size_t reader = d + 1; reader < definitions_.size(); ++reader)
        for (const UOp& read : definition_reads(definitions_[reader].value)) {
          const UOp& at = read.src(0);
          if (!(at.src(0) == definitions_[d].node)) continue;
          depth = std::min(depth, place_[reader]);
          for (size_t i = 1; i < at.src().size(); ++i)
            if (!(at.src(i) == at.src(0).src(i))) depth = 0;  // read elsewhere than at its own axes: the whole of it
        }
      place_[d] = depth;
    }
  }

  Nest nest(const Definition& d, const Scope& scope) const {
    Nest n;
    n.d = &d;
    for (const UOp& r : order_) {
      const bool reduce = reduces(n, r);
      if (scope.is_open(r) || (!reduce && !outputs(d, r))) continue;
      (is_register(kind_of(r)) ? n.registers : n.loops).push_back(r);
    }
    n.first_reduce = n.loops.size();
    for (size_t i = n.loops.size(); i-- > 0;)
      if (reduces(n, n.loops[i])) n.first_reduce = i;
    n.accumulate_at = n.first_reduce;
    for (size_t i = n.first_reduce; i < n.loops.size(); ++i)
      if (!reduces(n, n.loops[i])) n.crossing = true, n.accumulate_at = i + 1;
    return n;
  }

  // -- loops --

  UOp open(Nest& n, size_t i, Scope scope) {
    UOps out;
    if (n.is_root)
      for (size_t d = 0; d + 1 < definitions_.size(); ++d)
        if (place_[d] == i && !(scope.accumulating && i == n.accumulate_at))
          out.push_back(open_definition(definitions_[d], scope));
    if (n.crossing && i == n.first_reduce && !scope.accumulating) out.push_back(open_result(n, scope));
    if (n.d->reduce && i == n.accumulate_at && !scope.accumulating) {
      out.push_back(accumulate(n, i, scope));
      return block(out);
    }
    if (i == n.loops.size())
      out.push_back(n.d->reduce ? update(n, scope) : store_result(n, bind(n.d->value, scope, {}), scope));
    else
      out.push_back(n.is_root && kind_of(n.loops[i]) == Kind::Grid ? open_grid(n, i, scope) : open_loop(n, i, scope));
    return block(out);
  }

  UOp open_loop(Nest& n, size_t i, const Scope& scope) {
    const UOp& r = n.loops[i];
    const auto& arg = r.arg_as<RangeArg>();
    const Chain& c = chains_.of(r);
    const int64_t step = c.step(r);
    // Only the outermost range of an axis is ragged: inner ones are clipped where their tile does not divide the extent.
    UOp size = c.extent;
    if (arg.tile)
      size = divides(arg.tile, c.extent) ? iconst(arg.tile) : alu(Op::Min, iconst(arg.tile), c.extent - scope.base(c));
    const bool ragged = is_ragged(c, r);
    const UOp trips = simplify(ragged ? idiv(size, iconst(step)) : ceildiv(size, step));
    UOps out;
    if (const auto t = const_int(trips); !(t == 0)) {
      const UOp loop = range(arg.axis, trips, arg.tile, Kind::Loop);
      const UOp body = open(n, i + 1, scope.with(r, t == 1 ? iconst(0) : loop));
      out.push_back(t == 1 ? body : UOp(Op::For, dt::kVoid, {}, {loop, body}));
    }
    if (ragged) {
      const UOp rest = simplify(alu(Op::Lt, trips * iconst(step), size));
      const UOp body = open(n, i + 1, tail(c, scope.with(r, trips)));
      out.push_back(const_int(rest) == 1 ? body : UOp(Op::If, dt::kVoid, {}, {rest, body}));
    }
    return block(out);
  }

  /// The grid's ranges are digits of one item number, the last named fastest.
  UOp open_grid(Nest& n, size_t i, Scope scope) {
    UOp item = scope.item;
    UOp loop;
    if (!item) {
      UOp items = iconst(1);
      for (const UOp& r : n.loops)
        if (kind_of(r) == Kind::Grid) items = items * grid_trips(r);
      loop = item = scope.item = range("item", simplify(items), 0, Kind::Grid);
    }
    const UOp& r = n.loops[i];
    UOp inner = iconst(1);
    bool outermost = true;
    for (size_t j = 0; j < n.loops.size() && kind_of(n.loops[j]) == Kind::Grid; ++j) {
      if (j > i) inner = inner * grid_trips(n.loops[j]);
      if (j < i) outermost = false;
    }
    const UOp quotient = idiv(item, inner);
    const UOp digit = simplify(outermost ? quotient : mod(quotient, grid_trips(r)));
    const Chain& c = chains_.of(r);
    UOps out;
    if (!is_ragged(c, r)) {
      out.push_back(open(n, i + 1, scope.with(r, digit)));
    } else {
      const UOp full = simplify(alu(Op::Lt, digit, idiv(c.extent, iconst(c.step(r)))));
      if (!(const_int(full) == 0)) out.push_back(UOp(Op::If, dt::kVoid, {}, {full, open(n, i + 1, scope.with(r, digit))}));
      out.push_back(
          UOp(Op::If, dt::kVoid, {}, {simplify(alu(Op::Not, full)), open(n, i + 1, tail(c, scope.with(r, digit)))}));
    }
    const UOp body = block(out);
    return loop ? UOp(Op::For, dt::kVoid, {}, {loop, body}) : body;
  }
  UOp grid_trips(const UOp& r) const {
    const Chain& c = chains_.of(r);
    return simplify(ceildiv(c.extent, c.step(r)));
  }

  // -- definitions --

  UOp open_definition(const Definition& d, const Scope& scope) {
    Nest n = nest(d, scope);
    n.result = make_tile("tile", next_number_++, d.value.dtype(), d.ranges, chains_, scope);
    tiles_[&d - definitions_.data()] = n.result;
    Scope inner = scope;
    inner.accumulating = false;
    const UOp body = open(n, 0, inner);
    return block(UOps{n.result.memory, body});
  }
  /// Where a crossing nest merges its partial results.
  UOp open_result(Nest& n, const Scope& scope) {
    n.in_output = merges_in_output(*n.d);
    if (n.in_output) return {};
    UOps declared;
    n.partial.assign(n.d->bodies.size(), {});
    for (size_t s = 0; s < n.d->bodies.size(); ++s) {
      n.partial[s] = make_tile("partial", next_number_++, n.d->bodies[s].dtype(), n.d->ranges, chains_, scope);
      declared.push_back(n.partial[s].memory);
    }
    return block(declared);
  }

  // -- reductions --

  UOps identity(const Nest& n) const {
    std::vector<DType> types;
    for (const UOp& b : n.d->bodies) types.push_back(b.dtype());
    return row(n).identity(types);
  }
  const Reducer& row(const Nest& n) const { return reducer(n.d->reduce.arg_as<ReduceArg>().reducer); }

  /// Register ranges that index an accumulator: those of the outputs, and the widening ones of the reduction.
  UOps accumulator_ranges(const Nest& n) const {
    UOps all;
    for (const UOp& r : n.registers)
      if (!reduces(n, r) || kind_of(r) != Kind::Unroll) all.push_back(r);
    return all;
  }
  UOp accumulator(const Nest& n, size_t state) const {
    UOps indices;
    UOp lane;
    for (const UOp& r : accumulator_ranges(n)) (kind_of(r) == Kind::Vec ? lane = r : indices.emplace_back(r));
    if (indices.empty()) indices.push_back(iconst(0));
    if (lane) indices.push_back(lane);
    UOps src{n.accumulators[state]};
    src.insert(src.end(), indices.begin(), indices.end());
    return UOp(Op::Index, n.accumulators[state].dtype().element(), {}, src);
  }

  UOp accumulate(Nest& n, size_t i, Scope scope) {
    scope.accumulating = true;
    UOps out, stores;
    n.accumulators.clear();
    for (const UOp& body : n.d->bodies) {
      UOps extents;
      int lanes = 1;
      for (const UOp& r : accumulator_ranges(n)) {
        const int64_t trips = *const_int(r.src(0));
        if (kind_of(r) == Kind::Vec)
          lanes = static_cast<int>(trips);
        else
          extents.push_back(iconst(trips));
      }
      if (extents.empty()) extents.push_back(iconst(1));
      n.accumulators.push_back(UOp(Op::Memory, body.dtype().vec(lanes), ParamArg{next_number_++, "acc"}, extents));
      out.push_back(n.accumulators.back());
    }
    const UOps neutral = identity(n);
    for (size_t s = 0; s < neutral.size(); ++s)
      stores.push_back(store(accumulator(n, s), neutral[s], scope.gate(n.d->ranges)));
    out.push_back(store_all(stores));
    out.push_back(open(n, i, scope));
    out.push_back(n.crossing ? merge_partial(n, scope) : store_result(n, bind(n.d->value, scope, totals(n)), scope));
    return block(out);
  }

  UOp update(Nest& n, const Scope& scope) {
    const UOps neutral = identity(n);
    const UOp reduce_gate = scope.gate(n.d->reduce_ranges);
    UOps old, bodies, stores;
    for (size_t s = 0; s < neutral.size(); ++s) {
      UOp body = bind(n.d->bodies[s], scope, {});
      // Neutral only after the body was evaluated: exp(0 - m) is not 0.
      if (reduce_gate) body = alu(Op::Where, reduce_gate, body, neutral[s]);
      old.push_back(load(accumulator(n, s)));
      bodies.push_back(body);
    }
    const UOps next = row(n).combine(old, bodies);
    UOps axes = n.d->ranges;
    axes.insert(axes.end(), n.d->reduce_ranges.begin(), n.d->reduce_ranges.end());
    for (size_t s = 0; s < next.size(); ++s) stores.push_back(store(accumulator(n, s), next[s], scope.gate(axes)));
    // A range that does not occur in the update (a sum of a constant) repeats it all the same.
    UOp statement = store_all(stores);
    for (const UOp& r : n.registers)
      if (kind_of(r) == Kind::Unroll && reduces(n, r)) statement = UOp(Op::For, dt::kVoid, {}, {r, statement});
    return statement;
  }

  /// What the reduction's node and its projections stand for once the loops are done: widened accumulators merged.
  Substitution totals(const Nest& n) const {
    UOps loads, widened;
    for (size_t s = 0; s < n.accumulators.size(); ++s) loads.push_back(load(accumulator(n, s)));
    for (const UOp& r : accumulator_ranges(n))
      if (reduces(n, r)) widened.push_back(r);
    const UOp& reduce = n.d->reduce;
    Substitution map;
    if (!widened.empty()) {
      UOps src = loads;
      src.insert(src.end(), widened.begin(), widened.end());
      map.emplace_back(reduce, reduce.with_src(src));
      return map;
    }
    return states(n, loads);
  }

  static UOp state(const Nest& n, size_t s) {
    return s == 0 ? n.d->reduce : UOp(Op::Project, n.d->bodies[s].dtype(), static_cast<int64_t>(s), {n.d->reduce});
  }
  static Substitution states(const Nest& n, const UOps& values) {
    Substitution map;
    for (size_t s = 0; s < values.size(); ++s) map.emplace_back(state(n, s), values[s]);
    return map;
  }

  /// A crossing nest: memory = first ? total : memory ⊕ total; after the last part the epilogue.
  UOp merge_partial(Nest& n, const Scope& scope) {
    UOp first = constant(dt::kBool, int64_t{1}), last = first;
    for (size_t i = n.first_reduce; i < n.accumulate_at; ++i)
      if (reduces(n, n.loops[i])) {
        const Chain& c = chains_.of(n.loops[i]);
        const UOp at = scope.value(n.loops[i]);
        UOp end = scope.value(n.loops[i]) * iconst(c.step(n.loops[i])) + iconst(c.step(n.loops[i]));
        for (size_t j = 0; j < c.ranges.size() && !(c.ranges[j] == n.loops[i]); ++j)
          end = end + scope.value(c.ranges[j]) * iconst(c.steps[j]);
        // The last trip ends at the end of the enclosing tile or of the axis.
        const int64_t tile = n.loops[i].arg_as<RangeArg>().tile;
        UOp is_last = alu(Op::Not, alu(Op::Lt, end, c.extent));
        if (tile) is_last = alu(Op::Or, is_last, alu(Op::Eq, (at + iconst(1)) * iconst(c.step(n.loops[i])), iconst(tile)));
        first = alu(Op::And, first, alu(Op::Eq, at, iconst(0)));
        last = alu(Op::And, last, is_last);
      }
    const Substitution map = totals(n);
    const UOp gate = scope.gate(n.d->ranges);
    UOps fresh, old, merged_stores, fresh_stores, targets;
    for (size_t s = 0; s < n.accumulators.size(); ++s) {
      fresh.push_back(bind(state(n, s), scope, map));
      targets.push_back(n.in_output ? bind(n.d->store.src(0), scope, {}) : n.partial[s].at(positions(n, scope)));
      old.push_back(n.in_output && gate ? load(targets[s], gate) : load(targets[s]));
    }
    const UOps merged = row(n).combine(old, fresh);
    for (size_t s = 0; s < fresh.size(); ++s) {
      fresh_stores.push_back(store(targets[s], fresh[s], gate));
      merged_stores.push_back(store(targets[s], merged[s], gate));
    }
    UOps out{when(simplify(first), store_all(fresh_stores)), when(simplify(alu(Op::Not, first)), store_all(merged_stores))};
    if (!n.in_output) {
      out.push_back(when(simplify(last), store_result(n, bind(n.d->value, scope, states(n, old)), scope)));
    }
    return block(out);
  }

  // -- statements --

  static UOp when(const UOp& condition, const UOp& body) {
    if (const auto c = const_int(condition)) return *c ? body : UOp();
    return UOp(Op::If, dt::kVoid, {}, {condition, body});
  }
  static UOp store_all(const UOps& stores) {
    return stores.size() == 1 ? stores[0] : UOp(Op::StoreAll, dt::kVoid, {}, stores);
  }

  UOps positions(const Nest& n, const Scope& scope) const {
    UOps at;
    for (const UOp& axis : n.d->ranges) at.push_back(scope.position(chains_.of(axis)));
    return at;
  }
  UOp store_result(const Nest& n, const UOp& value, const Scope& scope) {
    const UOp gate = scope.gate(n.d->ranges);
    if (!n.d->store) return store(n.result.at(positions(n, scope)), value, gate);
    UOp all = n.d->store.src().size() == 3 ? bind(n.d->store.src(2), scope, {}) : UOp();
    if (gate) all = all ? alu(Op::And, all, gate) : gate;
    return store(bind(n.d->store.src(0), scope, {}), value, all);
  }

  /// An expression of the kernel at this point: axes by their ranges, definitions by their tiles, loads gated in tails.
  UOp bind(const UOp& expression, const Scope& scope, Substitution map) {
    Substitution axes;
    for (const Chain& c : chains_.all()) axes.emplace_back(c.axis, scope.position(c));
    for (const UOp& read : definition_reads(expression))
      for (size_t d = 0; d + 1 < definitions_.size(); ++d)
        if (definitions_[d].node == read.src(0).src(0)) {
          UOps at;
          for (const UOp& i : read.src(0).src().subspan(1)) at.push_back(substitute(i, axes));
          map.emplace_back(read, load(tiles_.at(d).at(at)));
        }
    map.insert(map.end(), axes.begin(), axes.end());
    return gated(substitute(expression, map), scope);
  }
  /// Global loads touch nothing outside the tail.
  UOp gated(const UOp& value, const Scope& scope) const {
    if (scope.gates.empty()) return value;
    return transform(value, [&](const UOp& u) -> UOp {
      if (!u.is(Op::Load) || !u.src(0).src(0).is(Op::Param)) return {};
      UOp gate =
          scope.gate(free_ranges(u));  // ranges of its own gate too: padding may tell lanes apart that the index does not
      if (!gate) return {};
      if (u.src().size() == 2) gate = alu(Op::And, u.src(1), gate);
      return load(u.src(0), gate);
    });
  }

  Chains chains_;
  std::vector<Definition> definitions_;
  UOps order_;                           // all split ranges in schedule order
  std::vector<size_t> place_;            // per definition: how many root loops stand round it
  std::map<size_t, PrivateTile> tiles_;  // memory of the definitions opened so far
  int64_t next_number_ = 0;
};
}  // namespace

UOp nests_opened(const UOp& scheduled, const Target&) { return Opener(scheduled).run(); }

}  // namespace pg
