#pragma once
// What the pass nests_opened knows at a point of the tree: range chains, open ranges, private tiles.
#include <string>
#include <utility>
#include <vector>

#include "uops/uop.h"

namespace pg {

const std::string& axis_of(const UOp& range);
Kind kind_of(const UOp& range);
/// Unroll, upcast and vec ranges live in registers; all others are loops.
bool is_register(Kind);

/// The ranges of one axis, outer to inner.
struct Chain {
  UOp axis;  // the unsplit Range
  UOp extent;
  UOps ranges;
  std::vector<int64_t> steps;  // elements per trip of each range
  int64_t register_tile = 1;   // T: the largest register range
  int innermost_loop = 0;      // position of the last range that is a loop

  int64_t step(const UOp& range) const {
    for (size_t i = 0; i < ranges.size(); ++i)
      if (ranges[i] == range) return steps[i];
    return 1;
  }
};
class Chains {
 public:
  explicit Chains(const UOp& scheduled);
  const Chain* find(const std::string& axis) const;
  const Chain& of(const UOp& range) const;
  const std::vector<Chain>& all() const { return chains_; }

 private:
  std::vector<Chain> chains_;
};

/// What is open at a point of the tree.
struct Scope {
  std::vector<std::pair<UOp, UOp>> values;         // open split range → its value: a For's Range, or an expression
  std::vector<std::pair<std::string, UOp>> gates;  // axis in its tail → condition on the offset in the register tile
  UOp item;                                        // the grid's Range once open
  bool accumulating = false;

  bool is_open(const UOp& range) const;
  UOp value(const UOp& range) const;
  UOp position(const Chain&) const;  // index of the axis
  UOp base(const Chain&) const;      // the part of it that open ranges give
  UOp gate(const UOps& axes) const;  // conjunction for these axes; null: none
  Scope with(const UOp& range, UOp value) const {
    Scope s = *this;
    s.values.emplace_back(range, std::move(value));
    return s;
  }
};

/// Whether the tail of the axis is peeled at this range: its innermost loop, when the register tile does not divide.
bool is_ragged(const Chain&, const UOp& range);
/// The scope of that tail: the register tile holds extent mod T elements, offsets beyond are gated off.
Scope tail(const Chain&, Scope);
bool divides(int64_t n, const UOp& extent);

/// Private memory for the part of some axes that is closed at a scope.
struct PrivateTile {
  UOp memory;
  UOps base;                            // per axis: what open ranges contribute to its position
  UOp at(const UOps& positions) const;  // Index of the element at these axis positions
};
PrivateTile make_tile(const char* name, int64_t number, DType, const UOps& axes, const Chains&, const Scope&);

}  // namespace pg
