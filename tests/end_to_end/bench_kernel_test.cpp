#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/program.h"

using namespace pg;
using nlohmann::json;

namespace {
std::vector<std::string> bench(const std::string& kind, const std::string& shape, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments{"bench", "kernel", "--kind", kind, "--shape", shape, "--rounds", "3", "--threads", "1"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}
}  // namespace

TEST_CASE("bench kernel: figures beside the machine's ceilings, as JSON") {
  CommandLine picograd;
  const json j = json::parse(picograd.ok(bench("conv2d", "16x12x12,16x3x3,p1", {"--json", "--source"})).out);
  CHECK(j["kernel"] == "conv2d");
  CHECK(j["layout"] == "nchw");
  CHECK(j["axes"] == json{{"o", 16}, {"y", 12}, {"x", 12}, {"c", 16}, {"ky", 3}, {"kx", 3}});
  CHECK(j["threads"] == 1);
  CHECK(j["flops"] == 2.0 * 16 * 12 * 12 * 16 * 9);
  CHECK(contains(j["source"], "conv_16x12x12_16x3x3"));
  for (const char* row : {"ours", "peak", "read"}) {
    CAPTURE(row);
    CHECK(j[row]["median_ms"] > 0);
    CHECK(j[row].contains("spread"));
  }
  CHECK(j["ours"]["gflops"] > 0);
  CHECK(j["ours"]["gbs"] > 0);
  CHECK(j["ours"].contains("schedule"));
  CHECK(j["peak"]["gflops"] > j["ours"]["gflops"]);
  const double share = j["ours"]["share_of_peak"]["median"];
  CHECK((share > 0 && share < 1));
  CHECK(j["ours"]["share_of_bandwidth"]["median"] > 0);
  CHECK(j["ratio_to_best_peer"].is_null());
}

TEST_CASE("bench kernel: every kind computes what it should, unscheduled and under the default schedule") {
  CommandLine picograd;
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"gemm", "20x30x40"},      {"gemv", "50x60"},        {"conv2d", "4x9x11,6x3x3,s2,p1"},
      {"conv1d", "4x30,6x3,p1"}, {"softmax", "9x100"},     {"layernorm", "9x100"},
      {"rmsnorm", "9x100"},      {"groupnorm", "8x5x6,2"}, {"gelu", "1000"},
      {"sum", "1000"},           {"attention", "2x20x16"}};
  for (const auto& [kind, shape] : kinds)
    for (const std::vector<std::string>& opts : {std::vector<std::string>{"--opts", ""}, {}})
      CHECK(contains(picograd.ok(bench(kind, shape, opts)).out, "share_of_peak"));
  CHECK(contains(picograd.ok(bench("conv2d", "16x9x9,32x3x3", {"--layout", "nchw16c", "--opts", ""})).out, "oi=16"));
  CHECK(contains(picograd.ok(bench("gelu", "1000", {"--cold"})).out, "share_of_bandwidth"));
  CHECK(contains(picograd.ok(bench("gelu", "1000", {"--source"})).out, "void elementwise_1000("));
}

TEST_CASE("bench kernel: mistakes are explained") {
  CommandLine picograd;
  check_error(picograd.run(bench("softmix", "3x4")), 1, {"'softmix'", "known are gemm, gemv, conv2d", "attention"});
  check_error(picograd.run(bench("softmax", "3")), 1, {"'3' is no shape of softmax", "ROWSxCOLUMNS"});
  check_error(picograd.run(bench("gemm", "8x8x8", {"--opts", "tile(q,4)"})), 1, {"no axis q", "while building"});
  check_error(picograd.run(bench("gemm", "8x8x8", {"--opts", "tile(m,8,vec) tile(n,8,vec)"})), 1, {"second vec range"});
  check_error(picograd.run(bench("gemm", "8x8x8", {"--vs", "cudnn"})), 1, {"'cudnn'", "eigen, onednn, openblas, cublas"});
  check_error(picograd.run(bench("gelu", "8", {"--cold", "--device", "REF"})), 1, {"--cold", "REF"});
  check_error(picograd.run({"bench", "kernel"}), 2, {"--kind"});
}

TEST_CASE("bench kernel: a peer that lacks the operation is left out, with the reason") {
  CommandLine picograd;
  const Outcome o = picograd.ok(bench("softmax", "9x100", {"--vs", "openblas"}));
  CHECK(contains(o.err, "openblas left out: it has no softmax"));
}

TEST_CASE("bench kernel: the fastest of several schedules goes on, and what is wrong with the others is told") {
  CommandLine picograd;
  const json j = json::parse(picograd
                                 .ok(bench("gemm", "64x64x64",
                                           {"--json", "--opts", "", "--try",
                                            "tile(m,4,upcast) tile(n,32,upcast) tile(n,16,vec)", "--try", "tile(q,4)"}))
                                 .out);
  REQUIRE(j["tried"].size() == 3);
  REQUIRE(j["tried"][1].contains("median_ms"));
  CHECK(j["tried"][0]["schedule"] == "");
  CHECK(j["tried"][0]["median_ms"] > j["tried"][1]["median_ms"]);
  CHECK(contains(j["tried"][2]["wrong"], "no axis q"));
  CHECK(contains(j["ours"]["schedule"], "tile(m,4,upcast)"));
  CHECK(j["ours"]["error"]["relative"] < 1e-4);
}

TEST_CASE("selftest: kernels are watched on a CPU too, under their default schedules") {
  CommandLine picograd;
  const Outcome o = picograd.ok({"selftest", "--brief", "--json"});
  std::istringstream lines(o.out);
  size_t n = 0;
  for (std::string line; std::getline(lines, line); ++n) {
    const json j = json::parse(line);
    CHECK(j["ok"] == true);
    CHECK(j["device"] == "CPU");
    CHECK(j["error"]["relative"] < 1e-4);
  }
  CHECK(n >= 12);
}

TEST_CASE("bench kernel: a library for GPUs is left out on a CPU") {
  CommandLine picograd;
  const Outcome o = picograd.ok(bench("gemm", "8x8x8", {"--vs", "cublas"}));
  CHECK(contains(o.err, "cublas left out: it computes on GPUs of NVIDIA: --device CUDA"));
  check_error(picograd.run(bench("gemm", "8x8x8", {"--precision", "fp12"})), 2, {"--precision", "fp32"});
}
