#include <algorithm>
#include <numeric>

#include "uops/fold.h"
#include "uops/rules.h"
#include "uops/sum.h"

namespace pg {

namespace {
enum { N, M, A, B };  // slots

// ---- guards ----
/// b divides a (constants).
Guard divides(int b, int a) {
  return [=](const Bindings& x) { return *const_int(x[b]) > 0 && *const_int(x[a]) % *const_int(x[b]) == 0; };
}
Guard positive(int a) {
  return [=](const Bindings& x) { return *const_int(x[a]) > 0; };
}
Guard not_constant(int n) {
  return [=](const Bindings& x) { return !const_int(x[n]); };
}
/// a · b stays within the type.
Guard product_fits(int a, int b) {
  return [=](const Bindings& x) {
    const Interval type = type_range(x[a].dtype());
    int64_t p;
    return !__builtin_mul_overflow(*const_int(x[a]), *const_int(x[b]), &p) && p <= type.hi;
  };
}
Guard at_least(int n, int m) {
  return [=](const Bindings& x) {
    if (bounds(x[n]).lo >= bounds(x[m]).hi) return true;
    const auto gap = difference(Sum::of(x[n]), Sum::of(x[m]));
    return gap && never_negative(*gap);
  };
}

// ---- sums ----
UOp canonical_sum(const UOp& node, const Bindings&) { return Sum::of(node).build(); }

/// A sum as g·high + low with 0 ≤ low < g; the constant's remainder goes with the low part.
struct Split {
  Sum high, low;
};
Split split(const Sum& s, int64_t g) {
  Split parts{Sum(s.dtype), Sum(s.dtype)};
  for (const Sum::Term& t : s.terms)
    if (t.factor % g == 0) parts.high.terms.push_back({t.value, t.factor / g});
    else parts.low.terms.push_back(t);
  parts.high.constant = floor_div(s.constant, g);
  parts.low.constant = floor_mod(s.constant, g);
  return parts;
}
bool within(const Interval& i, int64_t g) { return i.lo >= 0 && i.hi < g; }

/// Calls f(g) for the divisors g > 1 of `a` that factors of the sum share with it, large ones first, until f holds.
template <class F>
bool try_common_divisors(const Sum& s, int64_t a, F f) {
  std::vector<int64_t> tried;
  for (const Sum::Term& t : s.terms) tried.push_back(std::gcd(t.factor, a));
  std::sort(tried.begin(), tried.end(), std::greater<>());
  int64_t last = 1;
  for (int64_t g : tried)
    if (g > 1 && g != last && f(last = g)) return true;
  return false;
}

/// (Σ) / a: multiples of a leave the quotient; a common factor of the rest cancels, also over a low part too small to matter.
UOp quotient_of_sum(const UOp& node, const Bindings& b) {
  const int64_t a = *const_int(b[A]);
  const Sum s = Sum::of(b[N]);
  if (!s.exact()) return {};
  Split parts = split(s, a);
  if (parts.low.terms.size() < s.terms.size() || parts.high.constant != 0) {
    if (!parts.low.exact() || !parts.high.exact()) return {};
    if (within(parts.low.interval(), a)) return parts.high.build();
    return parts.high.build() + idiv(parts.low.build(), b[A]);
  }
  UOp result;
  try_common_divisors(s, a, [&](int64_t g) {
    const Split p = split(s, g);
    if (!within(p.low.interval(), g) || !p.high.exact()) return false;
    result = idiv(p.high.build(), constant(node.dtype(), a / g));
    return true;
  });
  return result;
}

/// (Σ) % a, in the same way.
UOp remainder_of_sum(const UOp& node, const Bindings& b) {
  const int64_t a = *const_int(b[A]);
  const Sum s = Sum::of(b[N]);
  if (!s.exact()) return {};
  Sum rest = split(s, a).low;
  for (Sum::Term& t : rest.terms)
    if (t.factor > a) t.factor %= a;
  if (!rest.exact()) return {};
  const Interval i = rest.interval();
  if (floor_div(i.lo, a) == floor_div(i.hi, a)) {
    rest.constant -= floor_div(i.lo, a) * a;
    return rest.build();
  }
  UOp result;
  try_common_divisors(rest, a, [&](int64_t g) {
    const Split p = split(rest, g);
    if (!within(p.low.interval(), g) || !p.high.exact()) return false;
    const UOp low = p.low.build();
    result = mod(p.high.build(), constant(node.dtype(), a / g)) * constant(node.dtype(), g) + low;
    return true;
  });
  return result ? result : mod(rest.build(), b[A]);
}

/// The factor of a product that is left without `f`, or null: i·n without n is i.
UOp without_factor(const UOp& product, const UOp& f) {
  if (product == f) return constant(f.dtype(), int64_t{1});
  if (!product.is(Op::Mul)) return {};
  for (int i : {0, 1})
    if (UOp rest = without_factor(product.src(i), f)) return rest * product.src(1 - i);
  return {};
}
/// Σ = m·high + low for a symbolic m > 0.
std::optional<Split> split_symbolic(const UOp& n, const UOp& m) {
  const Sum s = Sum::of(n);
  if (bounds(m).lo <= 0 || !s.exact()) return std::nullopt;
  Split parts{Sum(s.dtype), Sum(s.dtype)};
  for (const Sum::Term& t : s.terms)
    if (const UOp q = without_factor(t.value, m)) parts.high.add(q, t.factor);
    else parts.low.terms.push_back(t);
  parts.low.constant = s.constant;
  parts.high.normalize();
  if (!parts.low.exact() || !parts.high.exact()) return std::nullopt;
  return parts;
}
bool within(const Sum& low, const UOp& m) {
  const auto gap = difference(low, Sum::of(m));
  return gap && never_negative(low) && always_negative(*gap);
}
UOp symbolic_quotient(const UOp&, const Bindings& b) {
  const auto parts = split_symbolic(b[N], b[M]);
  if (!parts) return {};
  if (within(parts->low, b[M])) return parts->high.build();
  if (parts->high.terms.empty() && parts->high.constant == 0) return {};
  return parts->high.build() + idiv(parts->low.build(), b[M]);
}
UOp symbolic_remainder(const UOp&, const Bindings& b) {
  const auto parts = split_symbolic(b[N], b[M]);
  if (!parts) return {};
  return within(parts->low, b[M]) ? parts->low.build() : mod(parts->low.build(), b[M]);
}

// ---- comparisons: positive factors on the left, negative ones and the constant on the right ----
struct Sides {
  Sum left, right;
  UOp compare(Op op) const { return alu(op, left.build(), right.build()); }
};
Sides sides(const Sum& s) {
  Sides both{Sum(s.dtype), Sum(s.dtype)};
  for (const Sum::Term& t : s.terms)
    if (t.factor > 0) both.left.terms.push_back(t);
    else both.right.terms.push_back({t.value, -t.factor});
  both.right.constant = -s.constant;
  return both;
}
bool exact(const Sides& s) { return s.left.exact() && s.right.exact(); }

UOp compare_less(const UOp& node, const Bindings& b) {
  const auto gap = difference(Sum::of(b[N]), Sum::of(b[M]));  // Σ + c < 0
  if (!gap) return {};
  Sum s = *gap;
  if (always_negative(s)) return constant(node.dtype(), int64_t{1});
  if (never_negative(s)) return constant(node.dtype(), int64_t{0});
  // g·high + low < limit asks only for high where no low changes the answer.
  const int64_t limit = -s.constant;
  Sum moving = s;
  moving.constant = 0;
  try_common_divisors(moving, 0, [&](int64_t g) {
    Split p = split(moving, g);
    const Interval low = p.low.interval();
    if (!within(low, g) || floor_div(limit - 1 - low.lo, g) != floor_div(limit - 1 - low.hi, g)) return false;
    s = std::move(p.high);
    s.constant = -(floor_div(limit - 1 - low.lo, g) + 1);
    return true;
  });
  const Sides both = sides(s);
  return exact(both) ? both.compare(Op::Lt) : UOp();
}

UOp compare_equal(const UOp& node, const Bindings& b) {
  const auto gap = difference(Sum::of(b[N]), Sum::of(b[M]));
  if (!gap) return {};
  Sum s = *gap;
  const Interval i = s.interval();
  const int64_t g = s.common_factor();
  if (i.lo > 0 || i.hi < 0 || (g != 0 && s.constant % g != 0) || always_negative(s)) return constant(node.dtype(), int64_t{node.is(Op::Ne)});
  if (g == 0) return constant(node.dtype(), int64_t{node.is(Op::Eq)});  // s.constant is 0 here
  // Of Σ and -Σ the one whose first term is positive.
  const auto first = std::min_element(s.terms.begin(), s.terms.end(),
                                      [](const auto& x, const auto& y) { return x.value.hash() < y.value.hash(); });
  const int64_t by = first->factor < 0 ? -g : g;
  for (Sum::Term& t : s.terms) t.factor /= by;
  s.constant /= by;
  const Sides both = sides(s);
  return exact(both) ? both.compare(node.op()) : UOp();
}

/// A node whose bounds leave one value.
UOp only_value(const UOp& node, const Bindings&) {
  if (node.dtype().is_float() || node.is(Op::Const) || scalar_const(node)) return {};
  const Interval b = bounds(node);
  return b.is_const() && !node.src().empty() ? constant(node.dtype(), b.lo) : UOp();
}
}  // namespace

std::vector<Rule> index_rules() {
  const Pat n = any_int(N), m = any_int(M), a = int_slot(A), b = int_slot(B);
  return {
      {"value.only", any(N), only_value},

      {"add.sum", n + m, canonical_sum},
      {"sub.sum", n - m, canonical_sum},
      {"mul.sum", n * m, canonical_sum},
      {"neg.sum", -n, canonical_sum},
      {"shl.sum", pattern(Op::Shl, {n, a}), canonical_sum},

      {"div.one", n / 1, n},
      {"div.div", (n / a) / b, n / fold(a * b), positive(A) && positive(B) && product_fits(A, B)},
      {"div.mod", (n % a) / b, (n / b) % fold(a / b), positive(A) && divides(B, A)},
      {"div.sum", n / a, quotient_of_sum, positive(A)},
      {"div.symbolic", n / m, symbolic_quotient, not_constant(M)},
      {"mod.mod", (n % a) % b, n % b, positive(A) && divides(B, A)},
      {"mod.sum", n % a, remainder_of_sum, positive(A)},
      {"mod.symbolic", n % m, symbolic_remainder, not_constant(M)},

      {"max.bounds", max(n, m), n, at_least(N, M)},
      {"min.bounds", min(n, m), m, at_least(N, M)},
      {"max.consts", max(max(n, a), b), max(n, fold(max(a, b)))},
      {"min.consts", min(min(n, a), b), min(n, fold(min(a, b)))},

      {"lt.sum", lt(n, m), compare_less},
      {"eq.sum", eq(n, m), compare_equal},
      {"ne.sum", ne(n, m), compare_equal},
  };
}

}  // namespace pg
