// NVRTC where there is one: what it makes for each architecture, what it says of kernels and of mistakes; and where it is
// looked for.
#include "runtime/nvrtc.h"

#include <chrono>
#include <filesystem>
#include <fstream>

#include "tests/runtime/cuda_fixture.h"

using namespace pg;
using namespace pg::test;
namespace fs = std::filesystem;

namespace {

const Nvrtc* nvrtc() {
  static const FoundNvrtc found = Nvrtc::find({config().cuda_home, "", python_folders}, 0);
  if (!found.nvrtc) MESSAGE("skipped: " << found.missing);
  return found.nvrtc.get();
}
#define NEEDS_NVRTC \
  if (!nvrtc()) return

const std::string kAdd = R"(
extern "C" __global__ void __launch_bounds__(128) add(float* __restrict__ A, const float* __restrict__ B, long long n) {
  __shared__ float s[128];
  const long long i = blockIdx.x * 128ll + threadIdx.x;
  s[threadIdx.x] = i < n ? B[i] : 0.0f;
  __syncthreads();
  if (i < n) A[i] = A[i] * 2.0f + s[127 - threadIdx.x];
}
extern "C" __global__ void add_phase1(float* A) { A[blockIdx.x] = 1.0f; }
)";
// 64 sums and 16 operands a thread in 32 registers.
const std::string kSpilling = R"(
extern "C" __global__ void __launch_bounds__(1024, 2)
spilling(float* __restrict__ C, const float* __restrict__ A, const float* __restrict__ B, long long K) {
  float c[8][8] = {};
  for (long long k = 0; k < K; ++k) {
    float a[8], b[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) a[i] = A[k * 8192 + threadIdx.x * 8 + i], b[i] = B[k * 8192 + blockIdx.x * 8 + i];
#pragma unroll
    for (int i = 0; i < 8; ++i)
#pragma unroll
      for (int j = 0; j < 8; ++j) c[i][j] = fmaf(a[i], b[j], c[i][j]);
  }
#pragma unroll
  for (int i = 0; i < 8; ++i)
#pragma unroll
    for (int j = 0; j < 8; ++j) C[(threadIdx.x * 8 + i) * 8 + j] = c[i][j];
}
)";

std::vector<std::string> options(const std::string& architecture) {
  return {"--gpu-architecture=" + architecture, "--std=c++17", "--fmad=false", "--ptxas-options=-v", "--disable-warnings"};
}
Source source(const std::string& name, const std::string& text) { return {name, text, UOp(), fake_launch(0)}; }
size_t files_in(const std::string& directory) {
  size_t n = 0;
  for (const auto& f : fs::directory_iterator(directory)) n += f.path().filename().string().size() == 32;
  return n;
}

}  // namespace

TEST_CASE("nvrtc: says its version and whom it compiles for") {
  NEEDS_NVRTC;
  CHECK(nvrtc()->version() >= 11000);
  CHECK(nvrtc()->path().find("libnvrtc") != std::string::npos);
  const auto& known = nvrtc()->architectures();
  CHECK(std::find(known.begin(), known.end(), 80) != known.end());
  CHECK(std::is_sorted(known.begin(), known.end()));
}

TEST_CASE("nvrtc: cubins for every architecture, with what ptxas says of them") {
  NEEDS_NVRTC;
  const auto& known = nvrtc()->architectures();
  for (const auto& [sm, name] :
       std::initializer_list<std::pair<int, const char*>>{{80, "sm_80"}, {89, "sm_89"}, {90, "sm_90a"}, {100, "sm_100a"}}) {
    CAPTURE(name);
    if (std::find(known.begin(), known.end(), sm) == known.end()) {
      MESSAGE("skipped: this NVRTC does not know " << name);
      continue;
    }
    const NvrtcResult r = nvrtc()->compile("add", kAdd, options(name));
    CHECK(
        r.cubin.starts_with("\x7f"
                            "ELF"));
    const auto kernels = parse_resources(r.log);
    REQUIRE(kernels.size() == 2);
    const KernelResources& add = kernels[kernels[0].kernel == "add" ? 0 : 1];
    CHECK(add.kernel == "add");
    CHECK(add.registers > 4);
    CHECK(add.registers < 64);
    CHECK(add.shared_bytes >= 512);
    CHECK(!add.spills());
    CHECK(add.warnings.empty());
    CHECK(nvrtc()->compile("add", kAdd, options(name)).log == r.log);  // nothing in it differs from run to run
  }
}

TEST_CASE("nvrtc: spills are told") {
  NEEDS_NVRTC;
  const auto kernels = parse_resources(nvrtc()->compile("spilling", kSpilling, options("sm_80")).log);
  REQUIRE(kernels.size() == 1);
  CHECK(kernels[0].registers == 32);
  CHECK(kernels[0].spill_stores > 0);
  CHECK(kernels[0].spill_loads > 0);
  CHECK(kernels[0].stack_bytes > 0);
}

TEST_CASE("nvrtc: mistakes are told in its own words, with the kernel's name and its source") {
  NEEDS_NVRTC;
  const auto compile = [](const std::string& text, const std::string& architecture = "sm_80") {
    nvrtc()->compile("k", text, options(architecture));
  };
  CHECK_THROWS_WITH_AS(compile("extern \"C\" __global__ void f(float* A) { A[0] = undeclared; }"),
                       doctest::Contains("k.cu(1): error: identifier \"undeclared\" is undefined"), InternalError);
  CHECK_THROWS_WITH_AS(compile("int x = ;"), doctest::Contains("refuses generated code"), InternalError);
  CHECK_THROWS_WITH_AS(compile("extern \"C\" __global__ void f() { asm volatile(\"bad.instr;\"); }"),
                       doctest::Contains("Not a name of any known instruction: 'bad'"), InternalError);
  CHECK_THROWS_WITH_AS(compile(kAdd, "sm_30"), doctest::Contains("does not know this GPU's architecture"), UserError);
  CHECK_THROWS_WITH_AS(compile(kAdd, "sm_30"), doctest::Contains("sm_80"), UserError);
}

TEST_CASE("nvrtc: headers of half precision are found where the toolkit has them") {
  NEEDS_NVRTC;
  if (nvrtc()->headers().empty()) {
    MESSAGE("skipped: no cuda_fp16.h beside " << nvrtc()->path());
    return;
  }
  CHECK_NOTHROW(nvrtc()->compile("half",
                                 "#include <cuda_fp16.h>\n#include <cuda_bf16.h>\nextern \"C\" __global__ void f(__half* A) "
                                 "{ A[0] = __float2half(1.0f); }",
                                 options("sm_80")));
}

TEST_CASE("cuda: kernels are compiled on all cores, kept, and found again with what was said of them") {
  NEEDS_NVRTC;
  FakeGpu gpu;
  gpu.fake->major = 8;
  CudaDevice& device = gpu.open();
  std::vector<Source> sources;
  for (int i = 0; i < 6; ++i)
    sources.push_back(source("k" + std::to_string(i), "extern \"C\" __global__ void k" + std::to_string(i) +
                                                          "(float* A) { A[threadIdx.x] = " + std::to_string(i) + "; }"));
  sources.push_back(source("spilling", kSpilling));
  const std::vector<Artifact> made = device.compile_all(sources);
  REQUIRE(made.size() == 7);
  for (size_t i = 0; i < made.size(); ++i) {
    CHECK(made[i].name == sources[i].name);
    CHECK(made[i].compile_ms > 0);
    CHECK(unpack_cuda_binary(made[i].bytes).architecture == "sm_80");
  }
  CHECK(files_in(gpu.config().cache_dir) == 7);
  const std::vector<Artifact> again = device.compile_all(sources);
  for (size_t i = 0; i < made.size(); ++i) {
    CHECK(again[i].compile_ms == 0);
    CHECK(again[i].bytes == made[i].bytes);
  }
  const auto resources = cuda_resources(again[6]);
  REQUIRE(resources.size() == 1);
  CHECK(resources[0].spills());
  CHECK(!cuda_resources(again[0])[0].spills());
  device.load(made[3], fake_launch(0))->launch({}, {}, 1);
  CHECK(gpu.fake->launches.back().kernel == "k3");

  // Another architecture is another artifact.
  gpu.fake->minor = 9;
  CudaDevice other(gpu.config(), 0, {.driver = PICOGRAD_FAKE_CUDA});
  CHECK(other.compile(sources[0]).compile_ms > 0);
  CHECK(other.toolchain().id != device.toolchain().id);
  CHECK(other.info().id != device.info().id);
  CHECK(device.toolchain().json.find("\"compiler\":\"nvrtc ") != std::string::npos);

  // One that does not compile is told by its name, however many do.
  sources[2].text = "int x = ;";
  CHECK_THROWS_WITH_AS(device.compile_all(sources), doctest::Contains("while compiling k2"), InternalError);

  // Without NVRTC: what was compiled loads, the rest says what to install.
  CudaDevice bare(gpu.config(), 0, {.driver = PICOGRAD_FAKE_CUDA, .nvrtc = "libnothing.so"});
  CHECK(bare.toolchain().id == other.toolchain().id);
  CHECK(bare.compile(sources[0]).compile_ms == 0);
  CHECK_THROWS_WITH_AS(bare.compile(source("new", kAdd)), doctest::Contains("CUDA:0: NVRTC cannot be loaded: libnothing.so"),
                       UserError);
}

TEST_CASE("nvrtc: the newest whose cubins the driver takes") {
  NEEDS_NVRTC;
  const int major = nvrtc()->version() / 1000;
  const auto find = [](int driver) { return Nvrtc::find({config().cuda_home, "", python_folders}, driver).nvrtc; };
  REQUIRE(find(major * 1000));
  CHECK(find(major * 1000)->version() / 1000 <= major);
  CHECK(find((major - 1) * 1000));  // perhaps too new, but all there is
}

TEST_CASE("nvrtc: where it is looked for") {
  const TemporaryDirectory t;
  const auto make = [&](const std::string& path) {
    fs::create_directories(fs::path(t.path() + path).parent_path());
    std::ofstream(t.path() + path) << "no library";
    return t.path() + path;
  };
  const std::string home = make("/home/lib64/libnvrtc.so.12.4.127");
  make("/home/lib64/libnvrtc-builtins.so.12.4");
  make("/home/lib64/libnvrtc_static.a");
  fs::create_symlink("libnvrtc.so.12.4.127", t.path() + "/home/lib64/libnvrtc.so.12");
  const std::string old = make("/usr/local/cuda-9.2/lib64/libnvrtc.so.9.2"),
                    recent = make("/usr/local/cuda-12.8/targets/x86_64-linux/lib/libnvrtc.so.12");
  const std::string wheel12 = make("/python/nvidia/cuda_nvrtc/lib/libnvrtc.so.12"),
                    wheel13 = make("/python/nvidia/cu13/lib/libnvrtc.so.13");
  make("/python/nvidia/cublas/lib/libcublas.so.12");
  const NvrtcPlaces places{t.path() + "/home", t.path(), [&] { return std::vector<std::string>{t.path() + "/python"}; }};
  using Paths = std::vector<std::string>;
  CHECK(nvrtc_candidates(places, 1) == Paths{home});  // links are followed
  CHECK(nvrtc_candidates(places, 2) == Paths{recent, old});
  CHECK(nvrtc_candidates(places, 3) == Paths{wheel12, wheel13});

  make("/python/nvidia/cuda_runtime/include/cuda_fp16.h");
  CHECK(headers_beside(wheel12) == t.path() + "/python/nvidia/cuda_runtime/include");
  CHECK(headers_beside(old) == "");
  make("/usr/local/cuda-12.8/include/cuda_fp16.h");
  CHECK(headers_beside(recent) == t.path() + "/usr/local/cuda-12.8/include");

  // Those here are no libraries: that is said, not that nothing was found.
  const FoundNvrtc broken = Nvrtc::find(places, 0);
  CHECK(broken.missing.starts_with("NVRTC cannot be loaded: " + home));
  const FoundNvrtc none = Nvrtc::find({"", t.path() + "/nowhere", nullptr}, 0);
  CHECK(none.missing ==
        "NVRTC (libnvrtc.so), the compiler of GPU kernels, not found: install a CUDA toolkit, or NVRTC alone (pip install "
        "nvidia-cuda-nvrtc-cu12), or set CUDA_HOME to where one is");
}

TEST_CASE("nvrtc: a library that is none is refused") {
  std::string why;
  CHECK(!Nvrtc::load("libm.so.6", why));
  CHECK(why == "libm.so.6 is too old: it has no nvrtcGetErrorString");
  CHECK(Nvrtc::find({}, 0, "libnothing.so").missing.starts_with("NVRTC cannot be loaded: libnothing.so"));
}
