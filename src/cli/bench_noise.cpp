#include "src/cli/bench_noise.h"

#include <fmt/core.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <ostream>

#include "runtime/config.h"
#include "runtime/cpu_device.h"
#include "search/measure.h"

namespace pg {

namespace {

constexpr int64_t kFloats = 16;
constexpr long kProbe = 100'000;  // iterations of the first look at how long one takes

/// A chain of multiplications and additions over one register: its time is that of its iterations.
RunProgram chain(CpuDevice& device, const std::string& name, long iterations) {
  Source source;
  source.name = source.launch.name = name;
  source.text = "void " + name +
                "(void *const *buffers, const long *variables, void *scratch, long begin, long end) {\n"
                "  float *out = (float *)buffers[0];\n"
                "  const float *in = (const float *)buffers[1];\n"
                "  for (int i = 0; i < " +
                std::to_string(kFloats) +
                "; ++i) {\n"
                "    float x = in[i];\n"
                "    for (long n = 0; n < " +
                std::to_string(iterations / kFloats) +
                "; ++n) x = x * 0.5f + 1.0f;\n"
                "    out[i] = x;\n"
                "  }\n"
                "}\n";
  RunProgram program;
  program.artifact = device.compile(source);
  return program;
}

double median_ms(Runner& runner, const RunProgram& program) {
  const RunResult r = runner.time({program}, {.runs = 9})[0];
  if (r.status != RunStatus::Ok) throw UserError("the program of `bench noise` did not run: " + r.reason);
  return timing(r.ms).median_ms;
}

}  // namespace

void bench_noise_command(const BenchNoiseOptions& options, std::ostream& out) {
  if (default_device().target().gpu || default_device().name() == "REF")
    throw UserError("`bench noise` measures the CPU: leave out --device " + default_device().name());
  Config c = config();
  c.threads = 1;
  CpuDevice device(c);
  Runner runner({.threads = 1});
  runner.set_buffers({{.elements = kFloats, .dtype = dt::f32, .use = BufferUse::Output},
                      {.elements = kFloats, .dtype = dt::f32, .use = BufferUse::Input}},
                     1);
  const auto iterations = static_cast<long>(kProbe * options.ms / median_ms(runner, chain(device, "probe", kProbe)));
  const RunProgram incumbent = chain(device, "incumbent", iterations);
  const double fewer = static_cast<double>(iterations) / (1 + options.gain / 100);
  const RunProgram faster = chain(device, "faster", static_cast<long>(fewer));
  int equal = 0, found = 0;
  std::vector<double> spreads;
  const auto start = std::chrono::steady_clock::now();
  for (int t = 0; t < options.trials; ++t) {
    const Final same = finalists(runner, incumbent, {incumbent});
    equal += same.winner >= 0;
    spreads.push_back(same.incumbent.timing.spread);
    found += finalists(runner, incumbent, {faster}).winner == 0;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (options.json) {
    out << nlohmann::ordered_json{{"trials", options.trials},
                                  {"equal_won", equal},
                                  {"gain_percent", options.gain},
                                  {"gain_found", found},
                                  {"run_ms", median_ms(runner, incumbent)},
                                  {"spread", timing(spreads).median_ms},
                                  {"seconds", seconds}}
               .dump()
        << "\n";
    return;
  }
  out << fmt::format("{} finals against itself: {} won ({:.1f} %)\n", options.trials, equal, 100.0 * equal / options.trials)
      << fmt::format("{} finals against one that is {:.1f} % faster: {} won ({:.1f} %)\n", options.trials, options.gain, found,
                     100.0 * found / options.trials)
      << fmt::format("samples of {:.2f} ms, half their interquartile range {:.2f} % of the median, {:.1f} s\n", options.ms,
                     100 * timing(spreads).median_ms, seconds);
}

}  // namespace pg
