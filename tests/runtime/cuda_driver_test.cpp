// Finding a driver and GPUs, and what is said where there is none.
#include "runtime/cuda_driver.h"

#include "tests/runtime/cuda_fixture.h"

using namespace pg;
using namespace pg::test;

namespace {
const CudaLibraries kFake{.driver = PICOGRAD_FAKE_CUDA};
std::string said(const FoundCudaDriver& f) { return f.what + ": " + f.remedy; }
}  // namespace

TEST_CASE("cuda: a driver that is there says its version and how many GPUs there are") {
  const FakeDriver fake;
  fake->devices = 2;
  fake->driver_version = 12040;
  const FoundCudaDriver found = CudaDriver::find(PICOGRAD_FAKE_CUDA);
  REQUIRE(found.driver);
  CHECK(found.driver->version() == 12040);
  CHECK(cuda_version_text(12040) == "12.4");
  CHECK(found.driver->devices() == 2);
  CHECK(found.driver->words(cu::Result::IllegalAddress) ==
        "an illegal memory access was encountered (CUDA_ERROR_ILLEGAL_ADDRESS)");
}

TEST_CASE("cuda: without a driver, GPU or with one that cannot be used, the remedy is said") {
  const FakeDriver fake;
  CHECK(said(CudaDriver::find("libnothing.so.1")) ==
        "libnothing.so.1 not found: install the NVIDIA driver, after which nvidia-smi shows the GPU; a container must be "
        "started with its GPUs (--gpus all)");
  // A library without the Driver API's names.
  CHECK(said(CudaDriver::find("libm.so.6")) ==
        "the NVIDIA driver is too old: it has no cuInit: update the NVIDIA driver to one of CUDA 11.4 or later");
  const auto refused = [&](cu::Result r) {
    fake->init = r;
    const FoundCudaDriver found = CudaDriver::find(PICOGRAD_FAKE_CUDA);
    CHECK(!found.driver);
    CHECK(!found.remedy.empty());
    return said(found);
  };
  CHECK(refused(cu::Result::NoDevice)
            .starts_with("the NVIDIA driver is there, but no GPU that it can use: look at nvidia-smi"));
  CHECK(refused(cu::Result::SystemDriverMismatch).find("restart the machine") != std::string::npos);
  CHECK(refused(cu::Result::StubLibrary).find("stub") != std::string::npos);
  CHECK(refused(cu::Result::SystemNotReady).find("fabric manager") != std::string::npos);
  CHECK(refused(cu::Result::CompatNotSupportedOnDevice).find("compat") != std::string::npos);
  CHECK(refused(cu::Result::Unknown).starts_with("the NVIDIA driver does not start: words of the driver"));
  fake->init = cu::Result::Success;
  fake->devices = 0;
  CHECK(!CudaDriver::find(PICOGRAD_FAKE_CUDA).driver);
}

TEST_CASE("cuda: a file that is no library is said to be none") {
  const TemporaryDirectory t;
  const std::string path = t.path() + "/libcuda.so.1";
  FILE* f = std::fopen(path.c_str(), "w");
  std::fputs("no library", f);
  std::fclose(f);
  CHECK(CudaDriver::find(path).what.starts_with(path + " cannot be loaded: "));
}

TEST_CASE("cuda: facts of the GPU become the target; looking at them makes no context") {
  FakeGpu gpu;
  const CudaDevice& device = gpu.open();
  CHECK(device.name() == "CUDA:0");
  CHECK(device.facts().name == "Fake GPU");
  CHECK(device.facts().architecture() == "sm_90a");
  CHECK(device.facts().clock_khz == 1980000);
  const Target& t = device.target();
  CHECK(t.gpu);
  CHECK(t.sm == 90);
  CHECK(t.sms == 132);
  CHECK(t.shared_block_bytes == 232448);
  CHECK(t.shared_sm_bytes == 233472);
  CHECK(t.sm_registers == 65536);
  CHECK(t.max_threads == 1024);
  CHECK(t.l2_bytes == 50 << 20);
  CHECK(device.info().json.find("\"sms\":132") != std::string::npos);
  CHECK(device.info().id.size() == 32);
  CHECK(gpu.fake->calls["cuDevicePrimaryCtxRetain"] == 0);
}

TEST_CASE("cuda: architectures before 9.0 have no variant of their own") {
  CudaFacts f;
  f.major = 8, f.minor = 9;
  CHECK(f.architecture() == "sm_89");
  f.major = 10, f.minor = 0;
  CHECK(f.architecture() == "sm_100a");
}

TEST_CASE("cuda: a GPU that is not there") {
  FakeGpu gpu;
  CHECK_THROWS_WITH_AS(gpu.open(1), doctest::Contains("CUDA:1: there is no such GPU: this machine's are CUDA:0 ("),
                       UserError);
  gpu.fake->devices = 3;
  CHECK_THROWS_WITH_AS(gpu.open(3), doctest::Contains("CUDA:0 .. CUDA:2"), UserError);
  CHECK(gpu.open(2).name() == "CUDA:2");
  CHECK_THROWS_WITH_AS(CudaDevice({}, 0, {.driver = "libnothing.so.1"}),
                       doctest::Contains("CUDA:0: libnothing.so.1 not found: install the NVIDIA driver"), UserError);
}

TEST_CASE("cuda: no context, and why") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  gpu.fake->retain = cu::Result::DeviceUnavailable;
  CHECK_THROWS_WITH_AS(device.allocate(1), doctest::Contains("CUDA:0: another process has the GPU for itself"), UserError);
  gpu.fake->retain = cu::Result::OutOfMemory;
  CHECK_THROWS_WITH_AS(device.allocate(1), doctest::Contains("no memory is left on the GPU for a context"), UserError);
  gpu.fake->retain = cu::Result::Unknown;
  CHECK_THROWS_WITH_AS(device.allocate(1), doctest::Contains("the driver gives no context: words of the driver"), UserError);
  gpu.fake->retain = cu::Result::Success;
  CHECK_NOTHROW(device.allocate(1));
}

TEST_CASE("cuda: the report has a line for each GPU, or one that says why there is none") {
  FakeGpu gpu;
  gpu.fake->devices = 2;
  const auto reports = cuda_reports(gpu.config(), kFake);
  REQUIRE(reports.size() == 2);
  CHECK(reports[0].name == "CUDA:0");
  CHECK(reports[1].name == "CUDA:1");
  CHECK(
      reports[0].what.starts_with("Fake GPU, sm_90a, 132 SMs at 1.98 GHz, 1.0 GiB at 3352 GB/s, L2 50.0 MiB, driver of CUDA "
                                  "13.0"));
  CHECK(reports[0].found == reports[0].remedy.empty());

  const auto uncompiled = cuda_reports(gpu.config(), {.driver = PICOGRAD_FAKE_CUDA, .nvrtc = "libnothing.so"});
  CHECK(!uncompiled[0].found);
  CHECK(uncompiled[0].what.ends_with("; only kernels compiled before can run"));
  CHECK(uncompiled[0].remedy.find("pip install nvidia-cuda-nvrtc") != std::string::npos);

  const auto none = cuda_reports(gpu.config(), {.driver = "libnothing.so.1"});
  REQUIRE(none.size() == 1);
  CHECK(none[0].name == "CUDA");
  CHECK(none[0].what == "libnothing.so.1 not found");
  CHECK(none[0].remedy.starts_with("install the NVIDIA driver"));
}
