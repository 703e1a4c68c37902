#include "src/graph/realize.h"

#include <doctest/doctest.h>

#include "src/tensor/buffers.h"
#include "uops/text.h"

using namespace pg;

namespace {
Device& ref() { return device("REF"); }
std::vector<float> ramp(int n, float scale) {
  std::vector<float> v(n);
  for (int i = 0; i < n; ++i) v[i] = scale * static_cast<float>(i % 7 - 3);
  return v;
}
}  // namespace

TEST_CASE("realize computes and hands out memory") {
  Tensor a = Tensor::from(ramp(6, 1), {2, 3}, ref()), b = Tensor::from(ramp(6, 2), {3, 2}, ref());
  Tensor c = a.matmul(b), d = c * 2.0;
  realize({&c, &d});
  CHECK(c.uop().is(Op::Buffer));
  const std::vector<float> x = ramp(6, 1), y = ramp(6, 2), got = c.to_floats(), twice = d.to_floats();
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j) {
      float sum = 0;
      for (int k = 0; k < 3; ++k) sum += x[i * 3 + k] * y[k * 2 + j];
      CHECK(got[i * 2 + j] == sum);
      CHECK(twice[i * 2 + j] == 2 * sum);
    }
}
TEST_CASE("to_floats computes what it needs") {
  CHECK((Tensor::from(ramp(4, 1), {4}, ref()) + 1.0).sum().item() == doctest::Approx(-2));
}
TEST_CASE("a Variable needs a value inside its limits") {
  const UOp n = variable("n", 1, 4);
  const Tensor x = Tensor::from(ramp(4, 1), {4}, ref());
  Tensor y = x.slice(0, 0, n).sum();
  try {
    Tensor z = y;
    realize({&z});
    FAIL("no error");
  } catch (const UserError& e) {
    CHECK(std::string(e.what()).find("Variable n has no value") != std::string::npos);
  }
  CHECK_THROWS_AS(realize({&y}, {{"n", 5}}), UserError);
  realize({&y}, {{"n", 2}});
  CHECK(y.item() == -5);
}
TEST_CASE("a graph is replayed with other values and other inputs") {
  const UOp n = variable("n", 1, 8);
  Tensor x = Tensor::from(ramp(8, 1), {8}, ref());
  Graph graph({(x.slice(0, 0, n) * 2.0).sum()}, {{"n", 4}});
  CHECK(graph.kernel_count() == 1);
  graph.replay({{"n", 3}});
  CHECK(graph.outputs()[0].to_floats()[0] == -12);
  graph.replay({{"n", 7}});
  CHECK(graph.outputs()[0].to_floats()[0] == 0);
  const std::vector<float> ones(8, 1.0f);

  ref().copy_in(memory_of(x.uop())->data(), ones.data(), 32);
  graph.replay({{"n", 7}});
  CHECK(graph.outputs()[0].to_floats()[0] == 14);
}
TEST_CASE("a graph writes into its cache and reuses the memory of intermediates") {
  const UOp pos = variable("pos", 0, 3);
  Tensor cache = Tensor::from(std::vector<float>(4, 0.0f), {4}, ref()), x = Tensor::from(ramp(1, 1), {1}, ref());
  const Tensor after = cache.slice(0, pos, pos + iconst(1)).assign(x + 10.0);
  Graph graph({after.slice(0, 0, pos + iconst(1)).sum()});
  graph.replay({{"pos", 0}});
  graph.replay({{"pos", 1}});
  graph.replay({{"pos", 2}});
  CHECK(graph.outputs()[0].to_floats()[0] == 21);
  CHECK(cache.to_floats() == std::vector<float>{7, 7, 7, 0});

  Tensor h = Tensor::from(ramp(64, 0.1f), {8, 8}, ref());
  const Tensor w = Tensor::from(ramp(64, 0.1f), {8, 8}, ref());
  for (int i = 0; i < 6; ++i) h = h.matmul(w);
  Graph deep({h});
  CHECK(deep.kernel_count() == 6);
  CHECK(deep.kernels().size() == 1);
  CHECK(deep.kernels()[0].count == 6);
  CHECK(deep.memory_plan().planned == 2 * 256);
  CHECK(deep.memory_plan().without_reuse == 5 * 256);
}
TEST_CASE("a replay searches nothing") {
  Graph graph({Tensor::from(ramp(8, 1), {8}, ref()).exp()});
  const SearchCounters before = search_counters();
  graph.replay();
  CHECK(search_counters().candidates == before.candidates);
  CHECK(search_counters().measured == before.measured);
}
