// After an error that ends a context: what is said, and what goes on.
#include "runtime/cuda_graph.h"
#include "runtime/memory.h"
#include "tests/runtime/cuda_fixture.h"

using namespace pg;
using namespace pg::test;

TEST_CASE("cuda: a kernel's error names the kernel, resets the GPU, and work goes on") {
  FakeGpu gpu;
  gpu.fake->kernel = [](const FakeLaunch& l) { *static_cast<int*>(fake_host(l.arguments[0])) = 42; };
  CudaDevice& device = gpu.open();
  const auto good = device.load(fake_artifact("good", "good 1\n"), fake_launch(1));
  const auto bad = device.load(fake_artifact("bad", "bad 1\n"), fake_launch(1));
  auto old = std::make_unique<Memory>(device, 4);
  const std::vector<void*> of_old{old->data()};
  good->launch(of_old, {}, 1);

  gpu.fake->kernel_error = cu::Result::IllegalAddress;
  CHECK_THROWS_WITH_AS(
      bad->launch(of_old, {}, 1),
      "CUDA:0: kernel bad: an illegal memory access was encountered (CUDA_ERROR_ILLEGAL_ADDRESS); the CUDA "
      "context is lost, and with it the contents of every buffer on this GPU; it was reset: new buffers and "
      "kernels can be used",
      InternalError);
  gpu.fake->kernel_error = cu::Result::Success;
  CHECK(gpu.fake->resets == 1);

  // A buffer of before has no contents; a program is loaded again by itself.
  CHECK_THROWS_WITH_AS(
      good->launch(of_old, {}, 1),
      "CUDA:0: kernel good is given a buffer whose contents were lost with the CUDA context: compute or load it "
      "again",
      UserError);
  int got = 0;
  CHECK_THROWS_AS(device.copy_out(&got, old->data(), 4), UserError);
  CHECK(device.memory_use().live == 0);
  const Memory fresh(device, 4);
  CHECK(fresh.data() != old->data());  // or its owner's free would take the new one's
  good->launch(std::vector<void*>{fresh.data()}, {}, 1);
  device.copy_out(&got, fresh.data(), 4);
  CHECK(got == 42);
  old.reset();
  CHECK_NOTHROW(good->launch(std::vector<void*>{fresh.data()}, {}, 1));
}

TEST_CASE("cuda: an address is not handed out again before its owner of before has freed it") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  std::vector<void*> lost;
  for (int i = 0; i < 50; ++i) lost.push_back(device.allocate(4096));
  const auto bad = device.load(fake_artifact("bad", "bad 0\n"), fake_launch(0));
  gpu.fake->kernel_error = cu::Result::LaunchFailed;
  CHECK_THROWS_AS(bad->launch({}, {}, 1), InternalError);
  gpu.fake->kernel_error = cu::Result::Success;
  std::vector<void*> fresh;
  for (int i = 0; i < 50; ++i) fresh.push_back(device.allocate(4096));
  for (void* p : fresh) CHECK(std::find(lost.begin(), lost.end(), p) == lost.end());
  const int64_t live = device.memory_use().live;
  for (void* p : lost) device.free(p, 4096);
  CHECK(device.memory_use().live == live);
  CHECK(device.allocate(4096) != nullptr);
}

TEST_CASE("cuda: of several kernels that ran, those are named that it may have been") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  std::vector<std::shared_ptr<Program>> programs;
  for (const char* name : {"a", "b", "c", "d", "e", "f"})
    programs.push_back(device.load(fake_artifact(name, std::string(name) + " 0\n"), fake_launch(0)));
  programs[0]->launch({}, {}, 1);  // done and well
  for (int i : {1, 1, 2}) programs[static_cast<size_t>(i)]->enqueue({}, {}, 1);
  gpu.fake->kernel_error = cu::Result::IllegalAddress;
  CHECK_THROWS_WITH_AS(device.synchronize(), doctest::Contains("CUDA:0: one of the kernels b, c: an illegal memory access"),
                       InternalError);
  gpu.fake->kernel_error = cu::Result::Success;
  for (const auto& p : programs) p->enqueue({}, {}, 1);
  gpu.fake->kernel_error = cu::Result::IllegalAddress;
  CHECK_THROWS_WITH_AS(device.synchronize(),
                       doctest::Contains("one of the kernels c, d, e, f and those before them: an illegal"), InternalError);
}

TEST_CASE("cuda: noticed by a copy, an error is still the kernel's") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  const auto bad = device.load(fake_artifact("bad", "bad 0\n"), fake_launch(0));
  void* p = device.allocate(16);
  char bytes[16];
  bad->enqueue({}, {}, 1);
  gpu.fake->kernel_error = cu::Result::IllegalAddress;
  CHECK_THROWS_WITH_AS(device.copy_out(bytes, p, 16), doctest::Contains("CUDA:0: kernel bad: an illegal memory access"),
                       InternalError);
}

TEST_CASE("cuda: a graph is built again in the next life") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  const auto program = device.load(fake_artifact("k", "k 0\n"), fake_launch(0));
  CudaGraph graph(device);
  gpu.fake->kernel_error = cu::Result::Assert;
  graph.replay(std::vector<Launch>{{program, {}, {}, 1}});
  CHECK_THROWS_WITH_AS(device.synchronize(), doctest::Contains("kernel k: "), InternalError);
  gpu.fake->kernel_error = cu::Result::Success;
  graph.replay();
  device.synchronize();
  CHECK(graph.built() == 2);
  CHECK(gpu.fake->launches.size() == 2);
}

TEST_CASE("cuda: what a reset does not mend says that the process must be restarted, and keeps saying so") {
  FakeGpu gpu;
  gpu.fake->reset_works = false;
  CudaDevice& device = gpu.open();
  const auto program = device.load(fake_artifact("k", "k 0\n"), fake_launch(0));
  gpu.fake->kernel_error = cu::Result::EccUncorrectable;
  CHECK_THROWS_WITH_AS(
      program->launch({}, {}, 1),
      "CUDA:0: kernel k: words of the driver (CUDA_ERROR_ECC_UNCORRECTABLE); the CUDA context is lost and could "
      "not be reset: restart the process",
      InternalError);
  for (int i = 0; i < 2; ++i)
    CHECK_THROWS_WITH_AS(
        program->launch({}, {}, 1),
        doctest::Contains("CUDA:0 cannot be used any more: restart the process. What happened: CUDA:0: kernel k"),
        UserError);
  CHECK_THROWS_AS(device.allocate(16), UserError);
}
