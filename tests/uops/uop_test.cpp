#include "uops/uop.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

using namespace pg;

namespace {
UOp n() { return variable("n", 1, 9); }
}  // namespace

TEST_CASE("equal nodes are one node") {
  CHECK(n() + iconst(2) == n() + iconst(2));
  CHECK(!(n() + iconst(2) == n() + iconst(3)));
  CHECK(!(constant(dt::f32, 0.0) == constant(dt::f32, -0.0)));
  CHECK(constant(dt::f32, std::numeric_limits<double>::quiet_NaN()) == constant(dt::f32, std::numeric_limits<double>::quiet_NaN()));
  CHECK(constant(dt::f32, 0.1) == constant(dt::f32, static_cast<double>(0.1f)));
  CHECK(constant(dt::u8, int64_t{-1}) == constant(dt::u8, int64_t{255}));
}

TEST_CASE("hashes are the same in every process: databases hold them") {
  CHECK(iconst(4).hash() == 536856513600024623u);
  CHECK((n() + iconst(2)).hash() == 3774698816274747513u);
  CHECK(range("k", iconst(64), 32, Kind::Upcast).hash() == 11897034792630634480u);
}

TEST_CASE("interning from many threads: everyone gets the same nodes, and all of them die") {
  const size_t before = live_uops();
  {
    constexpr int kThreads = 8, kNodes = 2000;
    std::vector<UOps> made(kThreads);
    std::atomic<int> waiting{kThreads};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t)
      threads.emplace_back([&, t] {
        --waiting;
        while (waiting > 0) std::this_thread::yield();
        for (int round = 0; round < 3; ++round) {
          made[t].clear();  // other threads look up what dies here
          UOp sum = n();
          for (int i = 0; i < kNodes; ++i) {
            sum = alu(Op::Mul, sum, iconst(i + 2));
            made[t].push_back(sum);
          }
        }
      });
    for (std::thread& t : threads) t.join();
    for (const UOps& m : made) CHECK(m == made[0]);
  }
  CHECK(live_uops() == before);
}

TEST_CASE("a graph a million nodes deep is walked and released") {
  const size_t before = live_uops();
  {
    UOp chain = n();
    for (int i = 0; i < 1'000'000; ++i) chain = alu(Op::Neg, chain);
    CHECK(toposort(chain).size() == 1'000'001);
    CHECK(depends_on(chain, n()));
    const UOp other = substitute(chain, {{n(), iconst(1)}});
    CHECK(!depends_on(other, n()));
  }
  CHECK(live_uops() == before);
}

TEST_CASE("arity is checked; the op is named") {
  CHECK_THROWS_WITH_AS(UOp(Op::Add, dt::index, {}, {iconst(1)}), "Add: 1 sources", InternalError);
  CHECK_THROWS_WITH_AS(UOp(Op::Const, dt::index, int64_t{1}, {iconst(1)}), "Const: 1 sources", InternalError);
  CHECK_THROWS_WITH_AS(UOp(Op::Neg, dt::index, {}, {UOp()}), "Neg: a source is null", InternalError);
  CHECK_THROWS_WITH_AS(iconst(1) + constant(dt::f32, 1.0), "Add: operands of i64 and f32", InternalError);
  CHECK_THROWS_WITH_AS(variable("n", 3, 2), "Variable n: empty interval", UserError);
}

TEST_CASE("toposort: sources before users, shared nodes once") {
  const UOp a = n() * iconst(3), b = a + a, root = b * a;
  const UOps order = toposort(root);
  CHECK(order.size() == 5);
  CHECK(order.back() == root);
  for (size_t i = 0; i < order.size(); ++i)
    for (const UOp& s : order[i].src()) CHECK(std::find(order.begin(), order.begin() + static_cast<long>(i), s) != order.begin() + static_cast<long>(i));
}

TEST_CASE("substitute replaces at once: what is put in is not searched again") {
  const UOp m = variable("m", 0, 5);
  CHECK(substitute(n() + m, {{n(), m}, {m, n()}}) == m + n());
  CHECK(substitute(n(), {{n(), n() * m}}) == n() * m);
  CHECK(transform(n() + m, [&](const UOp& u) { return u == m ? iconst(0) : UOp(); }) == UOp(Op::Add, dt::index, {}, {n(), iconst(0)}));
}

TEST_CASE("a note lives as long as its node") {
  static int alive = 0;
  struct Counted final : UOp::Note {
    Counted() { ++alive; }
    ~Counted() override { --alive; }
  };
  {
    const UOp u = variable("noted", 0, 1);
    CHECK(!u.note());
    const UOp::Note& note = u.keep_note(std::make_unique<Counted>());
    CHECK(&u.keep_note(std::make_unique<Counted>()) == &note);
    CHECK(variable("noted", 0, 1).note() == &note);
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
}

TEST_CASE("ops and kinds are found by name") {
  for (int i = 0; i < kOpCount; ++i) CHECK(parse_op(info(static_cast<Op>(i)).name) == static_cast<Op>(i));
  CHECK(!parse_op("add"));
  for (int i = 0; i <= static_cast<int>(Kind::Tc); ++i) CHECK(parse_kind(text(static_cast<Kind>(i))) == static_cast<Kind>(i));
  CHECK(!parse_kind("fast"));
}
