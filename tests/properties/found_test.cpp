// What random kernels and schedules have found, once each.
#include <doctest/doctest.h>

#include "tests/properties/equivalence.h"

using namespace pg;
using namespace pg::test;

TEST_CASE("a sum of a constant adds it in every unrolled trip") {
  KernelWriter w;
  const UOp i = w.axis("i", 3), k = w.axis("k", 7);
  const UOp out = w.param("out", dt::f32, {3});
  const Equivalence unscheduled({w.output("sum", at(out, {i}), w.reduce("sum", constant(dt::f32, 2.0), {k}), {i})});
  CHECK(unscheduled.check("tile(k,3,unroll)") == "");
  CHECK(unscheduled.check("tile(k,6,unroll) tile(k,3,unroll)") == "");
  CHECK(unscheduled.check("tile(k,3,upcast)") == "");
  CHECK(unscheduled.check("tile(k,4,vec)") == "");
}

TEST_CASE("an index that folds away leaves its unrolled trips in place") {
  KernelWriter w;
  const UOp k = w.axis("k", 4), out = w.param("out", dt::f32, {1});
  const UOp x = load(at(w.param("x", dt::f32, {4}), {k}), alu(Op::Lt, k + iconst(1), k));  // a gate that is never true
  const UOp one = alu(Op::Exp, x);
  const Equivalence unscheduled({w.output("ones", at(out, {iconst(0)}), w.reduce("sum", one, {k}), {})});
  CHECK(unscheduled.check("tile(k,2,unroll)") == "");
  CHECK(unscheduled.check("tile(k,4,unroll)") == "");
}

TEST_CASE("a merge of online softmax states is legal code") {
  KernelWriter w;
  const UOp j = w.axis("j", 20), out = w.param("out", dt::f32, {1}), x = read(w.param("x", dt::f32, {20}), {j});
  const UOp o = w.reduce("online_softmax", UOps{x, constant(dt::f32, 1.0), x}, {j});
  const UOp kernel = w.output("softmax", at(out, {iconst(0)}), alu(Op::Div, w.project(o, 2), w.project(o, 1)), {});
  for (const char* opts : {"tile(j,4,upcast)", "tile(j,4,vec)", "tile(j,8,upcast) tile(j,4,vec)"}) {
    const UOp linear = lower(Schedule(kernel).apply(parse_opts(opts))->scheduled(), Target{});
    CHECK(collect(linear, [](const UOp& u) { return u.is(Op::Exp); }).empty());
  }
}

TEST_CASE("a definition without axes is a scalar") {
  KernelWriter w;
  const UOp i = w.axis("i", 10), out = w.param("out", dt::f32, {10}), x = read(w.param("x", dt::f32, {10}), {i});
  const UOp sum = w.define("S", w.reduce("sum", x, {i}), {});
  const Equivalence unscheduled({w.output("scaled", at(out, {i}), x * sum, {i})});
  CHECK(unscheduled.check("tile(i,4,vec)") == "");
  CHECK(unscheduled.check("grid(i)") == "");
  CHECK(unscheduled.check("tile(i,4,vec) grid(i)") == "");
}

TEST_CASE("a gated store is no place to merge partial sums in") {
  KernelWriter w;
  const UOp i = w.axis("i", 6), k = w.axis("k", 5);
  const UOp out = w.param("out", dt::f32, {6}), x = read(w.param("x", dt::f32, {6, 5}), {i, k});
  const Equivalence unscheduled({w.output("part", at(out, {i}), w.reduce("sum", x, {k}), {i}, alu(Op::Lt, i, iconst(4)))});
  CHECK(unscheduled.check("order(k i)") == "");
  CHECK(unscheduled.check("tile(i,4,upcast) order(k i)") == "");
}

TEST_CASE("an order without a nest leaves a nest alone whose own tiles are in the way") {
  KernelWriter w;
  const UOp i = w.axis("i", 6), j = w.axis("j", 8), out = w.param("out", dt::f32, {6, 8}),
            x = read(w.param("x", dt::f32, {6, 8}), {i, j});
  const UOp s = w.define("S", w.reduce("max", x, {i}), {j}), t = w.define("T", w.reduce("sum", x - s, {i}), {j});
  const UOp kernel = w.output("scaled", at(out, {i, j}), x * t, {i, j});
  const Opts opts = parse_opts("tile(T.i,2) tile(out.i,4,upcast) order(j i) order(T.j i i:2)");
  const Expected<Schedule> once = Schedule(kernel).apply(opts);
  REQUIRE_MESSAGE(once, once.reason());
  const Expected<Schedule> again = Schedule(kernel).apply(once->opts());
  REQUIRE_MESSAGE(again, again.reason());
  CHECK(again->scheduled() == once->scheduled());
  CHECK(Equivalence({kernel}).check(*once) == "");
}

TEST_CASE("a stage at the output's loop is the same with and without its name") {
  KernelWriter w;
  const UOp i = w.axis("i", 6), out = w.param("out", dt::f32, {6}), x = read(w.param("x", dt::f32, {6}), {i});
  const Equivalence unscheduled({w.output("copy", at(out, {i}), x, {i})});
  CHECK(unscheduled.check("stage(x,out.top)") == "");
  CHECK(unscheduled.check("stage(x,top) stage(x,out.top)") == "stage: x is staged there already");
}

TEST_CASE("a running sum is rescaled once a step, however many parts of the step are merged") {
  KernelWriter w;
  const UOp i = w.axis("i", 3), j = w.axis("j", 10), d = w.axis("d", 5), out = w.param("out", dt::f32, {3, 5});
  const UOp x = read(w.param("x", dt::f32, {3, 10}), {i, j}), v = read(w.param("v", dt::f32, {10, 5}), {j, d});
  const UOp m = w.define("M", w.reduce("max", x, {j}), {i});
  const UOp l = w.define("L", w.reduce("sum", alu(Op::Exp, x - m), {j}), {i});
  const UOp sum = w.reduce("sum", alu(Op::Exp, x - m) * v, {j});
  const Equivalence unscheduled({w.output("rows", at(out, {i, d}), alu(Op::Div, sum, l), {i, d})});
  CHECK(unscheduled.check("online(j,4) order(i j d j:4)") == "");
  CHECK(unscheduled.check("online(j,4) order(i j j:4 d)") == "");
  CHECK(unscheduled.check("online(j,4) order(j j:4 i d)") == "");
  CHECK(unscheduled.check("online(j,4) tile(out.j,2) order(j j:4 i j:2 d)") == "");
}

TEST_CASE("fused definitions merge their parts in memories of their own") {
  KernelWriter w;
  const UOp i = w.axis("i", 4), j = w.axis("j", 6), out = w.param("out", dt::f32, {4, 6}),
            x = read(w.param("x", dt::f32, {4, 6}), {i, j});
  const UOp a = w.define("A", w.reduce("sum", x, {j}), {i}), b = w.define("B", w.reduce("sum", x * x, {j}), {i});
  const Equivalence unscheduled({w.output("scaled", at(out, {i, j}), x * a + b, {i, j})});
  CHECK(unscheduled.check("order(j i) fuse(j)") == "");
  CHECK(unscheduled.check("tile(j,2) order(j i j:2) fuse(j)") == "");
}

TEST_CASE("padding lets no register tile run over the end of a step that rescales") {
  KernelWriter w;
  const UOp i = w.axis("i", 3), j = w.axis("j", 10), out = w.param("out", dt::f32, {3});
  const UOp x = read(w.param("x", dt::f32, {3, 10}), {i, j});
  const UOp m = w.define("M", w.reduce("max", x, {j}), {i});
  const UOp l = w.define("L", w.reduce("sum", alu(Op::Exp, x - m), {j}), {i});
  const UOp sum = w.reduce("sum", alu(Op::Exp, x - m) * x, {j});
  const Equivalence unscheduled({w.output("rows", at(out, {i}), alu(Op::Div, sum, l), {i})});
  CHECK(unscheduled.check("tile(L.j,4,vec) online(j,2) pad(j,8)") == "");
  CHECK(unscheduled.check("tile(L.j,4,upcast) online(j,6) pad(j,4)") == "");
}
