#pragma once
// Schedules made from whole range chains, for the heuristic and the search's moves.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "search/schedule.h"

namespace pg {

using Splits = Schedule::Splits;

/// `s` with other chains for some axes, its grid and what is left of its order; null when that is illegal.
std::optional<Schedule> with_chains(const Schedule& s, const std::vector<std::pair<std::string, Splits>>& changed);

/// `s` with another chain of an axis in one nest; null when that is illegal.
std::optional<Schedule> with_chain_of(const Schedule& s, const std::string& nest, const std::string& axis, const Splits&);

/// A product's columns and rows: the longest output axis, and the longest of those that read again what it does not, and the
/// other way round.
struct ProductNames {
  std::string columns, rows;
};
std::optional<ProductNames> product_axes(const Schedule&);

/// Of the axes that are only summed over, the longest; null: there is none.
const Axis* longest_sum(const Schedule&);

/// How a large product stays in the caches: a block of `columns` of the vec axis by `depth` of the longest reduce axis in
/// the L2, while blocks of `rows` pass (0: all of a core's rows in one). Partial results are merged in the output.
struct CacheTile {
  std::string vec_axis, row_axis;
  int64_t columns = 256, depth = 256, rows = 0;
  std::string staged = {};  // the buffer that is copied into a panel, row of vectors after row; empty: none
};
/// The buffer that a product's register rows share: the one in the reduction's body that the vec axis moves and the row axis
/// does not. Empty: there is none.
std::string shared_operand(const UOp& kernel, const std::string& vec_axis, const std::string& row_axis);

/// The tile of at most `most` with the least work in the last block of n, larger ones first.
int64_t balanced_tile(int64_t n, int64_t most);

/// Whether an axis moves what the kernel reads of a buffer.
bool moves(const UOp& kernel, const std::string& buffer, const std::string& axis);

/// Panels of one register tile's columns, each copied for a part of the sum and read by all rows; several at once where the
/// rows are many. Cores share the panels. `columns` and `rows` are not looked at. Null when that is illegal.
std::optional<Schedule> panels(const Schedule& s, const CacheTile&, const Target&);

/// Whether an axis walks over neighbours of a buffer wherever it is read.
bool lies_along(const UOp& kernel, const std::string& buffer, const std::string& axis);

/// One core takes all rows, several share them. Null when the axes are too short for that, or the partial results would need
/// more private memory than there is.
std::optional<Schedule> cache_tiled(const Schedule& s, const CacheTile&, const Target&);

}  // namespace pg
