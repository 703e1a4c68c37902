// Captured graphs on a CUDA device: what the driver is asked for, and that the results follow.
#include "src/graph/realize.h"
#include "src/tensor/buffers.h"
#include "tests/graph/interpreted_gpu.h"

using namespace pg;
using namespace pg::test;

namespace {

constexpr const char *kLaunch = "cuLaunchKernel", *kGraph = "cuGraphLaunch", *kPatch = "cuGraphExecKernelNodeSetParams",
                     *kBuild = "cuGraphInstantiateWithFlags";
InterpretedGpu& gpu() { return InterpretedGpu::get(); }

void forget_calls() {
  for (const char* symbol : {kLaunch, kGraph, kPatch, kBuild}) gpu().calls(symbol);
}
struct Calls {
  int launches, graphs, patches, builds;
  bool operator==(const Calls&) const = default;
};
/// Since the last time.
Calls calls() { return {gpu().calls(kLaunch), gpu().calls(kGraph), gpu().calls(kPatch), gpu().calls(kBuild)}; }

/// A cache of rows, to which a step adds its own before it looks at all of them; as a llama's attention does.
struct Steps {
  static constexpr int64_t kRows = 16, kWidth = 4;
  UOp pos = variable("pos", 0, kRows - 1);
  Tensor cache, x;
  Graph graph;
  explicit Steps(Device& d)
      : cache(Tensor::from(std::vector<float>(kRows * kWidth), {kRows, kWidth}, d)),
        x(Tensor::from(std::vector<float>{1, 2, 3, 4}, {1, kWidth}, d)),
        graph({captured()}) {}
  Tensor captured() const {
    const Dim end = pos + iconst(1);
    const Tensor seen = cache.slice(0, pos, end).assign(x * 2.0 + 1.0).slice(0, 0, end);
    return seen.matmul(x.transpose()).softmax(0).transpose().matmul(seen).relu();
  }
  std::vector<float> step(int64_t at) {
    graph.replay({{"pos", at}});
    return graph.outputs()[0].to_floats();
  }
};

}  // namespace

TEST_CASE("replay on a GPU: one graph, whose nodes follow the Variables") {
  Steps here(gpu()), there(device("REF"));
  const auto kernels = static_cast<int>(here.graph.kernel_count());
  forget_calls();
  for (int64_t pos = 0; pos < Steps::kRows; ++pos) {
    CAPTURE(pos);
    std::vector<float> row;
    for (int i = 0; i < 4; ++i) row.push_back(static_cast<float>((pos * 5 + i * 3) % 7) / 4);
    for (Steps* s : {&here, &there}) memory_of(s->x.uop())->device().copy_in(memory_of(s->x.uop())->data(), row.data(), 16);
    const std::vector<float> got = here.step(pos), wanted = there.step(pos);
    REQUIRE(got.size() == wanted.size());
    for (size_t i = 0; i < got.size(); ++i) CHECK(got[i] == doctest::Approx(wanted[i]).epsilon(1e-5));
    CHECK(gpu().errors() == "");
    const Calls c = calls();
    CHECK(c.launches == 0);
    CHECK(c.graphs == 1);
    CHECK(c.patches <= kernels);
    // pos + 1 rows: a bucket of programs ends with each power of two.
    CHECK(c.builds == (pos == 0 || pos == 2 || pos == 3 || pos == 5 || pos == 9 ? c.builds : 0));
    CHECK((c.builds > 0 || c.patches > 0));
  }
  here.step(Steps::kRows - 1);  // the same again: nothing is patched
  CHECK(calls() == Calls{0, 1, 0, 0});
  CHECK(here.cache.to_floats() == there.cache.to_floats());
}
TEST_CASE("replay on a GPU: a buffer's new memory is another argument of its kernels") {
  const Tensor x = Tensor::from(std::vector<float>{1, 2, 3, 4}, {4}, gpu());
  Graph graph({(x * 2.0).contiguous().sum() + x.max()});
  graph.replay();
  CHECK(graph.outputs()[0].item() == 24);
  forget_calls();
  const auto other = std::make_shared<Memory>(gpu(), 16);
  const float values[] = {10, 20, 30, 40};
  gpu().copy_in(other->data(), values, 16);
  set_memory(x.uop(), other);
  graph.replay();
  const Calls c = calls();
  CHECK(c.graphs == 1);
  CHECK(c.builds == 0);
  CHECK(c.patches > 0);
  CHECK(graph.outputs()[0].item() == 240);
  graph.replay();
  CHECK(calls().patches == 0);
}
TEST_CASE("replay on a GPU: what runs once is launched by itself") {
  const Tensor x = Tensor::from(std::vector<float>{1, 2, 3, 4}, {4}, gpu());
  forget_calls();
  CHECK((x + 1.0).sum().item() == 14);
  const Calls c = calls();
  CHECK(c.launches > 0);
  CHECK(c.graphs + c.builds == 0);
}
TEST_CASE("replay on a GPU: DEBUG=2 times every kernel by itself") {
  const Tensor x = Tensor::from(std::vector<float>{1, 2, 3, 4}, {4}, gpu());
  Graph graph({(x + 1.0).contiguous().sum()});
  graph.replay();
  forget_calls();
  const Config before = config();
  Config loud = before;
  loud.debug = 2;
  set_config(loud);
  graph.replay();
  set_config(before);
  CHECK(calls() == Calls{graph.kernel_count(), 0, 0, 0});
  graph.replay();
  CHECK(calls() == Calls{0, 1, 0, 0});
  CHECK(graph.outputs()[0].item() == 14);
}
TEST_CASE("replay on a GPU: a driver that makes no graphs is given one kernel after the other") {
  gpu().fake().refuses = kBuild;
  Steps here(gpu()), there(device("REF"));
  forget_calls();
  for (int64_t pos : {0, 1, 2, 3}) CHECK(here.step(pos)[0] == doctest::Approx(there.step(pos)[0]).epsilon(1e-5));
  gpu().fake().refuses = "";
  const Calls c = calls();
  CHECK(c.launches == 4 * here.graph.kernel_count());
  CHECK(c.builds == 1);
  CHECK(c.graphs == 0);
}
TEST_CASE("replay on a GPU: a Variable outside its limits changes nothing") {
  Steps s(gpu());
  s.step(0);
  forget_calls();
  CHECK_THROWS_AS(s.graph.replay({{"pos", 16}}), UserError);
  CHECK_THROWS_AS(s.graph.replay(), UserError);
  CHECK(calls() == Calls{0, 0, 0, 0});
}
TEST_CASE("replay on a GPU: after a kernel that faults its buffers are refused, and new tensors go on") {
  const auto x = [] { return Tensor::from(std::vector<float>{1, 2, 3, 4}, {4}, gpu()); };
  const Tensor lost = x();
  Graph graph({(lost + 1.0).sum()});
  graph.replay();
  CHECK(graph.outputs()[0].item() == 14);
  graph.replay();
  gpu().fake().kernel_error = cu::Result::IllegalAddress;
  CHECK_THROWS_WITH_AS(graph.outputs()[0].item(), doctest::Contains("an illegal memory access"), InternalError);
  gpu().fake().kernel_error = cu::Result::Success;
  CHECK_THROWS_WITH_AS(graph.replay(), doctest::Contains("whose contents were lost"), UserError);
  CHECK((x() + 1.0).sum().item() == 14);
  Graph next({(x() + 2.0).sum()});
  next.replay();
  CHECK(next.outputs()[0].item() == 18);
  CHECK(gpu().errors() == "");
}
