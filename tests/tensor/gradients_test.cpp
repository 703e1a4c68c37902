// Structure of gradient graphs (values: goldens_test.cpp).
#include <doctest/doctest.h>

#include "src/tensor/gradient_rules.h"

using namespace pg;

namespace {
int count_of(const Tensor& t, Op op) {
  return static_cast<int>(collect(t.uop(), [&](const UOp& u) { return u.is(op); }).size());
}
}  // namespace

TEST_CASE("a gradient has the shape and dtype of what it is taken by") {
  const Tensor x = Tensor::empty({3, 4}, dt::f16), w = Tensor::empty({4}), s = Tensor::empty({});
  const auto g = gradients(((x * w).sum({1}) * s).exp().sum(), {x, w, s});
  CHECK(text(g[0].shape()) == "[3, 4]");
  CHECK(g[0].dtype() == dt::f16);
  CHECK(text(g[1].shape()) == "[4]");
  CHECK(text(g[2].shape()) == "[]");
}

TEST_CASE("the gradient by the loss itself is one, by a stranger zero") {
  const Tensor x = Tensor::empty({2}), loss = x.sum(), stranger = Tensor::empty({5});
  const auto g = gradients(loss, {loss, stranger});
  CHECK(g[0].uop() == Tensor::full({}, 1).uop());
  CHECK(g[1].uop() == Tensor::zeros({5}).uop());
}

TEST_CASE("the sum rule needs no arithmetic") {
  const Tensor x = Tensor::empty({2, 3});
  const Tensor g = gradients(x.sum(), {x})[0];
  for (const UOp& u : toposort(g.uop())) CHECK_FALSE(info(u.op()).has(op_flag::Elementwise));
}

TEST_CASE("nothing is differentiated that does not lead to a tensor of wrt") {
  const Tensor x = Tensor::empty({3}), constant_part = Tensor::empty({3}).sin();
  const Tensor g = gradients((x * constant_part).sum(), {x})[0];
  CHECK(count_of(g, Op::Cos) == 0);
  CHECK(count_of(g, Op::Sin) == 1);
}

TEST_CASE("no gradient flows through detach, comparisons and integers") {
  const Tensor x = Tensor::empty({3});
  const Tensor zero = Tensor::zeros({3});
  CHECK(gradients(x.detach().sum(), {x})[0].uop() == zero.uop());
  CHECK(gradients((x < 1.0).cast(dt::f32).sum(), {x})[0].uop() == zero.uop());
  CHECK(gradients(x.argmax(0).cast(dt::f32), {x})[0].uop() == zero.uop());
  CHECK(gradients(x.floor().sum(), {x})[0].uop() == zero.uop());
}

TEST_CASE("softmax's gradient does not differentiate its maximum") {
  const Tensor x = Tensor::empty({4, 7}), w = Tensor::empty({4, 7});
  const Tensor g = gradients((x.softmax() * w).sum(), {x})[0];
  CHECK(count_of(g, Op::Eq) == 0);
}

TEST_CASE("gradients can be taken again") {
  const Tensor x = Tensor::empty({3});
  const Tensor first = gradients((x * x * x).sum(), {x})[0], second = gradients(first.sum(), {x})[0];
  CHECK(text(second.shape()) == "[3]");
  CHECK(depends_on(second.uop(), x.uop()));
}

TEST_CASE("gradients by intermediate tensors") {
  const Tensor x = Tensor::empty({3}), y = x.exp(), loss = (y * y).sum();
  const auto g = gradients(loss, {y, x});
  CHECK(depends_on(g[1].uop(), g[0].uop()));
}

TEST_CASE("every elementwise op that the tensor ops make on floats has a rule, or gives no float") {
  for (const Op op : {Op::Neg,    Op::Exp,   Op::Log,        Op::Sin,     Op::Cos,       Op::Tanh,   Op::Erf,     Op::Sqrt,
                      Op::Recip,  Op::Floor, Op::Cast,       Op::Bitcast, Op::Add,       Op::Sub,    Op::Mul,     Op::Div,
                      Op::Max,    Op::Min,   Op::Where,      Op::Fma,     Op::Reshape,   Op::Expand, Op::Permute, Op::Pad,
                      Op::Shrink, Op::Flip,  Op::ReduceAxis, Op::Gather,  Op::Contiguous}) {
    CAPTURE(info(op).name);
    CHECK(gradient_rule(op) != nullptr);
  }
  for (const Op op : {Op::Lt, Op::Eq, Op::Ne, Op::Not, Op::And, Op::Project, Op::Arange, Op::Assign})
    CHECK(gradient_rule(op) == nullptr);
}
