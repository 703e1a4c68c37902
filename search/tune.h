#pragma once
// Step 5: which schedule a kernel runs with.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cache/store.h"
#include "runtime/device.h"
#include "search/opt.h"

namespace pg {

struct VariableBinding {
  std::string name;
  int64_t value = 0;
};
using Bindings64 = std::vector<VariableBinding>;

/// The default schedule: no search, no measurement. Always legal, whatever values Variables have; meant for the bucket of
/// these ones.
Opts heuristic(const UOp& kernel, const Target&, const Bindings64& = {});

/// What a search can be held without, to see what each is worth (`picograd bench search`).
enum class SearchPart : uint8_t {
  Templates,    // bundles of opts as seeds
  Neighbours,   // winners of other toolchains and of the nearest shapes as seeds
  Estimate,     // the order in which candidates are tried; without it, chance
  Calibration,  // of the estimate, by what operations cost on this machine
  Ranking,      // what was learned of other kernels about that order
  Chance,       // a tenth beside the best by estimate
  Moves,        // the rounds behind the seeds
};
inline constexpr SearchPart kSearchParts[] = {SearchPart::Templates,   SearchPart::Neighbours, SearchPart::Estimate,
                                              SearchPart::Calibration, SearchPart::Ranking,    SearchPart::Chance,
                                              SearchPart::Moves};
const char* text(SearchPart);

struct TuneOptions {
  int beam = 4;
  double budget_seconds = 0;  // of this kernel; 0: until the beam ends
  uint64_t seed = 1;
  std::vector<SearchPart> without = {};
  // Both may be empty.
  std::function<void(const std::string& line)> progress = {};
  std::function<void(double seconds, double ms)> on_leader = {};  // a candidate is the fastest so far, the default first
};
struct TuneResult {
  Opts opts;
  double default_ms = 0, best_ms = 0;
  int64_t candidates = 0, compiled = 0, measured = 0;
  double seconds = 0, scoring_seconds = 0;  // scoring: finding candidates and putting them in order
  bool from_cache = false, finished = true;
  bool calibrated = false, ranked = false;  // measured costs, what was learned of other kernels: had a say
};

/// Counts of this process: a replayed run shows 0 candidates and 0 measurements.
struct SearchCounters {
  int64_t candidates = 0, compiled = 0, measured = 0, cache_hits = 0;
  double seconds = 0;                            // of search: what BUDGET bounds
  std::map<std::string, int64_t> rejected = {};  // candidates by reason: spills, stack, or a status of measurements
};
SearchCounters& search_counters();

/// Beam search by the measurement protocol; measurements and winner are committed to the store as they come.
/// Throws UserError when the store is not writable.
TuneResult tune(const UOp& kernel, const Bindings64&, Device&, Store&, const TuneOptions&);

/// Ctrl-C: the search ends at the next candidate; what was measured is kept, the winner so far is stored as unfinished.
/// `interrupt_search` may be called from a signal handler.
void interrupt_search();
bool search_interrupted();

enum class ScheduleSource { Cache, Beam, Heuristic };
struct Chosen {
  Opts opts;
  ScheduleSource source = ScheduleSource::Heuristic;
};
/// From the store when there is a winner for the bindings' bucket; else, with config().beam > 0, by `tune`; else the
/// heuristic.
Chosen best_schedule(const UOp& kernel, const Bindings64&, Device&);

/// The store at config().db, opened on first use; null when it cannot be opened (warned once; UserError when config().beam >
/// 0).
Store* default_store();
/// The Variables in the extents of the axes of a kernel, or of those of a Together, by name. One that only moves an address
/// changes no time.
UOps sizing_variables(const UOp& launch);
/// "T=64,pos=512": the values of these Variables, each rounded up to a power of two.
std::string bucket(std::span<const UOp> variables, const Bindings64&);
/// The kernel with Variables of its output axes that go no further than the bucket of these values, where that is one of up
/// to 32: larger ones share what is made for the Variables' own limits. How long sums are changes no schedule.
UOp within_bucket(const UOp& kernel, const Bindings64&);

}  // namespace pg
