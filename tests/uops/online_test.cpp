// Which reductions can be rescaled.
#include "uops/online.h"

#include <doctest/doctest.h>

#include "tests/uops/sample_kernels.h"

using namespace pg;
using namespace pg::test;

namespace {
/// Scores x[i,j], their maximum M, and what a test makes of them.
struct Rows {
  KernelWriter w;
  UOp i = w.axis("i", 4), j = w.axis("j", 8), d = w.axis("d", 3);
  UOp out = w.param("out", dt::f32, {4, 3});
  UOp x = read(w.param("x", dt::f32, {4, 8}), {i, j}), v = read(w.param("v", dt::f32, {8, 3}), {j, d});
  UOp m = w.define("M", w.reduce("max", x, {j}), {i});
  UOp p = alu(Op::Exp, x - m);

  /// Why the sum over j of this can't be rescaled.
  std::string fault(const UOp& body) {
    return online_fault(definitions(w.output("rows", at(out, {i, d}), w.reduce("sum", body, {j}), {i, d})), j);
  }
  std::string fault() { return fault(p * v); }
};
UOp number(double x) { return constant(dt::f32, x); }
}  // namespace

TEST_CASE("online: attention is rescaled, whether or not its parts are definitions") {
  const UOp kernel = attention(4, 8, 3), j = range("j", iconst(8));
  CHECK(online_fault(definitions(kernel), j) == "");
  CHECK(online_fault(definitions(elementwise_inlined(kernel)), j) == "");
  CHECK(online_maximum(definitions(kernel), j) == 1);
  CHECK(online_maximum(definitions(softmax(4, 8)), j) == 0);
  CHECK(online_maximum(definitions(kernel), range("e", iconst(4))) == -1);
}

TEST_CASE("online: what is exp(s-M) times something without M") {
  CHECK(Rows().fault() == "");
  const auto fault = [](auto&& body) {
    Rows r;
    return r.fault(body(r));
  };
  CHECK(fault([](Rows& r) { return r.p; }) == "");
  CHECK(fault([](Rows& r) { return r.v * r.p * r.x; }) == "");
  CHECK(fault([](Rows& r) { return alu(Op::Div, r.p, r.v); }) == "");
  CHECK(fault([](Rows& r) { return alu(Op::Neg, r.p); }) == "");
  CHECK(fault([](Rows& r) { return r.p * r.v + r.p; }) == "");
  CHECK(fault([](Rows& r) { return r.p * r.v - r.p; }) == "");
  CHECK(fault([](Rows& r) { return cast(cast(r.p, dt::f16), dt::f32) * r.v; }) == "");
  CHECK(fault([](Rows& r) { return alu(Op::Where, alu(Op::Lt, r.j, r.i), r.p, number(0)) * r.v; }) == "");
  CHECK(fault([](Rows& r) { return alu(Op::Exp, alu(Op::Add, r.x, alu(Op::Neg, r.m))); }) == "");
  CHECK(fault([](Rows& r) { return alu(Op::Exp, alu(Op::Add, alu(Op::Neg, r.m), r.x)); }) == "");
}

TEST_CASE("online: what uses M in another way") {
  const std::string why = "the output uses M outside exp(s-M)";
  const auto fault = [](auto&& body) {
    Rows r;
    return r.fault(body(r));
  };
  CHECK(fault([](Rows& r) { return r.x; }) == why);  // nothing to rescale
  CHECK(fault([](Rows& r) { return r.x * r.m; }) == why);
  CHECK(fault([](Rows& r) { return r.p * r.p; }) == why);
  CHECK(fault([](Rows& r) { return r.p * r.m; }) == why);
  CHECK(fault([](Rows& r) { return r.p + number(1); }) == why);
  CHECK(fault([](Rows& r) { return alu(Op::Div, r.v, r.p); }) == why);
  CHECK(fault([](Rows& r) { return alu(Op::Exp, r.m - r.x); }) == why);
  CHECK(fault([](Rows& r) { return alu(Op::Exp, (r.x - r.m) * number(2)); }) == why);
  CHECK(fault([](Rows& r) { return alu(Op::Exp, r.m - r.m); }) == why);
  CHECK(fault([](Rows& r) { return alu(Op::Max, r.p, number(0)); }) == why);
  CHECK(fault([](Rows& r) { return alu(Op::Where, alu(Op::Lt, r.x, r.m), r.p, number(0)); }) == why);
  CHECK(fault([](Rows& r) { return alu(Op::Where, alu(Op::Lt, r.j, r.i), r.p, number(1)); }) == why);
  CHECK(fault([](Rows& r) { return cast(cast(r.p, dt::i32), dt::f32); }) == why);
}

TEST_CASE("online: definitions over the axis are plain sums with M's axes") {
  Rows other_reducer;
  other_reducer.w.define("L", other_reducer.w.reduce("prod", other_reducer.p, {other_reducer.j}), {other_reducer.i});
  CHECK(other_reducer.fault() == "L is no sum");
  Rows epilogue;
  epilogue.w.define("L", epilogue.w.reduce("sum", epilogue.p, {epilogue.j}) + number(1), {epilogue.i});
  CHECK(epilogue.fault() == "L has an epilogue");
  Rows outside;
  outside.w.define("L", outside.w.reduce("sum", outside.x - outside.m, {outside.j}), {outside.i});
  CHECK(outside.fault() == "L uses M outside exp(s-M)");
  Rows axes;
  axes.w.define("L", axes.w.reduce("sum", axes.p, {axes.i, axes.j}), {});
  CHECK(axes.fault() == "L has other axes than M");
  Rows elsewhere;  // over another axis, what is finished at the end of j is used
  const UOp k = elsewhere.w.axis("k", 5), y = read(elsewhere.w.param("y", dt::f32, {5}), {k});
  elsewhere.w.define("T", elsewhere.w.reduce("sum", y * elsewhere.m, {k}), {elsewhere.i});
  CHECK(elsewhere.fault() == "T uses M outside exp(s-M)");
  Rows unfinished;  // it would have to be there before the first element
  const UOp l = unfinished.w.define("L", unfinished.w.reduce("sum", unfinished.p, {unfinished.j}), {unfinished.i});
  CHECK(unfinished.fault(alu(Op::Div, unfinished.p, l)) == "the output uses M outside exp(s-M)");
}

TEST_CASE("online: M is a plain maximum of floats over axes that the output has") {
  CHECK(online_fault(definitions(gemm(4, 4, 4)), range("k", iconst(4))) == "no maximum over k");
  KernelWriter w;
  const UOp i = w.axis("i", 4), j = w.axis("j", 8), out = w.param("out", dt::f32, {4});
  const auto fault = [&](const UOp& m, const UOp& body, const UOps& axes, const UOp& place) {
    (void)m;
    return online_fault(definitions(w.output("rows", place, body, axes)), j);
  };
  const UOp x = read(w.param("x", dt::f32, {4, 8}), {i, j}), n = read(w.param("n", dt::i32, {4, 8}), {i, j});
  UOp m = w.define("M", w.reduce("max", n, {j}), {i});
  CHECK(fault(m, w.reduce("sum", alu(Op::Exp, cast(n - m, dt::f32)), {j}), {i}, at(out, {i})) == "M is no float");
  m = w.define("M", w.reduce("max", x, {j}) + number(1), {i});
  CHECK(fault(m, w.reduce("sum", alu(Op::Exp, x - m), {j}), {i}, at(out, {i})) == "M has an epilogue");
  m = w.define("M", w.reduce("max", x, {j}), {i});
  CHECK(fault(m, w.reduce("max", alu(Op::Exp, x - m), {j}), {i}, at(out, {i})) == "the output is no sum");
  m = w.define("M", w.reduce("max", x, {j}), {i});
  CHECK(fault(m, w.reduce("sum", alu(Op::Exp, x - m), {i, j}), {}, at(out, {iconst(0)})) ==
        "M has the axis i, which the output has not");
}
