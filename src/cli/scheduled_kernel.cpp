#include "src/cli/scheduled_kernel.h"

#include <chrono>
#include <nlohmann/json.hpp>

namespace pg {

ScheduledKernel scheduled_kernel(const UOp& ast, const std::optional<std::string>& opts) {
  ScheduledKernel k;
  const SearchCounters before = search_counters();
  const auto start = std::chrono::steady_clock::now();
  if (opts)
    k.chosen.opts = parse_opts(*opts);
  else
    k.chosen = best_schedule(ast, {}, default_device());
  if (k.chosen.source == ScheduleSource::Beam)
    k.search_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const SearchCounters after = search_counters();
  k.counters = {after.candidates - before.candidates, after.compiled - before.compiled, after.measured - before.measured,
                after.cache_hits - before.cache_hits};
  for (const auto& [reason, n] : after.rejected) {
    const auto earlier = before.rejected.find(reason);
    if (const int64_t now = n - (earlier == before.rejected.end() ? 0 : earlier->second)) k.counters.rejected[reason] = now;
  }
  k.built = build(ast, k.chosen.opts, default_device());
  k.items = evaluate(k.built.source.launch.items, {}, {});
  return k;
}

nlohmann::ordered_json search_json(const ScheduledKernel& k) {
  return {{"candidates", k.counters.candidates},
          {"compiled", k.counters.compiled},
          {"measured", k.counters.measured},
          {"rejected", k.counters.rejected},
          {"seconds", k.search_seconds}};
}

}  // namespace pg
