// Result dtypes of the ops (values: goldens_test.cpp).
#include <doctest/doctest.h>

#include "src/tensor/einsum.h"
#include "src/tensor/nn.h"
#include "src/tensor/tensor.h"

using namespace pg;

namespace {
Tensor of(DType t) { return Tensor::zeros({2}, t); }
}  // namespace

TEST_CASE("binary ops promote, comparisons give bool, division gives floats") {
  CHECK((of(dt::i32) + of(dt::f16)).dtype() == dt::f16);
  CHECK((of(dt::f16) * of(dt::bf16)).dtype() == dt::f32);
  CHECK((of(dt::u8) - of(dt::i8)).dtype() == dt::i16);
  CHECK((of(dt::kBool) + of(dt::kBool)).dtype() == dt::kBool);
  CHECK((of(dt::i64) < of(dt::f32)).dtype() == dt::kBool);
  CHECK((of(dt::i32) / of(dt::i32)).dtype() == dt::f32);
  CHECK((of(dt::f16) / of(dt::i32)).dtype() == dt::f16);
  CHECK(Tensor::where(of(dt::i32) < 1, of(dt::i8), of(dt::f16)).dtype() == dt::f16);
}

TEST_CASE("a number leaves the dtype alone where it can") {
  CHECK((of(dt::f16) + 0.5).dtype() == dt::f16);
  CHECK((of(dt::i8) * 3).dtype() == dt::i8);
  CHECK((of(dt::i8) * 0.5).dtype() == dt::f32);
  CHECK((of(dt::kBool) + 1).dtype() == dt::i64);
  CHECK((1 - of(dt::i32)).dtype() == dt::i32);
  CHECK((of(dt::i32) / 2).dtype() == dt::f32);
  CHECK((of(dt::i32) < 0.5).dtype() == dt::kBool);
  CHECK((of(dt::i32) * 1e30).dtype() == dt::f32);
  CHECK(of(dt::i64).maximum(Tensor::full({2}, 0, dt::i64)).dtype() == dt::i64);
}

TEST_CASE("functions of integers are f32") {
  for (const DType t : {dt::kBool, dt::u8, dt::i64}) {
    CHECK(of(t).exp().dtype() == dt::f32);
    CHECK(of(t).sigmoid().dtype() == dt::f32);
    CHECK(of(t).mean().dtype() == dt::f32);
    CHECK(of(t).sum().dtype() == dt::i64);
    CHECK(of(t).max().dtype() == t);
    CHECK(of(t).logical_not().dtype() == dt::kBool);
    CHECK(of(t).floor().dtype() == t);
  }
  CHECK(of(dt::f16).exp().dtype() == dt::f16);
  CHECK(of(dt::f16).sum().dtype() == dt::f16);
  CHECK(of(dt::f32).argmax(0).dtype() == dt::i32);
  CHECK(Tensor::scalar(7, dt::f32).dtype() == dt::f32);
}

TEST_CASE("numbers of clamp and masked_fill are beside a tensor as those of operators are") {
  const auto of = [](DType t) { return Tensor::empty({3}, t); };
  const Tensor mask = of(dt::kBool);
  CHECK(of(dt::i32).clamp(-1, 2).dtype() == dt::i32);
  CHECK(of(dt::i32).clamp(-0.5, 2).dtype() == dt::f32);
  CHECK(of(dt::f16).clamp(-0.5, 2).dtype() == dt::f16);
  CHECK(of(dt::i32).masked_fill(mask, 7).dtype() == dt::i32);
  CHECK(of(dt::i32).masked_fill(mask, 0.5).dtype() == dt::f32);
  CHECK(of(dt::kBool).masked_fill(mask, 1).dtype() == dt::i64);
  CHECK(Tensor::from(std::vector<int32_t>{-4, 0, 3}, {3}).clamp(-0.5, 1.5).to_floats() == std::vector<float>{-0.5, 0, 1.5});
  CHECK(of(dt::u8).sign().dtype() == dt::u8);
  CHECK(of(dt::i32).round().dtype() == dt::i32);
  CHECK(of(dt::i32).expm1().dtype() == dt::f32);
  CHECK(of(dt::f16).std().dtype() == dt::f16);
  CHECK(of(dt::i64).var().dtype() == dt::f32);
}

TEST_CASE("scans and products of integers are i64, what only moves or chooses keeps its dtype") {
  const auto of = [](DType t) { return Tensor::empty({4, 4}, t); };
  const Tensor ids = of(dt::i64);
  for (const DType t : {dt::kBool, dt::u8, dt::i32}) {
    CHECK(of(t).prod().dtype() == dt::i64);
    CHECK(of(t).cumsum(0).dtype() == dt::i64);
    CHECK(of(t).cumprod(0).dtype() == dt::i64);
  }
  for (const DType t : {dt::kBool, dt::u8, dt::i64, dt::f16, dt::f32}) {
    CHECK(of(t).sort().first.dtype() == t);
    CHECK(of(t).topk(2).second.dtype() == dt::i32);
    CHECK(of(t).gather(0, ids).dtype() == t);
    CHECK(of(t).scatter(0, ids, of(dt::f32)).dtype() == t);
    CHECK(of(t).diagonal().dtype() == t);
    CHECK(of(t).unfold(0, 2, 1).dtype() == t);
    CHECK(of(t).logical_xor(of(dt::f32)).dtype() == dt::kBool);
    CHECK(interpolate(of(t), {3}, Resize::Nearest).dtype() == t);
  }
  CHECK(of(dt::i32).scatter_add(0, ids, of(dt::i32)).dtype() == dt::i32);
  CHECK(of(dt::f16).cumsum(0).dtype() == dt::f16);
  CHECK(of(dt::f16).remainder(of(dt::i32)).dtype() == dt::f16);
  CHECK(of(dt::i32).lerp(of(dt::i32), of(dt::f16)).dtype() == dt::f32);
  CHECK(einsum("ij,jk", {of(dt::i32), of(dt::i32)}).dtype() == dt::i32);
  CHECK(einsum("ij->i", {of(dt::f16)}).dtype() == dt::f16);
  CHECK(avg_pool2d(of(dt::f16), {}).dtype() == dt::f16);
  CHECK(interpolate(of(dt::bf16), {3}, Resize::Linear).dtype() == dt::bf16);
  CHECK(Tensor::arange(0, 3, 1, dt::i64).dtype() == dt::i64);
}

TEST_CASE("16-bit floats are multiplied and added up in f32") {
  const Tensor a = Tensor::empty({3, 4}, dt::f16), b = Tensor::empty({4, 2}, dt::bf16);
  CHECK(a.matmul(b).dtype() == dt::f32);
  const Tensor c = a.matmul(a.transpose());
  CHECK(c.dtype() == dt::f16);
  for (const UOp& u : collect(c.uop(), [](const UOp& n) { return n.is(Op::Mul) || n.is(Op::ReduceAxis); }))
    if (!shape_of(u).empty()) CHECK(u.dtype() == dt::f32);
}

TEST_CASE("the operands of every elementwise node agree in shape and dtype") {
  const Tensor q = Tensor::empty({2, 5, 8}, dt::f16), ids = Tensor::empty({5}, dt::i32);
  const Tensor y = (Tensor::attention(q, q, q).gelu() + ids.unsqueeze(-1)).rmsnorm(Tensor::empty({8}), 1e-5).softmax(1);
  for (const UOp& u : toposort(gradients(y.sum(), {q})[0].uop())) {
    if (!info(u.op()).has(op_flag::Elementwise) || u.src().size() < 2) continue;
    for (size_t i = u.is(Op::Where) ? 2 : 1; i < u.src().size(); ++i) {
      CHECK(u.src(i).dtype() == u.src(i - 1).dtype());
      CHECK(text(shape_of(u.src(i))) == text(shape_of(u.src(0))));
    }
  }
}
