#pragma once
// What the pass nests_opened knows at a point of the tree: range chains, open ranges, what part of an axis a nest walks.
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "uops/uop.h"

namespace pg {

const std::string& axis_of(const UOp& range);
/// Whether one of them is of this range's axis.
bool has_axis(const UOps& ranges, const UOp& range);
Kind kind_of(const UOp& range);
/// Unroll, upcast and vec ranges live in registers; all others are loops.
bool is_register(Kind);

/// The ranges of one axis in one nest, outer to inner.
struct Chain {
  UOp axis;    // the unsplit Range
  UOp extent;  // of the axis; padded ones are rounded up
  UOps ranges;
  std::vector<int64_t> steps;  // elements per trip of each range
  int64_t register_tile = 1;   // T: the largest register range; with threads: one trip of the outermost range
  int innermost_loop = 0;      // position of the last range that is a loop
  bool padded = false;

  int64_t step(const UOp& range) const {
    for (size_t i = 0; i < ranges.size(); ++i)
      if (ranges[i] == range) return steps[i];
    return 1;
  }
  int64_t vector_lanes() const;  // 1: no vec range
};
class Chains {
 public:
  Chains() = default;
  /// `axes`: unsplit Ranges; `ranges`: the split ones, in any order. Every axis needs its outermost range. With threads
  /// (a block's), local ranges are no loops, and every axis is padded: no peeled tails, positions decide.
  Chains(const UOps& axes, const UOps& ranges, bool threads = false);
  const Chain* find(const std::string& axis) const;
  const Chain& of(const UOp& range) const;
  const std::vector<Chain>& all() const { return chains_; }
  void pad(const std::string& axis, int64_t to);

 private:
  std::vector<Chain> chains_;
};

/// The part of an axis that a nest walks: `extent` elements from `base` on, as far as they lie below the axis's end.
struct Region {
  UOp base, extent;
};

struct StagedLoads;

/// What is open at a point of the tree.
struct Scope {
  std::vector<std::pair<UOp, UOp>> values;           // open split range → its value: a For's Range, or an expression
  std::vector<std::pair<std::string, UOp>> gates;    // axis in its tail → condition on the offset in the register tile
  std::map<std::string, UOp> counts;                 // axis in its tail → elements of the register tile
  std::map<std::string, Region> regions;             // axes of which only a part is walked
  std::vector<std::shared_ptr<StagedLoads>> staged;  // newest last
  UOp item;                                          // the grid's Range once open
  UOp thread;                                        // the block's threads once open: local ranges are closed for tiles
  bool accumulating = false;

  bool is_open(const UOp& range) const;
  UOp value(const UOp& range) const;
  UOp position(const Chain&) const;  // index of the axis
  bool is_shared_out(const UOp& range) const;
  UOp base(const Chain&) const;       // the part of it that the region and open ranges give
  UOp walked(const Chain&) const;     // the part that open ranges give
  Region region(const Chain&) const;  // of the nest
  Region closed(const Chain&) const;  // what the ranges that are not open walk
  UOp gate(const UOps& axes) const;   // conjunction for these axes; null: none
  Scope with(const UOp& range, UOp value) const {
    Scope s = *this;
    s.values.emplace_back(range, std::move(value));
    return s;
  }
};

bool divides(int64_t n, const UOp& extent);
int64_t round_up(int64_t n, int64_t to);

}  // namespace pg
