#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "uops/uop.h"

namespace pg {

/// Inclusive interval of an integer expression. Unknown ends are the int64 limits ("infinite").
struct Interval {
  int64_t lo = std::numeric_limits<int64_t>::min(), hi = std::numeric_limits<int64_t>::max();
  bool is_const() const { return lo == hi; }
  friend bool operator==(const Interval&, const Interval&) = default;
};
/// Bounds from Const, Variable (its limits), Range (0 .. trips' upper bound − 1) and arithmetic; saturating.
Interval bounds(const UOp&);
/// The largest d known to divide the expression (0: the expression is 0).
int64_t divisor(const UOp&);

/// Simplifies: constant folding, identities, div / mod by bounds and divisibility, comparisons by bounds, canonical
/// order of commutative operands and of sums. Exact on integers; on floats only what holds bit for bit, NaN included
/// (x*1, x+(-0.0) …, never x*0 or x-x). Idempotent.
UOp simplify(const UOp&);

/// While it lives, each step of simplify on this thread adds a line to `lines` ("add.zero: (i + 0) -> i"; DEBUG=6). Null: nothing.
class SimplifyTrace {
 public:
  explicit SimplifyTrace(std::vector<std::string>* lines);
  ~SimplifyTrace();
  SimplifyTrace(const SimplifyTrace&) = delete;
  SimplifyTrace& operator=(const SimplifyTrace&) = delete;

 private:
  std::vector<std::string>* outer_;
};

/// Coefficient of `v` when the index expression is affine in it (e == c·v + r, r free of v); nullopt otherwise.
std::optional<int64_t> coefficient(const UOp& e, const UOp& v);

}  // namespace pg
