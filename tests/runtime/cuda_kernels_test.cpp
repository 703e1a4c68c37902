// Rendered kernels on the way to a GPU: NVRTC takes every one of them and, where there is a GPU, they compute what the
// interpreter computes, bit for bit.
#include "runtime/cuda_program.h"
#include "runtime/memory.h"
#include "tests/renderers/fuzzer.h"
#include "tests/renderers/sample_programs.h"
#include "tests/renderers/typed_programs.h"
#include "tests/runtime/cuda_fixture.h"

using namespace pg;
using namespace pg::test;

namespace {

std::vector<NamedProgram> cases() {
  std::vector<NamedProgram> all{{matmul(4, 20, 5), "matmul"}, {prefix_sums(), "prefix sums", {9, 2}}};
  for (const DType t : kNumbers)
    for (int lanes : {1, 4}) {
      all.push_back({ops_on(t.vec(lanes)), message("ops", t.vec(lanes))});
      all.push_back({casts_from(t.vec(lanes)), message("casts", t.vec(lanes))});
      if (lanes > 1) all.push_back({accesses_of(t.vec(lanes)), message("accesses", t.vec(lanes))});
    }
  for (unsigned seed = 1; seed <= 8; ++seed)
    all.push_back({Fuzzer(seed, seed % 2 ? 1 : 4).program("fuzz " + std::to_string(seed)), "fuzz " + std::to_string(seed)});
  return all;
}

std::vector<Artifact> compiled(CudaDevice& device, const std::vector<NamedProgram>& all) {
  std::vector<Source> sources;
  for (const NamedProgram& c : all) sources.push_back(device.render(c.linear));
  return device.compile_all(sources);
}

void run_on(CudaDevice& device, Program& program, const NamedProgram& c, Buffers& buffers) {
  const LaunchInfo launch = launch_info(c.linear);
  std::vector<std::unique_ptr<Memory>> memory;
  std::vector<void*> pointers;
  for (const auto& b : buffers) {
    memory.push_back(std::make_unique<Memory>(device, b.size()));
    device.copy_in(memory.back()->data(), b.data(), b.size());
    pointers.push_back(memory.back()->data());
  }
  program.launch(pointers, c.variables, evaluate(launch.items, launch.variables, c.variables));
  for (size_t i = 0; i < buffers.size(); ++i) device.copy_out(buffers[i].data(), pointers[i], buffers[i].size());
}

}  // namespace

TEST_CASE("cuda: NVRTC takes every rendered kernel, and it loads by its name") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  if (!device.compiler().nvrtc) {
    MESSAGE("skipped: " << device.compiler().missing);
    return;
  }
  // Every third: they are compiled whole where there is a GPU.
  std::vector<NamedProgram> all;
  for (size_t i = 0; const NamedProgram& c : cases())
    if (i++ % 3 == 0) all.push_back(c);
  const std::vector<Artifact> artifacts = compiled(device, all);
  for (size_t i = 0; i < all.size(); ++i) {
    CAPTURE(all[i].name);
    CHECK_NOTHROW(device.load(artifacts[i], launch_info(all[i].linear)));
    REQUIRE(!cuda_resources(artifacts[i]).empty());
    CHECK(cuda_resources(artifacts[i])[0].kernel == artifacts[i].name);
  }
}

TEST_CASE("gpu: every op, cast and access, and random programs, are what the interpreter computes") {
  const DeviceReport first = cuda_reports(config())[0];
  if (!first.found) {
    MESSAGE("skipped: " << first.what);
    return;
  }
  const TemporaryDirectory directory;
  Config c = config();
  c.cache_dir = directory.path() + "/artifacts";
  CudaDevice device(c, 0);
  const std::vector<NamedProgram> all = cases();
  const std::vector<Artifact> artifacts = compiled(device, all);
  check_programs(all, [&](size_t i, Buffers& buffers) {
    run_on(device, *device.load(artifacts[i], launch_info(all[i].linear)), all[i], buffers);
    return "";
  });
}
