#include "uops/fold.h"

#include <cmath>

#include "uops/sum.h"

namespace pg {

namespace {
struct Integers {
  Op op;
  DType type;  // of the operands
  int64_t v[3];
};

/// Canonical values are sign-extended (signed) or zero-extended (unsigned): 64 bits compute them exactly before `constant` wraps.
std::optional<int64_t> evaluate(const Integers& e) {
  const auto [op, type, v] = e;
  const int64_t a = v[0], b = v[1];
  const auto ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
  const bool u64 = type.scalar == Scalar::UInt64;
  const int bits = 8 * type.element_bytes();
  const bool less = u64 ? ua < ub : a < b;
  switch (op) {
    case Op::Neg: return static_cast<int64_t>(-ua);
    case Op::Not: return type.is_bool() ? !a : ~a;
    case Op::Add: return type.is_bool() ? (a | b) : static_cast<int64_t>(ua + ub);
    case Op::Sub: return static_cast<int64_t>(ua - ub);
    case Op::Mul: return static_cast<int64_t>(ua * ub);
    case Op::IDiv:
    case Op::Mod:
      if (b == 0 || (!u64 && b == -1)) return b == 0 ? std::nullopt : std::optional(op == Op::Mod ? 0 : static_cast<int64_t>(-ua));
      if (u64) return static_cast<int64_t>(op == Op::IDiv ? ua / ub : ua % ub);
      return op == Op::IDiv ? floor_div(a, b) : floor_mod(a, b);
    case Op::Max: return less ? b : a;
    case Op::Min: return less ? a : b;
    case Op::Lt: return less;
    case Op::Eq: return a == b;
    case Op::Ne: return a != b;
    case Op::And: return a & b;
    case Op::Or: return a | b;
    case Op::Xor: return a ^ b;
    case Op::Shl: return b < 0 || b >= bits ? std::nullopt : std::optional(static_cast<int64_t>(ua << b));
    case Op::Shr:
      if (b < 0 || b >= bits) return std::nullopt;
      return u64 ? static_cast<int64_t>(ua >> b) : a >> b;
    case Op::Where: return a ? b : v[2];
    default: return std::nullopt;
  }
}

std::optional<float> evaluate(Op op, float a, float b, float c) {
  const bool nan = std::isnan(a) || std::isnan(b);
  switch (op) {
    case Op::Neg: return -a;
    case Op::Add: return a + b;
    case Op::Sub: return a - b;
    case Op::Mul: return a * b;
    case Op::Div: return a / b;
    case Op::Recip: return 1.0f / a;
    case Op::Sqrt: return std::sqrt(a);
    case Op::Floor: return std::floor(a);
    case Op::Max: return nan || a == b ? std::nullopt : std::optional(a < b ? b : a);
    case Op::Min: return nan || a == b ? std::nullopt : std::optional(a < b ? a : b);
    case Op::Fma: return std::fma(a, b, c);
    default: return std::nullopt;
  }
}

UOp converted(const Arg& value, DType from, DType to) {
  if (const int64_t* i = std::get_if<int64_t>(&value)) {
    if (!to.is_float()) return constant(to, *i);
    if (to.scalar != Scalar::Float32) return {};
    return constant(to, static_cast<double>(from.scalar == Scalar::UInt64 ? static_cast<float>(static_cast<uint64_t>(*i)) : static_cast<float>(*i)));
  }
  const double f = std::get<double>(value);
  if (to.is_float()) return to.scalar == Scalar::Float32 ? constant(to, f) : UOp();
  if (to.is_bool()) return constant(to, int64_t{f != 0});
  const Interval range = type_range(to);
  const double lo = range == Interval{} ? -0x1p63 : static_cast<double>(range.lo), hi = range == Interval{} ? 0x1p63 : static_cast<double>(range.hi) + 1;
  if (!(f > lo - 1 && f < hi) || (to.scalar == Scalar::UInt64 && f < 0)) return {};
  return constant(to, static_cast<int64_t>(f));
}
}  // namespace

const UOp* scalar_const(const UOp& u) {
  if (u.is(Op::Const)) return &u;
  return u.is(Op::Broadcast) && u.src(0).is(Op::Const) ? &u.src(0) : nullptr;
}

UOp folded(const UOp& node) {
  if (!info(node.op()).has(op_flag::Elementwise) || node.src().size() > 3) return {};
  const UOp* c[3] = {};
  for (size_t i = 0; i < node.src().size(); ++i)
    if (!(c[i] = scalar_const(node.src(i)))) return {};
  const DType from = c[0]->dtype(), to = node.dtype();
  if (node.is(Op::Cast)) return converted(c[0]->arg(), from, to);
  if (node.is(Op::Bitcast)) return {};
  if (node.is(Op::Where)) return node.src(std::get<int64_t>(c[0]->arg()) ? 1 : 2);
  if (from.is_float()) {
    if (from.scalar != Scalar::Float32) return {};
    double v[3] = {};
    for (size_t i = 0; i < node.src().size(); ++i) v[i] = std::get<double>(c[i]->arg());
    if (node.is(Op::Lt)) return constant(to, int64_t{v[0] < v[1]});
    if (node.is(Op::Eq)) return constant(to, int64_t{v[0] == v[1]});
    if (node.is(Op::Ne)) return constant(to, int64_t{v[0] != v[1]});
    const auto r = evaluate(node.op(), static_cast<float>(v[0]), static_cast<float>(v[1]), static_cast<float>(v[2]));
    return r && !std::isnan(*r) ? constant(to, static_cast<double>(*r)) : UOp();
  }
  Integers e{node.op(), from, {}};
  for (size_t i = 0; i < node.src().size(); ++i) e.v[i] = std::get<int64_t>(c[i]->arg());
  const auto r = evaluate(e);
  return r ? constant(to, *r) : UOp();
}

}  // namespace pg
