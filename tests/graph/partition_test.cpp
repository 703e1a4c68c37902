#include "src/graph/partition.h"

#include <doctest/doctest.h>

#include "src/tensor/buffers.h"
#include "tests/graph/tensor_evaluator.h"
#include "uops/text.h"

using namespace pg;
using pg::test::input;
using test::difference;

namespace {
/// A realised tensor without memory: partition does not look at it.
struct Planned {
  Plan plan;
  UOps roots;
  size_t count() const { return plan.kernels.size(); }
  const UOp& kernel(size_t i) const { return plan.kernels.at(i).ast; }
  std::string name(size_t i) const { return kernel(i).arg_as<std::string>(); }
  std::string check(const test::KernelEvaluator::Bindings& variables = {}) const {
    return difference(roots, plan, variables, 7);
  }
};
Planned planned(const std::vector<Tensor>& tensors) {
  Planned p;
  for (const Tensor& t : tensors) p.roots.push_back(t.uop());
  p.plan = partition(p.roots);
  return p;
}
std::vector<std::string> axis_names(const UOps& ranges) {
  std::vector<std::string> names;
  for (const UOp& r : ranges) names.push_back(r.arg_as<RangeArg>().axis);
  return names;
}
using Names = std::vector<std::string>;
/// Of the Defines in front of the output.
Names definition_names(const UOp& kernel) {
  Names names;
  for (const Definition& d : definitions(kernel))
    if (d.node.is(Op::Define)) names.push_back(d.node.arg_as<std::string>());
  return names;
}
/// Of an expression, not of the definitions that it reads.
int param_loads(const UOp& u) {
  if (u.is(Op::Define)) return 0;
  int n = u.is(Op::Load) && u.src(0).src(0).is(Op::Param);
  for (const UOp& s : u.src()) n += param_loads(s);
  return n;
}
}  // namespace

TEST_CASE("an elementwise chain is one kernel with one axis") {
  const Tensor x = input({4, 8, 16}), y = input({4, 8, 16});
  const Planned p = planned({((x + y) * 2.0).exp().relu()});
  REQUIRE(p.count() == 1);
  CHECK(p.name(0) == "elementwise_512");
  const Definition out = definitions(p.kernel(0)).back();
  CHECK(axis_names(out.ranges) == Names{"i"});
  CHECK(params_of(p.kernel(0)).size() == 3);
  CHECK(p.check() == "");
}
TEST_CASE("a transposed operand keeps two axes") {
  const Planned p = planned({input({6, 4}) + input({4, 6}).transpose()});
  REQUIRE(p.count() == 1);
  CHECK(definitions(p.kernel(0)).back().ranges.size() == 2);
  CHECK(p.check() == "");
}
TEST_CASE("matmul + bias + gelu is one kernel") {
  const Tensor a = input({5, 7}), w = input({7, 6}), bias = input({6});
  for (const Tensor& y : {(a.matmul(w) + bias).gelu(), (a.matmul(w) + bias).gelu_tanh()}) {
    const Planned p = planned({y});
    REQUIRE(p.count() == 1);
    CHECK(p.name(0) == "matmul_5x6x7");
    const Definition out = definitions(p.kernel(0)).back();
    CHECK(axis_names(out.ranges) == Names{"m", "n"});
    CHECK(axis_names(out.reduce_ranges) == Names{"k"});
    CHECK(p.check() == "");
  }
}
TEST_CASE("the leading axes of a matmul are one m, a batched one has b") {
  const Planned p = planned({input({2, 5, 7}).matmul(input({7, 6}))});
  CHECK(p.name(0) == "matmul_10x6x7");
  CHECK(p.check() == "");
  const Planned q = planned({input({2, 5, 7}).matmul(input({2, 7, 6}))});
  CHECK(q.name(0) == "matmul_b2_5x6x7");
  CHECK(q.check() == "");
  const Planned r = planned({input({1, 7}).matmul(input({6, 7}).transpose())});
  CHECK(r.name(0) == "matmul_1x6x7");
  CHECK(r.check() == "");
}
TEST_CASE("softmax is one kernel: M, E, L, output") {
  const Planned p = planned({input({6, 9}).softmax()});
  REQUIRE(p.count() == 1);
  CHECK(p.name(0) == "softmax_6x9");
  CHECK(definition_names(p.kernel(0)) == Names{"M", "E", "L"});
  const auto all = definitions(p.kernel(0));
  CHECK(axis_names(all[0].ranges) == Names{"i"});
  CHECK(axis_names(all[0].reduce_ranges) == Names{"j"});
  CHECK(axis_names(all[1].ranges) == Names{"i", "j"});
  CHECK_FALSE(all[1].reduce);
  CHECK(axis_names(all[2].reduce_ranges) == Names{"j"});
  CHECK(axis_names(all[3].ranges) == Names{"i", "j"});
  CHECK(all[0].reduce_ranges[0] == all[3].ranges[1]);
  // x is read in M and E only.
  CHECK(param_loads(all[2].bodies[0]) == 0);
  CHECK(param_loads(all[3].value) == 0);
  CHECK(p.check() == "");
}
TEST_CASE("softmax of several leading axes and of a scaled, masked input") {
  const Tensor x = input({2, 3, 4, 5}), mask = input({4, 5});
  const Planned p = planned({(x * 0.5 + mask).softmax()});
  REQUIRE(p.count() == 1);
  CHECK(p.check() == "");
  CHECK(p.name(0) == "softmax_6x4x5");
}
TEST_CASE("softmax over a leading axis stores its reductions") {
  const Planned p = planned({input({6, 9}).softmax(0)});
  CHECK(p.count() == 3);
  CHECK(p.check() == "");
}
TEST_CASE("rmsnorm and layernorm are one kernel") {
  const Tensor x = input({6, 8}), w = input({8}), bias = input({8});
  const Planned p = planned({x.rmsnorm(w, 1e-5)});
  REQUIRE(p.count() == 1);
  CHECK(p.name(0) == "norm_6x8");
  CHECK(definition_names(p.kernel(0)) == Names{"S"});
  CHECK(p.check() == "");
  const Planned q = planned({x.layernorm(w, bias, 1e-5)});
  REQUIRE(q.count() == 1);
  CHECK(definition_names(q.kernel(0)) == Names{"S", "E", "S1"});
  CHECK(q.check() == "");
}
TEST_CASE("groupnorm is one kernel, also when something follows: the axis of channels becomes groups and channels") {
  const Tensor x = input({2, 6, 3, 4}), w = input({6}), bias = input({6});
  const Tensor normed = x.groupnorm(2, w, bias, 1e-5);
  for (const Tensor& y :
       {normed, normed.silu(), (normed + x) * 2.0, x.groupnorm(3, w, {}, 1e-5), x.groupnorm(1, {}, {}, 1e-5)}) {
    const Planned p = planned({y});
    REQUIRE(p.count() == 1);
    CHECK(definition_names(p.kernel(0)) == Names{"S", "E", "S1"});
    CHECK(collect(p.kernel(0), [](const UOp& u) { return u.is(Op::IDiv) || u.is(Op::Mod); }).empty());
    CHECK(p.check() == "");
  }
  const Planned p = planned({normed.silu().conv2d(input({4, 6, 3, 3}), {}, {.padding = {1, 1, 1, 1}})});
  CHECK(p.count() == 2);
  CHECK(p.check() == "");
}
TEST_CASE("what only one definition reads, or what reads no row, bears no name") {
  const Tensor x = input({6, 9});
  const Planned p = planned({(x * 0.5).softmax()});
  CHECK(definition_names(p.kernel(0)) == Names{"M", "E", "L"});
  const Planned q = planned({(x - x.max({-1}, true)).exp() * 2.0});
  CHECK(definition_names(q.kernel(0)) == Names{"M"});
  CHECK(q.check() == "");
}
TEST_CASE("two values that definitions share have two names; part of a shared value has none") {
  const Tensor x = input({6, 9}), d = x - x.max({-1}, true), e = d.exp();
  // The output reads e and d, the sum e only.
  const Planned p = planned({e / e.sum({-1}, true) + d});
  REQUIRE(p.count() == 1);
  CHECK(definition_names(p.kernel(0)) == Names{"M", "E", "E1", "L"});
  CHECK(p.check() == "");
}
TEST_CASE("logsumexp is one kernel") {
  const Tensor x = input({6, 9});
  const Tensor m = x.max({-1}, true);
  const Planned p = planned({(x - m).exp().sum({-1}, true).log() + m});
  CHECK(p.count() == 1);
  CHECK(p.check() == "");
}
TEST_CASE("a normalised row that feeds a matmul is stored first") {
  const Planned p = planned({input({6, 8}).rmsnorm(input({8}), 1e-5).matmul(input({8, 5}))});
  CHECK(p.count() == 2);
  CHECK(p.check() == "");
}
TEST_CASE("silu(gate) * up: two matmuls, two kernels, and the residual is an epilogue") {
  const Tensor x = input({3, 8}), g = input({8, 6}), u = input({8, 6}), d = input({6, 8});
  const Planned p = planned({x + (x.matmul(g).silu() * x.matmul(u)).matmul(d)});
  CHECK(p.count() == 3);
  CHECK(p.check() == "");
}
TEST_CASE("attention is one kernel: scores with scale and mask, softmax, product with v") {
  const Planned p = planned({Tensor::attention(input({2, 4, 8}), input({2, 5, 8}), input({2, 5, 8}), input({4, 5}))});
  REQUIRE(p.count() == 1);
  CHECK(p.name(0) == "attention_b2_4x8x5");
  CHECK(definition_names(p.kernel(0)) == Names{"S", "M", "E", "L"});
  CHECK(axis_names(definitions(p.kernel(0)).back().ranges) == Names{"h", "i", "d"});
  CHECK(p.check() == "");
}
TEST_CASE("heads taken apart and put together stay affine") {
  const Tensor x = input({3, 8}), w = input({8, 12});
  const Tensor heads = x.matmul(w).reshape({3, 4, 3}).permute({1, 0, 2}).contiguous();
  const Planned p = planned({heads});
  REQUIRE(p.count() == 1);
  CHECK(collect(p.kernel(0), [](const UOp& u) { return u.is(Op::IDiv) || u.is(Op::Mod); }).empty());
  CHECK(p.check() == "");
  const Planned q = planned({input({4, 3, 5}).permute({1, 0, 2}).reshape({3, 20}) * 2.0});
  CHECK(collect(q.kernel(0), [](const UOp& u) { return u.is(Op::IDiv) || u.is(Op::Mod); }).empty());
  CHECK(q.check() == "");
}
TEST_CASE("padding gates the load; a padded value that is not zero by itself is selected") {
  const Tensor x = input({4, 5});
  const Planned p = planned({x.pad({{1, 2}, {0, 3}})});
  REQUIRE(p.count() == 1);
  CHECK(collect(p.kernel(0), [](const UOp& u) { return u.is(Op::Where); }).empty());
  CHECK(p.check() == "");
  const Planned q = planned({x.exp().pad({{1, 2}, {0, 3}})});
  CHECK(collect(q.kernel(0), [](const UOp& u) { return u.is(Op::Where); }).size() == 1);
  CHECK(q.check() == "");
  CHECK(planned({Tensor::cat({x.exp(), input({2, 5}), x}, 0)}).check() == "");
}
TEST_CASE("a window of the outer of two merged axes keeps the buffer's extent") {
  CHECK(planned({input({4, 4, 3}).shrink({{3, 4}, {0, 3}, {0, 3}}) * 2.0}).check() == "");
}
TEST_CASE("gather reads its table at loaded rows") {
  const Tensor ids = input({3}, dt::i32);
  const Planned p = planned({(input({4, 6}).gather(ids) * 2.0)});
  REQUIRE(p.count() == 1);
  CHECK(p.name(0) == "gather_3x6");
  CHECK(p.check() == "");
}
TEST_CASE("argmax gives the index through Project") {
  const Planned p = planned({input({5, 7}).argmax(-1)});
  CHECK(p.count() == 1);
  CHECK(p.check() == "");
  CHECK(planned({input({1, 1}).argmax(-1)}).check() == "");
}
TEST_CASE("symbolic extents pass one to one") {
  const UOp t = variable("T", 1, 16), pos = variable("pos", 0, 15);
  const Planned p = planned({input({t, 8}).matmul(input({8, 12})).reshape({t, 4, 3}).permute({1, 0, 2})});
  REQUIRE(p.count() == 1);
  CHECK(collect(p.kernel(0), [](const UOp& u) { return u.is(Op::IDiv) || u.is(Op::Mod); }).empty());
  CHECK(p.check({{"T", 3}}) == "");
  CHECK(p.check({{"T", 1}}) == "");
  const Tensor q = input({2, 4}).reshape({2, 1, 4}), cache = input({2, 32, 4});
  const Planned a = planned({Tensor::attention(q, cache.slice(1, 0, pos + iconst(1)), cache.slice(1, 0, pos + iconst(1)))});
  CHECK(a.count() == 1);
  CHECK(a.check({{"pos", 0}}) == "");
  CHECK(a.check({{"pos", 9}}) == "");
}
TEST_CASE("assign writes a window of its buffer and readers see it") {
  const UOp pos = variable("pos", 0, 7);
  const Tensor cache = input({2, 8, 3}), k = input({2, 3});
  const Tensor after = cache.slice(1, pos, pos + iconst(1)).assign((k * 2.0).reshape({2, 1, 3}));
  const Planned p = planned({after.slice(1, 0, pos + iconst(1)).sum({1})});
  REQUIRE(p.count() == 2);
  CHECK(p.plan.kernels[0].buffers[0] == cache.uop());
  CHECK(p.check({{"pos", 5}}) == "");
}
TEST_CASE("the old contents are read before they are overwritten") {
  const Tensor x = input({4}), y = input({4});
  const Tensor old = (x * 3.0).sum();
  const Tensor now = x.assign(y);
  const Planned p = planned({now, old});
  REQUIRE(p.count() == 2);
  CHECK(p.plan.kernels[1].buffers[0] == x.uop());
  CHECK(p.check() == "");
  CHECK_THROWS_AS(planned({now * x}), UserError);
}
TEST_CASE("an assign that reads its buffer elsewhere goes through memory, in place it does not") {
  const Tensor x = input({4, 4});
  CHECK(planned({x.assign(x * 2.0)}).count() == 1);
  CHECK(planned({x.assign(x * 2.0)}).check() == "");
  const Planned p = planned({x.assign(x.transpose())});
  CHECK(p.count() == 2);
  CHECK(p.check() == "");
  const Planned q = planned({x.assign(x.softmax())});
  CHECK(q.count() == 2);
  CHECK(q.check() == "");
}
TEST_CASE("equal layers have equal kernels") {
  auto layer = [](const Tensor& x) {
    const Tensor h = x.rmsnorm(input({8}), 1e-5);
    return x + (h.matmul(input({8, 6})).silu() * h.matmul(input({8, 6}))).matmul(input({6, 8}));
  };
  const Planned p = planned({layer(layer(layer(input({3, 8}))))});
  REQUIRE(p.count() == 12);
  for (size_t i = 4; i < 12; ++i) CHECK(p.kernel(i) == p.kernel(i - 4));
  CHECK(p.check() == "");
}
TEST_CASE("a value that many kernels read is computed once if it holds a reduction, else again") {
  const Tensor x = input({4, 6});
  const Tensor n = x.rmsnorm(input({6}), 1e-5), c = x * 2.0 + 1.0;
  CHECK(planned({n.matmul(input({6, 3})), n.matmul(input({6, 5})), n.sum()}).count() == 4);
  const Planned p = planned({c.sum({0}), c.sum({1}), c.exp()});
  CHECK(p.count() == 3);
  CHECK(p.check() == "");
}
TEST_CASE("a deep chain does not overflow the stack") {
  Tensor x = input({4});
  for (int i = 0; i < 20000; ++i) x = (x * 0.5) + 0.25;
  CHECK(partition({x.uop()}).kernels.size() == 1);
}

namespace {
/// Rows of 128 numbers in blocks of 34 bytes: an f16 scale and 32 integers.
Tensor unpacked(int64_t rows) {
  const Tensor q = input({rows, 4, 34}, dt::i8).slice(-1, 2, 34), d = input({rows, 4, 17}, dt::f16).slice(-1, 0, 1);
  return (q.cast(dt::f32) * d.cast(dt::f32)).reshape({rows, 128});
}
}  // namespace

TEST_CASE("an operand that is unpacked from narrower elements is a definition of the product, and never stored") {
  const Tensor w = unpacked(48);
  for (int64_t rows : {1, 8}) {
    const Planned p = planned({input({rows, 128}).matmul(w.transpose())});
    REQUIRE(p.count() == 1);
    CHECK(p.name(0) == "matmul_" + std::to_string(rows) + "x48x128");  // the axes are the product's: blocks stay inside
    CHECK(definition_names(p.kernel(0)) == Names{"W"});
    CHECK(axis_names(definitions(p.kernel(0))[0].ranges) == Names{"n", "k"});
    CHECK(p.check() == "");
  }
  const UOp count = variable("T", 2, 16);
  const Planned some = planned({input({count, 128}).matmul(w.transpose())});
  CHECK(some.count() == 1);
  CHECK(some.check({{"T", 5}}) == "");
  // Halves alone, of a matrix that is stored the other way round.
  const Planned halves = planned({input({8, 16}).matmul(input({16, 24}, dt::f16))});
  REQUIRE(halves.count() == 1);
  CHECK(axis_names(definitions(halves.kernel(0))[0].ranges) == Names{"k", "n"});
  CHECK(halves.check() == "");
}

TEST_CASE("what costs more than unpacking, or is as wide as its result, is stored in front of a product") {
  const Tensor x = input({8, 128});
  CHECK(planned({x.matmul(unpacked(48).exp().transpose())}).count() == 2);
  CHECK(planned({x.matmul((unpacked(48) * input({48, 1})).transpose())}).count() == 2);
  CHECK(planned({(x * 2.0).matmul(unpacked(48).transpose())}).count() == 2);
  CHECK(planned({unpacked(48).sum({1})}).count() == 1);
}

TEST_CASE("rows of a packed table are unpacked where they are looked up") {
  const Planned p = planned({unpacked(48).gather(input({5}, dt::i32))});
  REQUIRE(p.count() == 1);
  CHECK(definition_names(p.kernel(0)).empty());
  CHECK(p.check() == "");
}
