// Kernels as the tuner sends them to the runner: in phases, with workspaces and scratch memory.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "runtime/config.h"
#include "search/build.h"
#include "search/runner.h"
#include "tests/search/tune_fixture.h"
#include "tests/uops/sample_kernels.h"

using namespace pg;
using namespace pg::test;

namespace {
constexpr int64_t kM = 12, kN = 40, kK = 2000;

RunProgram program(const char* opts) {
  use_built_runner();
  const Source source = render_kernel(gemm(kM, kN, kK), parse_opts(opts), device("CPU"));
  return RunProgram::of(device("CPU").compile(source), source.launch, {});
}

struct Fixture {
  Runner runner{{.threads = 2}};
  Fixture() {
    runner.set_buffers({{.elements = kM * kN, .dtype = dt::f32, .use = BufferUse::Output},
                        {.elements = kM * kK, .dtype = dt::f32, .use = BufferUse::Input},
                        {.elements = kK * kN, .dtype = dt::f32, .use = BufferUse::Input}},
                       1);
  }
  static std::vector<float> floats(std::span<const std::byte> bytes) {
    std::vector<float> all(bytes.size() / sizeof(float));
    std::memcpy(all.data(), bytes.data(), bytes.size());
    return all;
  }
  /// "" or what is wrong with the runner's result, in words.
  std::string check(const RunProgram& p) {
    const RunResult r = runner.check(p);
    if (r.status != RunStatus::Ok) return std::string(text(r.status)) + ": " + r.reason;
    const auto a = floats(runner.input(1)), b = floats(runner.input(2)), got = floats(runner.output(0));
    for (int64_t m = 0; m < kM; ++m)
      for (int64_t n = 0; n < kN; ++n) {
        double want = 0;
        for (int64_t k = 0; k < kK; ++k) want += double{a[m * kK + k]} * b[k * kN + n];
        if (std::abs(got[m * kN + n] - want) > 1e-3)
          return "[" + std::to_string(m) + ", " + std::to_string(n) + "] is " + std::to_string(got[m * kN + n]) + ", not " +
                 std::to_string(want);
      }
    return "";
  }
};
}  // namespace

TEST_CASE_FIXTURE(Fixture, "runner: items of two phases share a workspace") {
  const RunProgram p = program("tile(k,200) tile(n,8,vec) grid(k m)");
  CHECK(p.phases == std::vector<int64_t>{10 * kM, kM});
  CHECK(p.items == 11 * kM);
  CHECK(p.workspaces == std::vector<int64_t>{10 * kM * kN * 4});
  CHECK(check(p) == "");
  const RunResult timed = runner.time({p}, {.runs = 3})[0];
  CHECK(timed.status == RunStatus::Ok);
  CHECK(timed.ms.size() == 3);
}

TEST_CASE_FIXTURE(Fixture, "runner: large tiles lie in scratch memory") {
  const RunProgram p = program("tile(m,4,upcast) tile(n,8,vec) grid(m) stage(B,m)");
  CHECK(p.scratch_bytes >= kK * kN * 4);
  CHECK(p.workspaces.empty());
  CHECK(check(p) == "");
  CHECK(runner.time({p}, {.runs = 3})[0].status == RunStatus::Ok);
}

TEST_CASE_FIXTURE(Fixture, "runner: workspaces and scratch memory together") {
  const RunProgram p = program("tile(k,500) tile(n,8,vec) grid(k) stage(B,k)");
  CHECK(p.phases.size() == 2);
  CHECK(p.scratch_bytes >= 500 * kN * 4);
  CHECK(check(p) == "");
}

TEST_CASE_FIXTURE(Fixture, "runner: less scratch memory than the kernel needs is a crash") {
  RunProgram p = program("tile(n,8,vec) stage(B,top)");
  p.scratch_bytes = 4096;
  CHECK(check(p).starts_with("crash: "));
  CHECK(check(program("tile(n,8,vec) stage(B,top)")) == "");
}
