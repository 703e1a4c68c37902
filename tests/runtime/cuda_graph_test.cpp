// Sequences of launches as graphs, and the time that they take.
#include "runtime/cuda_graph.h"

#include "runtime/cuda_timer.h"
#include "tests/runtime/cuda_fixture.h"

using namespace pg;
using namespace pg::test;

TEST_CASE("cuda: a graph is a chain of kernels, replayed with arguments that change") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  const auto one = device.load(fake_artifact("one", "one 2\n"), fake_launch(1, {"n"}));
  const auto two = device.load(fake_artifact("two", "two 1\n"), fake_launch(1));
  void* a = device.allocate(64);
  void* b = device.allocate(64);
  const auto sequence = [&](void* buffer, int64_t n) {
    return std::vector<Launch>{{one, {buffer}, {n}, n}, {two, {b}, {}, 8}, {one, {b}, {5}, 6}};
  };
  CudaGraph graph(device);
  graph.replay(sequence(a, 3));
  CHECK(graph.kernels() == 3);
  device.synchronize();
  REQUIRE(gpu.fake->launches.size() == 3);
  CHECK(gpu.fake->launches[0].kernel == "one");
  CHECK(gpu.fake->launches[0].in_graph);
  CHECK(gpu.fake->launches[0].grid == 3);
  CHECK(gpu.fake->launches[0].block == 128);
  CHECK(gpu.fake->launches[0].arguments == std::vector<uint64_t>{reinterpret_cast<uintptr_t>(a), 3});
  CHECK(gpu.fake->launches[1].kernel == "two");
  CHECK(gpu.fake->launches[2].arguments[1] == 5);

  graph.replay(sequence(b, 7));
  device.synchronize();
  REQUIRE(gpu.fake->launches.size() == 6);
  CHECK(gpu.fake->launches[3].grid == 7);
  CHECK(gpu.fake->launches[3].arguments == std::vector<uint64_t>{reinterpret_cast<uintptr_t>(b), 7});
  CHECK(gpu.fake->launches[4].grid == 8);
  CHECK(graph.patched() == 1);  // only what changed
  graph.replay(sequence(b, 7));
  CHECK(graph.patched() == 1);
  CHECK(graph.built() == 1);
  CHECK(gpu.fake->calls["cuGraphInstantiateWithFlags"] == 1);

  graph.replay(sequence(a, 3));  // as at first
  device.synchronize();
  CHECK(graph.patched() == 2);
  REQUIRE(gpu.fake->launches.size() == 12);
  CHECK(gpu.fake->launches[6].grid == 7);
  CHECK(gpu.fake->launches[9].grid == 3);

  graph.replay(std::vector<Launch>{{two, {a}, {}, 1}});  // another sequence
  device.synchronize();
  CHECK(graph.built() == 2);
  CHECK(gpu.fake->launches.back().kernel == "two");
}

TEST_CASE("cuda: a phase without items leaves the graph and comes back") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  const UOp n = variable("n", 0, 1000);
  const auto program = device.load(fake_artifact("k", "k 1\nk_phase1 1\n"), fake_launch(0, {"n"}, {n, iconst(3)}));
  CudaGraph graph(device);
  graph.replay(std::vector<Launch>{{program, {}, {4}, 7}});
  CHECK(graph.kernels() == 2);
  graph.replay(std::vector<Launch>{{program, {}, {0}, 3}});
  CHECK(graph.kernels() == 1);
  graph.replay(std::vector<Launch>{{program, {}, {5}, 8}});
  CHECK(graph.kernels() == 2);
  CHECK(graph.built() == 3);
  device.synchronize();
  CHECK(gpu.fake->launches.size() == 5);
}

TEST_CASE("cuda: a program that stands twice in a graph keeps the workspaces of both") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  const UOp n = variable("n", 0, 1000);
  LaunchInfo launch = fake_launch(0, {"n"});
  launch.workspaces = {UOp(Op::Param, dt::f32, ParamArg{0, "w"}, {n, iconst(1000)})};
  const auto program = device.load(fake_artifact("k", "k 2\n"), launch);
  CudaGraph(device).replay(std::vector<Launch>{{program, {}, {1}, 1}, {program, {}, {100}, 1}});
  // 4000 and 400000 bytes: the second is not the first's memory, which stays its own.
  CHECK(device.memory_use().live == 4096 + 458752);
}

TEST_CASE("cuda: programs of other devices are not taken") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  gpu.fake->devices = 2;
  CudaDevice second(gpu.config(), 1, {.driver = PICOGRAD_FAKE_CUDA});
  const auto theirs = second.load(fake_artifact("k", "k 0\n"), fake_launch(0));
  CHECK_THROWS_WITH_AS(CudaGraph(device).replay(std::vector<Launch>{{theirs, {}, {}, 1}}),
                       "CUDA:0: a graph was given a program of another device", InternalError);
}

TEST_CASE("cuda: the GPU's clock tells what launches and graphs take") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  gpu.fake->kernel_ms = 0.25;
  const auto program = device.load(fake_artifact("k", "k 0\n"), fake_launch(0));
  CudaTimer timer(device);
  CHECK(timer.ms([&] {
    for (int i = 0; i < 6; ++i) program->enqueue({}, {}, 1);
  }) == doctest::Approx(1.5));
  CudaGraph graph(device);
  graph.replay(std::vector<Launch>{{program, {}, {}, 1}, {program, {}, {}, 1}});
  CHECK(timer.ms([&] { graph.replay(); }) == doctest::Approx(0.5));
  const auto each = timer.each_ms(3, [&](size_t i) {
    for (size_t k = 0; k <= i; ++k) program->enqueue({}, {}, 1);
  });
  REQUIRE(each.size() == 3);
  CHECK(each[0] == doctest::Approx(0.25));
  CHECK(each[2] == doctest::Approx(0.75));
}

TEST_CASE("cuda: what the driver makes no graph of is launched one by one, and it is not asked again") {
  for (const char* step : {"cuGraphCreate", "cuGraphAddKernelNode", "cuGraphInstantiateWithFlags", "cuGraphLaunch"}) {
    CAPTURE(step);
    FakeGpu gpu;
    CudaDevice& device = gpu.open();
    const auto program = device.load(fake_artifact("k", "k 2\n"), fake_launch(1, {"n"}));
    void* a = device.allocate(64);
    gpu.fake->refuses = step;
    CudaGraph graph(device);
    for (int64_t n : {3, 4}) graph.replay(std::vector<Launch>{{program, {a}, {n}, n}, {program, {a}, {9}, 9}});
    graph.replay();
    device.synchronize();
    REQUIRE(gpu.fake->launches.size() == 6);
    CHECK(!gpu.fake->launches[0].in_graph);
    CHECK(gpu.fake->launches[2].arguments[1] == 4);
    CHECK(gpu.fake->launches[4].grid == 4);
    CHECK(gpu.fake->calls[step] == 1);
    CHECK(graph.refused().find("words of the driver (CUDA_ERROR_INVALID_VALUE)") != std::string::npos);
  }
}

TEST_CASE("cuda: a node that cannot be patched is built again") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  const auto program = device.load(fake_artifact("k", "k 1\n"), fake_launch(0, {"n"}));
  CudaGraph graph(device);
  graph.replay(std::vector<Launch>{{program, {}, {1}, 1}});
  gpu.fake->refuses = "cuGraphExecKernelNodeSetParams";
  graph.replay(std::vector<Launch>{{program, {}, {2}, 2}});
  device.synchronize();
  CHECK(graph.built() == 2);
  CHECK(graph.refused() == "");
  REQUIRE(gpu.fake->launches.size() == 2);
  CHECK(gpu.fake->launches[1].grid == 2);
}

TEST_CASE("cuda: what one kernel may not do is told, and the next replay is whole") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  const auto program = device.load(fake_artifact("k", "k 0\n"), fake_launch(0));
  const auto sequence = device.sequence();
  const auto replay = [&](int64_t items) {
    sequence->replay(std::vector<Launch>{{program, {}, {}, 1}, {program, {}, {}, items}});
  };
  CHECK_THROWS_WITH_AS(replay(int64_t{1} << 40), doctest::Contains("kernel k would have 1099511627776 blocks"), UserError);
  replay(5);
  CHECK_THROWS_AS(replay(int64_t{1} << 40), UserError);
  replay(6);
  device.synchronize();
  REQUIRE(gpu.fake->launches.size() == 4);
  CHECK(gpu.fake->launches[1].grid == 5);
  CHECK(gpu.fake->launches[3].grid == 6);
}
