#include "uops/rewrite.h"

#include <doctest/doctest.h>

#include <set>

#include "random_expressions.h"
#include "uops/fold.h"
#include "uops/rules.h"
#include "uops/text.h"

using namespace pg;
using namespace pg::test;

namespace {
UOp element(const char* name) {
  return load(index(UOp(Op::Param, dt::f32, ParamArg{0, name}, {iconst(4)}), UOps{iconst(0)}));
}
const UOp p = element("p"), q = element("q");
const Pat x = any(0), y = any(1), a = constant_slot(2), b = constant_slot(3);
Guard divides(int d, int n) {
  return [=](const Bindings& s) { return *const_int(s[n]) % *const_int(s[d]) == 0; };
}
}  // namespace

TEST_CASE("match: backtracks over commuted operands") {
  const UOp left = (p + q) * q, right = q * (p + q), other = (p + q) * element("r"), sum = p + q, gap = p - q;
  Bindings s;
  REQUIRE(match((x + y) * x, left, s));
  CHECK(s[0] == q);
  CHECK(s[1] == p);
  REQUIRE(match((x + y) * x, right, s));
  CHECK(s[0] == q);
  CHECK(!match((x + y) * x, other, s));
  // The guard sees every consistent binding until it likes one.
  REQUIRE(match(x + y, sum, s, [](const Bindings& g) { return g[0] == q; }));
  CHECK(s[1] == p);
  CHECK(!match(x - y, gap, s, [](const Bindings& g) { return g[0] == q; }));
}

TEST_CASE("rewrite: rows with literals, folds and guards") {
  const RuleSet rules({
      {"add.zero", x + 0, x},
      {"div.exact", (x * a) / b, x * fold(a / b), divides(3, 2)},
      {"twice", x + x, x * 2},
  });
  const UOp n = variable("n", 0, 9), m = variable("m", 0, 9);
  auto raw = [](Op op, const UOp& l, const UOp& r) { return UOp(op, l.dtype(), {}, {l, r}); };
  CHECK(rewrite(raw(Op::Add, iconst(0), n), rules) == n);
  CHECK(rewrite(idiv(n * iconst(12), iconst(4)), rules) == n * iconst(3));
  CHECK(rewrite(idiv(iconst(12) * n, iconst(5)), rules) == idiv(iconst(12) * n, iconst(5)));
  CHECK(rewrite(raw(Op::Mul, n + n, raw(Op::Add, m, iconst(0))), rules) == n * iconst(2) * m);
  CHECK(rewrite(p + p, rules) == p * constant(dt::f32, 2.0));  // a literal takes its neighbour's type
}

TEST_CASE("rewrite: the trace names rule, before and after") {
  std::vector<std::string> trace;
  const UOp i = variable("i", 0, 9);
  rewrite(UOp(Op::Add, dt::index, {}, {i, iconst(0)}), RuleSet({{"add.zero", x + 0, x}}), {.trace = &trace});
  CHECK(trace == std::vector<std::string>{"add.zero: i + 0 -> i"});
}

TEST_CASE("rewrite: the step cap names the rule") {
  const RuleSet swap({{"swap.add", x + y, y + x}});
  std::string message;
  try {
    rewrite(p + q, swap, {.max_steps = 100});
  } catch (const InternalError& e) {
    message = e.what();
  }
  CHECK(message == "rewrite: 100 steps and no end; the last was swap.add: p[0] + q[0] -> q[0] + p[0]");
}

TEST_CASE("rewrite: a million nodes deep") {
  UOp chain = p;
  for (int i = 0; i < 1'000'000; ++i) chain = alu(Op::Neg, chain);
  CHECK(rewrite(chain, RuleSet({{"neg.neg", -(-x), x}})) == p);
}

TEST_CASE("RuleSet: refuses unbound slots, doubled names, folds on the left") {
  CHECK_THROWS_WITH_AS(RuleSet({{"r", x + 0, y}}), "rule r: slot 1 is not bound", InternalError);
  CHECK_THROWS_WITH_AS(RuleSet({{"r", x + 0, x}, {"r", x * 1, x}}), "two rules are named r", InternalError);
  CHECK_THROWS_WITH_AS(RuleSet({{"r", x + fold(a + b), x}}), "rule r: fold stands on the left", InternalError);
  CHECK_THROWS_WITH_AS(RuleSet({{"r", any(8) + 0, x}}), "rule r: slot out of range", InternalError);
}

// ---- every row of the simplifier -------------------------------------------------------------------------------------

namespace {
/// Draws nodes that a pattern may match; slots that the pattern names twice are the same node.
class Instances {
 public:
  explicit Instances(Random& random) : random_(random), expressions_(random) {}

  UOp operator()(const Rule& rule) {
    bound_ = {};
    integer_ = expressions_.integer_type();
    if (random_.chance(25)) integer_ = dt::index.vec(4);
    const int lanes = integer_.lanes;
    float_ = dt::f32.vec(lanes);
    bool_ = dt::kBool.vec(lanes);
    static const std::vector<int> kinds{0, 1, 2};
    const int other = random_.pick(kinds);
    anything_ = other == 0 ? integer_ : other == 1 ? float_ : bool_;
    return of(rule.from, natural(rule.from));
  }

 private:
  /// The type that the pattern's slots ask for.
  DType natural(const Pat& from) {
    if (from.what == Pat::What::Slot) {
      switch (from.only) {
        case Pat::Only::Int: case Pat::Only::IntConstant: return integer_;
        case Pat::Only::Float: return float_;
        case Pat::Only::Bool: return bool_;
        default: return anything_;
      }
    }
    if (from.what != Pat::What::Node) return anything_;
    if (from.op == Op::Lt || from.op == Op::Eq || from.op == Op::Ne) return bool_;
    for (const Pat& s : from.src)
      if (const DType t = natural(s); &s != &from.src[0] || from.op != Op::Where)
        if (t != anything_) return t;
    const bool logic = from.op == Op::Not || from.op == Op::And || from.op == Op::Or;
    return logic && anything_.is_float() ? bool_ : anything_;
  }
  UOp of(const Pat& from, DType t) {
    switch (from.what) {
      case Pat::What::Literal: return constant(t, from.value);
      case Pat::What::Fold: throw InternalError("a fold on the left");
      case Pat::What::Slot: {
        UOp& node = bound_[static_cast<size_t>(from.slot)];
        if (!node) {
          const bool is_const = from.only == Pat::Only::Constant || from.only == Pat::Only::IntConstant;
          node = is_const ? (t.is_float() || random_.chance(30) ? expressions_.number(t) : expressions_.positive(t))
                          : expressions_.of(t, static_cast<int>(random_(0, 3)));
        }
        return node;
      }
      case Pat::What::Node: break;
    }
    auto sources = [&](DType type) {
      UOps src;
      for (const Pat& s : from.src) src.push_back(of(s, type));
      if (src.size() == 2 && info(from.op).has(op_flag::Commutative) && random_.chance(50)) std::swap(src[0], src[1]);
      return src;
    };
    switch (from.op) {
      case Op::Lt: case Op::Eq: case Op::Ne: {
        DType operand = anything_;
        for (const Pat& s : from.src)
          if (natural(s) != anything_) operand = natural(s);
        return UOp(from.op, t, {}, sources(operand));
      }
      case Op::Where: return UOp(from.op, t, {}, {of(from.src[0], bool_), of(from.src[1], t), of(from.src[2], t)});
      case Op::Cast: case Op::Bitcast: {
        // A chain of conversions: the pattern says how long, the types are free (of the same size for Bitcast).
        static const std::vector<DType> any_type{dt::i8, dt::u8, dt::i16, dt::i32, dt::u32, dt::i64, dt::u64, dt::f16, dt::bf16, dt::f32, dt::kBool};
        static const std::vector<DType> four_bytes{dt::i32, dt::u32, dt::f32};
        auto drawn = [&] { return random_.pick(from.op == Op::Cast ? any_type : four_bytes); };
        const bool chain = from.src[0].what == Pat::What::Node;
        UOp u = expressions_.of(drawn(), 2);
        if (chain) u = UOp(from.op, drawn(), {}, {u});
        return UOp(from.op, random_.chance(30) ? u.dtype() : drawn(), {}, {u});
      }
      case Op::Stack: {
        UOps scalars(4, expressions_.of(dt::f32, 1));
        if (random_.chance(20)) scalars[2] = expressions_.of(dt::f32, 1);
        return UOp(Op::Stack, dt::f32.vec(4), {}, scalars);
      }
      case Op::Shuffle: {
        Ints lanes{0, 1, 2, 3};
        if (random_.chance(30)) std::swap(lanes[1], lanes[2]);
        return UOp(Op::Shuffle, dt::f32.vec(4), lanes, {expressions_.of(dt::f32.vec(4), 1)});
      }
      case Op::Load: return load(expressions_.element(dt::f32).src(0), of(from.src[1], dt::kBool));
      case Op::Shl: return UOp(from.op, t, {}, {of(from.src[0], t), constant(t, random_(0, 7))});
      default: return UOp(from.op, t, {}, sources(t));
    }
  }

  Random& random_;
  Expressions expressions_;
  std::array<UOp, Bindings::kSlots> bound_;
  DType integer_, float_, bool_, anything_;
};
}  // namespace

TEST_CASE("every row means the same on both sides, on random bindings") {
  const uint64_t seed = 7;
  INFO("seed " << seed);
  Random random(seed);
  Instances instance(random);
  // Rows over statements have no value; the cases below and the simplifier's tests look at them.
  const std::set<std::string> statements{"store.open", "store.closed", "if.true", "if.false", "for.none", "block.flat", "stores.left"};
  size_t seen = 0;
  for (const Rule& rule : simplify_rules().rules()) {
    if (statements.contains(rule.name)) {
      ++seen;
      continue;
    }
    CAPTURE(rule.name);
    int fired = 0, compared = 0;
    for (int attempt = 0; attempt < 20000 && (fired < 100 || compared < 500); ++attempt) {
      const UOp node = instance(rule);
      Bindings bindings;
      if (!match(rule.from, node, bindings, rule.when)) continue;
      const UOp to = rule.to(node, bindings);
      if (!to || to == node) continue;
      ++fired;
      REQUIRE(to.dtype() == node.dtype());
      for (int k = 0; k < 12; ++k) {
        Binding values(random);
        for (int lane = 0; lane < node.dtype().lanes; ++lane) {
          const auto before = values.value(lane_of(node, lane));
          if (!before) continue;
          const auto after = values.value(lane_of(to, lane));
          INFO(pretty(node) << " -> " << pretty(to));
          REQUIRE(after);
          REQUIRE(same_value(*before, *after));
          ++compared;
        }
      }
    }
    CHECK(fired >= 20);
    CHECK(compared >= 200);
  }
  CHECK(seen == statements.size());
}

TEST_CASE("rows over statements") {
  const RuleSet& rules = simplify_rules();
  const UOp yes = constant(dt::kBool, int64_t{1}), no = constant(dt::kBool, int64_t{0});
  const UOp at = p.src(0), write = store(at, q), nothing = block({}), i = range("i", iconst(4));
  auto both = [](const UOp& s, const UOp& t) { return UOp(Op::StoreAll, dt::kVoid, {}, {s, t}); };
  CHECK(rewrite(store(at, q, yes), rules) == write);
  CHECK(rewrite(store(at, q, no), rules) == nothing);
  CHECK(rewrite(UOp(Op::If, dt::kVoid, {}, {yes, write}), rules) == write);
  CHECK(rewrite(UOp(Op::If, dt::kVoid, {}, {no, write}), rules) == nothing);
  CHECK(rewrite(UOp(Op::For, dt::kVoid, {}, {range("i", iconst(0)), write}), rules) == nothing);
  CHECK(rewrite(UOp(Op::For, dt::kVoid, {}, {i, write}), rules) == UOp(Op::For, dt::kVoid, {}, {i, write}));
  CHECK(rewrite(UOp(Op::Block, dt::kVoid, {}, {store(at, q, no), write}), rules) == write);
  CHECK(rewrite(both(write, store(at, p, no)), rules) == UOp(Op::StoreAll, dt::kVoid, {}, {write}));
}
