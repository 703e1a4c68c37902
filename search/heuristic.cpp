// The default schedule: what a performance engineer would try first, without measuring anything.
#include <algorithm>
#include <map>

#include "search/chains.h"
#include "search/heuristic_attention.h"
#include "search/heuristic_blocks.h"
#include "search/heuristic_choices.h"
#include "search/heuristic_few_rows.h"
#include "search/heuristic_panels.h"
#include "search/heuristic_windows.h"
#include "search/movement.h"
#include "search/schedule.h"
#include "search/streams.h"
#include "search/tune.h"
#include "search/unpacked.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {

/// A panel is copied once and read by every block of rows: with few of them the copy costs more than it saves.
constexpr int64_t kWorthPacking = 192;

class Heuristic {
 public:
  Heuristic(const UOp& kernel, const Target& target) : kernel_(kernel), target_(target), schedule_(kernel, target) {
    const std::vector<Definition> all = definitions(kernel);
    root_ = all.back();
    rows_ = std::any_of(all.begin(), all.end(), [&](const Definition& d) { return belongs_to_rows(d); });
  }

  Schedule run() {
    if (const auto attention = attention_heuristic(kernel_, target_)) return *attention;
    if (const auto choices = choices_heuristic(kernel_, target_)) return *choices;
    if (const auto panels = panels_heuristic(kernel_, target_)) return *panels;
    const UOp vec = vector_axis();
    if (vec && is_reduce(vec)) {
      if (pack_panels(vec)) return schedule_;
      if (const auto few = few_rows_heuristic(schedule_, axis_of(vec))) return *few;
    }
    if (vec) widen(vec);
    if (root_.reduce) block(vec);
    if (!stage_combed(vec) && !cache_tile(vec) && !stage_windows(vec)) parallelise();
    unroll_block(vec);
    keep_rows();
    return schedule_;
  }

 private:
  int64_t extent(const UOp& axis) const { return bounds(axis.src(0)).hi; }
  int64_t longest(const std::string& axis) const { return bounds(schedule_.axis(axis)->extent).hi; }
  /// What is computed for each output by itself, or once for all, does not.
  bool belongs_to_rows(const Definition& d) const {
    if (d.store) return false;
    if (d.reduce) return !d.ranges.empty() && d.ranges != root_.ranges;
    return !root_.reduce && moves_outputs(d);
  }
  bool moves_outputs(const Definition& d) const {
    return std::any_of(d.ranges.begin(), d.ranges.end(), [&](const UOp& r) { return has_axis(root_.ranges, r); });
  }
  bool is_reduce(const UOp& axis) const {
    return std::none_of(root_.ranges.begin(), root_.ranges.end(), [&](const UOp& r) { return r == axis; });
  }
  bool take(const Opt& opt) {
    Expected<Schedule> next = schedule_.apply(opt);
    if (next) schedule_ = *next;
    return static_cast<bool>(next);
  }

  /// The axis whose neighbours are neighbours in memory for most accesses of the innermost body.
  UOp vector_axis() const {
    UOp best;
    double best_cost = 1e30;
    UOps candidates = root_.ranges;
    for (const Definition& d : definitions(kernel_))
      for (const UOp& r : d.reduce_ranges)
        if (std::find(candidates.begin(), candidates.end(), r) == candidates.end()) candidates.push_back(r);
    for (const UOp& axis : candidates) {
      if (extent(axis) < 2) continue;
      const Movement m = movement(kernel_, axis);
      // A gather costs as much as its lanes; a scattered store does so once per output only. A horizontal merge is cheap.
      const int packed = packable(axis) + (rows_ ? 0 : combed_loads(kernel_, axis));
      double cost = 10.0 * (m.strided - packed) + 0.3 * packed + (root_.reduce ? 1.0 : 10.0) * m.scattered_stores +
                    (is_reduce(axis) ? 0.5 : 0) - 0.01 * m.contiguous;
      // A window is too short to walk by vectors; a line that nearly fills one is not.
      if (const int64_t lanes = target_.lanes_f32(); extent(axis) < lanes)
        cost += is_reduce(axis) ? 20 : 4 * extent(axis) >= 3 * lanes ? 0.5 : 4;
      if (m.contiguous == 0 && packed == 0 && m.scattered_stores == 0) cost += 2;
      if (cost < best_cost) best_cost = cost, best = axis;
    }
    return best;
  }

  /// Loads along an output axis that are strided in memory, but will be read from a panel: what many rows share.
  int packable(const UOp& axis) const {
    if (rows_ || !root_.reduce || is_reduce(axis) || extent(axis) < CacheTile().columns || !const_int(axis.src(0))) return 0;
    if (std::none_of(root_.reduce_ranges.begin(), root_.reduce_ranges.end(),
                     [&](const UOp& r) { return extent(r) >= kWorthPacking; }))
      return 0;
    int count = 0;
    for (const UOp& u : expression_nodes(root_.bodies[0])) {
      if (!u.is(Op::Load) || !u.src(0).src(0).is(Op::Param)) continue;
      const UOp flat = flat_address(u.src(0));
      if (!depends_on(flat, axis) || coefficient(flat, axis) == 1) continue;
      int64_t rows = 1;
      for (const UOp& row : root_.ranges)
        if (const_int(row.src(0)) && !depends_on(flat, row)) rows *= extent(row);
      count += rows / target_.cores >= kWorthPacking;
    }
    return count;
  }

  void widen(const UOp& vec) {
    int64_t lanes = target_.lanes_f32();
    while (lanes > 2 && lanes / 2 >= extent(vec)) lanes /= 2;
    // Four vectors hide the latency of a reduction or a stream, and let a block of rows read whole runs of 256 bytes.
    // The tail of an axis of unknown length is masked code for the whole register tile: two do there.
    int64_t vectors = const_int(vec.src(0)) ? 4 : 2;
    if (is_reduce(vec) && product_axes(schedule_)) vectors = 1;  // there will be sums enough
    while (vectors > 1 && lanes * vectors > extent(vec)) vectors /= 2;
    if (vectors > 1) take(Tile{axis_of(vec), lanes * vectors, Kind::Upcast});
    take(Tile{axis_of(vec), lanes, Kind::Vec});
    vectors_ = vectors;
  }
  /// Register rows: the outputs of another axis that share the vector operand.
  void block(const UOp& vec) {
    if (rows_) return;  // row kernels stream; their reductions are widened already
    if (const auto axes = vec && is_reduce(vec) ? product_axes(schedule_) : std::nullopt) {
      // Vectors along the sum: each of a block of rows meets each of a block of columns.
      const bool many = target_.registers >= 32;
      take(Tile{axes->columns, balanced_tile(longest(axes->columns), many ? 6 : 4), Kind::Upcast});
      row_ = axes->rows;
      take(Tile{row_, balanced_tile(longest(row_), many ? 4 : 3), Kind::Upcast});
      return;
    }
    UOp row;
    int64_t most = 0;
    const auto longest_of = [&](const auto& fits) {
      for (const UOp& r : root_.ranges)
        if (!(r == vec) && extent(r) >= most && fits(r)) most = extent(r), row = r;
    };
    longest_of([&](const UOp& r) { return extent(r) > 1 && shares_vectors(r, vec); });
    if (!row) longest_of([&](const UOp& r) { return reuses(r); });
    if (!row || most < 2) {
      if (!is_reduce(vec ? vec : root_.ranges.empty() ? vec : root_.ranges[0])) unroll_reduction();
      return;
    }
    // All accumulators, the vectors of the shared operand and one broadcast fit the register file.
    const bool across = vec && is_reduce(vec);
    const int64_t vectors = across ? 1 : std::max<int64_t>(vectors_, 1);
    const int64_t most_rows = std::max<int64_t>(1, std::min<int64_t>(14, (target_.registers - 1) / vectors - 1));
    row_ = axis_of(row);
    take(Tile{row_, balanced_tile(most, across ? std::min<int64_t>(4, most_rows) : most_rows), Kind::Upcast});
  }
  /// A product whose operands both lie along the sum: with many rows, or a sum that is short beside them, to merge the lanes
  /// of every result costs more than to turn the shared operand round.
  bool pack_panels(const UOp& sum) {
    constexpr int64_t kManyRows = 48, kLeastRows = 16, kMergeCost = 8;  // of a result, in steps of the sum for each row
    const auto axes = product_axes(schedule_);
    const int64_t lanes = target_.lanes_f32();
    if (!axes || !const_int(sum.src(0))) return false;
    const int64_t rows = longest(axes->rows), columns = longest(axes->columns);
    const bool pays = rows >= kManyRows || (rows >= kLeastRows && kMergeCost * rows >= extent(sum));
    if (!pays || columns < lanes) return false;
    const bool many = target_.registers >= 32;
    const int64_t vectors = std::min<int64_t>(many ? 3 : 2, columns / lanes);
    Opts block;
    if (vectors > 1) block.push_back(Tile{axes->columns, lanes * vectors, Kind::Upcast});
    block.push_back(Tile{axes->columns, lanes, Kind::Vec});
    block.push_back(Tile{axes->rows, balanced_tile(rows, many ? 8 : 6), Kind::Upcast});
    block.push_back(Tile{axis_of(sum), std::min<int64_t>(4, extent(sum)), Kind::Unroll});
    const Expected<Schedule> s = schedule_.apply(block);
    if (!s) return false;
    // What few rows pass is read as long runs.
    const int64_t whole = lanes * vectors * extent(sum) * int64_t{sizeof(float)};
    const int64_t depth = rows < 64 && whole <= target_.l2_bytes / 4 * 3 ? extent(sum) : 1024;
    const CacheTile panel{axes->columns, axes->rows, 0, depth, 0, shared_operand(kernel_, axes->columns, axes->rows)};
    const auto packed = panels(*s, panel, target_);
    if (packed) schedule_ = *packed;
    return packed.has_value();
  }
  /// Vectors along a long sum: all rows would not stay in the L2 until the next columns come, a part of each does.
  bool split_sum(const UOp& sum) {
    constexpr int64_t kDepth = 1024, kBlocks = 6;  // of columns, that a part of the rows' sums passes
    const auto axes = product_axes(schedule_);
    if (!axes || axes->rows != row_ || !const_int(sum.src(0)) || extent(sum) < 2 * kDepth) return false;
    const int64_t bytes = longest(row_) * extent(sum) * int64_t{sizeof(float)};
    const int64_t columns = kBlocks * schedule_.register_tile(axes->columns);
    if (bytes < target_.l2_bytes / 4 || longest(axes->columns) < 2 * columns * target_.cores) return false;
    const auto with_loop = [&](const std::string& axis, int64_t size) {
      Splits splits = schedule_.chain(axis);
      splits.insert(splits.begin(), {size, Kind::Loop});
      return std::pair(axis, splits);
    };
    const auto parts = with_chains(schedule_, {with_loop(axis_of(sum), kDepth), with_loop(axes->columns, columns)});
    if (!parts) return false;
    const Expected<Schedule> ordered = parts->apply(Opts{
        Grid{{axes->columns}}, Order{{{axis_of(sum), 0}, {axes->columns, columns}, {row_, 0}, {axis_of(sum), kDepth}}}});
    if (ordered) schedule_ = *ordered;
    return static_cast<bool>(ordered);
  }
  /// Large products: what is read again and again stays in the L2.
  bool cache_tile(const UOp& vec) {
    if (vec && is_reduce(vec) && !row_.empty() && split_sum(vec)) return true;
    if (!vec || row_.empty() || rows_ || !const_int(schedule_.axis(row_)->extent))
      return false;  // how to share unknown rows is unknown
    const std::string shared = shared_operand(kernel_, axis_of(vec), row_);
    int64_t rows = 1;  // outputs of one core that read the same element of it
    for (const UOp& r : root_.ranges)
      if (!shared.empty() && !moves(kernel_, shared, axis_of(r))) rows *= extent(r);
    rows /= target_.cores;
    const CacheTile t{axis_of(vec), row_};  // 256 columns of the second operand
    if (rows >= kWorthPacking && !is_reduce(vec)) {
      CacheTile packed = t;
      // The panel takes half of the L2; deeper ones merge partial results less often.
      packed.depth = target_.l2_bytes >= (2 << 20) ? 1024 : 512;
      packed.rows = 5 * schedule_.register_tile(row_);
      packed.staged = shared;
      if (const auto tiled = cache_tiled(schedule_, packed, target_)) {
        schedule_ = *tiled;
        pack_rows(axis_of(vec));
        return true;
      }
    }
    const std::optional<Schedule> tiled = cache_tiled(schedule_, t, target_);
    if (tiled) schedule_ = *tiled;
    return tiled.has_value();
  }

  /// The other operand too, where it lies across the sum: each block of rows once.
  void pack_rows(const std::string& vec) {
    const std::string operand = shared_operand(kernel_, row_, vec);
    for (const UOp& k : root_.reduce_ranges)
      if (lies_along(kernel_, operand, axis_of(k))) return;
    for (const RangeRef& r : schedule_.root().loops)
      if (r.axis == row_) {
        take(StageOpt{operand, r});
        return;
      }
  }

  bool stage_windows(const UOp& vec) {
    if (!vec || row_.empty() || rows_ || is_reduce(vec)) return false;
    const auto staged = windows_staged(schedule_, vec, vectors_, row_, target_);
    if (staged) schedule_ = *staged;
    return staged.has_value();
  }
  /// Read where they lie, combed windows would be gathered.
  bool stage_combed(const UOp& vec) { return vec && combed_loads(kernel_, vec) > 0 && stage_windows(vec); }

  /// What several definitions of a row compute alike with an exp in it is kept for the row.
  void keep_rows() {
    constexpr int64_t kLongestRow = 64 << 10;  // elements: 256 KB
    const std::vector<Definition> all = definitions(kernel_);
    const auto has = [](const UOps& axes, const std::string& name) {
      return std::any_of(axes.begin(), axes.end(), [&](const UOp& a) { return axis_of(a) == name; });
    };
    // A vector that all outputs read is computed once.
    for (const Definition& d : all)
      if (!d.store && !d.reduce && !moves_outputs(d)) take(StageOpt{d.node.arg_as<std::string>(), {}});
    const auto rows = std::find_if(all.begin(), all.end(), [](const Definition& d) { return d.reduce && !d.store; });
    if (rows == all.end()) return;
    RangeRef at;  // the innermost of the row loops
    for (const RangeRef& r : schedule_.order()) {
      if (is_register(schedule_.kind(r)) || !has(rows->ranges, r.axis)) break;
      at = r;
    }
    for (const Definition& d : all) {
      if (d.reduce || d.store || !moves_outputs(d)) continue;
      const UOps nodes = expression_nodes(d.value);
      const bool costly = std::any_of(nodes.begin(), nodes.end(),
                                      [](const UOp& u) { return u.is(Op::Exp) || u.is(Op::Tanh) || u.is(Op::Erf); });
      int64_t row = 1;
      for (const UOp& axis : d.ranges)
        if (!has(rows->ranges, axis_of(axis))) row *= extent(axis);
      if (!costly || row > kLongestRow || !take(StageOpt{d.node.arg_as<std::string>(), at})) continue;
      if (at.axis.empty()) continue;  // one row
      // Memory would wait while these are computed: meanwhile the next row comes near.
      for (const UOp& u : nodes)
        if (u.is(Op::Load) && u.src(0).src(0).is(Op::Param))
          take(PrefetchBuffer{u.src(0).src(0).arg_as<ParamArg>().name, at});
    }
  }
  /// Whether some load of the body does not move with this axis.
  bool reuses(const UOp& axis) const { return movement(kernel_, axis).fixed > 0; }
  /// Whether some load that moves with the vectors does not move with this axis.
  bool shares_vectors(const UOp& axis, const UOp& vec) const {
    if (!vec) return false;
    for (const UOp& u : expression_nodes(root_.bodies[0]))
      if (u.is(Op::Load) && depends_on(u.src(0), vec) && !depends_on(u.src(0), axis)) return true;
    return false;
  }
  void unroll_reduction() {
    if (!root_.reduce_ranges.empty()) take(Tile{axis_of(root_.reduce_ranges.back()), 4, Kind::Unroll});
  }
  /// A block of registers does several steps of a long sum a turn: it has few instructions for each, beside the turn's own.
  void unroll_block(const UOp& vec) {
    constexpr int64_t kLongSum = 64;
    if (!vec || row_.empty() || rows_ || is_reduce(vec)) return;
    if (const auto steps = const_int(root_.reduce_ranges.back().src(0)); steps && *steps >= kLongSum) unroll_reduction();
  }
  /// Whether items of this axis would each compute a row's reduction again.
  bool recomputes(const Grid& outer, const UOp& axis) const {
    for (const Definition& d : definitions(kernel_)) {
      const auto has = [&](const std::string& name) {
        return std::any_of(d.ranges.begin(), d.ranges.end(), [&](const UOp& r) { return axis_of(r) == name; });
      };
      if (d.reduce && !has(axis_of(axis)) && std::any_of(outer.axes.begin(), outer.axes.end(), has)) return true;
    }
    return false;
  }

  void parallelise() {
    UOps rest;
    double elements = 1, inner = 1;
    for (const UOp& r : root_.ranges) elements *= static_cast<double>(extent(r));
    for (const UOp& r : root_.reduce_ranges) inner *= static_cast<double>(extent(r));
    constexpr double kWorthSharing = 256 << 10;  // operations: below, waking the pool costs more than it saves
    if (elements * inner < kWorthSharing) return;
    Grid grid;
    int64_t items = 1;
    for (const UOp& r : root_.ranges) {
      if (recomputes(grid, r)) break;
      const int64_t tile = schedule_.chain(axis_of(r)).empty() ? 1 : schedule_.chain(axis_of(r))[0].size;
      grid.axes.push_back(axis_of(r));
      items *= (extent(r) + tile - 1) / tile;
      if (items >= 16 * target_.cores && elements * inner / static_cast<double>(items) < kWorthSharing) break;
    }
    // Columns before rows: a block of columns of the second operand stays in the L2 while rows pass.
    if (root_.reduce && !rows_ && grid.axes.size() == 2 && reuses(root_.ranges[0])) std::swap(grid.axes[0], grid.axes[1]);
    if (items > 1) take(grid);
    if (items == 1 && target_.cores > 1) split_reduction();
  }

  /// One long reduction: each item has a part of it.
  void split_reduction() {
    if (rows_ || root_.reduce_ranges.empty()) return;
    const UOp& axis = *std::max_element(root_.reduce_ranges.begin(), root_.reduce_ranges.end(),
                                        [&](const UOp& a, const UOp& b) { return extent(a) < extent(b); });
    constexpr int64_t kItemsACore = 4;  // so that a core that comes late has less left to do
    const int64_t tile = schedule_.register_tile(axis_of(axis)), items = kItemsACore * target_.cores;
    if (!const_int(axis.src(0)) || extent(axis) < 2 * items * tile) return;
    constexpr int64_t kLongest = 1 << 20;  // of a loop tile
    const int64_t part = std::min((extent(axis) / items + tile - 1) / tile * tile, kLongest / tile * tile);
    Splits splits = schedule_.chain(axis_of(axis));
    splits.insert(splits.begin(), {part, Kind::Loop});
    if (const auto split = with_chains(schedule_, {{axis_of(axis), splits}}))
      if (const Expected<Schedule> shared = split->apply(Opt(Grid{{axis_of(axis)}}))) schedule_ = *shared;
  }

  UOp kernel_;
  Target target_;
  Schedule schedule_;
  Definition root_;
  bool rows_ = false;  // row definitions beside the output (softmax, norms)
  std::string row_;    // the axis that register rows are taken from
  int64_t vectors_ = 1;
};

}  // namespace

Opts heuristic(const UOp& kernel, const Target& target, const Bindings64& bindings) {
  if (target.gpu) return block_heuristic(unpacked_inline(kernel), target);
  if (const UOp narrow = within_bucket(kernel, bindings); !(narrow == kernel))
    if (const auto s = Schedule(kernel, target).apply(heuristic(narrow, target))) return s->opts();
  if (const UOp plain = as_if_unpacked(kernel)) {
    const Opts opts = for_packed(kernel, Heuristic(plain, target).run().opts(), target.lanes_f32());
    if (const auto s = Schedule(kernel, target).apply(opts)) return with_streams(*s).opts();
  }
  return with_streams(Heuristic(kernel, target).run()).opts();
}

}  // namespace pg
