#pragma once
// One kernel's candidates: compiled, checked, screened; each at most once. What is learned goes to the store as it comes.
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "search/measure.h"
#include "search/reference.h"
#include "search/runner.h"
#include "search/schedule.h"
#include "search/tune.h"

namespace pg {

/// A schedule that ran and was right.
struct Timed {
  Schedule schedule;
  RunProgram program;
  double ms = 0;  // median of its screening
};

/// A schedule to be tried, and how it came to be.
struct Candidate {
  Schedule schedule;
  Lineage lineage;
};

class Candidates {
 public:
  Candidates(const UOp& kernel, const Bindings64&, Device&, Store&, const WinnerKey&, uint64_t seed);

  /// The default: compiled, checked against sampled outputs in double precision, timed. Throws InternalError when it is
  /// wrong: then nothing about this kernel can be trusted.
  Timed measure_default(const Schedule&);
  /// Compiles in parallel, then checks and screens one after the other; whatever is slower than twice the best so far is
  /// given up early. Times are comparable with `best.ms`. Stops between candidates when `stop` says so.
  std::vector<Timed> measure(const std::vector<Candidate>&, const Timed& best, const std::function<bool()>& stop);
  /// Whether a schedule was not measured in this search yet and is not a quarantined one.
  bool is_new(const Schedule&) const;
  /// Whether it failed after it had been measured: when it was to lead, or as the leader of others.
  bool has_failed(const Schedule& s) const { return failed_.contains(text(s.opts())); }
  /// How much faster a leader is than an earlier one, by measurements of its own: those that made it the leader were the
  /// luckiest of many. Nothing (ratio 1) when either fails only now.
  Speedup gain(const Timed& before, const Timed& now);
  /// Challengers interleaved with the incumbent.
  Final final_round(const Timed& incumbent, const std::vector<Timed>& challengers, int rounds);
  /// Best schedules that earlier runs measured for this key, fastest first.
  std::vector<std::string> remembered() const;

  std::function<void(const Timed&)> on_leader;  // a candidate that is the fastest so far; may be empty
  int64_t compiled = 0, measured = 0;
  std::map<std::string, int64_t> rejected;  // as SearchCounters counts them

 private:
  struct Compiled {
    Schedule schedule;
    Source source;
    RunProgram program;
    std::string error;
    const char* refused = "compile_error";  // where there is an error: which kind
  };
  void quarantine();
  void render(Compiled&);
  void compile(std::span<Compiled>);
  void refuse_long(Compiled&) const;
  static void refuse_misfit(Compiled&);
  /// Two that passed, timed in turns; what fails only now is recorded, unless it is the default.
  std::vector<RunResult> in_turns(const Timed&, const Timed&, int runs);
  /// How much longer a program takes now than when it was timed.
  double drift_of(const Timed&);
  void record(const std::string& schedule, const Timing&, const char* status, const std::string& reason, bool verified);
  /// Records what is never to be tried again: it, and what has the same code.
  void fail(const std::string& schedule, const Timing&, const char* status, const std::string& reason);
  void flush();

  UOp kernel_;
  Bindings64 bindings_;
  Device& device_;
  Store& store_;
  WinnerKey key_;
  std::string run_, bindings_json_;
  Runner runner_;
  std::unique_ptr<Reference> reference_;
  std::vector<std::byte> verified_;  // the default's whole output
  size_t default_bytes_ = 0;         // of its source
  std::string default_;              // schedules by text, from here on
  std::set<std::string> seen_;
  std::map<std::string, std::string> sources_;     // programs by text, with the first schedule that has it
  std::multimap<std::string, std::string> twins_;  // of that first schedule: others
  std::map<std::string, Lineage> lineages_;
  std::map<std::string, std::pair<std::string, std::string>> failed_;  // status and reason
  std::vector<MeasurementRow> pending_;
  std::map<std::string, double> remembered_;
};

}  // namespace pg
