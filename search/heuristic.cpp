// The default schedule: what a performance engineer would try first, without measuring anything.
#include <algorithm>
#include <map>

#include "search/chains.h"
#include "search/schedule.h"
#include "search/tune.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {

/// How one axis moves the addresses of a kernel.
struct Movement {
  int contiguous = 0, fixed = 0, strided = 0;  // loads in the innermost body
  int scattered_stores = 0;
};

/// Flat element address of an access as an expression of the axes.
UOp flat_address(const UOp& at) {
  UOp flat = iconst(0), stride = iconst(1);
  const UOp& buffer = at.src(0);
  for (size_t i = buffer.src().size(); i-- > 0;) {
    flat = flat + at.src(i + 1) * stride;
    stride = stride * buffer.src(i);
  }
  return simplify(flat);
}

Movement movement(const UOp& kernel, const UOp& axis) {
  Movement m;
  for (const Definition& d : definitions(kernel)) {
    UOps roots = d.bodies;
    if (roots.empty() || !d.reduce) roots.push_back(d.value);
    for (const UOp& u : toposort(roots)) {
      if (!u.is(Op::Load) || !u.src(0).src(0).is(Op::Param)) continue;
      const UOp flat = flat_address(u.src(0));
      const auto c = coefficient(flat, axis);
      if (!depends_on(flat, axis))
        ++m.fixed;
      else
        ++(c == 1 ? m.contiguous : m.strided);
    }
    if (!d.store) continue;
    const UOp flat = flat_address(d.store.src(0));
    if (depends_on(flat, axis) && coefficient(flat, axis) != 1) ++m.scattered_stores;
  }
  return m;
}

class Heuristic {
 public:
  Heuristic(const UOp& kernel, const Target& target) : kernel_(kernel), target_(target), schedule_(kernel) {
    const std::vector<Definition> all = definitions(kernel);
    root_ = all.back();
    rows_ = all.size() > 1;
  }

  Opts run() {
    const UOp vec = vector_axis();
    if (vec) widen(vec);
    if (root_.reduce) block(vec);
    if (!cache_tile(vec)) parallelise();
    return schedule_.opts();
  }

 private:
  int64_t extent(const UOp& axis) const { return bounds(axis.src(0)).hi; }
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
      double cost = 10.0 * m.strided + (root_.reduce ? 1.0 : 10.0) * m.scattered_stores + (is_reduce(axis) ? 0.5 : 0) -
                    0.01 * m.contiguous;
      if (extent(axis) < target_.lanes_f32()) cost += 4;
      if (m.contiguous == 0 && m.scattered_stores == 0) cost += 2;
      if (cost < best_cost) best_cost = cost, best = axis;
    }
    return best;
  }

  static int64_t power_of_two_up_to(int64_t n) {
    int64_t p = 1;
    while (p * 2 <= n) p *= 2;
    return p;
  }

  void widen(const UOp& vec) {
    int64_t lanes = target_.lanes_f32();
    while (lanes > 2 && lanes / 2 >= extent(vec)) lanes /= 2;
    // Four vectors hide the latency of a reduction or a stream, and let a block of rows read whole runs of 256 bytes.
    // The tail of an axis of unknown length is masked code for the whole register tile: two do there.
    int64_t vectors = const_int(vec.src(0)) ? 4 : 2;
    while (vectors > 1 && lanes * vectors > extent(vec)) vectors /= 2;
    if (vectors > 1) take(Tile{axis_of(vec), lanes * vectors, Kind::Upcast});
    take(Tile{axis_of(vec), lanes, Kind::Vec});
    vectors_ = vectors;
  }
  /// Register rows: the outputs of another axis that share the vector operand.
  void block(const UOp& vec) {
    if (rows_) return;  // row kernels stream; their reductions are widened already
    UOp row;
    int64_t most = 0;
    for (const UOp& r : root_.ranges)
      if (!(r == vec) && extent(r) >= most && reuses(r)) most = extent(r), row = r;
    if (!row || most < 2) {
      if (!is_reduce(vec ? vec : root_.ranges.empty() ? vec : root_.ranges[0])) unroll_reduction();
      return;
    }
    // All accumulators, the vectors of the shared operand and one broadcast fit the register file.
    const bool across = vec && is_reduce(vec);
    const int64_t vectors = across ? 1 : std::max<int64_t>(vectors_, 1);
    const int64_t most_rows = std::max<int64_t>(1, std::min<int64_t>(14, (target_.registers - 1) / vectors - 1));
    row_ = axis_of(row);
    take(Tile{row_, balanced(most, across ? std::min<int64_t>(4, most_rows) : most_rows), Kind::Upcast});
  }
  /// Large products: what is read again and again stays in the L2.
  bool cache_tile(const UOp& vec) {
    constexpr int64_t kColumns = 256, kDepth = 256;  // 256 KB of the second operand
    if (!vec || row_.empty() || rows_ || !const_int(schedule_.axis(row_)->extent))
      return false;  // how to share unknown rows is unknown
    const std::optional<Schedule> tiled = cache_tiled(schedule_, axis_of(vec), row_, kColumns, kDepth, target_);
    if (tiled) schedule_ = *tiled;
    return tiled.has_value();
  }
  /// Whether some load of the body does not move with this axis.
  bool reuses(const UOp& axis) const { return movement(kernel_, axis).fixed > 0; }
  void unroll_reduction() {
    if (!root_.reduce_ranges.empty()) take(Tile{axis_of(root_.reduce_ranges.back()), 4, Kind::Unroll});
  }
  /// The tile of at most `most` with the least work in the last block, larger ones first.
  static int64_t balanced(int64_t n, int64_t most) {
    int64_t best = 1;
    double best_cost = 1e30;
    for (int64_t t = std::min(n, most); t >= 1; --t) {
      const double blocks = static_cast<double>((n + t - 1) / t);
      const double cost =
          blocks * static_cast<double>(t + 2) / static_cast<double>(n);  // + 2: the operands loaded per block
      if (cost < best_cost * 0.999) best_cost = cost, best = t;
    }
    return best;
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
    if (root_.reduce && !rows_ && grid.axes.size() == 2) std::swap(grid.axes[0], grid.axes[1]);
    if (items > 1) take(grid);
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

Opts heuristic(const UOp& kernel, const Target& target) { return Heuristic(kernel, target).run(); }

}  // namespace pg
