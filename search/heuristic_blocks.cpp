#include "search/heuristic_blocks.h"

#include <algorithm>
#include <bit>

#include "search/block_axes.h"
#include "search/chains.h"
#include "search/heuristic_attention_blocks.h"
#include "search/movement.h"
#include "search/streamed_blocks.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {

constexpr int64_t kThreads = 256;  // of a block, where there is enough to do
constexpr int64_t kWidth = 4;      // elements of a 16-byte access
constexpr int64_t kWarp = 32;
constexpr int64_t kWarpRow = 1024;  // elements of a row that one warp computes by itself ..
constexpr int64_t kWarpsEach = 4;   // .. where each processor has so many rows

int64_t up_to_power_of_two(int64_t n) {
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(n, 1))));
}

class BlockHeuristic {
 public:
  BlockHeuristic(const UOp& kernel, const Target& target)
      : kernel_(kernel), target_(target), schedule_(kernel, target), all_(definitions(kernel)), root_(all_.back()) {}

  Opts run() {
    if (root_.reduce)
      if (const auto attention = attention_block_heuristic(kernel_, target_)) return attention->opts();
    if (const auto streamed = streamed_block_heuristic(kernel_, target_)) return streamed->opts();
    if (all_.size() > 1 && std::any_of(all_.begin(), all_.end() - 1, [](const Definition& d) { return d.reduce; }))
      rows();
    else if (!root_.reduce)
      elementwise();
    else if (!product())
      reduction();
    return schedule_.opts();
  }

 private:
  bool take(const Opts& opts) {
    Expected<Schedule> next = schedule_.apply(opts);
    if (next) schedule_ = *next;
    return static_cast<bool>(next);
  }
  bool take(const Opt& opt) { return take(Opts{opt}); }

  void grid() {
    if (!root_.ranges.empty()) take(Grid{axis_names(root_.ranges)});
  }
  /// `threads` of the block along an axis, 16 bytes each where the axis is long enough. Returns how many there are.
  int64_t spread(const UOp& axis, int64_t threads, bool wide) {
    const int64_t width = wide && extent(axis) >= 32 * kWidth && divides(kWidth, axis.src(0)) ? kWidth : 1;
    const int64_t used = std::min(threads, up_to_power_of_two((extent(axis) + width - 1) / width));
    Opts opts;
    if (used > 1) opts.push_back(Tile{axis_of(axis), used * width, Kind::Local});
    if (width > 1) opts.push_back(Tile{axis_of(axis), width, Kind::Vec});
    if (!opts.empty() && !take(opts)) return 1;
    return used;
  }

  void elementwise() {
    int64_t threads = kThreads;
    UOp lanes = contiguous(kernel_, root_.ranges);
    if (!lanes && !root_.ranges.empty()) lanes = root_.ranges.back();
    if (lanes) threads /= spread(lanes, threads, true);
    for (size_t i = root_.ranges.size(); i-- > 0 && threads > 1;)
      if (!(root_.ranges[i] == lanes)) threads /= spread(root_.ranges[i], threads, false);
    grid();
  }

  /// A row's reductions and what follows them, by the threads of one block; short rows share a block.
  void rows() {
    UOps along, across;  // axes that are reduced, and those of the rows
    for (const Definition& d : all_)
      for (const UOp& r : d.reduce_ranges)
        if (!d.store && !has_axis(along, r)) along.push_back(r);
    for (const UOp& r : root_.ranges)
      if (!has_axis(along, r)) across.push_back(r);
    UOp lanes = contiguous(kernel_, along);
    if (!lanes) lanes = along.back();
    const int64_t count = extents(across);
    const bool warps = extent(lanes) <= kWarpRow && extent(lanes) >= kWarp * kWidth && count >= kWarpsEach * target_.sms;
    const int64_t used = spread(lanes, warps ? kWarp : kThreads, true);
    if (used < 64 && !across.empty()) spread(across.back(), kThreads / std::max<int64_t>(used, 1), false);
    if (warps) take(Lanes{axis_of(lanes)});
    const Grid g{axis_names(across)};
    if (!g.axes.empty()) take(g);
    for (const Definition& d : all_) {
      if (d.reduce || d.store) continue;
      const UOps nodes = expression_nodes(d.value);
      const bool costly = std::any_of(nodes.begin(), nodes.end(),
                                      [](const UOp& u) { return u.is(Op::Exp) || u.is(Op::Tanh) || u.is(Op::Erf); });
      if (costly && !g.axes.empty()) take(StageOpt{d.node.arg_as<std::string>(), {g.axes.back()}, StageMemory::Shared});
    }
  }

  /// Few outputs of long sums: threads have parts of each.
  void reduction() {
    UOp inner = contiguous(kernel_, root_.reduce_ranges);
    const UOp lanes = contiguous(kernel_, root_.ranges);
    if (inner && lanes && movement(kernel_, inner).strided > 0) inner = {};
    int64_t outputs = extents(root_.ranges), threads = kThreads;
    UOp deep = longest(root_.reduce_ranges);
    if (inner) {
      deep = inner;
      threads /= spread(inner, threads, true);
      if (threads > 1 && !root_.ranges.empty()) spread(root_.ranges.back(), threads, false);
    } else if (lanes) {
      const int64_t across = spread(lanes, 32, true);
      outputs = (outputs + across * kWidth - 1) / (across * kWidth);
      if (extent(deep) >= 64) spread(deep, threads / std::max<int64_t>(across, 1), false);
    }
    split(deep, outputs);
    if (schedule_.grid().empty()) grid();
  }
  /// Where the outputs do not fill the machine: each block has a part of the sum.
  void split(const UOp& deep, int64_t blocks) {
    const int64_t wanted = 2 * std::max(target_.sms, 1),
                  whole = schedule_.chain(axis_of(deep)).empty() ? 1 : schedule_.chain(axis_of(deep))[0].size;
    if (blocks >= wanted || !const_int(deep.src(0)) || extent(deep) < 16 * whole) return;
    const int64_t parts = std::min((wanted + blocks - 1) / blocks, extent(deep) / (4 * whole));
    const int64_t part = (extent(deep) / parts + whole - 1) / whole * whole;
    Splits splits = schedule_.chain(axis_of(deep));
    if (parts < 2 || (!splits.empty() && part == splits[0].size)) return;
    splits.insert(splits.begin(), {part, Kind::Loop});
    Grid g{axis_names(root_.ranges)};
    g.axes.push_back(axis_of(deep));
    if (const auto tiled = with_chains(schedule_, {{axis_of(deep), splits}}))
      if (const Expected<Schedule> shared = tiled->apply(Opt(g))) schedule_ = *shared;
  }

  /// Outputs that share operands: blocks of both axes, tiles of the operands in shared memory.
  bool product() {
    const std::optional<ProductAxes> axes = product_axes(kernel_, 16);
    if (!axes) return false;
    const auto& [rows, columns, deep] = *axes;
    const int64_t others = extents(root_.ranges) / extent(rows) / extent(columns);
    const Schedule before = schedule_;
    for (const int64_t tile : {128, 64, 32}) {
      const int64_t blocks = others * ((extent(rows) + tile - 1) / tile) * ((extent(columns) + tile - 1) / tile);
      if (tile > 32 && (blocks < target_.sms || 4 * extent(rows) < 3 * tile || 4 * extent(columns) < 3 * tile)) continue;
      Opts opts;
      for (const UOp& a : {rows, columns}) {
        if (tile == 128) opts.push_back(Tile{axis_of(a), 128, Kind::Upcast});
        opts.push_back(Tile{axis_of(a), std::min<int64_t>(tile, 64), Kind::Local});
        opts.push_back(Tile{axis_of(a), 4, Kind::Upcast});
      }
      if (extent(deep) >= 8) opts.push_back(Tile{axis_of(deep), 8, Kind::Unroll});
      opts.push_back(Grid{axis_names(root_.ranges)});
      if (!take(opts)) continue;
      if (extent(deep) > 8) stage_operands(deep);
      return true;
    }
    schedule_ = before;
    return false;
  }
  /// Both operands at the loop over the sum: the one whose rows lie along the sum is turned round.
  void stage_operands(const UOp& deep) {
    for (const Operand& o : operands(root_, deep)) {
      StageOpt s{o.name, {axis_of(deep)}, StageMemory::Shared};
      if (o.turns()) s.layout = {{"1"}, {"0"}}, s.banks = StageBanks::Pad;
      s.stages = 2;
      if (!take(s)) s.stages = 1, take(s);
    }
  }

  UOp kernel_;
  Target target_;
  Schedule schedule_;
  std::vector<Definition> all_;
  Definition root_;
};

}  // namespace

Opts block_heuristic(const UOp& kernel, const Target& target) { return BlockHeuristic(kernel, target).run(); }

}  // namespace pg
