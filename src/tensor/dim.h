#pragma once
// Extents: numbers, or expressions of Variables.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "uops/uop.h"

namespace pg {

/// One extent or index: a number or an index expression of Variables.
class Dim {
 public:
  Dim(int64_t n) : value_(iconst(n)) {}
  Dim(int n) : value_(iconst(n)) {}
  Dim(UOp expression) : value_(std::move(expression)) {}
  const UOp& uop() const { return value_; }
  std::optional<int64_t> number() const { return const_int(value_); }
  friend bool operator==(const Dim& a, const Dim& b) { return a.value_ == b.value_; }

 private:
  UOp value_;
};
using Shape = std::vector<Dim>;
/// "4", "pos + T".
std::string text(const Dim&);
/// "[4, T, 8]".
std::string text(const Shape&);

// Simplified index arithmetic; division rounds down.
Dim operator+(const Dim&, const Dim&);
Dim operator-(const Dim&, const Dim&);
Dim operator*(const Dim&, const Dim&);
Dim operator/(const Dim&, const Dim&);

}  // namespace pg
