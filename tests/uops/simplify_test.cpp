#include "uops/simplify.h"

#include <doctest/doctest.h>

#include "random_expressions.h"
#include "uops/rules.h"
#include "uops/text.h"

using namespace pg;
using namespace pg::test;

namespace {
const UOp x = range("x", iconst(64)), y = range("y", iconst(32)), z = range("z", iconst(4));
const UOp n = variable("n", 1, 4096), r = range("r", n), i = range("i", iconst(8));
UOp c(int64_t v) { return iconst(v); }
UOp lt(const UOp& a, const UOp& b) { return alu(Op::Lt, a, b); }
UOp vec(const UOp& u) { return broadcast(u, 16); }
const UOp lanes(Op::Lanes, dt::index.vec(16), {}, {});
std::string simple(const UOp& u) { return pretty(simplify(u)); }
}  // namespace

TEST_CASE("simplify: division and remainder by bounds and divisibility") {
  CHECK(simplify(idiv(x * c(32) + y, c(32))) == x);
  CHECK(simplify(mod(x * c(32) + y, c(32))) == y);
  CHECK(simplify(idiv(x * c(4) + z, c(8))) == idiv(x, c(2)));
  CHECK(simple(mod(x * c(4) + z, c(8))) == "x%2*4 + z");
  CHECK(simple(idiv(x * c(64) + y + c(100), c(64))) == "x + (y + 36)/64 + 1");
  CHECK(simplify(idiv(idiv(x, c(4)), c(4))) == idiv(x, c(16)));
  CHECK(simplify(mod(x, c(64))) == x);
  CHECK(simplify(idiv(i * n + r, n)) == i);
  CHECK(simplify(mod(i * n + r, n)) == r);
}

TEST_CASE("simplify: a reshape there and back is nothing") {
  const UOp f = x * c(32) + y;
  CHECK(simplify(idiv(f, c(64)) * c(64) + mod(idiv(f, c(8)), c(8)) * c(8) + mod(f, c(8))) == simplify(f));
  CHECK(simplify(idiv(x, c(8)) * c(8) + mod(x, c(8))) == x);
  CHECK(simplify(idiv(x, c(16)) * c(16) + mod(idiv(x, c(4)), c(4)) * c(4) + mod(x, c(4))) == x);
}

TEST_CASE("simplify: sums are canonical and like terms merge") {
  CHECK(simple(y - x + c(3) - x) == "y - x*2 + 3");
  CHECK(simplify((x + y) * n - n * y) == simplify(x * n));
  CHECK(simplify(x + y + z) == simplify(z + (y + x)));
  CHECK(simplify((x + c(1)) * c(4) - x * c(4)) == c(4));
  const UOp a = cast(x, dt::u8), b = cast(y, dt::u8);
  CHECK(simplify(a * constant(dt::u8, int64_t{255}) + b) == simplify(b - a));
}

TEST_CASE("simplify: comparisons by bounds, symbolic ones too") {
  CHECK(const_int(simplify(lt(x, c(64)))) == 1);
  CHECK(const_int(simplify(lt(x, c(0)))) == 0);
  CHECK(const_int(simplify(lt(r, n))) == 1);
  CHECK(const_int(simplify(lt(i * n + r, n * c(8)))) == 1);
  CHECK(simplify(lt(x * c(8) + i, c(64))) == lt(x, c(8)));
  CHECK(simplify(lt(x + c(5), c(9))) == lt(x, c(4)));
  CHECK(simple(alu(Op::Eq, x * c(2), y * c(2) + c(1))) == "false");
  CHECK(const_int(simplify(alu(Op::Ne, x, c(64)))) == 1);
  CHECK(simplify(alu(Op::Max, x, c(63))) == c(63));
  CHECK(simplify(alu(Op::Where, lt(x, c(99)), x, y)) == x);
}

TEST_CASE("simplify: gates of vectors fold when bounds decide") {
  const UOp gate = lt(lanes + vec(x * c(16)), vec(c(1024)));
  CHECK(const_int(simplify(gate)) == 1);
  CHECK(!const_int(simplify(lt(lanes + vec(x * c(16)), vec(c(1023))))));
  CHECK(const_int(simplify(lt(lanes, vec(c(0))))) == 0);
  const UOp a = UOp(Op::Param, dt::f32, ParamArg{1, "a"}, {c(1024)});
  const UOp at(Op::Index, dt::f32.vec(16), {}, {a, x * c(16)});
  CHECK(simplify(load(at, gate)) == load(at));
  CHECK(simplify(load(at, lt(lanes, vec(c(0))))) == constant(dt::f32.vec(16), 0.0));
}

TEST_CASE("simplify: the range of a loop and the buffer of an Index keep their identity") {
  const UOp one = range("one", c(1)), a = UOp(Op::Param, dt::f32, ParamArg{0, "a"}, {c(2) + n - n});
  const UOp s = store(index(a, UOps{one + c(0)}), constant(dt::f32, 1.0));
  const UOp loop(Op::For, dt::kVoid, {}, {one, s});
  const UOp after = simplify(loop);
  CHECK(after.src(0) == one);
  CHECK(after.src(1).src(0).src(0) == a);
  CHECK(after.src(1).src(0).src(1) == c(0));
}

TEST_CASE("simplify: floats only where it holds bit for bit") {
  const UOp f = load(index(UOp(Op::Param, dt::f32, ParamArg{0, "a"}, {c(4)}), UOps{z}));
  auto k = [](double v) { return constant(dt::f32, v); };
  CHECK(simplify(f * k(1.0)) == f);
  CHECK(simplify(f + k(-0.0)) == f);
  CHECK(simplify(f - k(0.0)) == f);
  CHECK(simple(alu(Op::Div, f, k(4.0))) == "a[z]*0.25");
  for (const UOp& kept : {f * k(0.0), f - f, f + k(0.0), alu(Op::Eq, f, f), alu(Op::Div, f, k(3.0))}) CHECK(simplify(kept) == kept);
  CHECK(simplify(k(0.1) + k(0.2)) == k(0.1f + 0.2f));
  CHECK(simplify(alu(Op::Exp, k(0.0))).is(Op::Exp));
}

TEST_CASE("coefficient: affine expressions only") {
  CHECK(coefficient(x * c(3) + y - x, x) == 2);
  CHECK(coefficient(y, x) == 0);
  CHECK(!coefficient(x * n, x));
  CHECK(!coefficient(idiv(x, c(2)), x));
  CHECK(coefficient(lanes * vec(c(2)) + vec(x * c(4)), lanes) == 2);
  CHECK(coefficient(lanes * vec(c(2)) + vec(x * c(4)), x) == 4);
}

TEST_CASE("bounds: every kind of leaf") {
  CHECK(bounds(x) == Interval{0, 63});
  CHECK(bounds(n) == Interval{1, 4096});
  CHECK(bounds(r) == Interval{0, 4095});
  CHECK(bounds(lanes) == Interval{0, 15});
  CHECK(bounds(load(index(UOp(Op::Param, dt::u8, ParamArg{0, "a"}, {c(4)}), UOps{z}))) == Interval{0, 255});
  CHECK(bounds(range("none", c(0))) == Interval{0, 0});
  CHECK(divisor(x * c(12) + c(18)) == 6);
  CHECK(divisor(c(0)) == 0);
}

TEST_CASE("bounds: XOR and OR change only the bits that the lower one has") {
  const UOp wide = range("wide", c(3072));
  CHECK(bounds(alu(Op::Xor, wide, y)) == Interval{0, 3071});
  CHECK(bounds(alu(Op::Or, wide, y)) == Interval{0, 3071});
  CHECK(bounds(alu(Op::Xor, wide, x + c(1))) == Interval{0, 3071});  // 64 has 7 bits, and 3072 is 24 times 128
  CHECK(bounds(alu(Op::Xor, c(96) + y, z)) == Interval{96, 127});
  CHECK(bounds(alu(Op::Xor, c(100), z)) == Interval{100, 103});
  CHECK(bounds(alu(Op::Xor, x, c(-1))) == Interval{});
  CHECK(divisor(alu(Op::Xor, x * c(12), y * c(8))) == 4);
  CHECK(divisor(alu(Op::And, x, c(24))) == 8);
}

TEST_CASE("simplify: constants of an XOR meet, and come last") {
  CHECK(simplify(alu(Op::Xor, alu(Op::Xor, x, c(5)), c(3))) == alu(Op::Xor, x, c(6)));
  CHECK(simplify(alu(Op::Xor, alu(Op::Xor, x, c(5)), c(5))) == x);
  CHECK(simplify(alu(Op::Xor, alu(Op::Xor, x, c(5)), y)) == alu(Op::Xor, simplify(alu(Op::Xor, x, y)), c(5)));
}

TEST_CASE("simplify, bounds and divisor are sound on random expressions") {
  const uint64_t seed = 20240611;
  INFO("seed " << seed);
  Random random(seed);
  Expressions expressions(random);
  const std::vector<DType> types{dt::i64, dt::i64, dt::i64, dt::kBool, dt::kBool, dt::i32, dt::u8, dt::u64, dt::f32,
                                 dt::i64.vec(4), dt::kBool.vec(4), dt::f32.vec(4)};
  int evaluated = 0, changed = 0;
  for (int k = 0; k < 30000; ++k) {
    const UOp e = expressions.of(random.pick(types), static_cast<int>(random(1, 5)));
    const UOp s = simplify(e);
    changed += !(s == e);
    REQUIRE_MESSAGE(s.dtype() == e.dtype(), pretty(e));
    REQUIRE_MESSAGE(simplify(s) == s, "not idempotent: " << pretty(e));
    {  // The mark on a node is the fast way out: without it the rules must leave the node alone as well.
      const Rule* rule = nullptr;
      const UOp again = simplify_rules().apply(s, &rule);
      REQUIRE_MESSAGE(!again, (again ? rule->name : "") << " applies to the simplified " << pretty(s));
    }
    for (int b = 0; b < 6; ++b) {
      Binding binding(random);
      for (int lane = 0; lane < e.dtype().lanes; ++lane) {
        const auto before = binding.value(lane_of(e, lane));
        if (!before) continue;
        const auto after = binding.value(lane_of(s, lane));
        ++evaluated;
        INFO("lane " << lane << " of " << pretty(e) << " -> " << pretty(s));
        REQUIRE(after);
        REQUIRE(same_value(*before, *after));
        if (e.dtype().is_float() || e.dtype().scalar == Scalar::UInt64) continue;
        const int64_t v = std::get<int64_t>(*before), d = divisor(e);
        REQUIRE(bounds(e).lo <= v);
        REQUIRE(bounds(e).hi >= v);
        if (e.dtype().is_int()) REQUIRE((d == 0 ? v == 0 : v % d == 0));
      }
    }
  }
  CHECK(evaluated > 100000);
  CHECK(changed > 10000);
}
