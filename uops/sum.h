#pragma once
// The canonical form of integer arithmetic: constant + Σ factor · term, equal terms merged.
#include <vector>

#include "uops/simplify.h"
#include "uops/uop.h"

namespace pg {

inline int64_t floor_div(int64_t a, int64_t b) { return a / b - ((a % b != 0) && ((a < 0) != (b < 0))); }
inline int64_t floor_mod(int64_t a, int64_t b) {
  const int64_t r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

/// All arithmetic is modulo 2^64 until build() wraps to the type; `exact` says when that is the true value.
struct Sum {
  struct Term {
    UOp value;
    int64_t factor;
  };
  DType dtype;
  std::vector<Term> terms;
  int64_t constant = 0;

  explicit Sum(DType t) : dtype(t) {}
  /// Takes an integer expression apart: Add, Sub, Neg, Mul, Shl by a constant, Broadcasts of these. Products are multiplied out.
  static Sum of(const UOp& u);

  void add(const UOp& u, int64_t factor);
  void add_term(const UOp& value, int64_t factor);
  /// The interval of Σ in unbounded integers, from the terms' bounds; ends that leave int64 are infinite.
  Interval interval() const;
  /// Whether no binding makes the sum leave the type's range: then the expression's value is the sum itself.
  bool exact() const;
  /// Greatest common divisor of the factors; 0 without terms.
  int64_t common_factor() const;
  /// The expression: positive factors first, large ones first, then by content; the constant last.
  UOp build() const;
  /// Wraps the factors, drops zeros, joins (x / a)·(a·f) + (x % a)·f to x·f. Everything but add leaves a sum in this form.
  void normalize();
};

/// The range of a type's values; both ends infinite for 64-bit integers and floats.
Interval type_range(DType);

/// a − b in unbounded integers, not modulo the type's size: what comparisons are decided by. Null unless both are exact.
std::optional<Sum> difference(const Sum& a, const Sum& b);

/// Whether the sum is negative / not negative for every binding. Looks through symbolic trips: i < n for a Range i of n.
bool always_negative(const Sum&);
bool never_negative(const Sum&);

}  // namespace pg
