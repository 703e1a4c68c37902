#include "uops/sum.h"

#include <algorithm>
#include <numeric>


namespace pg {

namespace {
constexpr int64_t kMin = std::numeric_limits<int64_t>::min(), kMax = std::numeric_limits<int64_t>::max();
constexpr int kMaxTerms = 64;     // longer sums are left as they are written
constexpr size_t kMaxProduct = 32;  // terms of a product of sums that is still multiplied out

int64_t wrap_add(int64_t a, int64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b)); }
int64_t wrap_mul(int64_t a, int64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b)); }
/// Modulo 2^bits, as the signed number nearest to 0: factors of unsigned types too read -1, not 255.
int64_t wrap_signed(int64_t v, DType t) {
  const int unused = 64 - 8 * t.element_bytes();
  return static_cast<int64_t>(static_cast<uint64_t>(v) << unused) >> unused;
}

bool is_arithmetic(const UOp& u) { return u.is(Op::Add) || u.is(Op::Sub) || u.is(Op::Neg) || u.is(Op::Mul) || u.is(Op::Shl); }

/// Number of terms that Sum::of would look at, counted up to a little more than kMaxTerms.
int count_terms(const UOp& root) {
  int count = 0;
  std::vector<const UOp*> stack{&root};
  while (!stack.empty() && count <= kMaxTerms) {
    const UOp& u = *stack.back();
    stack.pop_back();
    if (u.is(Op::Add) || u.is(Op::Sub)) {
      stack.push_back(&u.src(0));
      stack.push_back(&u.src(1));
    } else {
      ++count;
    }
  }
  return count;
}

void factors_of(const UOp& u, UOps& out) {
  if (u.is(Op::Mul) && !const_int(u.src(1))) {
    factors_of(u.src(0), out);
    factors_of(u.src(1), out);
  } else {
    out.push_back(u);
  }
}
UOp product(const UOp& a, const UOp& b) {
  UOps factors;
  factors_of(a, factors);
  factors_of(b, factors);
  std::sort(factors.begin(), factors.end(), [](const UOp& x, const UOp& y) { return x.hash() < y.hash(); });
  UOp p = factors[0];
  for (size_t i = 1; i < factors.size(); ++i) p = p * factors[i];
  return p;
}
}  // namespace

void Sum::add_term(const UOp& value, int64_t factor) {
  for (Term& t : terms)
    if (t.value == value) {
      t.factor = wrap_add(t.factor, factor);
      return;
    }
  terms.push_back({value, factor});
}

void Sum::add(const UOp& root, int64_t factor) {
  const UOp* u = &root;
  while (u->is(Op::Add) || u->is(Op::Sub)) {  // the long side of a canonical sum is the left one
    add(u->src(1), u->is(Op::Add) ? factor : wrap_mul(factor, -1));
    u = &u->src(0);
  }
  if (const auto c = const_int(*u)) {
    constant = wrap_add(constant, wrap_mul(*c, factor));
  } else if (u->is(Op::Neg)) {
    add(u->src(0), wrap_mul(factor, -1));
  } else if (u->is(Op::Shl) && const_int(u->src(1)) && *const_int(u->src(1)) >= 0 && *const_int(u->src(1)) < 63) {
    add(u->src(0), wrap_mul(factor, int64_t{1} << *const_int(u->src(1))));
  } else if (u->is(Op::Mul)) {
    for (int i : {1, 0})
      if (const auto by = const_int(u->src(i))) return add(u->src(1 - i), wrap_mul(factor, *by));
    const Sum a = of(u->src(0)), b = of(u->src(1));
    if ((a.terms.size() + 1) * (b.terms.size() + 1) > kMaxProduct) return add_term(product(u->src(0), u->src(1)), factor);
    for (const Term& x : a.terms) {
      for (const Term& y : b.terms) add_term(product(x.value, y.value), wrap_mul(factor, wrap_mul(x.factor, y.factor)));
      if (b.constant) add_term(x.value, wrap_mul(factor, wrap_mul(x.factor, b.constant)));
    }
    if (a.constant)
      for (const Term& y : b.terms) add_term(y.value, wrap_mul(factor, wrap_mul(y.factor, a.constant)));
    constant = wrap_add(constant, wrap_mul(factor, wrap_mul(a.constant, b.constant)));
  } else if (u->is(Op::Broadcast) && is_arithmetic(u->src(0))) {
    Sum inner(dtype.element());
    inner.add(u->src(0), 1);
    for (const Term& t : inner.terms) add_term(broadcast(t.value, dtype.lanes), wrap_mul(factor, t.factor));
    constant = wrap_add(constant, wrap_mul(factor, inner.constant));
  } else {
    add_term(*u, factor);
  }
}

namespace {
/// a · b where it is a value of the type.
std::optional<int64_t> product_in(DType t, int64_t a, int64_t b) {
  int64_t p;
  return __builtin_mul_overflow(a, b, &p) || p > type_range(t).hi ? std::nullopt : std::optional(p);
}
/// What x / a is once simplified, as far as a constant division of a constant division goes.
UOp quotient(const UOp& x, int64_t a) {
  if (x.is(Op::IDiv))
    if (const auto b = const_int(x.src(1)); b && *b > 0)
      if (const auto both = product_in(x.dtype(), a, *b)) return alu(Op::IDiv, x.src(0), constant(x.dtype(), *both));
  return alu(Op::IDiv, x, constant(x.dtype(), a));
}
/// The value of high·a + (x % a) where `high` is x / a (then x) or (x / a) % c (then x % (a·c)); null for any other.
UOp rejoined(const UOp& high, const UOp& x, int64_t a) {
  if (high.is(Op::IDiv)) return high == quotient(x, a) ? x : UOp();
  if (!high.is(Op::Mod)) return {};
  const auto c = const_int(high.src(1));
  if (!c || *c <= 0 || !(high.src(0) == quotient(x, a))) return {};
  const auto both = product_in(x.dtype(), a, *c);
  return both ? alu(Op::Mod, x, constant(x.dtype(), *both)) : UOp();
}
}  // namespace

void Sum::normalize() {
  for (Term& t : terms) t.factor = wrap_signed(t.factor, dtype);
  constant = wrap_signed(constant, dtype);
  for (size_t i = 0; i < terms.size(); ++i) {
    if (!terms[i].value.is(Op::Mod) || terms[i].factor == 0) continue;
    const auto a = const_int(terms[i].value.src(1));
    if (!a || *a <= 1) continue;
    const int64_t factor = terms[i].factor;
    for (Term& high : terms) {
      if (high.factor != wrap_mul(factor, *a)) continue;
      const UOp whole = rejoined(high.value, terms[i].value.src(0), *a);
      if (!whole) continue;
      high.factor = terms[i].factor = 0;
      add(whole, factor);  // invalidates references into terms
      return normalize();
    }
  }
  std::erase_if(terms, [](const Term& t) { return t.factor == 0; });
}

Sum Sum::of(const UOp& u) {
  Sum s(u.dtype());
  if (count_terms(u) > kMaxTerms)
    s.terms.push_back({u, 1});
  else
    s.add(u, 1), s.normalize();
  return s;
}
Interval Sum::interval() const {
  __int128 lo = constant, hi = constant;
  bool lo_open = false, hi_open = false;
  for (const Term& t : terms) {
    Interval b = bounds(t.value);
    if (t.factor < 0) std::swap(b.lo, b.hi);
    lo_open |= b.lo == kMin || b.lo == kMax;
    hi_open |= b.hi == kMin || b.hi == kMax;
    lo += static_cast<__int128>(b.lo) * t.factor;
    hi += static_cast<__int128>(b.hi) * t.factor;
  }
  return {lo_open || lo < kMin ? kMin : lo > kMax ? kMax : static_cast<int64_t>(lo),
          hi_open || hi > kMax ? kMax : hi < kMin ? kMin : static_cast<int64_t>(hi)};
}

bool Sum::exact() const {
  const Interval i = interval(), type = type_range(dtype);
  if (type == Interval{}) return i.lo > kMin && i.hi < kMax && (!dtype.is_unsigned() || i.lo >= 0);
  return i.lo >= type.lo && i.hi <= type.hi;
}

std::optional<Sum> difference(const Sum& a, const Sum& b) {
  constexpr int64_t kLarge = int64_t{1} << 61;  // beyond: the difference of two factors might overflow
  auto is_small_number = [](int64_t v) { return -kLarge < v && v < kLarge; };
  auto is_small = [&](const Sum& s) {
    return is_small_number(s.constant) && std::all_of(s.terms.begin(), s.terms.end(), [&](const Sum::Term& t) { return is_small_number(t.factor); });
  };
  if (!a.exact() || !b.exact() || !is_small(a) || !is_small(b)) return std::nullopt;
  Sum d = a;
  for (const Sum::Term& t : b.terms) d.add_term(t.value, -t.factor);
  d.constant -= b.constant;
  std::erase_if(d.terms, [](const Sum::Term& t) { return t.factor == 0; });
  return d;
}

int64_t Sum::common_factor() const {
  int64_t g = 0;
  for (const Term& t : terms) g = std::gcd(g, t.factor);
  return g;
}

UOp Sum::build() const {
  // The scalar part of a vector sum is added up in scalars.
  if (dtype.lanes > 1 && std::any_of(terms.begin(), terms.end(), [](const Term& t) { return t.value.is(Op::Broadcast); })) {
    Sum scalar(dtype.element()), vector(dtype);
    for (const Term& t : terms)
      if (t.value.is(Op::Broadcast)) scalar.add(t.value.src(0), t.factor);
      else vector.terms.push_back(t);
    scalar.constant = wrap_add(scalar.constant, constant);
    scalar.normalize();
    const UOp offset = broadcast(scalar.build(), dtype.lanes);
    return vector.terms.empty() ? offset : vector.build() + offset;
  }
  std::vector<const Term*> order;
  order.reserve(terms.size());
  for (const Term& t : terms) order.push_back(&t);
  auto magnitude = [](int64_t f) { return f < 0 ? -static_cast<uint64_t>(f) : static_cast<uint64_t>(f); };
  std::sort(order.begin(), order.end(), [&](const Term* a, const Term* b) {
    if ((a->factor > 0) != (b->factor > 0)) return a->factor > 0;
    if (a->factor != b->factor) return magnitude(a->factor) > magnitude(b->factor);
    return a->value.hash() < b->value.hash();
  });
  auto scaled = [&](const UOp& v, int64_t f) { return f == 1 ? v : alu(Op::Mul, v, pg::constant(dtype, f)); };
  UOp sum;
  for (const Term* t : order) {
    if (!sum) sum = scaled(t->value, t->factor);
    else if (t->factor > 0 || t->factor == kMin) sum = alu(Op::Add, sum, scaled(t->value, t->factor));
    else sum = alu(Op::Sub, sum, scaled(t->value, -t->factor));
  }
  if (!sum) return pg::constant(dtype, constant);
  return constant == 0 ? sum : alu(Op::Add, sum, pg::constant(dtype, constant));
}

namespace {
/// The sum with every Range whose trips or stride are symbolic at the end of its interval that makes the sum largest (sign 1)
/// or smallest (-1): i·n + j - m·n becomes (m-1)·n + n-1 - m·n, and that cancels. Null when there is no such Range.
std::optional<Sum> at_extreme(const Sum& s, int sign) {
  if (s.dtype.element() != dt::index) return std::nullopt;
  Sum moved(s.dtype);
  moved.constant = s.constant;
  bool any = false;
  for (const Sum::Term& t : s.terms) {
    UOps factors;
    factors_of(t.value.is(Op::Broadcast) ? t.value.src(0) : t.value, factors);
    const auto r = std::find_if(factors.begin(), factors.end(), [](const UOp& f) { return f.is(Op::Range); });
    if (r == factors.end() || (factors.size() == 1 && const_int(r->src(0)))) {
      moved.add(t.value, t.factor);
      continue;
    }
    UOp last = (t.factor > 0) == (sign > 0) ? r->src(0) - iconst(1) : iconst(0);
    bool grows = true;  // with the Range: the other factors are not negative
    for (auto f = factors.begin(); f != factors.end(); ++f) {
      if (f == r) continue;
      grows &= bounds(*f).lo >= 0;
      last = last * *f;
    }
    any |= grows;
    moved.add(grows ? broadcast(last, s.dtype.lanes) : t.value, t.factor);
  }
  moved.normalize();
  return any ? std::optional(moved) : std::nullopt;
}
}  // namespace

bool always_negative(const Sum& s) {
  if (s.interval().hi < 0) return true;
  const auto top = at_extreme(s, 1);
  return top && top->interval().hi < 0;
}
bool never_negative(const Sum& s) {
  if (s.interval().lo >= 0) return true;
  const auto bottom = at_extreme(s, -1);
  return bottom && bottom->interval().lo >= 0;
}

std::optional<int64_t> coefficient(const UOp& e, const UOp& v) {
  int64_t c = 0;
  for (const Sum::Term& t : Sum::of(e).terms) {
    const bool spread = t.value.is(Op::Broadcast) && v.dtype().lanes == 1;
    const UOp& value = spread ? t.value.src(0) : t.value;
    if (value == v) c += t.factor;
    else if (depends_on(value, v)) return std::nullopt;
  }
  return c;
}

}  // namespace pg
