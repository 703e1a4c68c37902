#include <cmath>

#include "uops/fold.h"
#include "uops/rules.h"
#include "uops/sum.h"

namespace pg {

namespace {
enum { X, Y, Z, A, B };  // slots

UOp folded_node(const UOp& node, const Bindings&) { return folded(node); }

/// Commutative operands: constants on the right, else by content. Integer sums and products have an order of their own;
/// Max and Min of floats tell 0.0 from -0.0 by position.
UOp ordered(const UOp& node, const Bindings&) {
  const Op op = node.op();
  if (!info(op).has(op_flag::Commutative)) return {};
  const UOp &a = node.src(0), &b = node.src(1);
  const bool is_float = a.dtype().is_float();
  if (a.dtype().is_int() && (op == Op::Add || op == Op::Mul || op == Op::Eq || op == Op::Ne)) return {};
  if (is_float && (op == Op::Max || op == Op::Min)) return {};
  const bool a_const = scalar_const(a), b_const = scalar_const(b);
  if (a_const == b_const ? a.hash() <= b.hash() : b_const) return {};
  return alu(op, b, a);
}

/// op(Broadcast x, Broadcast y) is Broadcast(op(x, y)): one scalar instead of a vector of equal ones.
UOp broadcast_outside(const UOp& node, const Bindings&) {
  if (node.dtype().lanes == 1 || !info(node.op()).has(op_flag::Elementwise)) return {};
  UOps src;
  for (const UOp& s : node.src()) {
    if (!s.is(Op::Broadcast)) return {};
    src.push_back(s.src(0));
  }
  return broadcast(UOp(node.op(), node.dtype().element(), node.arg(), src), node.dtype().lanes);
}
UOp stack_of_equals(const UOp& node, const Bindings&) {
  for (const UOp& s : node.src())
    if (!(s == node.src(0))) return {};
  return broadcast(node.src(0), node.dtype().lanes);
}
UOp shuffle_undone(const UOp& node, const Bindings&) {
  const UOp& x = node.src(0);
  if (node.src().size() == 2) return {};
  if (x.is(Op::Broadcast)) return broadcast(x.src(0), node.dtype().lanes);
  if (node.dtype() != x.dtype()) return {};
  const Ints& lanes = node.arg_as<Ints>();
  for (size_t i = 0; i < lanes.size(); ++i)
    if (lanes[i] != static_cast<int64_t>(i)) return {};
  return x;
}

/// A cast from `from` to `to` loses nothing.
bool widens(DType from, DType to) {
  if (from.element() == to.element()) return true;
  if (to.is_bool()) return false;
  if (from.is_bool()) return true;
  if (to.is_float()) {
    if (from.is_float()) return to.scalar == Scalar::Float32;
    return to.scalar == Scalar::Float32 && from.element_bytes() <= 2;
  }
  const Interval f = type_range(from), t = type_range(to);
  if (from.is_float() || f == Interval{}) return false;
  if (to.element_bytes() == 8) return !to.is_unsigned() || from.is_unsigned();
  return f.lo >= t.lo && f.hi <= t.hi;
}
/// Cast(Cast x): the inner one is skipped where it loses nothing; between integers also where the outer one cuts anyway.
UOp cast_of_cast(const UOp& node, const Bindings& b) {
  const DType from = b[X].dtype(), between = node.src(0).dtype(), to = node.dtype();
  const bool integers = from.is_int() && between.is_int() && to.is_int() && to.element_bytes() <= between.element_bytes();
  return integers || widens(from, between) ? cast(b[X], to) : UOp();
}
UOp bitcast_again(const UOp& node, const Bindings& b) {
  return b[X].dtype() == node.dtype() ? b[X] : UOp(Op::Bitcast, node.dtype(), {}, {b[X]});
}
Guard variable_operand(int n) {
  return [=](const Bindings& x) { return !scalar_const(x[n]); };
}
UOp truth(const UOp& node, const Bindings& b) { return node.dtype().is_bool() ? b[X] : UOp(); }
UOp cast_to_itself(const UOp& node, const Bindings& b) { return b[X].dtype() == node.dtype() ? b[X] : UOp(); }

/// Division by a power of two whose reciprocal is exact.
UOp times_reciprocal(const UOp& node, const Bindings& b) {
  const double c = std::get<double>(scalar_const(b[A])->arg());
  int exponent;
  if (node.dtype().scalar != Scalar::Float32 || std::fabs(std::frexp(c, &exponent)) != 0.5 || std::abs(exponent) > 120) return {};
  return b[X] * constant(node.dtype(), 1 / c);
}

/// Loads that never or always happen.
UOp load_ungated(const UOp& node, const Bindings& b) { return UOp(Op::Load, node.dtype(), {}, {b[X]}); }
UOp load_nothing(const UOp& node, const Bindings&) { return constant(node.dtype(), int64_t{0}); }
UOp store_ungated(const UOp&, const Bindings& b) { return store(b[X], b[Y]); }
UOp nothing(const UOp&, const Bindings&) { return block({}); }
UOp body(const UOp&, const Bindings& b) { return b[Y]; }
UOp no_trips(const UOp& node, const Bindings& b) { return node.src(0).is(Op::Range) && bounds(b[X].src(0)).hi <= 0 ? block({}) : UOp(); }
UOp block_flat(const UOp& node, const Bindings&) { return block(node.src()); }
UOp stores_left(const UOp& node, const Bindings&) {
  UOps stores;
  for (const UOp& s : node.src())
    if (!s.is(Op::Block)) stores.push_back(s);
  return stores.empty() ? block({}) : node.with_src(stores);
}
}  // namespace

std::vector<Rule> value_rules() {
  const Pat any_node = any(X), x = any(X), y = any(Y), z = any(Z), w = any(A), f = any_float(X), n = any_int(X), m = any_int(Y);
  const Pat p = any_bool(X), q = any_bool(Y), a = int_slot(A), b = int_slot(B);
  const Pat float_const(Pat::Only::Constant, A);
  return {
      {"const.fold", any_node, folded_node},
      {"order", any_node, ordered},
      {"broadcast.out", any_node, broadcast_outside},
      {"stack.same", pattern(Op::Stack), stack_of_equals},
      {"shuffle.none", pattern(Op::Shuffle, {x}), shuffle_undone},

      {"not.not", !!x, x},
      {"and.same", x & x, x},
      {"and.true", p & 1, p},
      {"and.false", p & 0, 0},
      {"and.ones", n & -1, n},
      {"and.zero", n & 0, 0},
      {"and.again", (x & y) & y, x & y},
      {"and.not", p & !p, 0},
      {"and.less", lt(n, a) & lt(n, b), lt(n, fold(min(a, b)))},
      {"and.greater", lt(a, n) & lt(b, n), lt(fold(max(a, b)), n)},
      {"or.same", x | x, x},
      {"or.true", p | 1, 1},
      {"or.false", p | 0, p},
      {"or.zero", n | 0, n},
      {"or.again", (x | y) | y, x | y},
      {"or.not", p | !p, 1},
      {"xor.same", n ^ n, 0},
      {"xor.zero", n ^ 0, n},
      {"xor.consts", (n ^ a) ^ b, n ^ fold(a ^ b)},
      {"xor.const_last", (n ^ a) ^ m, (n ^ m) ^ a, variable_operand(Y)},  // n ^ m is then the same for all instances

      {"where.true", where(1, x, y), x},
      {"where.false", where(0, x, y), y},
      {"where.same", where(z, x, x), x},
      {"where.not", where(!z, x, y), where(z, y, x)},
      {"where.bool", where(p, 1, 0), truth},
      {"where.then", where(z, where(z, x, y), w), where(z, x, w)},
      {"where.else", where(z, x, where(z, y, w)), where(z, x, w)},

      {"max.same", max(x, x), x},
      {"min.same", min(x, x), x},
      {"neg.neg", -(-f), f},
      {"mul.one", f * 1.0, f},
      {"add.minus_zero", f + -0.0, f},
      {"sub.zero", f - 0.0, f},
      {"div.float_one", pattern(Op::Div, {f, 1.0}), f},
      {"div.power_of_two", pattern(Op::Div, {f, float_const}), times_reciprocal},

      {"cast.none", pattern(Op::Cast, {x}), cast_to_itself},
      {"cast.cast", pattern(Op::Cast, {pattern(Op::Cast, {x})}), cast_of_cast},
      {"bitcast.none", pattern(Op::Bitcast, {x}), cast_to_itself},
      {"bitcast.bitcast", pattern(Op::Bitcast, {pattern(Op::Bitcast, {x})}), bitcast_again},

      {"load.open", pattern(Op::Load, {x, 1}), load_ungated},
      {"load.closed", pattern(Op::Load, {x, 0}), load_nothing},
      {"store.open", pattern(Op::Store, {x, y, 1}), store_ungated},
      {"store.closed", pattern(Op::Store, {x, y, 0}), nothing},
      {"if.true", pattern(Op::If, {1, y}), body},
      {"if.false", pattern(Op::If, {0, y}), nothing},
      {"for.none", pattern(Op::For, {x, y}), no_trips},
      {"block.flat", pattern(Op::Block), block_flat},
      {"stores.left", pattern(Op::StoreAll), stores_left},
  };
}

}  // namespace pg
