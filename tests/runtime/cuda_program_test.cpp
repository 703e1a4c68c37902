// Kernels on a GPU: what the driver is handed, phases and workspaces, and what is refused.
#include "runtime/cuda_program.h"

#include <cstring>

#include "runtime/memory.h"
#include "tests/runtime/cuda_fixture.h"

using namespace pg;
using namespace pg::test;

TEST_CASE("cuda: a launch hands over addresses, then Variables, a block an item") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  const auto program = device.load(fake_artifact("k", "k 4\n"), fake_launch(2, {"m", "n"}));
  void* a = device.allocate(64);
  void* b = device.allocate(64);
  program->launch(std::vector<void*>{a, b}, std::vector<int64_t>{7, -1}, 12345);
  REQUIRE(gpu.fake->launches.size() == 1);
  const FakeLaunch& l = gpu.fake->launches[0];
  CHECK(l.kernel == "k");
  CHECK(l.grid == 12345);
  CHECK(l.block == 128);
  CHECK(l.shared == 0);
  CHECK(l.arguments ==
        std::vector<uint64_t>{reinterpret_cast<uintptr_t>(a), reinterpret_cast<uintptr_t>(b), 7, ~uint64_t{0}});
  CHECK(!l.in_graph);
  CHECK(gpu.fake->function_attributes.empty());
  CHECK(static_cast<CudaProgram&>(*program).blocks_per_sm() == 16);
}

TEST_CASE("cuda: launch waits, enqueue does not; no items, no kernel") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  const auto program = device.load(fake_artifact("k", "k 0\n"), fake_launch(0));
  program->enqueue({}, {}, 1);
  CHECK(gpu.fake->launches.size() == 0);  // the fake driver works when it is waited for
  device.synchronize();
  CHECK(gpu.fake->launches.size() == 1);
  program->launch({}, {}, 1);
  CHECK(gpu.fake->launches.size() == 2);
  program->launch({}, {}, 0);
  CHECK(gpu.fake->launches.size() == 2);
}

TEST_CASE("cuda: a kernel works on the device's memory, in order with copies") {
  FakeGpu gpu;
  gpu.fake->kernel = [](const FakeLaunch& l) {
    auto* to = static_cast<float*>(fake_host(l.arguments[0]));
    for (unsigned i = 0; i < l.grid; ++i) to[i] += static_cast<float>(l.arguments[1]);
  };
  CudaDevice& device = gpu.open();
  const auto program = device.load(fake_artifact("k", "k 2\n"), fake_launch(1, {"n"}));
  const Memory memory(device, 16);
  const float in[] = {1, 2, 3, 4};
  float out[4];
  device.copy_in(memory.data(), in, sizeof in);
  for (int i = 0; i < 3; ++i) program->enqueue(std::vector<void*>{memory.data()}, std::vector<int64_t>{10}, 4);
  device.copy_out(out, memory.data(), sizeof out);
  CHECK(std::vector<float>(out, out + 4) == std::vector<float>{31, 32, 33, 34});
}

TEST_CASE("cuda: phases are kernels one behind the other, workspaces their buffers behind the params") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  const UOp n = variable("n", 0, 1000);
  LaunchInfo launch = fake_launch(1, {"n"}, {n, iconst(3)});
  launch.workspaces = {UOp(Op::Param, dt::f32, ParamArg{0, "w"}, {n, iconst(10)}),
                       UOp(Op::Param, dt::i64, ParamArg{1, "v"}, {iconst(2)})};
  const auto program = device.load(fake_artifact("k", "k 4\nk_phase1 4\n"), launch);
  void* a = device.allocate(64);
  const int64_t before = device.memory_use().live;
  const auto run = [&](int64_t value, int64_t items) {
    gpu.fake->launches.clear();
    program->launch(std::vector<void*>{a}, std::vector<int64_t>{value}, items);
  };
  run(20, 23);
  REQUIRE(gpu.fake->launches.size() == 2);
  const FakeLaunch first = gpu.fake->launches[0], second = gpu.fake->launches[1];
  CHECK(first.kernel == "k");
  CHECK(first.grid == 20);
  CHECK(second.kernel == "k_phase1");
  CHECK(second.grid == 3);
  CHECK(first.arguments == second.arguments);
  CHECK(first.arguments[0] == reinterpret_cast<uintptr_t>(a));
  CHECK(first.arguments[2] - first.arguments[1] == 1024);  // 20 * 10 floats, rounded to 256
  CHECK(first.arguments[3] == 20);
  CHECK(device.memory_use().live == before + 1280);

  run(10, 13);  // smaller: the same memory
  CHECK(gpu.fake->launches[0].arguments[1] == first.arguments[1]);
  CHECK(device.memory_use().live == before + 1280);
  run(500, 503);  // larger: more of it, and what graphs may still use stays
  CHECK(gpu.fake->launches[0].arguments[1] != first.arguments[1]);
  CHECK(device.memory_use().live > before + 1280 + 20000);
  run(0, 3);  // a phase without items is left out
  REQUIRE(gpu.fake->launches.size() == 1);
  CHECK(gpu.fake->launches[0].kernel == "k_phase1");
}

TEST_CASE("cuda: more than 48 KB of shared memory is asked for once, at loading") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  LaunchInfo launch = fake_launch(0);
  launch.shared_bytes = 48 << 10;
  device.load(fake_artifact("k", "k 0\n"), launch)->launch({}, {}, 1);
  CHECK(gpu.fake->function_attributes.empty());
  launch.shared_bytes = 200000;
  const auto program = device.load(fake_artifact("k", "k 0\n"), launch);
  CHECK(gpu.fake->function_attributes["k"] == 200000);
  program->launch({}, {}, 1);
  CHECK(gpu.fake->launches.back().shared == 200000);
  gpu.fake->function_attributes.clear();
  gpu.fake->static_shared = 40000;  // together they are more
  launch.shared_bytes = 10000;
  device.load(fake_artifact("k", "k 0\n"), launch);
  CHECK(gpu.fake->function_attributes["k"] == 10000);
}

TEST_CASE("cuda: what cannot run on this GPU is refused at loading") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  LaunchInfo launch = fake_launch(0);
  launch.shared_bytes = 232449;
  CHECK_THROWS_WITH_AS(device.load(fake_artifact("k", "k 0\n"), launch),
                       "CUDA:0: kernel k needs 232449 bytes of shared memory, a block on this GPU may have 232448: use a "
                       "schedule that stages less\n  while loading k",
                       UserError);
  launch.shared_bytes = 0;
  launch.threads = 512;
  gpu.fake->most_threads = 384;
  gpu.fake->registers = 168;
  CHECK_THROWS_WITH_AS(device.load(fake_artifact("k", "k 0\n"), launch),
                       "CUDA:0: kernel k cannot run with blocks of 512 threads: with its 168 registers a thread the most is "
                       "384: use a schedule with smaller tiles\n  while loading k",
                       UserError);
  CHECK_THROWS_WITH_AS(device.load(fake_artifact("other", "k 0\n"), fake_launch(0)),
                       doctest::Contains("a loaded cubin has no kernel other"), InternalError);
  CHECK_THROWS_WITH_AS(device.load({"k", "no cubin", 0}, fake_launch(0)), doctest::Contains("not a kernel for a GPU"),
                       InternalError);
}

TEST_CASE("cuda: a cubin that the driver refuses: for another GPU, by a newer NVRTC, or broken") {
  FakeGpu gpu;
  gpu.fake->driver_version = 12040;
  CudaDevice& device = gpu.open();
  gpu.fake->load = cu::Result::InvalidImage;
  const auto load = [&](const std::string& architecture, int nvrtc) {
    device.load(fake_artifact("k", "k 0\n", architecture, nvrtc), fake_launch(0));
  };
  CHECK_THROWS_WITH_AS(load("sm_80", 12040), doctest::Contains("it was compiled for sm_80, this GPU is sm_90a"),
                       InternalError);
  CHECK_THROWS_WITH_AS(load("sm_90a", 13000),
                       doctest::Contains("the driver is too old: it knows CUDA 12.4, the kernel is NVRTC 13.0's: update the "
                                         "NVIDIA driver, or set CUDA_HOME to a toolkit of CUDA 12.4 or earlier"),
                       UserError);
  CHECK_THROWS_WITH_AS(
      load("sm_90a", 12040),
      doctest::Contains("CUDA:0: the driver refuses the kernel: words of the driver (CUDA_ERROR_INVALID_IMAGE)"),
      InternalError);
  gpu.fake->load = cu::Result::OutOfMemory;
  CHECK_THROWS_WITH_AS(load("sm_90a", 12040), doctest::Contains("CUDA:0: out of memory while loading a kernel"), UserError);
}

TEST_CASE("cuda: a launch that is refused names the kernel and its size") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  const auto program = device.load(fake_artifact("k", "k 1\n"), fake_launch(1));
  CHECK_THROWS_WITH_AS(program->launch({}, {}, 1), "k: launched with 0 buffers and 0 variables instead of 1 and 0",
                       InternalError);
  void* a = device.allocate(64);
  CHECK_THROWS_WITH_AS(program->launch(std::vector<void*>{a}, {}, int64_t{1} << 31),
                       doctest::Contains("CUDA:0: kernel k would have 2147483648 blocks, the most is 2147483647"),
                       UserError);
  gpu.fake->launch = cu::Result::InvalidValue;
  CHECK_THROWS_WITH_AS(program->launch(std::vector<void*>{a}, {}, 5),
                       "CUDA:0: launching kernel k with 5 blocks of 128 threads and 0 bytes of shared memory: words of the "
                       "driver (CUDA_ERROR_INVALID_VALUE)",
                       InternalError);
  gpu.fake->launch = cu::Result::Success;
  CHECK_NOTHROW(program->launch(std::vector<void*>{a}, {}, 5));
}

TEST_CASE("cuda: artifacts read back as they were written") {
  const CudaBinary b{"sm_90a", 13000, "two\nlines\n",
                     std::string("\x7f"
                                 "ELF\0\n",
                                 6)};
  const CudaBinary again = unpack_cuda_binary(pack(b));
  CHECK(again.architecture == b.architecture);
  CHECK(again.nvrtc == b.nvrtc);
  CHECK(again.log == b.log);
  CHECK(again.cubin == b.cubin);
  const std::string whole = pack(b);
  for (size_t n = 0; n < whole.size() - b.cubin.size(); ++n)
    CHECK_THROWS_AS(unpack_cuda_binary(whole.substr(0, n)), InternalError);
}
