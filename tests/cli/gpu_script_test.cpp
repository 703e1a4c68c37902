// bench/gpu.sh, as far as it goes without a GPU.
#include <doctest/doctest.h>

#include <sstream>

#include "runtime/process.h"
#include "search/schedule.h"
#include "src/cli/bench_kernels.h"

using namespace pg;

namespace {

const std::string kScript = PICOGRAD_SOURCE_DIR "/bench/gpu.sh";

Target h100() {
  Target t;
  t.isa = "sm_90a", t.vector_bytes = 16, t.registers = 255;
  t.gpu = true, t.sm = 90, t.sms = 132;
  t.shared_block_bytes = 227 << 10, t.shared_sm_bytes = 228 << 10;
  return t;
}
/// A line that bash quoted, in words.
std::vector<std::string> words(const std::string& line) {
  std::vector<std::string> all{""};
  for (size_t i = 0; i < line.size(); ++i)
    if (line[i] == '\\' && i + 1 < line.size())
      all.back() += line[++i];
    else if (line[i] != ' ')
      all.back() += line[i];
    else if (!all.back().empty())
      all.emplace_back();
  return all;
}

}  // namespace

TEST_CASE("gpu.sh: a dry run prints its steps, and every schedule that it would try is legal on an H100") {
  const auto run = run_process({"bash", kScript, "--dry-run", "--program", "/bin/true"});
  REQUIRE(run);
  CHECK(run->status == 0);
  std::istringstream lines(run->out);
  std::string names;
  size_t tried = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::vector<std::string> w = words(line);
    names += w[0] + " ";
    const auto value = [&](const std::string& option) {
      for (size_t i = 0; i + 1 < w.size(); ++i)
        if (w[i] == option) return w[i + 1];
      return std::string();
    };
    if (value("--kind").empty()) continue;
    const BenchKernel k = bench_kernel(value("--kind"), value("--shape"), value("--layout"));
    for (size_t i = 0; i + 1 < w.size(); ++i) {
      if (w[i] != "--try") continue;
      CAPTURE(w[0]);
      CAPTURE(w[i + 1]);
      const Expected<Schedule> s = Schedule(k.ast, h100()).apply(parse_opts(w[i + 1]));
      CHECK_MESSAGE(s, (s ? "" : s.reason()));
      ++tried;
    }
  }
  CHECK(names ==
        "selftest memcheck racecheck gemm-4096x4096x4096 gemm-1024x1024x1024 gemm-512x4096x4096 gemm-77x768x768 "
        "gemv-4096x4096 softmax-1024x4096 layernorm-512x4096 sum-16777216 ");
  CHECK(tried >= 16);
}

TEST_CASE("gpu.sh: a call that makes no sense is told") {
  const auto words_of = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"bash", kScript});
    const auto run = run_process(arguments);
    return run ? std::to_string(run->status) + " " + run->err : "";
  };
  CHECK(words_of({"--minuets", "3"}).starts_with("2 gpu.sh: unknown option --minuets; known are --out DIR"));
  CHECK(words_of({"--minutes", "soon"}) == "2 gpu.sh: --minutes is a number, 1 or more, not 'soon'\n");
  CHECK(words_of({"--out"}) == "2 gpu.sh: --out needs a value\n");
  CHECK(words_of({"--program", "/nothing"}).starts_with("2 gpu.sh: no /nothing: build it"));
}
