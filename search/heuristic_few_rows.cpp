#include "search/heuristic_few_rows.h"

#include <algorithm>

#include "search/chains.h"
#include "uops/kernel.h"
#include "uops/simplify.h"

namespace pg {

namespace {

constexpr int64_t kPart = 256;                // of the sum, that blocks of rows pass
constexpr int64_t kMostRows = 64;             // more share panels
constexpr int64_t kWorthSharing = 256 << 10;  // multiply-adds, as for any kernel

/// The block of registers: its results take three quarters of them, the rest holds what is read. Few rows are one block,
/// with as many columns as that leaves: the matrix is used once. Four and eight columns are merged, and computed on,
/// together; three are worth it where nothing is computed.
struct Block {
  int64_t rows, columns;
};
Block block_of(int64_t rows, bool plain, const Target& target) {
  const int64_t results = target.registers * 3 / 4;
  const int64_t most = results / rows;
  if (most >= 4) return {rows, most >= 8 ? 8 : 4};
  if (most == 3 && plain) return {rows, 3};
  return {balanced_tile(rows, 3), results / 3};
}

}  // namespace

std::optional<Schedule> few_rows_heuristic(const Schedule& plain, const std::string& sum) {
  const UOp& kernel = plain.kernel();
  const Target& target = plain.target();
  const auto axes = product_axes(plain);
  const Definition out = definitions(kernel).back();
  if (!axes || out.bodies.size() != 1 || out.reduce_ranges.size() != 1 || axes->columns == sum) return std::nullopt;
  const auto extent = [&](const std::string& axis) { return bounds(plain.axis(axis)->extent).hi; };
  const auto depth = const_int(plain.axis(sum)->extent);
  const int64_t rows = extent(axes->rows), columns = extent(axes->columns);
  const std::string matrix = shared_operand(kernel, axes->columns, axes->rows),
                    vectors = shared_operand(kernel, axes->rows, axes->columns);
  const Block block = block_of(rows, out.value == out.reduce, target);
  if (!depth || *depth < kPart || rows >= kMostRows || columns < 8 * rows || columns < 2 * block.columns ||
      rows * columns * *depth < kWorthSharing)
    return std::nullopt;

  Opts opts;
  if (block.rows > 1) opts.push_back(Tile{axes->rows, block.rows, Kind::Upcast});
  opts.push_back(Tile{axes->columns, block.columns, Kind::Upcast});
  // Rows of the matrix come in parts so short that processors look ahead beyond them: while blocks of rows pass one part,
  // the next one is on its way.
  const bool parts = block.rows < rows && *depth >= 2 * kPart;
  if (parts) opts.push_back(Tile{sum, kPart});
  opts.push_back(Tile{sum, target.lanes_f32(), Kind::Vec});
  Grid grid;
  for (const Axis& a : plain.axes()) {
    if (!a.output || a.name == axes->rows || a.name == axes->columns) continue;
    if (bounds(a.extent).hi > 1 && (moves(kernel, vectors, a.name) || !moves(kernel, matrix, a.name))) return std::nullopt;
    grid.axes.push_back(a.name);
  }
  grid.axes.push_back(axes->columns);
  opts.push_back(grid);
  if (parts) opts.push_back(Order{{{sum, 0}, {axes->rows, 0}, {sum, kPart}}});
  // Rows whose length is a multiple of 4 KB would meet in the same lines of the L1. A copy has them side by side.
  opts.push_back(StageOpt{vectors, {}});
  opts.push_back(PrefetchBuffer{matrix, {axes->columns, 0}});
  const Expected<Schedule> s = plain.apply(opts);
  return s ? std::optional(*s) : std::nullopt;
}

}  // namespace pg
