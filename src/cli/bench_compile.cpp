#include "src/cli/bench_compile.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <vector>

#include "models/gguf.h"
#include "models/llama_kernels.h"
#include "runtime/cpu_device.h"
#include "runtime/memory.h"
#include "runtime/process.h"
#include "search/build.h"
#include "search/measure.h"
#include "search/moves.h"
#include "search/tune.h"
#include "src/cli/bench_gemm.h"

namespace pg {

namespace {

double milliseconds(const std::function<void()>& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

/// A device that compiles by one route, with an artifact cache that is empty at first.
struct Route {
  std::string name;
  TemporaryDirectory artifacts;
  CpuDevice device;

  explicit Route(const std::string& compiler) : name(compiler), device(configured(compiler, artifacts.path())) {}
  static Config configured(const std::string& compiler, const std::string& directory) {
    Config c = config();
    c.compiler = compiler;
    c.cache_dir = directory;
    c.threads = 1;
    return c;
  }
  /// Empties the artifact cache.
  void forget() {
    for (const auto& file : std::filesystem::directory_iterator(artifacts.path())) std::filesystem::remove(file);
  }
};

std::vector<Source> subjects(const BenchCompileOptions& options, Device& device) {
  std::vector<UOp> kernels = {gemm_kernel({1024, 1024, 1024}), gemm_kernel({77, 768, 768})};
  const Gguf file = Gguf::open(options.model);
  const LlamaConfig llama = LlamaConfig::from(file);
  for (const LlamaKernel& k : decode_kernels(llama, LlamaWeights::from(file, llama), 0)) kernels.push_back(k.ast);
  std::vector<std::pair<UOp, Opts>> all;
  for (const UOp& k : kernels) {
    all.emplace_back(k, heuristic(k, device.target()));
    for (const Schedule& s : templates(k, device.target())) all.emplace_back(k, s.opts());
  }
  std::vector<Source> sources;
  const size_t count = std::min(all.size(), static_cast<size_t>(options.count));
  for (size_t i = 0; i < count; ++i) {
    const auto& [kernel, opts] = all[i * all.size() / count];
    sources.push_back(render_kernel(kernel, opts, device));
  }
  return sources;
}

/// Per kernel.
struct Cost {
  double ms = 0;  // as the search pays it: with hashing and caching
  double frontend_ms = 0, passes_ms = 0, codegen_ms = 0, link_ms = 0;
};

/// Of each batch the cheapest of some tries: they do the same work, to which the machine's other work only adds.
Cost cost(Route& route, const std::vector<Source>& sources, const BenchCompileOptions& options) {
  const Clang& clang = *route.device.compiler().clang;
  const std::vector<std::string> flags = clang_flags(route.device.target().isa);
  clang.compile(sources[0].text, flags);  // loads libraries, fills the page cache
  Cost sum;
  const auto batch = static_cast<size_t>(options.batch);
  for (size_t at = 0; at < sources.size(); at += batch) {
    const std::span<const Source> some = std::span(sources).subspan(at, std::min(batch, sources.size() - at));
    UOps linears;
    std::vector<std::string> symbols;
    for (const Source& s : some) {
      linears.push_back(s.linear);
      symbols.push_back(s.name + "_" + std::to_string(symbols.size()));
    }
    Cost best;
    for (int i = 0; i < options.tries; ++i) {
      const auto least = [&](double& known, double ms) { known = i == 0 ? ms : std::min(known, ms); };
      route.forget();
      least(best.ms, milliseconds([&] { route.device.compile_all(some); }));
      // The same again, stage by stage.
      const CompiledObject object = clang.compile(render_c_unit(linears, symbols), flags);
      least(best.frontend_ms, object.frontend_ms);
      least(best.passes_ms, object.passes_ms);
      least(best.codegen_ms, object.codegen_ms);
      least(best.link_ms, milliseconds([&] { link_shared_object(object.bytes); }));
    }
    sum.ms += best.ms;
    sum.frontend_ms += best.frontend_ms;
    sum.passes_ms += best.passes_ms;
    sum.codegen_ms += best.codegen_ms;
    sum.link_ms += best.link_ms;
  }
  const double n = static_cast<double>(sources.size());
  return {sum.ms / n, sum.frontend_ms / n, sum.passes_ms / n, sum.codegen_ms / n, sum.link_ms / n};
}

void print(const BenchCompileOptions& options, const Route& route, size_t kernels, const Cost& c, std::ostream& out) {
  const std::string& version = route.device.compiler().clang->version();
  if (options.json)
    out << nlohmann::ordered_json{{"route", route.name},
                                  {"compiler", version},
                                  {"kernels", kernels},
                                  {"batch", options.batch},
                                  {"per_second_and_core", 1000 / c.ms},
                                  {"ms", c.ms},
                                  {"frontend_ms", c.frontend_ms},
                                  {"passes_ms", c.passes_ms},
                                  {"codegen_ms", c.codegen_ms},
                                  {"link_ms", c.link_ms}}
               .dump();
  else
    out << fmt::format("{:<10} {:6.1f} kernels a second and core   {:6.2f} ms a kernel: {}, link {:.2f}   {}", route.name,
                       1000 / c.ms, c.ms,
                       c.frontend_ms > 0 ? fmt::format("frontend {:.2f}, passes {:.2f}, codegen {:.2f}", c.frontend_ms,
                                                       c.passes_ms, c.codegen_ms)
                                         : fmt::format("clang {:.2f}", c.codegen_ms),
                       c.link_ms, version);
  out << std::endl;
}

/// Of the matmul that the first route made over that of the second: more than 1: the second's is faster.
Speedup compare(Route& first, Route& second, int rounds) {
  const UOp kernel = gemm_kernel({1024, 1024, 1024});
  const Opts opts = heuristic(kernel, first.device.target());
  struct Contestant {
    Built built;
    std::vector<double> ms;
  } contestants[] = {{build(kernel, opts, first.device), {}}, {build(kernel, opts, second.device), {}}};
  std::deque<Memory> buffers;  // which do not move
  std::vector<void*> pointers;
  for (const UOp& p : contestants[0].built.source.launch.params) {
    int64_t elements = 1;
    for (const UOp& extent : p.src()) elements *= evaluate(extent, {}, {});
    pointers.push_back(buffers.emplace_back(first.device, static_cast<size_t>(elements) * sizeof(float)).data());
    std::fill_n(static_cast<float*>(pointers.back()), elements, 0.5f);
  }
  const int64_t items = evaluate(contestants[0].built.source.launch.items, {}, {});
  for (int round = 0; round <= rounds; ++round)  // the first warms up
    for (int i = 0; i < 2; ++i) {
      Contestant& c = contestants[round % 2 ? 1 - i : i];
      const double ms = milliseconds([&] { c.built.program->launch(pointers, {}, items); });
      if (round > 0) c.ms.push_back(ms);
    }
  return speedup(contestants[0].ms, contestants[1].ms);
}

}  // namespace

void bench_compile_command(const BenchCompileOptions& options, std::ostream& out) {
  Route spawn("spawn"), in_process("inprocess");
  const std::vector<Source> sources = subjects(options, spawn.device);
  std::vector<Route*> there;
  for (Route* r : {&in_process, &spawn}) {
    const FoundClang& found = r->device.compiler();
    if (!found.clang) {
      std::cerr << "bench: " << r->name << " left out: " << found.missing << "\n";
      continue;
    }
    there.push_back(r);
    print(options, *r, sources.size(), cost(*r, sources, options), out);
  }
  if (there.size() < 2) return;
  const Speedup s = compare(spawn, in_process, options.rounds);
  if (options.json)
    out << nlohmann::ordered_json{{"kernel", "matmul_1024x1024x1024"},
                                  {"speed_in_process_over_spawned", s.ratio},
                                  {"low", s.low},
                                  {"high", s.high}}
               .dump();
  else
    out << fmt::format("a 1024³ matmul compiled in process has {:.3f} of the speed of the spawned one ({:.3f} .. {:.3f})",
                       s.ratio, s.low, s.high);
  out << std::endl;
}

}  // namespace pg
