// The runner with a GPU, as far as a driver without one goes: it opens the device, loads, launches, takes its times and
// loses its context.
#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "runtime/cuda_module.h"
#include "search/runner.h"
#include "tests/search/tune_fixture.h"

using namespace pg;
using namespace pg::test;

namespace {

constexpr int64_t kBlocks = 40, kBlockThreads = 128, kN = kBlocks * kBlockThreads;
constexpr double kKernelMs = 0.25;  // of the fake driver's clock

/// The fake driver in the place of the system's, for processes that start from now on.
struct FakeDriverPath {
  FakeDriverPath() {
    std::filesystem::create_symlink(PICOGRAD_FAKE_CUDA, folder / "libcuda.so.1");
    if (const char* before = std::getenv("LD_LIBRARY_PATH")) old = before;
    setenv("LD_LIBRARY_PATH", (folder.path().string() + (old.empty() ? "" : ":" + old)).c_str(), 1);
  }
  ~FakeDriverPath() { old.empty() ? unsetenv("LD_LIBRARY_PATH") : setenv("LD_LIBRARY_PATH", old.c_str(), 1); }
  TemporaryFolder folder;
  std::string old;
};

struct Fixture {
  Fixture() {
    use_built_runner();
    runner.set_buffers({{.elements = kN, .dtype = dt::f32, .use = BufferUse::Output},
                        {.elements = kN, .dtype = dt::f32, .use = BufferUse::Input}},
                       1);
  }
  /// A kernel that the fake driver knows by its name.
  static RunProgram program(const std::string& name, const std::string& architecture = "sm_90a") {
    return {.artifact = {name, pack({architecture, 13000, "", "fake\n" + name + " 2\n"}), 0},
            .items = kBlocks,
            .threads = kBlockThreads};
  }
  FakeDriverPath driver;
  Runner runner{{.threads = 1, .device = "CUDA:0"}};
};

std::vector<float> floats(std::span<const std::byte> bytes) {
  std::vector<float> all(bytes.size() / sizeof(float));
  std::memcpy(all.data(), bytes.data(), bytes.size());
  return all;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "runner with a GPU: what a kernel writes comes back") {
  const RunResult r = runner.check(program("doubles"));
  REQUIRE_MESSAGE(r.status == RunStatus::Ok, r.reason);
  const auto in = floats(runner.input(1)), out = floats(runner.output(0));
  for (size_t i = 0; i < kN; ++i) REQUIRE(out[i] == 2 * in[i]);
  CHECK(runner.started() == 1);
}

TEST_CASE_FIXTURE(Fixture, "runner with a GPU: times are those of its events, of short kernels by graphs") {
  const auto r = runner.time({program("doubles"), program("doubles_fast")}, {.runs = 5, .sample_ms = 1});
  for (size_t i = 0; i < 2; ++i) {
    REQUIRE_MESSAGE(r[i].status == RunStatus::Ok, r[i].reason);
    CHECK(r[i].ms.size() == 5);
    for (double ms : r[i].ms) CHECK(ms == doctest::Approx(i == 0 ? kKernelMs : kKernelMs / 10));
  }
}

TEST_CASE_FIXTURE(Fixture, "runner with a GPU: a guard is broken, an element is not written, a module is for another GPU") {
  const RunResult over = runner.check(program("overruns"));
  CHECK(over.status == RunStatus::Wrong);
  CHECK(over.reason.find("buffer 0: written 0 bytes past its end") != std::string::npos);
  const RunResult none = runner.check(program("does_nothing"));
  CHECK(none.status == RunStatus::Wrong);
  CHECK(none.reason.find("is not written") != std::string::npos);
  RunProgram other = program("doubles");
  other.artifact.bytes = "no module";
  CHECK(runner.check(other).status == RunStatus::CompileError);
  CHECK(runner.check(program("doubles")).status == RunStatus::Ok);
}

TEST_CASE_FIXTURE(
    Fixture, "runner with a GPU: an error that ends the context is one candidate's, and the next runner has a new one") {
  REQUIRE(runner.check(program("doubles")).status == RunStatus::Ok);
  const RunResult r = runner.check(program("faults"));
  CHECK(r.status == RunStatus::Crash);
  CHECK(r.reason.find("kernel faults: an illegal memory access was encountered") != std::string::npos);
  CHECK(runner.check(program("doubles")).status == RunStatus::Ok);
  CHECK(runner.started() == 2);
}

TEST_CASE_FIXTURE(Fixture,
                  "runner with a GPU: what shares a job with errors that end the context is not blamed, and complete") {
  const auto r =
      runner.time({program("doubles"), program("faults"), program("faults"), program("doubles_fast")}, {.runs = 7});
  REQUIRE(r.size() == 4);
  for (size_t i : {1, 2}) {
    CHECK(r[i].status == RunStatus::Crash);
    CHECK(r[i].reason.find("an illegal memory access") != std::string::npos);
  }
  for (size_t i : {0, 3}) {
    CHECK_MESSAGE(r[i].status == RunStatus::Ok, r[i].reason);
    CHECK(r[i].ms.size() == 7);
  }
}
