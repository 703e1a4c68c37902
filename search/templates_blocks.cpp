// Bundles of opts for a GPU that only pay together: a block's tile, what a thread has of it, how its operands come.
#include <algorithm>
#include <set>

#include "search/chains.h"
#include "search/movement.h"
#include "search/moves_blocks.h"
#include "search/tune.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {

constexpr int64_t kWidth = 4;            // elements of a 16-byte access
constexpr int64_t kMostInstances = 512;  // statements of a register block, as opts allow
constexpr int64_t kLeastThreads = 64,
                  kMostThreads = 512;  // of a product's block: fewer hide nothing, more have few registers
constexpr size_t kDeepest = 6;         // slots of a ring

class BlockTemplates {
 public:
  BlockTemplates(const UOp& kernel, const Target& target)
      : kernel_(kernel), target_(target), unscheduled_(kernel, target), all_(definitions(kernel)), root_(all_.back()) {
    if (const Expected<Schedule> s = unscheduled_.apply(heuristic(kernel, target))) seen_.insert(text(s->opts()));
  }

  std::vector<Schedule> run() {
    const bool has_rows =
        std::any_of(all_.begin(), all_.end() - 1, [](const Definition& d) { return static_cast<bool>(d.reduce); });
    if (has_rows) {
      rows();
    } else if (!root_.reduce) {
      elementwise();
    } else {
      product();
      reduction();
    }
    return std::move(found_);
  }

 private:
  static int64_t extent(const UOp& axis) { return bounds(axis.src(0)).hi; }
  bool add(const Opts& opts) {
    const Expected<Schedule> s = unscheduled_.apply(opts);
    if (s && seen_.insert(text(s->opts())).second) found_.push_back(*s);
    return static_cast<bool>(s);
  }
  std::vector<std::string> names(const UOps& ranges) const {
    std::vector<std::string> all;
    for (const UOp& r : ranges) all.push_back(axis_of(r));
    return all;
  }
  UOp longest(const UOps& axes) const {
    return *std::max_element(axes.begin(), axes.end(), [](const UOp& a, const UOp& b) { return extent(a) < extent(b); });
  }
  /// The axis along which most accesses lie side by side; null: none.
  UOp contiguous(const UOps& axes) const {
    UOp best;
    int most = 0;
    for (const UOp& a : axes) {
      const Movement m = movement(kernel_, a);
      const int gain = 2 * m.contiguous - m.strided - 4 * m.scattered_stores;
      if (extent(a) > 1 && m.contiguous > 0 && (!best || gain > most)) most = gain, best = a;
    }
    return best;
  }
  /// `threads` along an axis with `width` neighbours each; and how long the axis must be for that to be sensible.
  static Opts spread(const UOp& axis, int64_t threads, int64_t width) {
    Opts opts;
    if (threads > 1) opts.push_back(Tile{axis_of(axis), threads * width, Kind::Local});
    if (width > 1) opts.push_back(Tile{axis_of(axis), width, Kind::Vec});
    return opts;
  }
  static bool is_long_enough(const UOp& axis, int64_t n) { return 2 * extent(axis) > n; }

  // ---- products ------------------------------------------------------------------------------------------------------

  struct Operand {
    std::string name;
    bool along_sum = false;  // its rows lie along the sum: threads that read a column of it meet in a bank
    size_t dimensions = 0;
  };
  std::vector<Operand> operands(const UOp& deep) const {
    std::vector<Operand> all;
    for (const UOp& u : expression_nodes(root_.bodies[0])) {
      if (!u.is(Op::Load) || !u.src(0).src(0).is(Op::Param)) continue;
      const std::string& name = u.src(0).src(0).arg_as<ParamArg>().name;
      if (std::any_of(all.begin(), all.end(), [&](const Operand& o) { return o.name == name; })) continue;
      all.push_back({name, coefficient(flat_address(u.src(0)), deep) == 1, u.src(0).src().size() - 1});
    }
    return all;
  }

  void product() {
    UOps shared;  // output axes that leave some operand alone
    for (const UOp& r : root_.ranges)
      if (extent(r) >= 8 && movement(kernel_, r).fixed > 0) shared.push_back(r);
    if (shared.size() < 2) return;
    const UOp columns = contiguous(shared) ? contiguous(shared) : shared.back();
    std::erase(shared, columns);
    const UOp rows = longest(shared), deep = longest(root_.reduce_ranges);
    for (const auto& [m, n] : {std::pair<int64_t, int64_t>{256, 128},
                               {128, 256},
                               {256, 64},
                               {128, 128},
                               {128, 64},
                               {64, 128},
                               {64, 64},
                               {32, 128},
                               {64, 32},
                               {32, 64},
                               {32, 32},
                               {16, 64}})
      for (const auto& [tm, tn] : {std::pair<int64_t, int64_t>{8, 16}, {8, 8}, {8, 4}, {4, 8}, {4, 4}, {2, 4}})
        if (const int64_t threads = m / tm * (n / tn); threads >= kLeastThreads && threads <= kMostThreads && m >= tm)
          if (is_long_enough(rows, m) && is_long_enough(columns, n)) block(rows, columns, deep, m, n, tm, tn);
  }
  void block(const UOp& rows, const UOp& columns, const UOp& deep, int64_t m, int64_t n, int64_t tm, int64_t tn) {
    int64_t blocks = 1;
    for (const UOp& r : root_.ranges) {
      const int64_t tile = r == rows ? m : r == columns ? n : 1;
      blocks *= (extent(r) + tile - 1) / tile;
    }
    for (bool apart : {true, false}) {
      Opts tiles;
      // A thread's registers in groups of four that lie apart: what neighbouring threads read is side by side.
      const auto tile = [&](const UOp& axis, int64_t size, int64_t own) {
        if (apart && own > kWidth) {
          tiles.push_back(Tile{axis_of(axis), size, Kind::Upcast});
          size = size / own * kWidth, own = kWidth;
        }
        tiles.push_back(Tile{axis_of(axis), size, Kind::Local});
        tiles.push_back(Tile{axis_of(axis), own, Kind::Upcast});
      };
      tile(rows, m, tm);
      tile(columns, n, tn);
      if (!apart && tm <= kWidth && tn <= kWidth) continue;  // the same
      for (int64_t depth : {8, 16, 32}) {
        if (depth > 8 && depth >= 2 * extent(deep)) continue;
        summed(tiles, deep, depth, tm * tn, 0);
        // Too few blocks for the machine: each has a part of the sum.
        if (blocks >= target_.sms || !const_int(deep.src(0))) continue;
        const int64_t wanted = (target_.sms + blocks - 1) / blocks;
        for (int64_t parts : {wanted, 2 * wanted, wanted / 2})
          if (parts > 1 && extent(deep) >= 4 * depth * parts)
            summed(tiles, deep, depth, tm * tn, (extent(deep) / parts + depth - 1) / depth * depth);
      }
    }
  }
  /// `part`: of the sum in each block; 0: all of it.
  void summed(Opts opts, const UOp& deep, int64_t depth, int64_t own, int64_t part) {
    const std::string k = axis_of(deep);
    const int64_t unroll = std::min(depth, std::max<int64_t>(1, kMostInstances / own));
    Grid grid{names(root_.ranges)};
    if (part) opts.push_back(Tile{k, part}), grid.axes.push_back(k);
    if (unroll < depth) opts.push_back(Tile{k, depth});
    if (unroll > 1) opts.push_back(Tile{k, unroll, Kind::Unroll});
    opts.push_back(grid);
    if (!add(opts)) return;
    const std::vector<Operand> all = operands(deep);
    const auto staged = [&](int64_t slots, StageCopy copy, bool turned) {
      Opts with = opts;
      for (const Operand& o : all) {
        StageOpt s{o.name, {k, part}, StageMemory::Shared};
        s.stages = slots, s.copy = copy;
        if (o.along_sum) {
          s.banks = turned ? StageBanks::Pad : StageBanks::Swizzle;
          if (turned && o.dimensions == 2) s.layout = {{"1"}, {"0"}};
        }
        with.push_back(s);
      }
      return add(with);
    };
    const bool any_along = std::any_of(all.begin(), all.end(), [](const Operand& o) { return o.along_sum; });
    for (bool turned : {true, false}) {
      if (!turned && !any_along) break;
      staged(1, StageCopy::Plain, turned);
      staged(2, StageCopy::Plain, turned);
      for (size_t slots = 2; slots <= kDeepest; ++slots)
        if (!staged(static_cast<int64_t>(slots), StageCopy::CpAsync, turned)) break;  // they do not fit any more
    }
  }

  // ---- rows, sums, elements ------------------------------------------------------------------------------------------

  void rows() {
    UOps along, across;
    for (const Definition& d : all_)
      for (const UOp& r : d.reduce_ranges)
        if (!d.store && !has_axis(along, r)) along.push_back(r);
    for (const UOp& r : root_.ranges)
      if (!has_axis(along, r)) across.push_back(r);
    const UOp lanes = contiguous(along) ? contiguous(along) : along.back();
    const Grid grid{names(across)};
    for (int64_t threads : {32, 64, 128, 256, 512, 1024})
      for (int64_t width : {1, 2, 4})
        for (int64_t together : {1, 2, 4, 8}) {
          if (threads * together > target_.max_threads || !is_long_enough(lanes, threads * width)) continue;
          if (together > 1 && (across.empty() || threads > 256 || extent(across.back()) < together)) continue;
          Opts opts = spread(lanes, threads, width);
          if (together > 1) opts.push_back(Tile{axis_of(across.back()), together, Kind::Local});
          if (!across.empty()) opts.push_back(grid);
          if (!add(opts) || across.empty()) continue;
          for (const Definition& d : all_)  // kept for the row, not computed again
            if (!d.reduce && !d.store) {
              Opts kept = opts;
              kept.push_back(StageOpt{d.node.arg_as<std::string>(), {axis_of(across.back()), 0}, StageMemory::Shared});
              add(kept);
            }
        }
  }

  void reduction() {
    const UOp inner = contiguous(root_.reduce_ranges), lanes = contiguous(root_.ranges), deep = longest(root_.reduce_ranges);
    const bool by_columns = lanes && (!inner || movement(kernel_, inner).strided > 0);
    if (by_columns) {
      for (int64_t across : {32, 64, 128})
        for (int64_t width : {1, 2, 4})
          for (int64_t threads : {1, 2, 4, 8, 16, 32}) {
            if (across * threads > target_.max_threads || across * threads < 32 || !is_long_enough(lanes, across * width))
              continue;
            Opts opts = spread(lanes, across, width), along = spread(deep, threads, 1);
            opts.insert(opts.end(), along.begin(), along.end());
            split(opts, deep, threads, (extent(lanes) + across * width - 1) / (across * width));
          }
      return;
    }
    const UOp sum = inner ? inner : deep;
    for (int64_t threads : {32, 64, 128, 256, 512, 1024})
      for (int64_t width : {1, 2, 4})
        for (int64_t rows : {1, 2, 4, 8})
          for (bool registers : {false, true}) {
            if (!is_long_enough(sum, threads * width)) continue;
            if (rows > 1 && (root_.ranges.empty() || extent(root_.ranges.back()) < rows)) continue;
            if (rows == 1 && registers) continue;
            Opts opts = spread(sum, threads, width);
            if (rows > 1) opts.push_back(Tile{axis_of(root_.ranges.back()), rows, registers ? Kind::Upcast : Kind::Local});
            int64_t blocks = 1;
            for (const UOp& r : root_.ranges) blocks *= extent(r);
            split(opts, sum, threads * width, (blocks + rows - 1) / rows);
          }
  }
  /// As it is, and with parts of the sum in several blocks where there are few.
  void split(const Opts& opts, const UOp& deep, int64_t unit, int64_t blocks) {
    Opts whole = opts;
    const Grid grid{names(root_.ranges)};
    if (!grid.axes.empty()) whole.push_back(grid);
    if (!whole.empty()) add(whole);
    if (!const_int(deep.src(0)) || blocks >= 2 * target_.sms) return;
    for (int64_t waves : {1, 2, 4, 8}) {
      const int64_t parts = (waves * target_.sms + blocks - 1) / blocks;
      const int64_t part = (extent(deep) / parts + unit - 1) / unit * unit;
      if (parts < 2 || part < 2 * unit || part >= extent(deep)) continue;
      Opts shared{Tile{axis_of(deep), part}};
      shared.insert(shared.end(), opts.begin(), opts.end());
      Grid parted = grid;
      parted.axes.push_back(axis_of(deep));
      shared.push_back(parted);
      add(shared);
    }
  }

  void elementwise() {
    if (root_.ranges.empty()) return;
    const UOp lanes = contiguous(root_.ranges) ? contiguous(root_.ranges) : root_.ranges.back();
    const Grid grid{names(root_.ranges)};
    for (int64_t threads : {32, 64, 128, 256, 512, 1024})
      for (int64_t width : {1, 2, 4})
        for (int64_t own : {1, 2, 4}) {  // accesses on their way at once
          if (!is_long_enough(lanes, threads * width * own)) continue;
          Opts opts = spread(lanes, threads, width);
          if (own > 1) opts.insert(opts.begin(), Tile{axis_of(lanes), threads * width * own, Kind::Upcast});
          opts.push_back(grid);
          add(opts);
          for (const UOp& r : root_.ranges)  // short rows share a block
            if (!(r == lanes) && threads < 256 && extent(r) > 1) {
              opts.push_back(Tile{axis_of(r), 256 / threads, Kind::Local});
              add(opts);
              opts.pop_back();
            }
        }
  }

  UOp kernel_;
  Target target_;
  Schedule unscheduled_;
  std::vector<Definition> all_;
  Definition root_;
  std::set<std::string> seen_;
  std::vector<Schedule> found_;
};

}  // namespace

std::vector<Schedule> block_templates(const UOp& kernel, const Target& target) {
  return BlockTemplates(kernel, target).run();
}

}  // namespace pg
