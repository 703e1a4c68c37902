#include "src/cli/bench_search.h"

#include <fmt/core.h>

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "runtime/config.h"
#include "runtime/process.h"
#include "search/build.h"
#include "search/measure.h"
#include "search/reference.h"
#include "search/tune.h"
#include "src/cli/bench_kernels.h"
#include "src/cli/interrupt.h"
#include "uops/text.h"

namespace pg {

namespace {

struct Searched {
  std::string without;  // "": nothing
  TuneResult result;
  std::vector<std::pair<double, double>> curve;  // seconds, best ms so far
  RunProgram winner;
  Finalist last;  // beside the whole search's winner
};

/// What the database measured of other kernels, for the ranking to learn from. Without winners: no search has neighbours.
Contents learnable(const BenchKernel& kernel) {
  std::error_code none;
  if (!std::filesystem::exists(config().db, none)) return {};
  Contents c = Store::open(config().db, OpenMode::ReadOnly)->contents();
  c.winners.clear();
  const std::string own = content_id(kernel.ast);
  std::erase_if(c.measurements, [&](const MeasurementRow& m) { return m.key.kernel == own; });
  return c;
}

Searched search(const BenchKernel& kernel, const BenchSearchOptions& options, Device& device, const Contents& known,
                const SearchPart* without) {
  Searched s;
  TuneOptions t;
  t.beam = options.beam, t.budget_seconds = options.seconds;
  if (without) t.without = {*without}, s.without = text(*without);
  t.on_leader = [&](double seconds, double ms) { s.curve.emplace_back(seconds, ms); };
  const auto store = Store::open(":memory:");
  store->merge({known});
  s.result = tune(kernel.ast, {}, device, *store, t);
  const Built built = build(kernel.ast, s.result.opts, device);
  s.winner = RunProgram::of(device.compile(built.source), built.source.launch, {});
  return s;
}

nlohmann::ordered_json line(const BenchKernel& kernel, const Searched& s, bool first) {
  nlohmann::ordered_json curve = nlohmann::ordered_json::array();
  for (const auto& [seconds, ms] : s.curve) curve.push_back({seconds, ms});
  const Speedup& o = s.last.over_incumbent;
  return {{"kernel", kernel.kind},
          {"shape", kernel.shape},
          {"without", s.without},
          {"speed", first ? 1 : o.ratio},
          {"low", first ? 1 : o.low},
          {"high", first ? 1 : o.high},
          {"default_ms", s.result.default_ms},
          {"best_ms", s.last.timing.median_ms},
          {"seconds", s.result.seconds},
          {"found_after", s.curve.back().first},
          {"candidates", s.result.candidates},
          {"compiled", s.result.compiled},
          {"measured", s.result.measured},
          {"scored_per_second", static_cast<double>(s.result.candidates) / s.result.scoring_seconds},
          {"measured_per_second", static_cast<double>(s.result.measured) / s.result.seconds},
          {"schedule", text(s.result.opts)},
          {"curve", curve}};
}

/// tinygrad's search for the same kernel, in a process of its own; nullopt: said on stderr why not.
std::optional<nlohmann::ordered_json> tinygrad(const BenchKernel& kernel, const BenchSearchOptions& options) {
  constexpr double kPatience = 20;  // times the seconds of one of our searches
  const double limit = kPatience * std::max(1.0, options.seconds);
  const auto said = run_process({options.python, PICOGRAD_SOURCE "/bench/peers/tinygrad_beam.py", kernel.kind, kernel.shape,
                                 options.layout, std::to_string(options.beam), std::to_string(limit)});
  nlohmann::ordered_json j = said ? nlohmann::ordered_json::parse(said->out, nullptr, false) : nlohmann::ordered_json();
  if (j.is_object() && j.contains("version")) return j;
  const std::string why = !said                   ? "no " + options.python + " (--python)"
                          : j.contains("missing") ? j["missing"].get<std::string>()
                                                  : said->err;
  std::cerr << "bench: tinygrad left out: " << why << "\n";
  return std::nullopt;
}

void print(const nlohmann::ordered_json& peer, const BenchSearchOptions& options, std::ostream& out) {
  if (options.json)
    out << peer.dump() << "\n";
  else if (peer.contains("gave_up"))
    out << fmt::format("{:<22} no end of its search after {:.0f} s\n", "tinygrad " + peer["version"].get<std::string>(),
                       peer["gave_up"].get<double>());
  else
    out << fmt::format("{:<22} {:.3f} of its speed  {:9.4f} ms, {:5.1f} s of search\n",
                       "tinygrad " + peer["version"].get<std::string>(), peer["speed"].get<double>(),
                       peer["ms"].get<double>(), peer["seconds"].get<double>());
}

}  // namespace

void bench_search_command(const BenchSearchOptions& options, std::ostream& out) {
  const BenchKernel kernel = bench_kernel(options.kind, options.shape, options.layout);
  if (!options.vs.empty() && options.vs != "tinygrad")
    throw UserError("--vs " + options.vs + ": the known peer is tinygrad");
  Device& device = default_device();
  if (device.name() == "REF") throw UserError("REF runs no schedules: nothing is searched for there (leave out --device)");
  const Contents known = learnable(kernel);
  std::vector<Searched> all = {search(kernel, options, device, known, nullptr)};
  for (const SearchPart part : kSearchParts) {
    if (part == SearchPart::Neighbours) continue;  // there are none to begin with
    if (part == SearchPart::Ranking && !all[0].result.ranked) continue;
    if (part == SearchPart::Calibration && !all[0].result.calibrated) continue;
    if (!Interrupt::requested()) all.push_back(search(kernel, options, device, known, &part));
  }
  Runner runner({.threads = config().threads, .device = device.name()});
  runner.set_buffers(buffer_specs(kernel.ast, {}), 1);
  std::vector<RunProgram> others;
  for (size_t i = 1; i < all.size(); ++i) others.push_back(all[i].winner);
  const Final f = finalists(runner, all[0].winner, others, options.rounds);
  all[0].last = f.incumbent;
  for (size_t i = 1; i < all.size(); ++i) all[i].last = f.candidates[i - 1];
  for (const Searched& s : all) {
    const nlohmann::ordered_json j = line(kernel, s, &s == &all[0]);
    if (options.json) {
      out << j.dump() << "\n";
      continue;
    }
    out << fmt::format(
        "{:<22} {:.3f} of its speed ({:.3f} .. {:.3f})  {:9.4f} -> {:9.4f} ms, found after {:5.1f} of {:5.1f} s, "
        "{} candidates ({:.0f} a second), {} measured ({:.1f} a second)\n    {}\n",
        s.without.empty() ? "the whole search" : "without " + s.without, j["speed"].get<double>(), j["low"].get<double>(),
        j["high"].get<double>(), s.result.default_ms, s.last.timing.median_ms, s.curve.back().first, s.result.seconds,
        s.result.candidates, j["scored_per_second"].get<double>(), s.result.measured, j["measured_per_second"].get<double>(),
        text(s.result.opts));
  }
  if (options.vs.empty() || Interrupt::requested()) return;
  auto peer = tinygrad(kernel, options);
  if (!peer) return;
  nlohmann::ordered_json j = {{"kernel", kernel.kind}, {"shape", kernel.shape}, {"peer", "tinygrad"}};
  // Not timed in turns: it runs in a process of its own, right behind ours.
  if (peer->contains("ms")) j["speed"] = all[0].last.timing.median_ms / (*peer)["ms"].get<double>();
  j.update(*peer);
  print(j, options, out);
}

}  // namespace pg
