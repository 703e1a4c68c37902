#include "src/tensor/shape.h"

#include <doctest/doctest.h>

#include <thread>

using namespace pg;

namespace {
Tensor zeros(Shape s) { return Tensor::zeros(std::move(s)); }
std::string shape(const Tensor& t) { return text(t.shape()); }
const UOp pos = variable("pos", 0, 511), tokens = variable("T", 1, 512);
}  // namespace

TEST_CASE("shapes of movement ops") {
  const Tensor x = zeros({2, 3, 4});
  CHECK(shape(x) == "[2, 3, 4]");
  CHECK(shape(x.reshape({6, 4})) == "[6, 4]");
  CHECK(shape(x.reshape({-1, 2})) == "[12, 2]");
  CHECK(shape(x.permute({2, 0, 1})) == "[4, 2, 3]");
  CHECK(shape(x.transpose()) == "[2, 4, 3]");
  CHECK(shape(x.transpose(0, -1)) == "[4, 3, 2]");
  CHECK(shape(x.pad({{1, 0}, {0, 2}, {3, 3}})) == "[3, 5, 10]");
  CHECK(shape(x.shrink({{0, 1}, {1, 3}, {2, 4}})) == "[1, 2, 2]");
  CHECK(shape(x.slice(-1, 1, 3)) == "[2, 3, 2]");
  CHECK(shape(x.flip({0, 1})) == "[2, 3, 4]");
  CHECK(shape(x.unsqueeze(0)) == "[1, 2, 3, 4]");
  CHECK(shape(x.unsqueeze(-1)) == "[2, 3, 4, 1]");
  CHECK(shape(x.unsqueeze(-2).squeeze(2)) == "[2, 3, 4]");
  CHECK(shape(zeros({3, 1}).expand({5, 3, 4})) == "[5, 3, 4]");
  CHECK(shape(Tensor::stack({x, x, x}, -1)) == "[2, 3, 4, 3]");
  CHECK(shape(Tensor::cat({x, zeros({2, 5, 4})}, 1)) == "[2, 8, 4]");
}

TEST_CASE("shapes of reductions, products and gathers") {
  const Tensor x = zeros({2, 3, 4});
  CHECK(shape(x.sum()) == "[]");
  CHECK(shape(x.sum({}, true)) == "[1, 1, 1]");
  CHECK(shape(x.max({0, -1})) == "[3]");
  CHECK(shape(x.mean({1}, true)) == "[2, 1, 4]");
  CHECK(shape(x.argmax(1)) == "[2, 4]");
  CHECK(shape(x.argmax(-1, true)) == "[2, 3, 1]");
  CHECK(shape(x.softmax(0)) == "[2, 3, 4]");
  CHECK(shape(x.rmsnorm(zeros({4}), 1e-5)) == "[2, 3, 4]");
  CHECK(shape(x.matmul(zeros({4, 7}))) == "[2, 3, 7]");
  CHECK(shape(x.matmul(zeros({4}))) == "[2, 3]");
  CHECK(shape(zeros({4}).matmul(zeros({5, 4, 7}))) == "[5, 7]");
  CHECK(shape(zeros({4}).matmul(zeros({4}))) == "[]");
  CHECK(shape(zeros({5, 1, 3, 4}).matmul(zeros({6, 4, 2}))) == "[5, 6, 3, 2]");
  CHECK(shape(x.gather(Tensor::arange(5).reshape({5, 1}))) == "[5, 1, 3, 4]");
  CHECK(shape(Tensor::attention(zeros({8, 5, 16}), zeros({8, 9, 16}), zeros({8, 9, 32}))) == "[8, 5, 32]");
}

TEST_CASE("operands broadcast from the back") {
  CHECK(shape(zeros({2, 1, 4}) + zeros({3, 1})) == "[2, 3, 4]");
  CHECK(shape(zeros({}) * zeros({3})) == "[3]");
  CHECK(shape(zeros({3, 4}) < zeros({4})) == "[3, 4]");
  CHECK(shape(Tensor::where(zeros({3, 1}) < 1.0, zeros({4}), zeros({}))) == "[3, 4]");
  CHECK(shape(zeros({0, 3}) + zeros({1, 3})) == "[0, 3]");
}

TEST_CASE("symbolic extents: slices of a cache take the length that was asked for") {
  const Tensor cache = zeros({4, 1024, 8});
  CHECK(shape(cache.slice(1, pos, pos + tokens)) == "[4, T, 8]");
  CHECK(shape(cache.slice(1, 0, Dim(pos) + 1)).find("pos") != std::string::npos);
  const Tensor q = zeros({4, Dim(tokens), 8}), k = cache.slice(1, 0, pos + tokens);
  const Shape scores = q.matmul(k.transpose()).shape();
  CHECK(same(scores, Shape{4, Dim(tokens), Dim(pos) + Dim(tokens)}));
  CHECK(shape(q.matmul(k.transpose()).softmax().matmul(k)) == "[4, T, 8]");
}

TEST_CASE("symbolic extents: reshapes that only regroup known axes") {
  const Tensor x = zeros({Dim(tokens), 32});
  CHECK(shape(x.reshape({Dim(tokens), 4, 8})) == "[T, 4, 8]");
  CHECK(shape(x.reshape({-1, 4, 8})) == "[T, 4, 8]");
  CHECK(shape(x.reshape({Dim(tokens), 4, 8}).transpose(0, 1)) == "[4, T, 8]");
  CHECK(shape(x.mean({0})) == "[32]");
  CHECK(shape(Tensor::arange(Dim(tokens)) + Tensor::scalar(pos)) == "[T]");
}

TEST_CASE("extents compare as expressions, not as text") {
  CHECK(same(Dim(pos) + Dim(tokens), Dim(tokens) + Dim(pos)));
  CHECK(same(Dim(pos) + Dim(tokens) - Dim(pos), Dim(tokens)));
  CHECK_FALSE(same(Dim(pos), Dim(tokens)));
  CHECK_FALSE(same(Dim(pos) + 1, Dim(pos)));
  CHECK_FALSE(same(Shape{2, 3}, Shape{2}));
}

TEST_CASE("movement that changes nothing is the tensor itself; chains collapse") {
  const Tensor x = Tensor::empty({2, 3});
  CHECK(x.reshape({2, 3}).uop() == x.uop());
  CHECK(x.reshape({6}).reshape({3, 2}).reshape({2, 3}).uop() == x.uop());
  CHECK(x.transpose().transpose().uop() == x.uop());
  CHECK(x.permute({0, 1}).uop() == x.uop());
  CHECK(x.pad({{0, 0}, {0, 0}}).uop() == x.uop());
  CHECK(x.slice(0, 0, 2).uop() == x.uop());
  CHECK(x.expand({2, 3}).uop() == x.uop());
  CHECK(x.flip({}).uop() == x.uop());
  CHECK(x.cast(dt::f32).uop() == x.uop());
  CHECK(x.sum({0}, true).sum({0}, true).uop() == x.sum({0}, true).uop());
  const UOp wide = x.reshape({1, 2, 3}).expand({4, 2, 3}).expand({4, 2, 3}).uop();
  CHECK(wide.is(Op::Expand));
  CHECK(wide.src(0).is(Op::Reshape));
}

TEST_CASE("the shape of a very deep graph needs no deep stack") {
  UOp u = Tensor::empty({3}).uop();
  for (int i = 0; i < 200000; ++i) u = alu(Op::Neg, u);
  CHECK(text(shape_of(u)) == "[3]");
}

TEST_CASE("cached shapes go with their nodes") {
  const size_t before = live_uops();
  {
    const Tensor x = zeros({17, 19, Dim(tokens) + 3}).exp().sum({1});
    CHECK(shape(x.exp()).rfind("[17, ", 0) == 0);
  }
  CHECK(live_uops() <= before + 2);  // `Dim` constants that other tests hold may differ, graphs may not stay
}

TEST_CASE("threads that ask for the same shapes at once agree") {
  for (int round = 0; round < 50; ++round) {
    UOp u = Tensor::empty({2, Dim(tokens)}).uop();
    for (int i = 0; i < 40; ++i) u = alu(Op::Neg, u);
    std::vector<std::string> seen(4);
    std::vector<std::thread> threads;
    for (std::string& s : seen) threads.emplace_back([&s, &u] { s = text(shape_of(u)); });
    for (std::thread& t : threads) t.join();
    for (const std::string& s : seen) CHECK(s == "[2, T]");
  }
}
