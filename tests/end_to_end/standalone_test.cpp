// The program starts where only a C library is: what else it uses it finds at run time, or does without.
#include <set>
#include <sstream>

#include "runtime/process.h"
#include "tests/end_to_end/program.h"

using namespace pg;

namespace {

/// The libraries without which the program does not start.
std::set<std::string> needed(const std::string& program) {
  const auto out = run_process({"readelf", "-d", program});
  REQUIRE(out);
  REQUIRE(out->status == 0);
  std::set<std::string> all;
  std::istringstream lines(out->out);
  for (std::string line; std::getline(lines, line);)
    if (line.find("(NEEDED)") != line.npos) all.insert(line.substr(line.find('[') + 1, line.find(']') - line.find('[') - 1));
  return all;
}

/// Where there is no program and no library beside the C library's.
struct BareProgram : CommandLine {
  BareProgram() { environment["PATH"] = folder / "nothing"; }
};

}  // namespace

TEST_CASE("standalone: the program needs the C library and nothing else") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return;  // which are libraries
#endif
  const std::set<std::string> libc = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "ld-linux-x86-64.so.2"};
  for (const std::string& program : {kProgram, std::string(PICOGRAD_BINARY_DIR "/picograd-runner")}) {
    CAPTURE(program);
    const auto all = needed(program);
    CHECK(all.contains("libc.so.6"));
    for (const std::string& library : all) {
      CAPTURE(library);
      CHECK(libc.contains(library));
    }
  }
}

TEST_CASE("standalone: commands that need no compiler work without one") {
  BareProgram picograd;
  CHECK(contains(picograd.ok({"--version"}).out, "picograd"));
  CHECK(contains(picograd.ok({"help"}).out, "CUDA_HOME"));
  CHECK(contains(picograd.ok({"devices"}).out, "REF     found"));
  CHECK(contains(picograd.ok({"selftest", "--list"}).out, "gemm 256x256x64 nn"));
  CHECK(
      contains(picograd.ok({"bench", "kernel", "--kind", "softmax", "--shape", "3x20", "--device", "REF"}).out, "softmax"));
}

TEST_CASE("standalone: without a driver, a GPU is one message with what to do") {
  BareProgram picograd;
  if (!contains(picograd.ok({"devices"}).out, "CUDA    missing")) return;  // there is one
  const std::vector<std::vector<std::string>> commands = {
      {"bench", "gemm", "--precision", "fp32", "--vs", "cublas"},
      {"bench", "kernel", "--kind", "softmax", "--shape", "8x8", "--vs", "cublas"},
      {"selftest"},
  };
  for (const std::string device : {"CUDA", "CUDA:1"})
    for (auto command : commands) {
      command.insert(command.end(), {"--device", device});
      check_error(picograd.run(command), 1, {device == "CUDA" ? "CUDA:0: " : "CUDA:1: ", "install the NVIDIA driver"});
    }
}

TEST_CASE("standalone: every command of bench/gpu.sh is understood, and asks for the GPU") {
  const auto steps =
      run_process({"bash", PICOGRAD_SOURCE_DIR "/bench/gpu.sh", "--dry-run", "--program", kProgram, "--device", "CUDA:9"});
  REQUIRE(steps);
  REQUIRE(steps->status == 0);
  std::istringstream lines(steps->out);
  size_t commands = 0;
  for (std::string line; std::getline(lines, line); ++commands) {
    CAPTURE(line);
    REQUIRE(contains(line, kProgram));
    const auto run = run_process({"bash", "-c", line.substr(line.find(kProgram))});
    REQUIRE(run);
    CHECK(run->status == 1);
    CHECK(contains(run->err, "CUDA:9: "));
  }
  CHECK(commands == 11);
}
