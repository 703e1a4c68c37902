// The same on a real GPU, where there is one: what the fake driver cannot know.
#include <cmath>
#include <filesystem>
#include <numeric>

#include "runtime/cuda_graph.h"
#include "runtime/cuda_timer.h"
#include "runtime/memory.h"
#include "tests/runtime/cuda_fixture.h"

using namespace pg;
using namespace pg::test;

namespace {

CudaDevice* real_gpu() {
  static const std::unique_ptr<TemporaryDirectory> directory = std::make_unique<TemporaryDirectory>();
  static std::string missing;
  static const std::unique_ptr<CudaDevice> device = []() -> std::unique_ptr<CudaDevice> {
    const DeviceReport first = cuda_reports(config())[0];
    missing = first.what;
    if (!first.found) return nullptr;
    Config c = config();
    c.cache_dir = directory->path() + "/artifacts";
    return std::make_unique<CudaDevice>(c, 0);
  }();
  if (!device) MESSAGE("skipped: " << missing);
  return device.get();
}

Source source(const std::string& name, const std::string& text, LaunchInfo launch) {
  launch.name = name;
  return {name, text, UOp(), std::move(launch)};
}
std::shared_ptr<Program> load(CudaDevice& device, const Source& s) { return device.load(device.compile(s), s.launch); }

const char* kScale = R"(extern "C" __global__ void scale(float* __restrict__ A, const float* __restrict__ B, long long n) {
  const long long i = blockIdx.x * 128ll + threadIdx.x;
  if (i < n) A[i] = 3.0f * B[i] + A[i];
})";
const char* kFault = R"(extern "C" __global__ void fault(float* A) { A[1ll << 40] = 1.0f; })";

std::vector<float> numbers(size_t n) {
  std::vector<float> v(n);
  std::iota(v.begin(), v.end(), 1.0f);
  return v;
}

}  // namespace

TEST_CASE("gpu: a kernel computes, with Variables and a tail") {
  CudaDevice* gpu = real_gpu();
  if (!gpu) return;
  const auto program = load(*gpu, source("scale", kScale, fake_launch(2, {"n"})));
  const size_t n = 1000003;
  const std::vector<float> in = numbers(n);
  const Memory a(*gpu, 4 * n), b(*gpu, 4 * n);
  gpu->copy_in(a.data(), in.data(), 4 * n);
  gpu->copy_in(b.data(), in.data(), 4 * n);
  const std::vector<void*> buffers{a.data(), b.data()};
  program->launch(buffers, std::vector<int64_t>{1000000}, (1000000 + 127) / 128);
  std::vector<float> out(n);
  gpu->copy_out(out.data(), a.data(), 4 * n);
  for (size_t i = 0; i < n; ++i) REQUIRE(out[i] == (i < 1000000 ? 3.0f * in[i] + in[i] : in[i]));
  CHECK(static_cast<CudaProgram&>(*program).blocks_per_sm() > 0);
}

TEST_CASE("gpu: large copies arrive whole") {
  CudaDevice* gpu = real_gpu();
  if (!gpu) return;
  const std::vector<float> in = numbers((32 << 20) + 3);
  std::vector<float> out(in.size());
  const Memory m(*gpu, 4 * in.size());
  gpu->copy_in(m.data(), in.data(), 4 * in.size());
  gpu->copy_out(out.data(), m.data(), 4 * out.size());
  CHECK(in == out);
}

TEST_CASE("gpu: more than 48 KB of shared memory, and two phases with a workspace") {
  CudaDevice* gpu = real_gpu();
  if (!gpu) return;
  LaunchInfo launch = fake_launch(1, {}, {iconst(4), iconst(1)});
  launch.workspaces = {UOp(Op::Param, dt::f32, ParamArg{0, "w"}, {iconst(4)})};
  launch.shared_bytes = 64 << 10;
  const auto program = load(*gpu, source("parts", R"(
extern "C" __global__ void parts(float* A, float* W) {
  extern __shared__ float s[];
  for (int i = threadIdx.x; i < 16384; i += 128) s[i] = 1.0f;
  __syncthreads();
  if (threadIdx.x == 0) {
    float sum = 0.0f;
    for (int i = 0; i < 16384; ++i) sum += s[i];
    W[blockIdx.x] = sum * (blockIdx.x + 1);
  }
}
extern "C" __global__ void parts_phase1(float* A, float* W) { if (threadIdx.x == 0) A[0] = W[0] + W[1] + W[2] + W[3]; })",
                                         launch));
  const Memory a(*gpu, 4);
  program->launch(std::vector<void*>{a.data()}, {}, 5);
  float out = 0;
  gpu->copy_out(&out, a.data(), 4);
  CHECK(out == 163840.0f);
}

TEST_CASE("gpu: graphs compute with patched arguments, and cost less than launches") {
  CudaDevice* gpu = real_gpu();
  if (!gpu) return;
  const auto program = load(*gpu, source("scale", kScale, fake_launch(2, {"n"})));
  const std::vector<float> zeros(256, 0.0f), ones(256, 1.0f);
  const Memory a(*gpu, 1024), b(*gpu, 1024), c(*gpu, 1024);
  gpu->copy_in(b.data(), ones.data(), 1024);
  const auto sequence = [&](const Memory& to, int64_t n) {
    return std::vector<Launch>(100, Launch{program, {to.data(), b.data()}, {n}, (n + 127) / 128});
  };
  CudaGraph graph(*gpu);
  std::vector<float> out(256);
  for (const auto& [to, n] : std::initializer_list<std::pair<const Memory*, int64_t>>{{&a, 100}, {&c, 200}}) {
    gpu->copy_in(to->data(), zeros.data(), 1024);
    graph.replay(sequence(*to, n));
    gpu->copy_out(out.data(), to->data(), 1024);
    for (int64_t i = 0; i < 256; ++i) REQUIRE(out[static_cast<size_t>(i)] == (i < n ? 300.0f : 0.0f));
  }
  CHECK(graph.built() == 1);
  CHECK(graph.patched() == 100);
  CHECK(graph.refused() == "");
  CudaTimer timer(*gpu);
  const double by_graph = timer.ms([&] { graph.replay(); });
  const double by_launches = timer.ms([&] {
    for (const Launch& l : sequence(c, 200)) l.program->enqueue(l.buffers, l.variables, l.items);
  });
  MESSAGE("100 kernels: " << by_graph * 10 << " us each by graph, " << by_launches * 10 << " us each by launches");
  CHECK(by_graph > 0);
  CHECK(by_launches > 0);
}

TEST_CASE("gpu: more memory than there is, and then some that there is") {
  CudaDevice* gpu = real_gpu();
  if (!gpu) return;
  CHECK_THROWS_WITH_AS(gpu->allocate(size_t{1} << 42), doctest::Contains("4.0 TiB"), UserError);
  const Memory m(*gpu, 1 << 20);
  CHECK(m.data() != nullptr);
}

TEST_CASE("gpu: tensor cores' instructions of this architecture compile") {
  CudaDevice* gpu = real_gpu();
  if (!gpu || gpu->facts().major != 9) return;
  CHECK_NOTHROW(gpu->compile(source("fence", R"(extern "C" __global__ void fence() {
  asm volatile("wgmma.fence.sync.aligned;\n wgmma.commit_group.sync.aligned;\n wgmma.wait_group.sync.aligned 0;");
})",
                                    fake_launch(0))));
}

// In a process of its own: a driver that does not recover would take the other tests with it.
TEST_CASE("gpu: after a kernel that accesses what it must not, the process goes on or says that it cannot") {
  if (!real_gpu()) return;
  const auto one =
      run_process({std::filesystem::read_symlink("/proc/self/exe").string(), "--no-skip", "--test-case=GPU faults"});
  REQUIRE(one);
  CAPTURE(one->out);
  CHECK(one->status == 0);
}
TEST_CASE("GPU faults" * doctest::skip()) {
  CudaDevice* gpu = real_gpu();
  if (!gpu) return;
  const auto scale = load(*gpu, source("scale", kScale, fake_launch(2, {"n"})));
  const auto fault = load(*gpu, source("fault", kFault, fake_launch(1)));
  const Memory lost(*gpu, 64);
  std::string said;
  try {
    fault->launch(std::vector<void*>{lost.data()}, {}, 1);
  } catch (const InternalError& e) {
    said = e.what();
  }
  CHECK(said.find("kernel fault: an illegal memory access was encountered") != std::string::npos);
  MESSAGE(said);
  if (said.find("restart the process") != std::string::npos) {
    CHECK_THROWS_WITH_AS(gpu->allocate(64), doctest::Contains("restart the process"), UserError);
    return;
  }
  CHECK_THROWS_AS(scale->launch(std::vector<void*>{lost.data(), lost.data()}, std::vector<int64_t>{16}, 1), UserError);
  const std::vector<float> in = numbers(16);
  std::vector<float> out(16);
  const Memory a(*gpu, 64), b(*gpu, 64);
  gpu->copy_in(a.data(), in.data(), 64);
  gpu->copy_in(b.data(), in.data(), 64);
  scale->launch(std::vector<void*>{a.data(), b.data()}, std::vector<int64_t>{16}, 1);
  gpu->copy_out(out.data(), a.data(), 64);
  for (size_t i = 0; i < 16; ++i) CHECK(out[i] == 4 * in[i]);
}
