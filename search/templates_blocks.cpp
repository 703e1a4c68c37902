// Bundles of opts for a GPU that only pay together: rows, sums, elements. Those for products: templates_products.cpp.
#include "search/templates_blocks.h"

#include <algorithm>

#include "search/heuristic_attention_blocks.h"
#include "search/movement.h"
#include "search/moves_blocks.h"
#include "search/streamed_blocks.h"
#include "search/tune.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

bool BundleSet::add(const Opts& opts, size_t most) {
  if (found_.size() >= most) return true;
  const Expected<Schedule> s = unscheduled_.apply(opts);
  if (s && seen_.insert(text(s->opts())).second) found_.push_back(*s);
  return static_cast<bool>(s);
}
void BundleSet::exclude(const Opts& opts) {
  if (const Expected<Schedule> s = unscheduled_.apply(opts)) seen_.insert(text(s->opts()));
}

namespace {

constexpr int64_t kWidth = 4;        // elements of a 16-byte access
constexpr int64_t kThin = 32;        // outputs along an axis below which a product is also taken as sums
constexpr int64_t kSharedRow = 128;  // threads of a row from which it has a block for itself
constexpr size_t kMostKept = 4;      // values of a row that templates keep, each by itself
constexpr int64_t kThreads[] = {32, 64, 128, 256, 512, 1024};

class BlockTemplates {
 public:
  BlockTemplates(const UOp& kernel, const Target& target)
      : kernel_(kernel), target_(target), all_(definitions(kernel)), root_(all_.back()), found_(kernel, target) {
    found_.exclude(heuristic(kernel, target));
  }

  std::vector<Schedule> run() {
    const bool has_rows =
        std::any_of(all_.begin(), all_.end() - 1, [](const Definition& d) { return static_cast<bool>(d.reduce); });
    if (has_rows) {
      attention();
      streamed();
      rows();
    } else if (!root_.reduce) {
      elementwise();
    } else {
      const std::optional<ProductAxes> axes = product_axes(kernel_, 8);
      if (axes) product_templates(kernel_, target_, *axes, found_);
      if (!axes || std::min(extent(axes->rows), extent(axes->columns)) < kThin) reduction();
    }
    return found_.take();
  }

 private:
  /// `threads` along an axis with `width` neighbours each; and how long the axis must be for that to be sensible.
  static Opts spread(const UOp& axis, int64_t threads, int64_t width) {
    Opts opts;
    if (threads > 1) opts.push_back(Tile{axis_of(axis), threads * width, Kind::Local});
    if (width > 1) opts.push_back(Tile{axis_of(axis), width, Kind::Vec});
    return opts;
  }
  static bool is_long_enough(const UOp& axis, int64_t n) { return 2 * extent(axis) > n; }
  /// The widest accesses that need no mask and have something for the fewest threads, and single ones.
  static std::vector<int64_t> widths(const UOp& axis) {
    for (int64_t width = kWidth; width > 1; width /= 2)
      if (divides(width, axis.src(0)) && is_long_enough(axis, kThreads[0] * width)) return {width, 1};
    return {1};
  }

  void attention() {
    for (const AttentionBlock& b : attention_blocks(kernel_, target_))
      if (const auto s = attention_block(kernel_, target_, b)) found_.add(s->opts());
  }
  void streamed() {
    for (int64_t warps : {4, 8, 16})
      for (int64_t own : {1, 2, 4, 8})
        if (const auto s = streamed_block(kernel_, target_, {warps, own})) found_.add(s->opts());
  }

  void rows() {
    UOps along, across;
    for (const Definition& d : all_)
      for (const UOp& r : d.reduce_ranges)
        if (!d.store && !has_axis(along, r)) along.push_back(r);
    for (const UOp& r : root_.ranges)
      if (!has_axis(along, r)) across.push_back(r);
    const UOp side_by_side = contiguous(kernel_, along), lanes = side_by_side ? side_by_side : along.back();
    const std::vector<std::string> kept = kept_values(along);
    for (int64_t threads : kThreads)
      for (int64_t width : widths(lanes))
        for (int64_t together : {1, 2, 4, 8}) {
          if (threads * together > target_.max_threads || !is_long_enough(lanes, threads * width)) continue;
          if (together > 1 && (across.empty() || threads > kSharedRow || extent(across.back()) < together)) continue;
          Opts opts = spread(lanes, threads, width);
          if (together > 1) opts.push_back(Tile{axis_of(across.back()), together, Kind::Local});
          if (!across.empty()) opts.push_back(Grid{axis_names(across)});
          if (threads > kThreads[0] / 4 && threads <= kThreads[0] && together > 1) {  // a warp for each row
            Opts warps = opts;
            warps.push_back(Lanes{axis_of(lanes)});
            found_.add(warps);
          }
          if (!found_.add(opts) || across.empty()) continue;
          for (const std::string& value : kept) {
            Opts with = opts;
            with.push_back(StageOpt{value, {axis_of(across.back()), 0}, StageMemory::Shared});
            found_.add(with);
          }
        }
  }
  /// What a row may keep in shared memory instead of computing or fetching it again: definitions that are no sums, and
  /// buffers that several definitions read along the row.
  std::vector<std::string> kept_values(const UOps& along) const {
    std::vector<std::string> values;
    std::vector<std::pair<std::string, int>> readers;
    for (const Definition& d : all_) {
      if (!d.reduce && !d.store) values.push_back(d.node.arg_as<std::string>());
      std::set<std::string> read;
      for (const UOp& u : expression_nodes(d.store ? d.store : d.value))
        if (u.is(Op::Load) && u.src(0).src(0).is(Op::Param) &&
            std::any_of(along.begin(), along.end(), [&](const UOp& r) { return depends_on(u, r); }))
          read.insert(u.src(0).src(0).arg_as<ParamArg>().name);
      for (const std::string& name : read) {
        const auto it = std::find_if(readers.begin(), readers.end(), [&](const auto& r) { return r.first == name; });
        if (it == readers.end())
          readers.emplace_back(name, 1);
        else if (++it->second == 2)
          values.push_back(name);
      }
    }
    if (values.size() > kMostKept) values.resize(kMostKept);
    return values;
  }

  void reduction() {
    const UOp inner = contiguous(kernel_, root_.reduce_ranges), lanes = contiguous(kernel_, root_.ranges),
              deep = longest(root_.reduce_ranges);
    if (lanes && (!inner || movement(kernel_, inner).strided > 0))
      by_columns(lanes, deep);
    else
      by_rows(inner ? inner : deep);
  }
  /// Threads along the outputs, and a few along the sum.
  void by_columns(const UOp& lanes, const UOp& deep) {
    for (int64_t across : {32, 64, 128})
      for (int64_t width : widths(lanes))
        for (int64_t threads : {1, 2, 4, 8, 16, 32}) {
          if (across * threads > target_.max_threads || !is_long_enough(lanes, across * width)) continue;
          Opts opts = spread(lanes, across, width), along = spread(deep, threads, 1);
          opts.insert(opts.end(), along.begin(), along.end());
          const int64_t tile = across * width;
          split(opts, deep, threads, extents(root_.ranges) / extent(lanes) * ((extent(lanes) + tile - 1) / tile));
        }
  }
  /// Threads along the sum; several sums in a block or in a thread where there are enough.
  void by_rows(const UOp& sum) {
    const int64_t outputs = extents(root_.ranges);
    for (int64_t threads : kThreads)
      for (int64_t width : widths(sum))
        for (int64_t rows : {1, 2, 4, 8})
          for (Kind kind : {Kind::Local, Kind::Upcast}) {
            if (!is_long_enough(sum, threads * width)) continue;
            if (rows == 1 && kind == Kind::Upcast) continue;  // the same
            if (rows > 1 && (outputs < rows * target_.sms || extent(root_.ranges.back()) < rows)) continue;
            if (rows * threads > target_.max_threads && kind == Kind::Local) continue;
            Opts opts = spread(sum, threads, width);
            if (rows > 1) opts.push_back(Tile{axis_of(root_.ranges.back()), rows, kind});
            if (rows > 1 && kind == Kind::Local && threads == kThreads[0]) {  // a warp for each output
              Opts warps = opts;
              warps.push_back(Grid{axis_names(root_.ranges)});
              warps.push_back(Lanes{axis_of(sum)});
              found_.add(warps);
            }
            split(opts, sum, threads * width, (outputs + rows - 1) / rows);
          }
  }
  /// As it is, and with parts of the sum in several blocks where there are few.
  void split(const Opts& opts, const UOp& deep, int64_t unit, int64_t blocks) {
    Opts whole = opts;
    const Grid grid{axis_names(root_.ranges)};
    if (!grid.axes.empty()) whole.push_back(grid);
    if (!whole.empty()) found_.add(whole);
    if (!const_int(deep.src(0)) || blocks >= 2 * target_.sms) return;
    for (int64_t waves : {1, 2, 4}) {
      const int64_t parts = (waves * target_.sms + blocks - 1) / blocks;
      const int64_t part = (extent(deep) / parts + unit - 1) / unit * unit;
      if (parts < 2 || part < 2 * unit || part >= extent(deep)) continue;
      Opts shared{Tile{axis_of(deep), part}};
      shared.insert(shared.end(), opts.begin(), opts.end());
      Grid parted = grid;
      parted.axes.push_back(axis_of(deep));
      shared.push_back(parted);
      found_.add(shared);
    }
  }

  void elementwise() {
    if (root_.ranges.empty()) return;
    const UOp side_by_side = contiguous(kernel_, root_.ranges), lanes = side_by_side ? side_by_side : root_.ranges.back();
    UOps others = root_.ranges;
    std::erase(others, lanes);
    const Grid grid{axis_names(root_.ranges)};
    for (int64_t threads : kThreads)
      for (int64_t width : widths(lanes))
        for (int64_t own : {1, 2, 4}) {  // accesses on their way at once
          if (!is_long_enough(lanes, threads * width * own)) continue;
          Opts opts = spread(lanes, threads, width);
          if (own > 1) opts.insert(opts.begin(), Tile{axis_of(lanes), threads * width * own, Kind::Upcast});
          opts.push_back(grid);
          found_.add(opts);
          if (others.empty() || threads >= 256 || extent(longest(others)) < 2) continue;
          opts.push_back(Tile{axis_of(longest(others)), 256 / threads, Kind::Local});  // short rows share a block
          found_.add(opts);
        }
  }

  UOp kernel_;
  Target target_;
  std::vector<Definition> all_;
  Definition root_;
  BundleSet found_;
};

}  // namespace

std::vector<Schedule> block_templates(const UOp& kernel, const Target& target) {
  return BlockTemplates(kernel, target).run();
}

std::string block_family(const Schedule& s) {
  std::string family;
  const auto in_grid = [&](const std::string& axis) {
    return std::find(s.grid().begin(), s.grid().end(), axis) != s.grid().end();
  };
  for (const Axis& a : s.axes()) {
    const Schedule::Splits& chain = s.chain(a.name);
    int64_t threads = 1;
    for (size_t i = 0; i < chain.size(); ++i)
      if (chain[i].kind == Kind::Local) threads *= chain[i].size / (i + 1 < chain.size() ? chain[i + 1].size : 1);
    const bool parted = in_grid(a.name);
    family += a.name +
              (a.reduce ? (parted ? "/parts" : "") + std::to_string(threads)
               : parted ? std::to_string(chain.empty() ? 1 : chain[0].size)
                        : std::to_string(threads)) +
              " ";
  }
  for (const StageOpt& stage : s.stages())
    family += stage.value +
              (stage.copy == StageCopy::CpAsync ? ":ring"
               : stage.stages > 1               ? ":slots"
                                                : "") +
              (stage.banks == StageBanks::Swizzle ? ":swizzle " : " ");
  return family;
}

}  // namespace pg
