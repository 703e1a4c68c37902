#include "search/chains.h"

#include <algorithm>

#include "uops/simplify.h"

namespace pg {

std::optional<Schedule> with_chains(const Schedule& s, const std::vector<std::pair<std::string, Splits>>& changed) {
  Opts opts;
  for (const Axis& a : s.axes()) {
    const Splits* chain = &s.chain(a.name);
    for (const auto& [axis, c] : changed)
      if (axis == a.name) chain = &c;
    for (const auto& split : *chain) opts.push_back(Tile{a.name, split.size, split.kind});
  }
  if (!s.grid().empty()) opts.push_back(Grid{s.grid()});
  Expected<Schedule> next = Schedule(s.kernel()).apply(opts);
  if (!next) return std::nullopt;
  // An explicit order is kept for the ranges that are still there.
  for (const Opt& o : s.opts())
    if (const auto* order = std::get_if<Order>(&o)) {
      Order kept;
      const std::vector<RangeRef> loops = next->order();
      for (const RangeRef& r : order->ranges)
        if (std::find(loops.begin(), loops.end(), r) != loops.end() && next->kind(r) == Kind::Loop) kept.ranges.push_back(r);
      if (kept.ranges.empty()) break;
      if (Expected<Schedule> ordered = next->apply(Opt(kept))) return *ordered;
    }
  return *next;
}

std::optional<Schedule> cache_tiled(const Schedule& s, const std::string& vec_axis, const std::string& row_axis,
                                    int64_t columns, int64_t depth, const Target& target) {
  const Axis* reduce = nullptr;
  for (const Axis& a : s.axes())
    if (a.reduce && !a.output && (!reduce || bounds(a.extent).hi > bounds(reduce->extent).hi)) reduce = &a;
  if (!reduce || vec_axis.empty() || row_axis.empty() || vec_axis == reduce->name) return std::nullopt;
  if (bounds(reduce->extent).hi < 2 * depth || bounds(s.axis(vec_axis)->extent).hi < columns) return std::nullopt;
  const auto up = [](int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; };
  Splits vec = s.chain(vec_axis), row = s.chain(row_axis), deep = s.chain(reduce->name);
  const int64_t n = up(columns, s.register_tile(vec_axis)), k = up(depth, s.register_tile(reduce->name));
  vec.insert(vec.begin(), {n, Kind::Loop});
  deep.insert(deep.begin(), {k, Kind::Loop});
  std::vector<std::pair<std::string, Splits>> changed = {{vec_axis, vec}, {reduce->name, deep}};
  RangeRef rows{row_axis, 0};
  Grid grid;
  if (target.cores > 1) {
    rows.tile = up((bounds(s.axis(row_axis)->extent).hi + target.cores - 1) / target.cores, s.register_tile(row_axis));
    row.insert(row.begin(), {rows.tile, Kind::Loop});
    changed.emplace_back(row_axis, row);
    grid.axes.push_back(row_axis);
  }
  const std::optional<Schedule> tiled = with_chains(s, changed);
  if (!tiled) return std::nullopt;
  const Order order{{{vec_axis, 0}, {reduce->name, 0}, {vec_axis, n}, rows, {reduce->name, k}}};
  const Expected<Schedule> ordered = tiled->apply(Opts{grid, order});
  return ordered ? std::optional(*ordered) : std::nullopt;
}

}  // namespace pg
