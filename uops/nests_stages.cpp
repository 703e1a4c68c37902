// Copies of buffers into staged tiles, and hints for what will be read.
#include <algorithm>
#include <numeric>

#include "uops/opener.h"
#include "uops/simplify.h"

namespace pg {

namespace {
constexpr int64_t kCopyVectors = 4;  // of a row, written out in one trip
constexpr int64_t kRowsAhead = 8;    // that a copy asks for: long enough for memory to answer, short enough for the L1

/// Conditions that are not known to hold, joined.
UOp both(const UOp& a, const UOp& b) {
  const UOp s = simplify(b);
  if (const_int(s) == 1) return a;
  return a ? alu(Op::And, a, s) : s;
}
/// Elements from one trip of a part to the next in the buffer.
int64_t source_step(const UOp& param, const TilePart& p) {
  int64_t step = p.kind == LayoutPart::Kind::Outer ? p.size : 1;
  for (size_t d = p.dim + 1; d < param.src().size(); ++d) step *= std::max<int64_t>(bounds(param.src(d)).hi, 1);
  return step;
}
/// Where the lanes of a row lie apart in the buffer and other parts of the tile walk over neighbours: how many of each part
/// make a square of `lanes`, to be turned (uops/turned_copy.h). Empty: there is none.
std::vector<int64_t> square(const UOps& loops, const StagedTile& tile, const UOp& param, int64_t lanes) {
  if (lanes < 4 || param.dtype().bytes() != 4 || source_step(param, tile.parts.back()) == 1) return {};
  std::vector<int64_t> near(loops.size(), 1);
  int64_t covered = 1;
  for (size_t i = loops.size(); i-- > 0 && covered < lanes;) {
    const auto trips = loops[i] ? const_int(loops[i].src(0)) : std::nullopt;
    if (!trips || source_step(param, tile.parts[i]) != covered) continue;
    near[i] = std::gcd(*trips, lanes / covered);
    covered *= near[i];
  }
  return covered == lanes ? near : std::vector<int64_t>();
}
/// The loop that moves farthest in the buffer; null: none turns.
UOp farthest(const UOps& loops, const StagedTile& tile, const UOp& param) {
  UOp best;
  int64_t most = 0;
  for (size_t i = 0; i < loops.size(); ++i)
    if (const int64_t step = source_step(param, tile.parts[i]); loops[i] && step > most) most = step, best = loops[i];
  return best;
}
}  // namespace

UOp Opener::open_stage(const BufferStage& stage, Scope& scope, size_t number) {
  if (target_.gpu) return open_block_stage(stage, scope, number);
  UOps out;
  const auto& groups = stage.groups;
  for (size_t g = 0; g < groups.size(); ++g) {
    const std::string name = stage.stage.value + "_tile" + (groups.size() > 1 ? std::to_string(g) : "");
    const DType t = stage.param.dtype();
    StagedTile tile = StagedTile::make(name, number_of(name + " of stage " + std::to_string(number)), t,
                                       box_base(placement_, groups[g].users[0], stage, scope), groups[g].parts, lanes_of(t));
    out.push_back(tile.memory);
    out.push_back(copy(stage, groups[g], tile));
    scope.staged.push_back(std::make_shared<StagedLoads>(StagedLoads{groups[g], std::move(tile)}));
  }
  return block(out);
}

/// What lies at these coordinates, 0 outside of the buffer. `tested`: the same, as far as the bounds are asked about them.
UOp Opener::source_of(const BufferStage& stage, const StageGroup& group, const UOps& coordinates, const UOps& tested,
                      UOp gate) {
  if (!group.by_axes) {
    for (size_t d = 0; d < tested.size(); ++d) {
      gate = both(gate, alu(Op::Lt, tested[d], stage.param.src(d)));
      if (bounds(simplify(tested[d])).lo < 0) gate = both(gate, alu(Op::Not, alu(Op::Lt, tested[d], iconst(0))));
    }
    return load(index(stage.param, coordinates), gate);
  }
  Substitution axes;
  for (size_t d = 0; d < coordinates.size(); ++d) {
    const UOp& axis = group.users[0].coordinates[d];
    axes.emplace_back(axis, coordinates[d]);
    gate = both(gate, alu(Op::Lt, tested[d], axis.src(0)));
  }
  // The loads inside the index are within their buffers only where the axes are.
  const UOp source = substitute(group.users[0].load, axes);
  if (!gate) return source;
  return transform(source, [&](const UOp& u) -> UOp {
    if (!u.is(Op::Load)) return {};
    return load(u.src(0), u.src().size() == 2 ? alu(Op::And, u.src(1), gate) : gate);
  });
}

/// Rows of the layout by whole vectors; what lies outside of the buffer is 0. The buffer's far dimensions are walked outside
/// its near ones, so that memory is read in runs that the prefetchers follow, wherever the tile puts them.
UOp Opener::copy(const BufferStage& stage, const StageGroup& group, const StagedTile& tile) {
  const UOp& param = stage.param;
  const size_t n = tile.parts.size();
  UOps loops, counters, indices;  // outer to inner; the last part's counter covers a row
  UOp vec, upcast, row_loop;
  const auto named = [&](const std::string& what) {
    std::string name = tile.memory.arg_as<ParamArg>().name + "_" + what;
    while (std::find(axis_names_.begin(), axis_names_.end(), name) != axis_names_.end()) name += "_";
    return name;
  };
  UOps limits;  // per dimension: coordinates from here on are not worth copying; null: all are
  for (size_t d = 0; d < tile.base.size(); ++d) {
    // Beyond the buffer's end nothing is read, unless what reads it counts on zeros there.
    const UOp end = group.by_axes ? group.users[0].coordinates[d].src(0) : param.src(d);
    limits.push_back(group.gated ? UOp() : end);
  }
  for (size_t i = 0; i + 1 < n; ++i) {
    const TilePart& p = tile.parts[i];
    UOp trips = iconst(p.count);
    if (limits[p.dim] && p.kind != LayoutPart::Kind::Inner)
      trips = simplify(
          alu(Op::Min, trips, ceildiv(limits[p.dim] - tile.base[p.dim], p.kind == LayoutPart::Kind::Outer ? p.size : 1)));
    const UOp loop = range(named(std::to_string(i)), trips);
    const bool once = const_int(trips) == 1;
    loops.push_back(once ? UOp() : loop);
    counters.push_back(once ? iconst(0) : loop);
  }
  bool turned = false;
  if (n > 0) {
    const int64_t row = *const_int(tile.memory.src(n - 1)), lanes = std::min(row, lanes_of(param.dtype()));
    const auto near = group.by_axes || stage.hinted ? std::vector<int64_t>() : square(loops, tile, param, lanes);
    for (size_t i = 0; i < near.size(); ++i) {
      if (near[i] == 1) continue;
      const int64_t trips = *const_int(loops[i].src(0)) / near[i];
      counters[i] = range(named(std::to_string(i) + "_near"), iconst(near[i]), near[i], pg::Kind::Upcast);
      const UOp loop = range(named(std::to_string(i)), iconst(trips));
      if (trips > 1) counters[i] = loop * iconst(near[i]) + counters[i];
      loops[i] = trips > 1 ? loop : UOp();
      turned = true;
    }
    int64_t vectors = row / lanes, together = turned ? 1 : std::min(vectors, kCopyVectors);
    while (vectors % together) --together;
    UOp at = iconst(0);
    if (vectors > together) {
      row_loop = range(named("row"), iconst(vectors / together));
      at = row_loop * iconst(together * lanes);
    }
    if (together > 1) {
      upcast = range(named("vectors"), iconst(together), together * lanes, pg::Kind::Upcast);
      at = at + upcast * iconst(lanes);
    }
    if (lanes > 1) {
      vec = range(named("lane"), iconst(lanes), lanes, pg::Kind::Vec);
      at = at + vec;
    }
    counters.push_back(at);
  }
  UOps coordinates = tile.base;
  UOp gate;
  for (size_t i = 0; i < n; ++i) {
    const TilePart& p = tile.parts[i];
    coordinates[p.dim] = coordinates[p.dim] + counters[i] * iconst(p.kind == LayoutPart::Kind::Outer ? p.size : 1);
    // The padding of a row belongs to nobody: it is not read as if it were the next part.
    if (i + 1 == n && !(const_int(tile.memory.src(i)) == p.count))
      gate = both(gate, alu(Op::Lt, counters[i], iconst(p.count)));
    indices.push_back(counters[i]);
  }
  if (indices.empty()) indices.push_back(iconst(0));
  const UOp source = source_of(stage, group, coordinates, coordinates, gate);
  UOp body = store(index(tile.memory, indices), source);
  if (stage.hinted && !group.by_axes)
    if (const UOp rows = farthest(loops, tile, param))
      body = block(UOps{UOp(Op::Prefetch, dt::kVoid, int64_t{0},
                            {substitute(index(param, coordinates), {{rows, rows + iconst(kRowsAhead)}})}),
                        body});
  if (row_loop && !turned) body = UOp(Op::For, dt::kVoid, {}, {row_loop, body});
  std::vector<size_t> order(loops.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (!group.by_axes)
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return source_step(param, tile.parts[a]) > source_step(param, tile.parts[b]);
    });
  for (size_t i = loops.size(); i-- > 0;)
    if (loops[order[i]]) body = UOp(Op::For, dt::kVoid, {}, {loops[order[i]], body});
  // Squares follow one another along the buffer's rows: few rows are under way at a time.
  if (row_loop && turned) body = UOp(Op::For, dt::kVoid, {}, {row_loop, body});
  return body;
}

/// Blocks of rows that pass while `load` stays where it is share out what a register block of it is asked for: each asks
/// for some of its rows, so that memory is busy all the time, rather than for all at first and then again for nothing. Where
/// there are more blocks than rows, the last ones ask for rows behind these.
Opener::Share Opener::share_of_hints(const Nest& n, const BufferPrefetch& ahead, const UOp& load, const UOp& at,
                                     const Scope& scope) const {
  Share share;
  const UOps axes = free_ranges(load);
  for (size_t i = n.number == ahead.attach.nest ? ahead.attach.depth : 0; i < n.plan->loops.size(); ++i) {
    const UOp& loop = n.plan->loops[i];
    const Chain& c = n.plan->chains.of(loop);
    if (reduces(n, loop) || has_axis(axes, c.axis)) continue;
    const auto blocks = const_int(simplify(ceildiv(scope.region(c).extent, c.step(loop))));
    if (!blocks || *blocks < 2) continue;
    int64_t rows = 1;
    for (const UOp& r : free_ranges(at))
      if (kind_of(r) == pg::Kind::Upcast && !reduces(n, r) && *const_int(r.src(0)) > rows)
        rows = *const_int(r.src(0)), share.rows = r;
    if (rows == 1) return {};
    const int64_t each = (rows + *blocks - 1) / *blocks;
    share.mine = scope.value(loop) * iconst(each);
    if (each > 1) share.mine = share.mine + range(axis_of(share.rows), iconst(each), each, pg::Kind::Upcast);
    return share;
  }
  return {};
}

/// What the innermost body will read in the next turn of the loop that a prefetch names, where that loop turns.
UOp Opener::hints(const Nest& n, const Nest::Part& p, const Scope& scope) const {
  UOps out;
  for (const BufferPrefetch& ahead : placement_.prefetches()) {
    const auto turning = turning_.find({ahead.attach.nest, ahead.attach.depth});
    if (ahead.reader != p.definition || p.neutral || turning == turning_.end()) continue;
    const UOp& loop = turning->second;
    for (const UOp& load : ahead.loads) {
      const UOp at = bind(n, load, scope, {}).src(0);
      Substitution next{{loop, loop + iconst(1)}};
      for (const UOp& r :
           free_ranges(at))  // a clipped loop's trips follow this one: it is the loop that is open all the same
        if (!(r == loop)) next.emplace_back(r, r);
      UOps src{substitute(at, next)};
      if (const Share share = share_of_hints(n, ahead, load, at, scope); share.rows)
        src[0] = substitute(src[0], {{share.rows, share.mine}});
      if (const UOp tail = scope.gate(free_ranges(load))) src.push_back(tail);
      out.push_back(UOp(Op::Prefetch, dt::kVoid, int64_t{0}, src));
    }
  }
  return block(out);
}

}  // namespace pg
