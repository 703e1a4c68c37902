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
