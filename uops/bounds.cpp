// Intervals and divisors of integer expressions, cached in the nodes.
#include <algorithm>
#include <bit>
#include <numeric>

#include "uops/simplify.h"
#include "uops/sum.h"

namespace pg {

namespace {
constexpr int64_t kMin = std::numeric_limits<int64_t>::min(), kMax = std::numeric_limits<int64_t>::max();
using Wide = __int128;
bool infinite(int64_t v) { return v == kMin || v == kMax; }
int64_t clamp(Wide v) { return v < kMin ? kMin : v > kMax ? kMax : static_cast<int64_t>(v); }

int64_t add(int64_t a, int64_t b) { return infinite(a) ? a : infinite(b) ? b : clamp(Wide(a) + b); }
int64_t negate(int64_t a) { return a == kMin ? kMax : a == kMax ? kMin : -a; }
int64_t multiply(int64_t a, int64_t b) {
  if (a == 0 || b == 0) return 0;
  if (infinite(a) || infinite(b)) return (a < 0) == (b < 0) ? kMax : kMin;
  return clamp(Wide(a) * b);
}
Interval hull(std::initializer_list<int64_t> v) { return {std::min(v), std::max(v)}; }
Interval unite(Interval a, Interval b) { return {std::min(a.lo, b.lo), std::max(a.hi, b.hi)}; }
Interval product(Interval a, Interval b) {
  return hull({multiply(a.lo, b.lo), multiply(a.lo, b.hi), multiply(a.hi, b.lo), multiply(a.hi, b.hi)});
}
Interval truth(bool known_true, bool known_false) { return {known_true ? 1 : 0, known_false ? 0 : 1}; }

Interval quotient(Interval a, Interval b) {
  if (b.lo <= 0) return {};
  auto divide = [](int64_t x, int64_t y) { return infinite(x) ? x : floor_div(x, y); };
  return hull({divide(a.lo, b.lo), divide(a.lo, b.hi), divide(a.hi, b.lo), divide(a.hi, b.hi)});
}
Interval remainder(Interval a, Interval b) {
  if (b.lo <= 0) return {};
  if (b.is_const() && !infinite(a.lo) && !infinite(a.hi) && floor_div(a.lo, b.lo) == floor_div(a.hi, b.lo)) {
    return {floor_mod(a.lo, b.lo), floor_mod(a.hi, b.lo)};
  }
  if (a.lo >= 0 && a.hi < b.lo) return a;
  return {0, a.lo >= 0 ? std::min(a.hi, b.hi - 1) : b.hi - 1};
}
/// The smallest 2^n − 1 that is at least v ≥ 0.
int64_t all_ones(int64_t v) { return v == 0 ? 0 : static_cast<int64_t>(~uint64_t{0} >> std::countl_zero(static_cast<uint64_t>(v))); }

/// And, Or, Xor of non-negative values; bools included.
Interval bitwise(Op op, Interval a, Interval b) {
  if (op == Op::And && (a.lo >= 0 || b.lo >= 0)) {
    const int64_t hi = a.lo < 0 ? b.hi : b.lo < 0 ? a.hi : std::min(a.hi, b.hi);
    return {a.is_const() && b.is_const() ? a.lo & b.lo : 0, a.is_const() && b.is_const() ? a.lo & b.lo : hi};
  }
  if (a.lo < 0 || b.lo < 0) return {};
  if (a.is_const() && b.is_const()) {
    const int64_t v = op == Op::Or ? a.lo | b.lo : a.lo ^ b.lo;
    return {v, v};
  }
  // The lower one can change only as many low bits of the other as it has; so rows that are swizzled in themselves stay in bounds.
  const int64_t by_b = all_ones(b.hi), by_a = all_ones(a.hi);
  const int64_t hi = std::min(a.hi | by_b, b.hi | by_a);
  return {op == Op::Or ? std::max(a.lo, b.lo) : std::max(a.lo & ~by_b, b.lo & ~by_a), hi};
}

Interval converted(const UOp& u, Interval x) {
  if (u.src(0).dtype().is_float()) return type_range(u.dtype());
  if (u.dtype().is_bool()) return truth(x.lo > 0 || x.hi < 0, x.lo == 0 && x.hi == 0);
  return x;
}

/// The interval that the sources' intervals give; whether it fits the type is the caller's question.
Interval raw_bounds(const UOp& u) {
  auto of = [&](int i) { return bounds(u.src(i)); };
  switch (u.op()) {
    case Op::Const:
      if (const int64_t* v = std::get_if<int64_t>(&u.arg())) return {*v, *v};
      return {};
    case Op::Variable: return {u.arg_as<VariableArg>().lo, u.arg_as<VariableArg>().hi};
    case Op::Range: return {0, std::max<int64_t>(0, add(of(0).hi, -1))};
    case Op::Lanes: return {0, u.dtype().lanes - 1};
    case Op::Broadcast: return of(0);
    case Op::Shuffle:
    case Op::Stack: {
      Interval all = of(0);
      for (int i = 1; i < static_cast<int>(u.src().size()); ++i) all = unite(all, of(i));
      return all;
    }
    case Op::Add: return {add(of(0).lo, of(1).lo), add(of(0).hi, of(1).hi)};
    case Op::Sub: return {add(of(0).lo, negate(of(1).hi)), add(of(0).hi, negate(of(1).lo))};
    case Op::Neg: return {negate(of(0).hi), negate(of(0).lo)};
    case Op::Mul: return product(of(0), of(1));
    case Op::IDiv: return quotient(of(0), of(1));
    case Op::Mod: return remainder(of(0), of(1));
    case Op::Max: return {std::max(of(0).lo, of(1).lo), std::max(of(0).hi, of(1).hi)};
    case Op::Min: return {std::min(of(0).lo, of(1).lo), std::min(of(0).hi, of(1).hi)};
    case Op::Lt: return truth(of(0).hi < of(1).lo, of(0).lo >= of(1).hi);
    case Op::Eq:
    case Op::Ne: {
      const Interval a = of(0), b = of(1);
      const bool same = a.is_const() && a == b, apart = a.hi < b.lo || b.hi < a.lo;
      return u.is(Op::Eq) ? truth(same, apart) : truth(apart, same);
    }
    case Op::And:
      if (u.dtype().is_bool()) return {of(0).lo & of(1).lo, of(0).hi & of(1).hi};
      [[fallthrough]];
    case Op::Or:
    case Op::Xor: return bitwise(u.op(), of(0), of(1));
    case Op::Not:
      if (u.dtype().is_bool()) return {1 - of(0).hi, 1 - of(0).lo};
      return u.dtype().is_unsigned() ? Interval{} : Interval{add(negate(of(0).hi), -1), add(negate(of(0).lo), -1)};
    case Op::Shl:
    case Op::Shr: {
      const Interval by = of(1);
      if (!by.is_const() || by.lo < 0 || by.lo > 62) return {};
      const Interval power{int64_t{1} << by.lo, int64_t{1} << by.lo};
      if (u.is(Op::Shl)) return product(of(0), power);
      return of(0).lo < 0 && u.dtype().is_unsigned() ? Interval{} : quotient(of(0), power);
    }
    case Op::Where: return of(0).is_const() ? of(of(0).lo ? 1 : 2) : unite(of(1), of(2));
    case Op::Cast: return converted(u, of(0));
    default: return {};
  }
}

/// Ops whose interval is made from their sources'.
bool looks_inside(const UOp& u) {
  return info(u.op()).has(op_flag::Elementwise) || u.is(Op::Broadcast) || u.is(Op::Stack) || u.is(Op::Shuffle) || u.is(Op::Range);
}

/// Calls `compute` for every node below `root` without the fact, sources first; iterative, for graphs of any depth.
template <class Compute>
void settle(const UOp& root, uint8_t fact, Compute compute) {
  std::vector<const UOp*> stack{&root};
  while (!stack.empty()) {
    const UOp& u = *stack.back();
    bool ready = true;
    if (!u.facts().has(fact) && looks_inside(u))
      for (const UOp& s : u.src())
        if (!s.facts().has(fact)) {
          stack.push_back(&s);
          ready = false;
        }
    if (!ready) continue;
    stack.pop_back();
    if (!u.facts().has(fact)) compute(u);
  }
}

bool may_wrap(Op op) { return op == Op::Add || op == Op::Sub || op == Op::Mul || op == Op::Neg || op == Op::Shl; }

/// Unsigned 64-bit values from 2^63 on have no interval here: they and what is made from them are unknown.
bool unknown_u64(const UOp& u) { return u.dtype().scalar == Scalar::UInt64 && bounds(u).lo < 0; }

void compute_bounds(const UOp& u) {
  const Interval type = type_range(u.dtype());
  Interval b = u.dtype().is_float() ? Interval{} : raw_bounds(u);
  bool fits;
  if (looks_inside(u) && std::any_of(u.src().begin(), u.src().end(), unknown_u64)) fits = false;
  else if (u.dtype().scalar == Scalar::UInt64 && b.lo < 0) fits = false;
  else if (type == Interval{}) fits = !may_wrap(u.op()) || (!infinite(b.lo) && !infinite(b.hi));
  else fits = b.lo >= type.lo && b.hi <= type.hi;
  if (!fits) b = type;
  Facts& facts = u.facts();
  facts.lo.store(b.lo, std::memory_order_relaxed);
  facts.hi.store(b.hi, std::memory_order_relaxed);
  facts.add(fits ? Facts::Bounds : Facts::Bounds | Facts::Wraps);
}

int64_t lowest_bit(int64_t v) { return v & -v; }

int64_t raw_divisor(const UOp& u) {
  auto of = [&](int i) { return u.src(i).facts().divisor.load(std::memory_order_relaxed); };
  const Interval b = bounds(u);
  if (b.is_const()) return b.lo == kMin ? int64_t{1} << 62 : std::abs(b.lo);
  switch (u.op()) {
    case Op::Add:
    case Op::Sub:
    case Op::Max:
    case Op::Min: return std::gcd(of(0), of(1));
    case Op::Where: return std::gcd(of(1), of(2));
    case Op::Neg:
    case Op::Broadcast: return of(0);
    case Op::Shuffle:
    case Op::Stack: {
      int64_t d = of(0);
      for (size_t i = 1; i < u.src().size(); ++i) d = std::gcd(d, of(static_cast<int>(i)));
      return d;
    }
    case Op::Mul: {
      const int64_t d = multiply(of(0), of(1));
      return infinite(d) ? std::max(of(0), of(1)) : d;
    }
    case Op::Mod: return std::gcd(of(0), of(1));
    case Op::Or:
    case Op::Xor: return lowest_bit(std::gcd(of(0), of(1)));
    case Op::And: return std::max(lowest_bit(of(0)), lowest_bit(of(1)));
    case Op::IDiv: {
      const auto by = const_int(u.src(1));
      return by && *by > 0 && of(0) % *by == 0 ? of(0) / *by : 1;
    }
    case Op::Cast: return u.src(0).dtype().is_int() ? of(0) : 1;
    default: return 1;
  }
}
void compute_divisor(const UOp& u) {
  int64_t d = u.dtype().is_int() ? raw_divisor(u) : 1;
  bounds(u);
  if (u.facts().has(Facts::Wraps)) d = lowest_bit(d);  // modulo 2^n only powers of two survive
  u.facts().divisor.store(d, std::memory_order_relaxed);
  u.facts().add(Facts::Divisor);
}
}  // namespace

Interval type_range(DType t) {
  if (t.is_bool()) return {0, 1};
  if (!t.is_int() || t.element_bytes() == 8) return {};
  const int bits = 8 * t.element_bytes();
  if (t.is_unsigned()) return {0, (int64_t{1} << bits) - 1};
  return {-(int64_t{1} << (bits - 1)), (int64_t{1} << (bits - 1)) - 1};
}

Interval bounds(const UOp& u) {
  if (!u.facts().has(Facts::Bounds)) settle(u, Facts::Bounds, compute_bounds);
  return {u.facts().lo.load(std::memory_order_relaxed), u.facts().hi.load(std::memory_order_relaxed)};
}

int64_t divisor(const UOp& u) {
  if (!u.facts().has(Facts::Divisor)) settle(u, Facts::Divisor, compute_divisor);
  return u.facts().divisor.load(std::memory_order_relaxed);
}

}  // namespace pg
