// Kernels kept from one run to the next: the same program, launched in the same way, and nothing when anything is amiss.
#include "search/kept_kernel.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/renderers/linear_runs.h"
#include "tests/uops/sample_kernels.h"

using namespace pg;
using namespace pg::test;

namespace {

const UOp kRows = variable("rows", 1, 64);

struct Fixture {
  TestCpu cpu;
  Device& device = *cpu.device;
  UOp kernel = gemm(kRows, iconst(48), iconst(32), false, true);
  Opts opts;
  const Opts none, others = parse_opts("tile(n,16,vec)");

  Built built() {
    const Source s = render_kernel(kernel, opts, device);
    const Artifact a = device.compile(s);
    keep_kernel(kernel, {&opts, 1}, device, s, a);
    return {device.load(a, s.launch), s, a};
  }
  std::vector<float> run(const Built& b, int64_t rows) const {
    std::vector<float> out(rows * 48, -1), x(rows * 32), w(48 * 32);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 7) - 3;
    for (size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(i % 5) - 2;
    void* buffers[] = {out.data(), x.data(), w.data()};
    const LaunchInfo& l = b.source.launch;
    const std::vector<int64_t> values{rows};
    b.program->launch(buffers, values, evaluate(l.items, l.variables, values));
    return out;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "kept kernels: found again, with all that a launch takes") {
  opts = parse_opts("tile(m,4,upcast) tile(n,16,vec) tile(k,4,unroll) grid(m) stage(B,m)");
  CHECK(!kept_kernel(kernel, {&opts, 1}, device));
  const Built made = built();
  const auto kept = kept_kernel(kernel, {&opts, 1}, device);
  REQUIRE(kept);
  const LaunchInfo &a = made.source.launch, &b = kept->source.launch;
  CHECK(b.name == a.name);
  CHECK(b.params == a.params);
  CHECK(b.variables == a.variables);
  CHECK(b.phases == a.phases);
  CHECK(b.workspaces == a.workspaces);
  CHECK(b.items == a.items);
  CHECK(b.scratch_bytes == a.scratch_bytes);
  CHECK(kept->artifact.bytes == made.artifact.bytes);
  for (const int64_t rows : {1, 5, 64}) CHECK(run(*kept, rows) == run(made, rows));
}
TEST_CASE_FIXTURE(Fixture, "kept kernels: other opts, another kernel, other threads are not it") {
  opts = {};
  built();
  CHECK(kept_kernel(kernel, {&none, 1}, device));
  CHECK(!kept_kernel(kernel, {&others, 1}, device));
  CHECK(!kept_kernel(gemm(kRows, iconst(48), iconst(33), false, true), {&none, 1}, device));
  Config two = cpu.config;
  two.threads = 2;
  CpuDevice other(two);
  CHECK(!kept_kernel(kernel, {&none, 1}, other));
}
TEST_CASE_FIXTURE(Fixture, "kept kernels: a damaged file is none, and a device that keeps nothing has none") {
  opts = {};
  built();
  for (const auto& file : std::filesystem::directory_iterator(cpu.config.cache_dir)) {
    std::fstream f(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    f.seekp(-3, std::ios::end);
    f.put('!');
  }
  CHECK(!kept_kernel(kernel, {&none, 1}, device));
  CHECK(!kept_kernel(kernel, {&none, 1}, pg::device("REF")));
}
