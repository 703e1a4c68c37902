#include "search/heuristic_choices.h"

#include <algorithm>
#include <map>
#include <set>

#include "search/movement.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {
constexpr int64_t kMostChoices = 64;  // places that are written out

/// The output axes with a comparison for each place but the last: number < 1, number < 2, ..
UOps chosen_axes(const Definition& out) {
  std::map<std::string, std::set<int64_t>> bounds_of;
  for (const UOp& u : expression_nodes(out.value)) {
    if (!u.is(Op::Lt)) continue;
    UOp number = u.src(0);
    while (number.is(Op::Cast)) number = number.src(0);
    const auto bound = const_int(u.src(1));
    if (number.is(Op::Range) && bound) bounds_of[axis_of(number)].insert(*bound);
  }
  UOps chosen;
  int64_t places = 1;
  for (const UOp& axis : out.ranges) {
    const auto extent = const_int(axis.src(0));
    const auto known = bounds_of.find(axis_of(axis));
    if (!extent || known == bounds_of.end() || static_cast<int64_t>(known->second.size()) + 1 < *extent) continue;
    places *= *extent;
    chosen.push_back(axis);
  }
  return places <= kMostChoices ? chosen : UOps();
}
int64_t count(const UOps& axes) {
  int64_t n = 1;
  for (const UOp& a : axes) n *= *const_int(a.src(0));
  return n;
}
int64_t lanes_for(int64_t extent, const Target& target) {
  int64_t lanes = target.lanes_f32();
  while (lanes > 2 && lanes / 2 >= extent) lanes /= 2;
  return lanes;
}

/// What an element costs where `lanes` of this axis are computed at once, `places` expressions for each.
double cost_along(const Definition& out, const UOp& axis, int64_t places, int64_t lanes) {
  constexpr int64_t kApart = 8;  // elements; neighbours so near are shuffled into their lanes (uops/interleaved.h)
  constexpr double kShuffles = 3, kArithmetic = 4;
  const auto cost = [&](const UOp& access) {  // in accesses of a whole vector
    const UOp flat = flat_address(access);
    const auto step = coefficient(flat, axis);
    if (step == 0 || step == 1) return 1.0;
    return step && *step > 0 && *step <= kApart ? kShuffles : static_cast<double>(lanes);
  };
  double vectors = static_cast<double>(places) * (cost(out.store.src(0)) + kArithmetic);
  for (const UOp& u : expression_nodes(out.value))
    if (u.is(Op::Load) && u.src(0).src(0).is(Op::Param)) vectors += cost(u.src(0));
  return vectors / static_cast<double>(lanes);
}
}  // namespace

std::optional<Schedule> choices_heuristic(const UOp& kernel, const Target& target) {
  const std::vector<Definition> all = definitions(kernel);
  const Definition& out = all.back();
  if (all.size() != 1 || out.reduce) return std::nullopt;
  const UOps chosen = chosen_axes(out);
  if (chosen.empty()) return std::nullopt;

  UOp vec;
  double least = 0;
  for (const UOp& axis : out.ranges) {
    const int64_t extent = bounds(axis.src(0)).hi;
    if (std::find(chosen.begin(), chosen.end(), axis) != chosen.end() || extent < 2) continue;
    const double cost = cost_along(out, axis, count(chosen), std::min<int64_t>(extent, target.lanes_f32()));
    if (!vec || cost < least) least = cost, vec = axis;
  }
  Opts opts;
  for (const UOp& axis : chosen) opts.push_back(Tile{axis_of(axis), *const_int(axis.src(0)), Kind::Upcast});
  if (vec) opts.push_back(Tile{axis_of(vec), lanes_for(bounds(vec.src(0)).hi, target), Kind::Vec});

  // The outermost axes are shared out: as many as give each core some items of some work.
  constexpr int64_t kItemsACore = 16;
  Grid grid;
  int64_t items = 1;
  for (const UOp& axis : out.ranges) {
    if (std::find(chosen.begin(), chosen.end(), axis) != chosen.end() || axis == vec) continue;
    if (items >= kItemsACore * target.cores) break;
    grid.axes.push_back(axis_of(axis));
    items *= bounds(axis.src(0)).hi;
  }
  if (items > 1) opts.push_back(grid);
  const Expected<Schedule> s = Schedule(kernel, target).apply(opts);
  return s ? std::optional(*s) : std::nullopt;
}

}  // namespace pg
