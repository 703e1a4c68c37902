#include "search/heuristic_windows.h"

#include <algorithm>

#include "search/chains.h"
#include "search/movement.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {
constexpr int64_t kWidestComb = 4;     // elements from one output's to the next one's
constexpr int64_t kLines = 4;          // of the output that share a copy; fewer where it would not stay in the L2
constexpr int64_t kLongestWindow = 8;  // that is written out

int64_t extent(const UOp& axis) { return bounds(axis.src(0)).hi; }

/// A load by windows along some output axis.
struct Windows {
  UOp access;        // Index
  UOp line;          // the output axis that moves the windows from line to line; null: there is none
  UOp inside;        // what they run over in the direction of the vectors; null: they are one element wide there
  int64_t comb = 1;  // elements from one output's window to the next one's
  const std::string& buffer() const { return access.src(0).arg_as<ParamArg>().name; }
};

bool is_output(const Definition& root, const UOp& axis) { return has_axis(root.ranges, axis); }

/// How far an index moves with an axis, where it moves with an axis of a sum too.
std::optional<int64_t> window_step(const Definition& root, const UOp& index, const UOp& axis) {
  if (!depends_on(index, axis)) return std::nullopt;
  const UOps moved = free_ranges(index);
  if (std::all_of(moved.begin(), moved.end(), [&](const UOp& r) { return is_output(root, r); })) return std::nullopt;
  return coefficient(index, axis);
}

UOps loads_of(const Definition& root) {
  UOps all;
  for (const UOp& u : expression_nodes(root.bodies[0]))
    if (u.is(Op::Load) && u.src(0).src(0).is(Op::Param)) all.push_back(u.src(0));
  return all;
}

std::optional<Windows> windows(const Definition& root, const UOp& vec, const std::string& row) {
  std::optional<Windows> found;
  for (const UOp& access : loads_of(root))
    for (const UOp& i : access.src().subspan(1)) {
      const UOps moved = free_ranges(i);
      if (moved.size() < 2) continue;
      if (!found) found.emplace();
      found->access = access;
      for (const UOp& r : moved) {
        if (is_output(root, r) && !(r == vec) && axis_of(r) != row) found->line = r;
        if (!is_output(root, r) && depends_on(i, vec)) found->inside = r;
      }
      if (const auto step = window_step(root, i, vec)) found->comb = *step;
    }
  return found;
}

/// Bytes of a copy for so many lines of the output.
int64_t copied_bytes(const Windows& w, const UOp& lines, int64_t count) {
  int64_t bytes = w.access.dtype().bytes();
  const Substitution few{{lines, range("lines", iconst(count))}};
  for (const UOp& i : w.access.src().subspan(1)) {
    const Interval b = bounds(substitute(i, few));
    bytes *= b.hi - b.lo + 1;
  }
  return bytes;
}

/// Lines first, so that a line's channels follow each other; the elements of each line sorted by what is left over.
std::vector<LayoutPart> combed_layout(const Windows& w) {
  std::vector<LayoutPart> parts, others;
  const size_t last = w.access.src().size() - 2;
  for (size_t d = 0; d < last; ++d)
    (w.line && depends_on(w.access.src(d + 1), w.line) ? parts : others).push_back({std::to_string(d)});
  parts.insert(parts.end(), others.begin(), others.end());
  parts.push_back({std::to_string(last), w.comb, LayoutPart::Kind::Inner});
  parts.push_back({std::to_string(last), w.comb, LayoutPart::Kind::Outer});
  return parts;
}
}  // namespace

int combed_loads(const UOp& kernel, const UOp& axis) {
  const Definition root = definitions(kernel).back();
  if (!root.reduce || !is_output(root, axis) || !const_int(axis.src(0))) return 0;
  int count = 0;
  for (const UOp& access : loads_of(root)) {
    const auto step = window_step(root, access.src(access.src().size() - 1), axis);
    count += step && *step > 1 && *step <= kWidestComb && coefficient(flat_address(access), axis) == *step;
  }
  return count;
}

std::optional<Schedule> windows_staged(const Schedule& blocked, const UOp& vec, int64_t vectors, const std::string& row,
                                       const Target& target) {
  const Definition root = definitions(blocked.kernel()).back();
  const std::optional<Windows> w = windows(root, vec, row);
  if (!w) return std::nullopt;
  Schedule schedule = blocked;
  const auto take = [&](const Opt& opt) {
    if (const Expected<Schedule> next = schedule.apply(opt)) schedule = *next;
  };
  const UOp along = w->line ? w->line : vec;
  const std::string lines = axis_of(along);
  if (w->line && vectors == 1 && schedule.chain(lines).empty() && extent(w->line) >= kLines) {
    // A narrow image: the block of registers has lines too, and fewer filters.
    const int64_t filters = std::max<int64_t>(1, (target.registers - 1) / kLines - 1);
    if (const auto narrow =
            with_chains(schedule, {{row, {{balanced_tile(bounds(schedule.axis(row)->extent).hi, filters), Kind::Upcast}}},
                                   {lines, {{kLines, Kind::Upcast}}}}))
      schedule = *narrow;
  } else if (w->line && extent(w->line) >= 2 * kLines) {
    int64_t count = kLines;
    while (count > 1 && copied_bytes(*w, along, count) > target.l2_bytes / 2) count /= 2;
    if (count > 1) take(Tile{lines, count});
  }
  // All steps of a window's line: their places in the copy are known then.
  if (w->inside && const_int(w->inside.src(0)) && extent(w->inside) <= kLongestWindow)
    take(Tile{axis_of(w->inside), extent(w->inside), Kind::Unroll});
  if (extent(along) >= 2 * target.cores) take(Grid{{lines}});
  StageOpt stage{w->buffer(), {lines, 0}};
  if (w->comb > 1 && w->comb <= kWidestComb) stage.layout = combed_layout(*w);
  const Expected<Schedule> staged = schedule.apply(Opt(stage));
  if (!staged) return std::nullopt;
  std::vector<RangeRef> order;
  for (const RangeRef& r : staged->root().loops)
    if (!(r == RangeRef{lines, 0})) order.push_back(r);
  if (staged->grid().empty()) order.insert(order.begin(), {lines, 0});
  const Expected<Schedule> ordered = schedule.apply(Opts{Order{order}, stage});
  return ordered ? std::optional(*ordered) : std::nullopt;
}

}  // namespace pg
