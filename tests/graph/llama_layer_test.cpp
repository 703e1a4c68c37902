// The kernel count of one llama decode layer, and that all layers share their kernels.
//   1 q projection                      4 attention, with q·rope
//   2 k projection·rope + cache write   5 output projection + residual
//   3 v projection + cache write        6 silu(gate) · up          7 down projection + residual
// The norms are computed in the projections that read them: a vector in front of a matrix costs nothing beside the matrix. For
// k·rope each projected element is computed at both places of its pair: the rows of the matrix are in the cache by then.
// Prefill materialises what is read by many rows: norms, rotated queries and keys, gate.
#include <doctest/doctest.h>

#include <cmath>

#include "src/graph/partition.h"
#include "src/tensor/buffers.h"
#include "tests/graph/tensor_evaluator.h"

using namespace pg;

namespace {
constexpr int64_t kDim = 8, kHeads = 4, kKvHeads = 2, kHead = 2, kFfn = 6, kRows = 8;

Tensor weight(Shape shape) {
  UOps extents;
  for (const Dim& d : shape) extents.push_back(d.uop());
  return Tensor(new_virtual_buffer(dt::f32, extents));
}
Tensor rotated(const Tensor& x, const Tensor& cosines, const Tensor& sines) {
  const Shape shape = x.shape();
  const Tensor pairs = x.reshape({shape[0], shape[1], kHead / 2, 2});
  return (pairs * cosines + pairs.flip({3}) * sines).reshape(shape);
}
Tensor layer(const Tensor& x, const Dim& pos, const Dim& count, const Tensor& cos_table, const Tensor& sin_table) {
  const Dim end = pos.uop() + count.uop();
  const Tensor cosines = cos_table.slice(0, pos, end).reshape({count, 1, kHead / 2, 1});
  const Tensor sines =
      sin_table.slice(0, pos, end).reshape({count, 1, kHead / 2, 1}) * (Tensor::arange(2).cast(dt::f32) * 2 - 1);
  const Tensor h = x.rmsnorm(weight({kDim}), 1e-5);
  Tensor q = rotated(h.matmul(weight({kHeads * kHead, kDim}).transpose()).reshape({count, kHeads, kHead}), cosines, sines);
  const Tensor k =
      rotated(h.matmul(weight({kKvHeads * kHead, kDim}).transpose()).reshape({count, kKvHeads, kHead}), cosines, sines);
  const Tensor v = h.matmul(weight({kKvHeads * kHead, kDim}).transpose()).reshape({count, kKvHeads, kHead});
  auto appended = [&](const Tensor& t) {
    const Tensor whole = weight({kKvHeads, kRows, kHead}).slice(1, pos, end).assign(t.permute({1, 0, 2}));
    return whole.slice(1, 0, end).unsqueeze(1);
  };
  q = q.reshape({count, kKvHeads, kHeads / kKvHeads, kHead}).permute({1, 2, 0, 3});
  const Tensor seen = Tensor::attention(q, appended(k), appended(v), {}, 0.5);
  const Tensor y =
      x + seen.permute({2, 0, 1, 3}).reshape({count, kHeads * kHead}).matmul(weight({kDim, kHeads * kHead}).transpose());
  const Tensor g = y.rmsnorm(weight({kDim}), 1e-5);
  const Tensor gate = g.matmul(weight({kFfn, kDim}).transpose()).silu(), up = g.matmul(weight({kFfn, kDim}).transpose());
  return y + (gate * up).matmul(weight({kDim, kFfn}).transpose());
}
Plan plan_of(int layers, const Dim& pos, const Dim& count, UOps& roots, const PlanOptions& options = {}) {
  const Tensor cosines = weight({kRows, kHead / 2}), sines = weight({kRows, kHead / 2});
  Tensor x = weight({count, kDim});
  for (int i = 0; i < layers; ++i) x = layer(x, pos, count, cosines, sines);
  roots = {x.uop()};
  return partition(roots, options);
}
}  // namespace

TEST_CASE("a llama decode layer has 7 kernels, and every layer has the same") {
  const UOp pos = variable("pos", 0, kRows - 1);
  UOps roots;
  const Plan one = plan_of(1, pos, 1, roots);
  CHECK(one.kernels.size() == 7);
  CHECK(test::difference(roots, one, {{"pos", 3}}, 1) == "");
  const Plan three = plan_of(3, pos, 1, roots);
  REQUIRE(three.kernels.size() == 21);
  for (size_t i = 7; i < 21; ++i) CHECK(three.kernels[i].ast == three.kernels[i - 7].ast);
  CHECK(test::difference(roots, three, {{"pos", 0}}, 2) == "");
}
TEST_CASE("a llama prefill layer has 11 kernels") {
  const UOp pos = variable("pos", 0, 3), count = variable("T", 2, 4);
  UOps roots;
  const Plan plan = plan_of(2, pos, count, roots);
  CHECK(plan.kernels.size() == 22);
  CHECK(test::difference(roots, plan, {{"pos", 2}, {"T", 3}}, 3) == "");
  for (const PlannedKernel& k : plan.kernels)
    CHECK(collect(k.ast, [](const UOp& u) { return u.is(Op::IDiv) || u.is(Op::Mod); }).empty());
}
TEST_CASE("q, k and v of a llama may be one launch: of 5 a token then, wherever its layers stand") {
  const UOp pos = variable("pos", 0, kRows - 1);
  UOps roots;
  PlanOptions options;
  options.choose = [](const Alternative& a) { return a.name == "together" ? std::optional(true) : std::nullopt; };
  const Plan plan = plan_of(3, pos, 1, roots, options);
  REQUIRE(plan.kernels.size() == 15);
  for (size_t layer = 0; layer < 3; ++layer) CHECK(kernels_in(plan.kernels[5 * layer].ast).size() == 3);
  for (size_t i = 5; i < 15; ++i) CHECK(plan.kernels[i].ast == plan.kernels[i - 5].ast);
  CHECK(test::difference(roots, plan, {{"pos", 5}}, 1) == "");
}
TEST_CASE("on a GPU a llama's norms that several matrices read, and its rotated keys, are kernels of their own") {
  const UOp pos = variable("pos", 0, kRows - 1);
  UOps roots;
  const Plan decode = plan_of(1, pos, 1, roots, {.gpu = true});
  CHECK(decode.kernels.size() == 7);  // q, k and v are one
  CHECK(test::difference(roots, decode, {{"pos", 3}}, 1) == "");
  const UOp first = variable("pos", 0, 3), count = variable("T", 2, 4);
  const Plan prefill = plan_of(1, first, count, roots, {.gpu = true});
  CHECK(prefill.kernels.size() == 11);
  CHECK(test::difference(roots, prefill, {{"pos", 2}, {"T", 3}}, 3) == "");
}
