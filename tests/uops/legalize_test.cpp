#include "uops/legalize.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "uops/evaluate.h"
#include "uops/half.h"
#include "uops/interpret.h"

using namespace pg;

namespace {
UOp element(const char* name, DType t, const UOp& i) {
  const UOp p(Op::Param, t, ParamArg{name[0] - 'a', name}, {iconst(16)});
  return UOp(Op::Index, t, {}, {p, i});
}
bool is_half(DType t) { return t == dt::f16 || t == dt::bf16; }
/// The pass's post-condition, stated anew.
bool legal(const UOp& root) {
  for (const UOp& u : toposort(root)) {
    if (u.op() >= Op::Exp && u.op() <= Op::Erf) return false;
    if (u.is(Op::Recip)) return false;
    const bool may_be_half =
        !info(u.op()).has(op_flag::Elementwise) || u.is(Op::Cast) || u.is(Op::Bitcast) || u.is(Op::Where);
    if (may_be_half) continue;
    if (is_half(u.dtype().element())) return false;
    for (const UOp& s : u.src())
      if (is_half(s.dtype().element())) return false;
  }
  return true;
}
double value(const UOp& u, const UOp& x, double vx, const UOp& y = {}, double vy = 0) {
  const Number n = evaluate_number(u, [&](const UOp& v) {
    return v == x ? std::optional<Number>(vx) : v == y ? std::optional<Number>(vy) : std::nullopt;
  });
  return std::holds_alternative<double>(n) ? std::get<double>(n) : static_cast<double>(std::get<int64_t>(n));
}
}  // namespace

TEST_CASE("legalize: what the machine has stays the same node") {
  const UOp x = load(element("a", dt::f32, iconst(0)));
  for (const UOp& u : {x + x, alu(Op::Sqrt, x), alu(Op::Floor, x), alu(Op::Fma, x, x, x), alu(Op::Div, x, x),
                       alu(Op::Neg, x), alu(Op::Neg, iconst(3)), cast(x, dt::f16), cast(x, dt::i32), alu(Op::Max, x, x)})
    CHECK(ops_legalized(u, {}) == u);
}

TEST_CASE("legalize: a reciprocal is a division") {
  const UOp x = load(element("a", dt::f32, iconst(0)));
  CHECK(ops_legalized(alu(Op::Recip, x), {}) == alu(Op::Div, constant(dt::f32, 1.0), x));
}

TEST_CASE("legalize: statement trees") {
  const UOp r = range("i", iconst(4)), x = load(element("b", dt::f32, r)), y = element("a", dt::f32, r);
  const UOp s = store(y, alu(Op::Exp, x)), t = store(element("c", dt::f32, r), alu(Op::Sin, alu(Op::Recip, x)));
  const UOp all(Op::StoreAll, dt::kVoid, {}, {s, t});
  const UOp branch(Op::If, dt::kVoid, {},
                   {alu(Op::Lt, alu(Op::Tanh, load(element("d", dt::f16, r))), constant(dt::f16, 0.5)), all});
  const UOp body = block(std::vector<UOp>{s, branch}), tree(Op::For, dt::kVoid, {}, {r, body});
  CHECK_FALSE(legal(tree));
  const UOp done = ops_legalized(tree, {});
  CHECK(legal(done));
  CHECK(done.is(Op::For));
  CHECK(done.src(1).is(Op::Block));
  CHECK(done.src(1).src(1).src(1).is(Op::StoreAll));
  CHECK(done.src(1).src(0) == done.src(1).src(1).src(1).src(0));  // shared statements stay shared
  CHECK(ops_legalized(done, {}) == done);
}

TEST_CASE("legalize: 16-bit arithmetic is f32 arithmetic, rounded after each op") {
  for (const DType t : {dt::f16, dt::bf16}) {
    const UOp x = load(element("a", t, iconst(0))), y = load(element("b", t, iconst(0)));
    const UOp sum = ops_legalized(x + y, {});
    CHECK(legal(sum));
    CHECK(sum == cast(cast(x, dt::f32) + cast(y, dt::f32), t));
    CHECK(ops_legalized(alu(Op::Lt, x, y), {}) == alu(Op::Lt, cast(x, dt::f32), cast(y, dt::f32)));
    CHECK(ops_legalized(alu(Op::Where, alu(Op::Lt, x, y), x, y), {}).dtype() == t);
    CHECK(ops_legalized(cast(x, dt::i64), {}) == cast(cast(x, dt::f32), dt::i64));
    CHECK(ops_legalized(cast(cast(iconst(3), dt::i64), t), {}) == cast(cast(iconst(3), dt::f32), t));
    const UOp bits(Op::Bitcast, dt::u16, {}, {x});
    CHECK(ops_legalized(bits, {}) == bits);
    CHECK(ops_legalized(cast(x, t == dt::f16 ? dt::bf16 : dt::f16), {}).src(0).dtype() == dt::f32);
  }
}

TEST_CASE("legalize: vectors keep their lanes") {
  const UOp p(Op::Param, dt::f16, ParamArg{0, "a"}, {iconst(16)});
  const UOp x = load(UOp(Op::Index, dt::f16.vec(8), {}, {p, iconst(0)}));
  const UOp y = ops_legalized(alu(Op::Exp, x) + x, {});
  CHECK(y.dtype() == dt::f16.vec(8));
  CHECK(legal(y));
}

TEST_CASE("legalize: random expressions of 16-bit floats keep their value") {
  const uint32_t seed = 20240607;
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto pick = [&](int n) { return static_cast<int>(random() % n); };
  const Op binary[] = {Op::Add, Op::Sub, Op::Mul, Op::Div, Op::Max, Op::Min};
  for (int trial = 0; trial < 2000; ++trial) {
    const DType t = pick(2) ? dt::f16 : dt::bf16;
    const UOp x = load(element("a", t, iconst(0))), y = load(element("b", t, iconst(0)));
    UOps pool{x, y, constant(t, 0.75)};
    for (int i = 0; i < 6; ++i) {
      const UOp a = pool[pick(pool.size())], b = pool[pick(pool.size())];
      switch (pick(5)) {
        case 0: pool.push_back(alu(Op::Where, alu(Op::Lt, a, b), a, alu(Op::Neg, b))); break;
        case 1: pool.push_back(alu(Op::Fma, a, b, x)); break;
        case 2: pool.push_back(alu(Op::Recip, a)); break;
        default: pool.push_back(alu(binary[pick(6)], a, b));
      }
    }
    const UOp e = pool.back(), l = ops_legalized(e, {});
    REQUIRE(legal(l));
    const auto round = [&](double v) {
      return t == dt::f16 ? from_f16(to_f16(static_cast<float>(v))) : from_bf16(to_bf16(static_cast<float>(v)));
    };
    const double vx = round((pick(2000) - 1000) / 128.0), vy = round((pick(2000) - 1000) / 64.0);
    const double want = value(e, x, vx, y, vy), got = value(l, x, vx, y, vy);
    CAPTURE(trial);
    REQUIRE((want == got || (std::isnan(want) && std::isnan(got))));
  }
}

TEST_CASE("legalize: transcendentals of 16-bit floats are the f32 ones, rounded") {
  const UOp x = load(element("a", dt::f16, iconst(0)));
  const struct {
    Op op;
    double (*reference)(double);
  } rows[] = {{Op::Exp, std::exp}, {Op::Log, std::log},   {Op::Sin, std::sin},
              {Op::Cos, std::cos}, {Op::Tanh, std::tanh}, {Op::Erf, std::erf}};
  for (const auto& row : rows) {
    const UOp l = ops_legalized(alu(row.op, x), {});
    REQUIRE(legal(l));
    int different = 0;
    for (uint32_t b = 0; b < 0x7c00; b += 37) {
      const double v = from_f16(static_cast<uint16_t>(b)), got = value(l, x, v);
      const uint16_t want = to_f16(static_cast<float>(row.reference(v))), have = to_f16(static_cast<float>(got));
      const bool close = std::abs(int{want} - int{have}) <= 1;
      REQUIRE(close);
      different += want != have;
    }
    CHECK(different <= 2);  // only where the f32 result is within its error of half way between two f16s
  }
}
