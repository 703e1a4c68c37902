#include "search/streamed_blocks.h"

#include <algorithm>

#include "search/block_axes.h"
#include "search/movement.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {

constexpr int64_t kWidth = 4;  // elements of a 16-byte access
constexpr int64_t kWarp = 32;

int64_t width_along(const UOp& axis) { return divides(kWidth, axis.src(0)) ? kWidth : 1; }

/// What there is to stream.
struct Streamed {
  std::vector<Definition> beside;  // sums at each output, the output itself last
  std::vector<Definition> shared;  // what all outputs read: a row's reductions, the normalised row
  UOp n, deep;                     // outputs, and what is summed over
  bool by_rows = false;            // neighbours in memory lie along the sum
};
std::optional<Streamed> streamed(const UOp& kernel) {
  const std::vector<Definition> all = definitions(kernel);
  const Definition& root = all.back();
  if (!root.reduce || root.ranges.empty()) return std::nullopt;
  Streamed s;
  for (const Definition& d : all) {
    const bool apart =
        std::none_of(d.ranges.begin(), d.ranges.end(), [&](const UOp& r) { return has_axis(root.ranges, r); });
    if (d.reduce && d.ranges == root.ranges)
      s.beside.push_back(d);
    else if (apart)
      s.shared.push_back(d);
    else
      return std::nullopt;
  }
  const bool reduces = std::any_of(s.shared.begin(), s.shared.end(), [](const Definition& d) { return bool(d.reduce); });
  if (!reduces && s.beside.size() < 2) return std::nullopt;
  const UOp along = contiguous(kernel, root.reduce_ranges), across = contiguous(kernel, root.ranges);
  s.by_rows = along && (!across || movement(kernel, along).strided == 0);
  s.deep = s.by_rows ? along : longest(root.reduce_ranges);
  s.n = s.by_rows || !across ? root.ranges.back() : across;
  for (const Definition& d : s.beside)
    if (!has_axis(d.reduce_ranges, s.deep)) return std::nullopt;
  return s;
}

}  // namespace

std::optional<Schedule> streamed_block(const UOp& kernel, const Target& target, const StreamedBlock& block) {
  const auto s = streamed(kernel);
  if (!s) return std::nullopt;
  const Schedule unscheduled(kernel, target);
  Opts opts, kept;
  for (const Definition& d : s->beside) {
    const std::string nest = d.store ? unscheduled.root().name : d.node.arg_as<std::string>();
    const auto tile = [&](const UOp& axis, int64_t size, Kind kind) {
      if (size > 1) opts.push_back(Tile{axis_of(axis), size, kind, nest});
    };
    const int64_t width = width_along(s->by_rows ? s->deep : s->n);
    if (s->by_rows) {
      if (block.own > 1) tile(s->n, block.own * block.warps, Kind::Upcast);
      tile(s->n, block.warps, Kind::Local);
      tile(s->deep, kWarp * width, Kind::Local);
      tile(s->deep, width, Kind::Unroll);
      kept.push_back(Lanes{axis_of(s->deep), nest});
    } else {
      if (block.own > 1) tile(s->n, block.own * kWarp * width, Kind::Upcast);
      tile(s->n, kWarp * width, Kind::Local);
      tile(s->n, width, Kind::Vec);
      tile(s->deep, block.warps, Kind::Local);
    }
  }
  for (const Definition& d : s->shared) {
    const UOps& axes = d.reduce ? d.reduce_ranges : d.ranges;
    if (axes.empty()) continue;
    const std::string nest = d.node.arg_as<std::string>(), axis = axis_of(axes.back());
    const int64_t width = width_along(axes.back());
    opts.push_back(Tile{axis, kWarp * block.warps * width, Kind::Local, nest});
    if (width > 1) opts.push_back(Tile{axis, width, Kind::Vec, nest});
    if (!d.reduce) kept.push_back(StageOpt{nest, {}, StageMemory::Shared});
  }
  opts.push_back(Grid{axis_names(definitions(kernel).back().ranges)});
  Expected<Schedule> found = unscheduled.apply(opts);
  if (!found) return std::nullopt;
  for (const Opt& o : kept)  // a vector that does not fit is computed where it is read
    if (const Expected<Schedule> next = found->apply(o)) found = next;
  return *found;
}

std::optional<Schedule> streamed_block_heuristic(const UOp& kernel, const Target& target) {
  const auto s = streamed(kernel);
  if (!s) return std::nullopt;
  StreamedBlock block;
  if (s->by_rows)
    for (block.own = kWidth; block.own > 1 && extents(s->beside.back().ranges) < block.own * block.warps * 2 * target.sms;)
      block.own /= 2;
  return streamed_block(kernel, target, block);
}

}  // namespace pg
