// bench/gpu.sh, as far as it goes without a GPU.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "runtime/process.h"
#include "src/cli/bench_kernels.h"

using namespace pg;

namespace {

const std::string kScript = PICOGRAD_SOURCE_DIR "/bench/gpu.sh";

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

TEST_CASE("gpu.sh: a dry run prints its steps; each shape is one that is known, and is searched for a share of the time") {
  using Strings = std::pair<std::string, std::string>;
  for (const auto& [minutes, search] : {Strings("8", "20s"), Strings("3", "7s"), Strings("1", "5s")}) {
    const auto run = run_process({"bash", kScript, "--dry-run", "--program", "/bin/true", "--minutes", minutes});
    REQUIRE(run);
    CHECK(run->status == 0);
    std::istringstream lines(run->out);
    std::string names, first;
    for (std::string line; std::getline(lines, line);) {
      const std::vector<std::string> w = words(line);
      CAPTURE(line);
      names += w[0] + " ";
      const auto value = [&](const std::string& option) {
        for (size_t i = 0; i + 1 < w.size(); ++i)
          if (w[i] == option) return w[i + 1];
        return std::string();
      };
      if (value("--kind").empty()) continue;
      CHECK_NOTHROW(bench_kernel(value("--kind"), value("--shape"), value("--layout")));
      CHECK(value("--beam") == "4");
      if (first.empty()) first = value("--budget");
      const int seconds = std::stoi(value("--budget"));
      CHECK((seconds >= 5 && seconds <= 20));
    }
    CHECK(first == search);
    CHECK(names ==
          "selftest memcheck racecheck gemm-4096x4096x4096 gemm-1024x1024x1024 gemm-512x4096x4096 gemm-77x768x768 "
          "gemv-4096x4096 softmax-1024x4096 layernorm-512x4096 sum-16777216 ");
  }
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

namespace {

/// A program in picograd's place: its sums are wrong, the rest goes well.
constexpr const char* kStub = R"(#!/bin/sh
case "$1 $*" in
  devices*) printf 'CPU     found    some\nCUDA:0  found    a "GPU"\n' ;;
  selftest*) echo '{"test":0,"ok":true}'; echo '{"test":1,"ok":false}'; echo 'not JSON'; exit 70 ;;
  *"--kind sum"*) printf 'picograd: bench kernel: wrong\n  at "here"\n' >&2; exit 70 ;;
  *) echo '{"kernel":"some","ours":{"median_ms":1}}' ;;
esac
)";
std::vector<nlohmann::json> rows(const std::string& file) {
  std::vector<nlohmann::json> all;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) all.push_back(nlohmann::json::parse(line));
  return all;
}

}  // namespace

TEST_CASE("gpu.sh: a part that fails is recorded and the rest goes on; results of runs accumulate") {
  const TemporaryDirectory folder;
  const std::string stub = folder.path() + "/picograd", out = folder.path() + "/out";
  std::ofstream(stub) << kStub;
  chmod(stub.c_str(), 0755);
  for (const int run : {1, 2}) {
    const auto result = run_process({"bash", kScript, "--program", stub, "--out", out});
    REQUIRE(result);
    CAPTURE(result->err);
    CHECK(result->status == 1);
    CHECK(result->err.find("sum-16777216 failed (70): picograd: bench kernel: wrong") != std::string::npos);
    const auto selftest = rows(out + "/selftest.jsonl"), bench = rows(out + "/bench.jsonl"),
               failures = rows(out + "/failures.jsonl"), parts = rows(out + "/parts.jsonl");
    const size_t n = static_cast<size_t>(run);
    CHECK(selftest.size() == 2 * n);
    CHECK(bench.size() == 7 * n);  // all but the sum
    CHECK(parts.size() == 12 * n);
    CHECK(bench.back()["run"] == run);
    CHECK(bench.back()["part"] == "layernorm-512x4096");
    CHECK(bench.back()["ours"]["median_ms"] == 1);
    for (const char* fact : {"gpu", "driver", "date"}) CHECK(bench.back().contains(fact));
    CHECK(failures.back()["part"] == "sum-16777216");
    CHECK(failures.back()["status"] == 70);
    CHECK(failures.back()["words"] == "picograd: bench kernel: wrong\n  at \"here\"");
    CHECK(parts[12 * n - 12]["words"].get<std::string>().find("a \"GPU\"") != std::string::npos);
  }
}

TEST_CASE("gpu.sh: without a GPU it says so at once") {
  const TemporaryDirectory folder;
  const std::string stub = folder.path() + "/picograd";
  std::ofstream(stub)
      << "#!/bin/sh\nprintf 'CUDA    missing  libcuda.so.1 not found\\n        install the NVIDIA driver\\n'\n";
  chmod(stub.c_str(), 0755);
  const auto result = run_process({"bash", kScript, "--program", stub, "--out", folder.path() + "/out"});
  REQUIRE(result);
  CHECK(result->status == 1);
  CHECK(result->err.find("devices failed (1): CUDA    missing  libcuda.so.1 not found") != std::string::npos);
  CHECK(rows(folder.path() + "/out/failures.jsonl")[0]["words"].get<std::string>().find("install") != std::string::npos);
}
