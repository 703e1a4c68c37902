#include "search/heuristic_panels.h"

#include <algorithm>

#include "search/chains.h"
#include "search/movement.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {

struct Panels {
  UOp panel, column, row;  // output axes: from panel to panel, within one, and what reads them again
  int64_t width = 0;
};

std::optional<Panels> panels_read(const Definition& out, const UOp& access) {
  const UOp& sum = out.reduce_ranges[0];
  const UOp flat = flat_address(access);
  const auto steps = const_int(sum.src(0));
  Panels found;
  for (const UOp& axis : out.ranges)
    if (coefficient(flat, axis) == 1) found.column = axis;
  if (!steps || !found.column) return std::nullopt;
  found.width = const_int(found.column.src(0)).value_or(0);
  if (coefficient(flat, sum) != found.width) return std::nullopt;
  for (const UOp& axis : out.ranges) {
    if (coefficient(flat, axis) == found.width * *steps) found.panel = axis;
    if (!depends_on(flat, axis) && (!found.row || bounds(axis.src(0)).hi >= bounds(found.row.src(0)).hi)) found.row = axis;
  }
  return found.panel && found.row ? std::optional(found) : std::nullopt;
}

}  // namespace

std::optional<Schedule> panels_heuristic(const UOp& kernel, const Target& target) {
  const std::vector<Definition> all = definitions(kernel);
  const Definition& out = all.back();
  if (all.size() != 1 || !out.reduce || out.bodies.size() != 1 || out.reduce_ranges.size() != 1) return std::nullopt;
  std::optional<Panels> p;
  for (const UOp& u : expression_nodes(out.bodies[0]))
    if (!p && u.is(Op::Load) && u.src(0).src(0).is(Op::Param)) p = panels_read(out, u.src(0));
  const int64_t lanes = target.lanes_f32();
  if (!p || p->width % lanes != 0) return std::nullopt;
  for (const UOp& u : expression_nodes(out.bodies[0]))  // a batch of products is no row of panels
    if (u.is(Op::Load) && !depends_on(u.src(0), p->column) && depends_on(u.src(0), p->panel)) return std::nullopt;

  // All accumulators, the panel's vectors and one broadcast fit the register file; few rows read a panel together.
  constexpr int64_t kMostVectors = 4, kMostRows = 14;
  const auto rows_beside = [&](int64_t vectors) {
    return std::clamp<int64_t>((target.registers - 1) / vectors - 1, 1, kMostRows);
  };
  const int64_t rows = bounds(p->row.src(0)).hi;
  int64_t vectors = std::min(kMostVectors, p->width / lanes);
  while (vectors > 1 && (p->width / lanes % vectors != 0 || rows_beside(vectors) < 6 ||
                         (rows > rows_beside(vectors) && rows <= rows_beside(vectors / 2))))
    vectors /= 2;
  Opts opts;
  opts.push_back(Tile{axis_of(p->row), balanced_tile(rows, rows_beside(vectors)), Kind::Upcast});
  if (vectors > 1) opts.push_back(Tile{axis_of(p->column), lanes * vectors, Kind::Upcast});
  opts.push_back(Tile{axis_of(p->column), lanes, Kind::Vec});
  opts.push_back(Tile{axis_of(out.reduce_ranges[0]), 4, Kind::Unroll});
  Grid grid;
  for (const UOp& axis : out.ranges)
    if (!(axis == p->row) && !(axis == p->column)) grid.axes.push_back(axis_of(axis));
  for (const UOp& axis : {p->column, p->row}) grid.axes.push_back(axis_of(axis));
  opts.push_back(grid);
  const Expected<Schedule> s = Schedule(kernel, target).apply(opts);
  return s ? std::optional(*s) : std::nullopt;
}

}  // namespace pg
