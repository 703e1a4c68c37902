// A GPU's memory: reuse, accounts, what happens when it is full; and copies through pinned memory.
#include "runtime/cuda_memory.h"

#include <cstring>
#include <random>

#include "tests/runtime/cuda_fixture.h"

using namespace pg;
using namespace pg::test;

TEST_CASE("cuda: freed memory is handed out again by size class, and counted") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  void* a = device.allocate(1000);
  void* b = device.allocate(1000);
  CHECK(a != b);
  CHECK(device.memory_use().live == 2 * 1024);
  device.free(a, 1000);
  CHECK(device.memory_use().live == 1024);
  CHECK(device.memory_use().cached == 1024);
  CHECK(device.allocate(1020) == a);  // the same class
  CHECK(device.allocate(3000) != a);
  CHECK(device.memory_use().asked == 3);
  CHECK(device.memory_use().cached == 0);
  CHECK(device.memory_use().peak == device.memory_use().live);
  CHECK(device.allocate(0) != nullptr);
  device.free(pointer(12345), 8);  // never ours
}

TEST_CASE("cuda: classes waste at most a quarter, and 64 MiB of the largest") {
  FakeGpu gpu;
  gpu.fake->memory = size_t{1} << 40;
  CudaDevice& device = gpu.open();
  int64_t before = 0;
  for (const int64_t bytes : {1, 511, 513, 100000, 1 << 20, (1 << 20) + 1, 300 << 20, (1 << 30) + 12345}) {
    device.allocate(static_cast<size_t>(bytes));
    const int64_t took = device.memory_use().live - before;
    before = device.memory_use().live;
    CAPTURE(bytes);
    CHECK(took >= bytes);
    CHECK(took <= std::max<int64_t>(512, bytes + std::min<int64_t>(bytes / 4 + 1, 64 << 20)));
  }
}

TEST_CASE("cuda: when memory is out, what waits is given back first") {
  FakeGpu gpu;
  gpu.fake->memory = 10 << 20;
  CudaDevice& device = gpu.open();
  void* a = device.allocate(4 << 20);
  void* b = device.allocate(4 << 20);
  device.free(a, 0);
  CHECK(gpu.fake->allocated == 8 << 20);
  void* c = device.allocate(6 << 20);  // another class: fits only without a
  CHECK(c != nullptr);
  CHECK(gpu.fake->allocated == 10 << 20);
  CHECK(device.memory_use().cached == 0);
  device.free(c, 0);
  device.free(b, 0);
  CHECK(device.memory_use().cached == 10 << 20);
  device.gpu()->memory().trim(*device.gpu()->life()->context);
  CHECK(gpu.fake->allocated == 0);
}

TEST_CASE("cuda: out of memory for good is one message with what is free and what there is") {
  FakeGpu gpu;
  gpu.fake->memory = 10 << 20;
  CudaDevice& device = gpu.open();
  device.allocate(4 << 20);
  CHECK_THROWS_WITH_AS(
      device.allocate(8 << 20),
      "CUDA:0: not enough memory for 8388608 bytes (8.0 MiB): 6.0 MiB of 10.0 MiB are free, 4.0 MiB are this "
      "process's buffers: use a smaller model or batch, or end other processes that use the GPU (nvidia-smi "
      "lists them)",
      UserError);
  CHECK_THROWS_AS(device.allocate(SIZE_MAX), UserError);
  CHECK(device.allocate(6 << 20) != nullptr);  // and it goes on
}

TEST_CASE("cuda: sizes read well") {
  CHECK(bytes_text(0) == "0 bytes");
  CHECK(bytes_text(1023) == "1023 bytes");
  CHECK(bytes_text(1536) == "1.5 KiB");
  CHECK(bytes_text(int64_t{80} << 30) == "80.0 GiB");
}

TEST_CASE("cuda: copies of every size arrive, however late the GPU makes them") {
  FakeGpu gpu;
  SUBCASE("through pinned memory") {}
  SUBCASE("without any that can be pinned") { gpu.fake->pinned = 0; }
  CudaDevice& device = gpu.open();
  std::mt19937 random(7);
  const size_t sizes[] = {1, 63, 64, 65, 4096, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, (17 << 20) + 5};
  std::vector<std::pair<void*, std::string>> there;
  for (int round = 0; round < 3; ++round)
    for (const size_t n : sizes) {
      std::string bytes(n, '\0');
      for (size_t i = 0; i < n; i += 97) bytes[i] = static_cast<char>(random());
      void* p = device.allocate(n);
      std::string gone = bytes;
      device.copy_in(p, gone.data(), n);
      std::fill(gone.begin(), gone.end(), 'x');  // the host's bytes may change at once
      there.emplace_back(p, std::move(bytes));
    }
  for (const auto& [p, bytes] : there) {
    std::string got(bytes.size(), '\0');
    device.copy_out(got.data(), p, got.size());
    CHECK(got == bytes);
  }
  device.copy_in(nullptr, nullptr, 0);
  device.copy_out(nullptr, nullptr, 0);
}

TEST_CASE("cuda: small copies in wait for nothing") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  void* p = device.allocate(1024);
  char bytes[1024] = "";
  device.copy_in(p, bytes, sizeof bytes);
  const int waits = gpu.fake->calls["cuEventSynchronize"] + gpu.fake->calls["cuStreamSynchronize"];
  for (int i = 0; i < 1000; ++i) device.copy_in(p, bytes, sizeof bytes);
  CHECK(gpu.fake->calls["cuEventSynchronize"] + gpu.fake->calls["cuStreamSynchronize"] == waits);
  device.synchronize();
}
