// What depends on frozen tensors alone is computed once.
#include <doctest/doctest.h>

#include "src/graph/realize.h"
#include "src/tensor/buffers.h"

using namespace pg;

namespace {
Tensor of(std::vector<float> values, Shape shape) { return Tensor::from(values, std::move(shape), device("REF")); }
void write(const Tensor& t, std::vector<float> values) {
  device("REF").copy_in(memory_of(t.uop())->data(), values.data(), values.size() * sizeof(float));
}
}  // namespace

TEST_CASE("freeze: a graph computes at its first replay what needs frozen tensors only") {
  const Tensor frozen = of({1, 2}, {2}), x = of({10, 20}, {2});
  freeze(frozen);
  Graph graph({(frozen * 2.0).contiguous() + x});
  CHECK(graph.kernel_count() == 2);
  graph.replay();
  CHECK(graph.outputs()[0].to_floats() == std::vector<float>{12, 24});
  write(x, {0, 0});
  write(frozen, {100, 100});  // against the promise: seen by nobody
  graph.replay();
  CHECK(graph.outputs()[0].to_floats() == std::vector<float>{2, 4});
  const std::vector<double> ms = graph.profile();
  REQUIRE(ms.size() == 2);
  CHECK(ms[0] == 0);
}
TEST_CASE("freeze: what else is read, and what is asked for, is computed at each replay") {
  const Tensor frozen = of({1, 2}, {2}), x = of({10, 20}, {2});
  freeze(frozen);
  Graph graph({frozen * 2.0, (x * 2.0).contiguous() + frozen});
  graph.replay();
  write(frozen, {3, 4});
  write(x, {0, 0});
  graph.replay();
  CHECK(graph.outputs()[0].to_floats() == std::vector<float>{6, 8});
  CHECK(graph.outputs()[1].to_floats() == std::vector<float>{3, 4});
}
TEST_CASE("freeze: of realised tensors, and nobody writes to them") {
  const Tensor x = of({1, 2}, {2});
  CHECK_THROWS_WITH_AS(freeze(x + 1.0), "freeze: a tensor that is not realised: realize() it first", UserError);
  freeze(x.reshape({1, 2}));
  Tensor written = x.assign(of({3, 4}, {2}));
  CHECK_THROWS_WITH_AS(realize({&written}), "assign: to a tensor that freeze() promised not to write to", UserError);
}
