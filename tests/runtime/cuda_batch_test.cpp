#include "runtime/cuda_batch.h"

#include "runtime/cuda_timer.h"
#include "tests/runtime/cuda_fixture.h"

using namespace pg;
using namespace pg::test;

TEST_CASE("cuda: a batch is recorded without running, and replayed as one") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  gpu.fake->kernel_ms = 0.25;
  const auto program = device.load(fake_artifact("k", "k 0\n"), fake_launch(0));
  CudaBatch batch(device, [&] {
    for (int i = 0; i < 3; ++i) program->enqueue({}, {}, 1);
  });
  device.synchronize();
  CHECK(gpu.fake->launches.empty());
  CudaTimer timer(device);
  CHECK(timer.ms([&] { batch.replay(); }) == doctest::Approx(0.75));
  CHECK(timer.ms([&] { batch.replay(); }) == doctest::Approx(0.75));
  CHECK(gpu.fake->launches.size() == 6);
  program->enqueue({}, {}, 1);  // the stream takes work as before
  device.synchronize();
  CHECK(gpu.fake->launches.size() == 7);
}

TEST_CASE("cuda: what goes wrong while a batch is recorded leaves the stream as it was") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  const auto program = device.load(fake_artifact("k", "k 0\n"), fake_launch(0));
  const auto failing = [&] {
    program->enqueue({}, {}, 1);
    throw UserError("no");
  };
  CHECK_THROWS_WITH_AS(CudaBatch(device, failing), "no", UserError);
  program->enqueue({}, {}, 1);
  device.synchronize();
  CHECK(gpu.fake->launches.size() == 1);
}

TEST_CASE("cuda: a batch does not outlive its context") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  const auto program = device.load(fake_artifact("k", "k 0\n"), fake_launch(0));
  CudaBatch batch(device, [&] { program->enqueue({}, {}, 1); });
  gpu.fake->kernel_error = cu::Result::IllegalAddress;
  CHECK_THROWS_AS(program->launch({}, {}, 1), InternalError);
  gpu.fake->kernel_error = cu::Result::Success;
  CHECK_THROWS_WITH_AS(batch.replay(), "CUDA:0: a batch was lost with its context", InternalError);
}
