// Bundles of opts for a CPU that only pay together, as seeds. A GPU's: templates_blocks.cpp.
#include <algorithm>
#include <set>

#include "search/chains.h"
#include "search/moves.h"
#include "search/moves_blocks.h"
#include "search/tune.h"
#include "search/unpacked.h"
#include "uops/scope.h"

namespace pg {

namespace {

/// Variations of the heuristic's choice that change several things at once: other register blocks in its place, on the grid
/// by columns and by rows, and tiled for the caches with and without a packed operand.
class Templates {
 public:
  Templates(const UOp& kernel, const Target& target) : kernel_(kernel), target_(target), bare_(kernel, target) {}

  std::vector<Schedule> run() {
    const Expected<Schedule> base = bare_.apply(heuristic(kernel_, target_));
    if (!base) return {};
    seen_.insert(text(base->opts()));
    std::string vec, row;
    for (const Axis& a : base->axes()) {
      const auto& c = base->chain(a.name);
      if (c.empty()) continue;
      if (c.back().kind == Kind::Vec)
        vec = a.name;
      else if (a.output && c.back().kind == Kind::Upcast)
        row = a.name;
    }
    if (vec.empty()) return {};
    const auto product = product_axes(*base);
    const Axis* sum = longest_sum(*base);
    if (product && sum && lies_along(kernel_, shared_operand(kernel_, product->columns, product->rows), sum->name))
      along_sum(sum->name, *product);
    if (base->axis(vec)->output) {
      if (const std::optional<Schedule> block = register_block(*base)) across_sum(*base, *block, vec, row);
    } else if (product && sum) {
      sum_ = sum->name;
      across_sum(std::nullopt, bare_, product->columns, product->rows);
    }
    return std::move(found_);
  }

 private:
  void add(const std::optional<Schedule>& s) {
    if (s && seen_.insert(text(s->opts())).second) found_.push_back(*s);
  }
  /// The register block of a schedule and nothing else.
  std::optional<Schedule> register_block(const Schedule& s) const {
    Opts tiles;
    for (const Axis& a : s.axes())
      for (const auto& split : s.chain(a.name))
        if (is_register(split.kind)) tiles.push_back(Tile{a.name, split.size, split.kind});
    const Expected<Schedule> block = bare_.apply(tiles);
    return block ? std::optional(*block) : std::nullopt;
  }
  bool fits(const Schedule& s) const { return register_pressure(s, target_) <= target_.registers + 2; }

  /// Vectors along the sum: blocks of rows by columns, the columns of one block after another from the L2.
  void along_sum(const std::string& sum, const ProductNames& axes) {
    const Splits vectors = {{target_.lanes_f32(), Kind::Vec}};
    const std::pair<int64_t, int64_t> blocks[] = {{4, 6}, {6, 4}, {5, 5}, {3, 8}, {2, 12}, {3, 4}};  // rows by columns
    for (const auto& [rows, columns] : blocks) {
      const auto s = with_chains(
          bare_, {{axes.rows, {{rows, Kind::Upcast}}}, {axes.columns, {{columns, Kind::Upcast}}}, {sum, vectors}});
      if (!s || !fits(*s)) continue;
      for (const Grid& grid : {Grid{{axes.columns, axes.rows}}, Grid{{axes.rows, axes.columns}}})
        if (const Expected<Schedule> shared_out = s->apply(Opt(grid))) add(*shared_out);
      for (const int64_t depth : {512, 1024}) {
        Splits steps = vectors;
        steps.insert(steps.begin(), {depth, Kind::Loop});
        const auto parts =
            with_chains(*s, {{sum, steps}, {axes.columns, {{6 * columns, Kind::Loop}, {columns, Kind::Upcast}}}});
        if (!parts) continue;
        const Order order{{{sum, 0}, {axes.columns, 6 * columns}, {axes.rows, 0}, {sum, depth}}};
        for (const Opts& opts : {Opts{Grid{{axes.columns}}, order}, Opts{order}})
          if (const Expected<Schedule> ordered = parts->apply(opts)) add(*ordered);
      }
    }
  }

  /// Vectors along the columns, in place of `base`'s (if there is one that has its vectors there), or from a packed operand.
  void across_sum(const std::optional<Schedule>& base, const Schedule& block, const std::string& vec,
                  const std::string& row) {
    const int64_t lanes = target_.lanes_f32();
    const std::string shared = shared_operand(kernel_, vec, row);
    for (int64_t vectors : {1, 2, 3, 4})
      for (int64_t rows : row.empty() ? std::vector<int64_t>{1} : std::vector<int64_t>{4, 6, 8, 12, 14}) {
        Splits v = {{lanes, Kind::Vec}};
        if (vectors > 1) v.insert(v.begin(), {lanes * vectors, Kind::Upcast});
        std::vector<std::pair<std::string, Splits>> changed = {{vec, v}};
        if (!row.empty()) changed.push_back({row, {{rows, Kind::Upcast}}});
        if (!sum_.empty()) changed.push_back({sum_, {{4, Kind::Unroll}}});
        const std::optional<Schedule> s = with_chains(block, changed);
        if (!s || !fits(*s)) continue;
        if (base) {
          add(with_chains(*base, changed));
          std::vector<std::string> grid = base->grid();
          for (int turn = 0; turn < 2; ++turn, std::reverse(grid.begin(), grid.end()))
            if (const Expected<Schedule> shared_out = s->apply(Opt(Grid{grid}))) add(*shared_out);
        }
        for (int64_t depth : {256, 512, 1024}) add(panels(*s, {vec, row, 0, depth, 0, shared}, target_));
        for (int64_t columns : {256, 512})
          for (int64_t depth : {256, 512})
            for (int64_t blocks : {0, 5, 10}) {
              add(cache_tiled(*s, {vec, row, columns, depth, blocks * rows, shared}, target_));
              if (base) add(cache_tiled(*s, {vec, row, columns, depth, blocks * rows, {}}, target_));
            }
      }
  }

  const UOp& kernel_;
  const Target& target_;
  const Schedule bare_;
  std::string sum_;  // to be unrolled; empty: as the heuristic has it
  std::set<std::string> seen_;
  std::vector<Schedule> found_;
};

}  // namespace

std::vector<Schedule> templates(const UOp& kernel, const Target& target) {
  const UOp plain = as_if_unpacked(kernel);
  if (!plain) return target.gpu ? block_templates(kernel, target) : Templates(kernel, target).run();
  std::vector<Schedule> found;
  if (target.gpu) {
    for (const Schedule& s : block_templates(unpacked_inline(kernel), target))
      if (const auto same = Schedule(kernel, target).apply(s.opts())) found.push_back(*same);
    return found;
  }
  for (const Schedule& s : Templates(plain, target).run())
    if (const auto packed = Schedule(kernel, target).apply(for_packed(kernel, s.opts(), target.lanes_f32())))
      found.push_back(*packed);
  return found;
}

}  // namespace pg
