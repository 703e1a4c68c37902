#include "search/chains.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "search/movement.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

std::optional<Schedule> with_chains(const Schedule& s, const std::vector<std::pair<std::string, Splits>>& changed) {
  const auto is_changed = [&](const std::string& axis) {
    return std::any_of(changed.begin(), changed.end(), [&](const auto& c) { return c.first == axis; });
  };
  if (!s.online().empty() && is_changed(s.online())) return std::nullopt;
  // How a definition unpacks its blocks has nothing to do with how its readers walk the axis.
  std::set<std::string> unpacking;
  for (const Definition& d : definitions(s.ast()))
    if (unpacks(d)) unpacking.insert(d.node.arg_as<std::string>());
  Opts opts, later;
  std::set<std::string> apart;  // axes that one of those walks in its own way
  for (const Opt& o : s.opts()) {
    const auto* tile = std::get_if<Tile>(&o);
    const bool own = tile && unpacking.contains(tile->nest);
    if (own) apart.insert(tile->axis);
    if (tile && is_changed(tile->axis) && !own) continue;
    const bool first = tile || std::holds_alternative<Streams>(o) || std::holds_alternative<Online>(o) ||
                       std::holds_alternative<Grid>(o);
    (first ? opts : later).push_back(o);
  }
  for (const auto& [axis, splits] : changed)
    for (const auto& split : splits)
      opts.push_back(Tile{axis, split.size, split.kind, apart.contains(axis) ? s.root().name : ""});
  Expected<Schedule> next = Schedule(s.kernel(), s.target()).apply(opts);
  if (!next) return std::nullopt;
  // An explicit order is kept for the ranges that are still there, and so is what still has its place.
  for (const Opt& o : later) {
    Opt kept = o;
    if (auto* order = std::get_if<Order>(&kept)) {
      const std::string name = order->ranges[0].nest;
      const Schedule::Nest& nest = name.empty() ? next->root() : *next->nest(name);
      std::erase_if(order->ranges, [&](RangeRef r) {
        r.nest.clear();
        return std::find(nest.loops.begin(), nest.loops.end(), r) == nest.loops.end();
      });
      if (order->ranges.empty()) continue;
      order->ranges[0].nest = name;
    }
    if (Expected<Schedule> with = next->apply(kept)) next = with;
  }
  return *next;
}

int64_t balanced_tile(int64_t n, int64_t most) {
  int64_t best = 1;
  double best_cost = 1e30;
  for (int64_t t = std::min(n, most); t >= 1; --t) {
    const double blocks = static_cast<double>((n + t - 1) / t);
    const double cost = blocks * static_cast<double>(t + 2) / static_cast<double>(n);  // + 2: the operands loaded per block
    if (cost < best_cost * 0.999) best_cost = cost, best = t;
  }
  return best;
}

std::optional<Schedule> with_chain_of(const Schedule& s, const std::string& nest, const std::string& axis,
                                      const Splits& chain) {
  Opts tiles, later;
  for (const Schedule::Nest& n : s.nests())
    for (const auto& [a, own] : n.chains) {
      const Splits& splits = n.name == nest && a == axis ? chain : own;
      const bool online = &n == &s.root() && a == s.online();
      const size_t step = s.online_split();
      if (online && (splits.size() <= step || splits[step].kind != Kind::Loop)) return std::nullopt;
      for (size_t i = 0; i < splits.size(); ++i)
        if (online && i == step)
          tiles.push_back(Online{a, splits[i].size});
        else
          tiles.push_back(Tile{a, splits[i].size, splits[i].kind, n.name});
    }
  const bool parts = nest == s.root().name && axis == s.online() && s.online_split() > 0;
  for (const Opt& o : s.opts()) {
    if (std::holds_alternative<Tile>(o) || std::holds_alternative<Online>(o)) continue;
    later.push_back(o);
    // What stands at the loop over a part's blocks, which is called by the part's size, stays there.
    if (auto* stage = std::get_if<StageOpt>(&later.back()); stage && parts && stage->at == RangeRef{axis, s.chain(axis)[0].size})
      stage->at.tile = chain[0].size;
  }
  tiles.insert(tiles.end(), later.begin(), later.end());
  const Expected<Schedule> next = Schedule(s.kernel(), s.target()).apply(tiles);
  return next ? std::optional(*next) : std::nullopt;
}

std::string shared_operand(const UOp& kernel, const std::string& vec_axis, const std::string& row_axis) {
  const Definition out = definitions(kernel).back();
  for (const UOp& body : out.bodies)
    for (const UOp& u : expression_nodes(body)) {
      if (!u.is(Op::Load) || !u.src(0).src(0).is(Op::Param) || u.src(0).src(0) == out.store.src(0).src(0)) continue;
      bool vec = false, row = false;
      for (const UOp& r : free_ranges(u.src(0))) {
        vec |= axis_of(r) == vec_axis;
        row |= axis_of(r) == row_axis;
      }
      if (vec && !row) return u.src(0).src(0).arg_as<ParamArg>().name;
    }
  return "";
}

bool moves(const UOp& kernel, const std::string& buffer, const std::string& axis) {
  for (const UOp& u : toposort(kernel))
    if (u.is(Op::Load) && u.src(0).src(0).is(Op::Param) && u.src(0).src(0).arg_as<ParamArg>().name == buffer)
      for (const UOp& r : free_ranges(u))
        if (axis_of(r) == axis) return true;
  return false;
}

bool lies_along(const UOp& kernel, const std::string& buffer, const std::string& axis) {
  bool read = false;
  for (const UOp& u : toposort(kernel)) {
    if (!u.is(Op::Load) || !u.src(0).src(0).is(Op::Param) || u.src(0).src(0).arg_as<ParamArg>().name != buffer) continue;
    read = true;
    const UOp flat = flat_address(u.src(0));
    for (const UOp& r : free_ranges(u))
      if (axis_of(r) == axis && coefficient(flat, r) != 1) return false;
  }
  return read;
}

std::optional<ProductNames> product_axes(const Schedule& s) {
  if (definitions(s.ast()).size() > 1) return std::nullopt;
  const auto longest = [&](const auto& fits) {
    const Axis* best = nullptr;
    for (const Axis& a : s.axes())
      if (a.output && !a.reduce && (!best || bounds(a.extent).hi > bounds(best->extent).hi) && fits(a)) best = &a;
    return best;
  };
  const Axis* columns = longest([](const Axis&) { return true; });
  if (!columns) return std::nullopt;
  const Axis* rows = longest([&](const Axis& a) {
    return bounds(a.extent).hi > 1 && !shared_operand(s.ast(), columns->name, a.name).empty() &&
           !shared_operand(s.ast(), a.name, columns->name).empty();
  });
  return rows ? std::optional(ProductNames{columns->name, rows->name}) : std::nullopt;
}

namespace {
int64_t up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }
/// Whole vectors too, so that a panel can be turned by squares.
int64_t part_of(int64_t extent, int64_t parts, int64_t tile, const Target& target) {
  return up((extent + parts - 1) / parts, std::lcm(tile, target.lanes_f32()));
}

}  // namespace

const Axis* longest_sum(const Schedule& s) {
  const Axis* longest = nullptr;
  for (const Axis& a : s.axes())
    if (a.reduce && !a.output && (!longest || bounds(a.extent).hi > bounds(longest->extent).hi)) longest = &a;
  return longest;
}

namespace {
/// Panels that lie in the L2 beside each other, `depth` elements deep. Where the rows stay there too, one is enough; else
/// each block of rows meets as many as fill half of it, before it comes from further away again. Cores get as much each.
int64_t panels_together(const Schedule& s, const CacheTile& t, int64_t depth, const Target& target) {
  constexpr int64_t kBytes = sizeof(float);
  constexpr double kShared = 0.95;  // of the cores' time, at least
  const int64_t half = target.l2_bytes / 2, rows = bounds(s.axis(t.row_axis)->extent).hi;
  if (rows * depth * kBytes <= half) return 1;
  const int64_t columns = bounds(s.axis(t.vec_axis)->extent).hi, panel = s.register_tile(t.vec_axis);
  int64_t best = 1;
  double most = 0;
  for (int64_t together = std::max<int64_t>(1, half / (depth * kBytes * panel)); together >= 1; --together) {
    const double blocks = static_cast<double>(columns) / static_cast<double>(panel * together), cores = target.cores;
    const double busy = blocks / (std::ceil(blocks / cores) * cores);
    if (busy >= kShared || cores == 1) return together;
    if (busy > most) most = busy, best = together;
  }
  return best;
}
}  // namespace

std::optional<Schedule> panels(const Schedule& s, const CacheTile& t, const Target& target) {
  const Axis* reduce = longest_sum(s);
  if (!reduce || t.vec_axis.empty() || t.vec_axis == reduce->name || t.staged.empty()) return std::nullopt;
  const int64_t deep_extent = bounds(reduce->extent).hi, parts = std::max<int64_t>(1, (deep_extent + t.depth / 2) / t.depth);
  Splits deep = s.chain(reduce->name);
  const int64_t k = part_of(deep_extent, parts, s.register_tile(reduce->name), target);
  if (parts > 1) deep.insert(deep.begin(), {k, Kind::Loop});
  Splits vec = s.chain(t.vec_axis);
  const int64_t columns = s.register_tile(t.vec_axis) * panels_together(s, t, k, target);
  if (columns > s.register_tile(t.vec_axis)) vec.insert(vec.begin(), {columns, Kind::Loop});
  std::optional<Schedule> tiled = with_chains(s, {{reduce->name, deep}, {t.vec_axis, vec}});
  if (!tiled) return std::nullopt;
  Grid grid;
  Order order;
  std::vector<RangeRef> inner;
  for (const RangeRef& r : tiled->root().loops) {
    if (r.axis == t.vec_axis || !s.axis(r.axis)->output) continue;
    if (r.tile != 0 || !moves(s.ast(), t.staged, r.axis))
      inner.push_back(r);
    else if (target.cores > 1)
      grid.axes.push_back(r.axis);  // another panel for each of these
    else
      order.ranges.push_back(r);
  }
  if (target.cores > 1)
    grid.axes.push_back(t.vec_axis);
  else
    order.ranges.push_back({t.vec_axis, 0});
  if (parts > 1) order.ranges.push_back({reduce->name, 0});
  order.ranges.insert(order.ranges.end(), inner.begin(), inner.end());
  if (columns > s.register_tile(t.vec_axis)) order.ranges.push_back({t.vec_axis, columns});
  order.ranges.push_back({reduce->name, parts > 1 ? k : 0});
  const Expected<Schedule> staged =
      tiled->apply(Opts{grid, order, StageOpt{t.staged, {parts > 1 ? reduce->name : t.vec_axis, 0}}});
  return staged ? std::optional(*staged) : std::nullopt;
}

std::optional<Schedule> cache_tiled(const Schedule& s, const CacheTile& t, const Target& target) {
  const Axis* reduce = longest_sum(s);
  if (!reduce || t.vec_axis.empty() || t.row_axis.empty() || t.vec_axis == reduce->name) return std::nullopt;
  const int64_t deep_extent = bounds(reduce->extent).hi, rows_extent = bounds(s.axis(t.row_axis)->extent).hi;
  constexpr int64_t kWorthPanels = 128;  // of a shorter sum, to read panels saves less than to copy them costs
  // Parts of the sum of much the same length; a packed panel may be all of it.
  const int64_t parts = std::max<int64_t>(1, (deep_extent + t.depth / 2) / t.depth);
  if ((t.staged.empty() ? parts < 2 : deep_extent < kWorthPanels) || bounds(s.axis(t.vec_axis)->extent).hi < t.columns)
    return std::nullopt;
  Splits vec = s.chain(t.vec_axis), row = s.chain(t.row_axis), deep = s.chain(reduce->name);
  const int64_t n = up(t.columns, s.register_tile(t.vec_axis)),
                k = part_of(deep_extent, parts, s.register_tile(reduce->name), target);
  vec.insert(vec.begin(), {n, Kind::Loop});
  if (parts > 1) deep.insert(deep.begin(), {k, Kind::Loop});
  std::vector<RangeRef> rows{{t.row_axis, 0}};
  Grid grid;
  int64_t share = rows_extent;
  if (target.cores > 1) {
    share = up((rows_extent + target.cores - 1) / target.cores, s.register_tile(t.row_axis));
    rows = {{t.row_axis, share}};
    grid.axes.push_back(t.row_axis);
  }
  // A block of rows stays in the L1 and L2 while the columns pass.
  if (const int64_t block = up(t.rows, s.register_tile(t.row_axis)); t.rows && block < share) {
    if (target.cores > 1) rows[0].tile = share = up(share, block);
    row.insert(row.begin(), {block, Kind::Loop});
    rows.push_back({t.row_axis, block});
  }
  if (target.cores > 1) row.insert(row.begin(), {share, Kind::Loop});
  const std::optional<Schedule> tiled = with_chains(s, {{t.vec_axis, vec}, {reduce->name, deep}, {t.row_axis, row}});
  if (!tiled) return std::nullopt;
  Order order{{{t.vec_axis, 0}}};
  if (parts > 1) order.ranges.push_back({reduce->name, 0});
  // What reads the panel again stays inside of its copy.
  if (!t.staged.empty())
    for (const RangeRef& r : tiled->root().loops)
      if (r.axis != t.vec_axis && r.axis != t.row_axis && s.axis(r.axis)->output && !moves(s.ast(), t.staged, r.axis))
        order.ranges.push_back(r);
  if (rows.size() == 2) order.ranges.push_back(rows[0]);
  order.ranges.push_back({t.vec_axis, n});
  order.ranges.push_back(rows.back());
  order.ranges.push_back({reduce->name, parts > 1 ? k : 0});
  for (const RangeRef& r : tiled->root().loops) {  // other reductions inside
    const Axis& a = *s.axis(r.axis);
    if (a.reduce && !a.output && a.name != reduce->name) order.ranges.push_back(r);
  }
  Opts opts{grid, order};
  if (!t.staged.empty()) opts.push_back(StageOpt{t.staged, {parts > 1 ? reduce->name : t.vec_axis, 0}});
  const Expected<Schedule> ordered = tiled->apply(opts);
  return ordered ? std::optional(*ordered) : std::nullopt;
}

}  // namespace pg
