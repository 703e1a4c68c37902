#include "src/cli/bench_lower.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <ostream>
#include <vector>

#include "models/gguf.h"
#include "models/llama_kernels.h"
#include "runtime/device.h"
#include "search/schedule.h"
#include "search/tune.h"
#include "src/cli/bench_gemm.h"
#include "uops/lower.h"

namespace pg {

namespace {

double median_ms(int rounds, const std::function<void()>& f) {
  std::vector<double> ms;
  for (int i = 0; i < std::max(rounds, 1); ++i) {
    const auto start = std::chrono::steady_clock::now();
    f();
    ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::nth_element(ms.begin(), ms.begin() + static_cast<long>(ms.size() / 2), ms.end());
  return ms[ms.size() / 2];
}

std::vector<LlamaKernel> subjects(const BenchLowerOptions& options) {
  const Gguf file = Gguf::open(options.model);
  const LlamaConfig config = LlamaConfig::from(file);
  std::vector<LlamaKernel> all = decode_kernels(config, LlamaWeights::from(file, config), 0);
  const UOp matmul = gemm_kernel({1024, 1024, 1024});
  all.push_back({matmul, matmul.arg_as<std::string>(), 1, {}});
  return all;
}

}  // namespace

void bench_lower_command(const BenchLowerOptions& options, std::ostream& out) {
  Device& device = default_device();
  double slowest = 0;
  for (const LlamaKernel& k : subjects(options)) {
    const Opts opts = heuristic(k.ast, device.target());
    // Nothing is kept from one round to the next: with the last handle its nodes go, and all is interned anew.
    const double lower_ms =
        median_ms(options.rounds, [&] { lower(Schedule(k.ast, device.target()).apply(opts)->scheduled(), device.target()); });
    const UOp linear = lower(Schedule(k.ast, device.target()).apply(opts)->scheduled(), device.target());
    const double render_ms = median_ms(options.rounds, [&] { device.render(linear); });
    slowest = std::max(slowest, lower_ms);
    if (options.json) {
      out << nlohmann::ordered_json{{"kernel", k.name},
                                    {"schedule", text(opts)},
                                    {"uops", linear.src().size()},
                                    {"lower_ms", lower_ms},
                                    {"render_ms", render_ms}}
                 .dump()
          << "\n";
    } else {
      char line[160];
      std::snprintf(line, sizeof line, "%-48s %6zu uops  lower %7.3f ms  render %7.3f ms  ", k.name.c_str(),
                    linear.src().size(), lower_ms, render_ms);
      out << line << text(opts) << "\n";
    }
  }
  if (options.json) return;
  char line[80];
  std::snprintf(line, sizeof line, "slowest to lower: %.3f ms\n", slowest);
  out << line;
}

}  // namespace pg
