// Step 5 as the graph asks for it: the cache, else the beam, else the heuristic.
#include <atomic>
#include <cstdio>
#include <iostream>
#include <mutex>

#include "runtime/config.h"
#include "search/keys.h"
#include "search/pretuned.h"
#include "search/schedule.h"
#include "search/tune.h"

namespace pg {

SearchCounters& search_counters() {
  static SearchCounters counters;
  return counters;
}

namespace {
std::atomic<bool> interrupted{false};
}
bool search_interrupted() { return interrupted.load(std::memory_order_relaxed); }
void interrupt_search() { interrupted.store(true, std::memory_order_relaxed); }

Store* default_store() {
  // No call_once: an exception does not pass through it where libgcc is linked statically.
  static std::mutex mutex;
  static bool tried = false;
  static std::unique_ptr<Store> store;
  std::lock_guard lock(mutex);
  if (tried) return store.get();
  try {
    store = Store::open(config().db, OpenMode::ReadWrite);
  } catch (const UserError& e) {
    if (config().beam > 0) throw;  // a search has to keep what it finds
    std::cerr << "picograd: " << e.what() << "\n  going on without a schedule database: default schedules only\n";
  }
  tried = true;
  if (store) take_pretuned(*store, default_device());
  return store.get();
}

Chosen best_schedule(const UOp& kernel, const Bindings64& bindings, Device& device) {
  const Opts fallback = heuristic(kernel, device.target(), bindings);
  if (device.name() == "REF") return {fallback, ScheduleSource::Heuristic};
  Store* store = default_store();
  const int beam = config().beam;
  if (!store) {
    if (beam > 0)
      throw UserError("BEAM=" + std::to_string(beam) +
                      " needs a schedule database: set PICOGRAD_DB to a file that can be written");
    return {fallback, ScheduleSource::Heuristic};
  }
  if (const auto winner = store->winner(winner_key(kernel, bindings, device)); winner && (winner->finished || beam == 0)) {
    // A row that does not apply any more (a hand-edited database) must not stop a run.
    if (const Expected<Schedule> s = read_schedule(kernel, winner->schedule, device.target())) {
      ++search_counters().cache_hits;
      return {s->opts(), ScheduleSource::Cache};
    }
  }
  if (beam <= 0) return {fallback, ScheduleSource::Heuristic};
  TuneOptions options;
  options.beam = beam;
  // BUDGET is for all searches of the process together.
  if (config().budget > 0 && (options.budget_seconds = config().budget - search_counters().seconds) <= 0)
    return {fallback, ScheduleSource::Heuristic};
  if (config().debug >= 2) options.progress = [](const std::string& line) { std::cerr << line << "\n"; };
  if (config().debug >= 1) std::cerr << "tuning " << kernel.arg_as<std::string>() << "\n";
  return {tune(kernel, bindings, device, *store, options).opts, ScheduleSource::Beam};
}

}  // namespace pg
