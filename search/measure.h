#pragma once
// From samples to decisions: what a time is, how far it is to be trusted, and when a candidate has won.
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "search/runner.h"

namespace pg {

struct Timing {
  double median_ms = 0;
  double spread = 0;  // half the interquartile range / median
  int64_t samples = 0;
};
Timing timing(std::span<const double> ms);

/// How the incumbent's time relates to the candidate's: ratio > 1: the candidate is faster.
struct Speedup {
  double ratio = 1, low = 1, high = 1;  // median of the paired ratios, and its 95 % interval
};
/// From samples taken in alternation; sample i of both belongs to the same round. The interval is the rank interval of the
/// median (binomial, no assumption on the noise); with fewer than six pairs there is none, and low is 0, high is infinite.
Speedup speedup(std::span<const double> incumbent, std::span<const double> candidate);

/// A run that takes so many milliseconds averages the noise by itself and owes nothing to cold caches: few are enough.
inline constexpr double kLongRunMs = 100;
inline constexpr double kWinMargin = 1.01;  // a candidate must be faster by 1 % with 95 % confidence

/// First look at a candidate: check, then few samples, given up past twice the best time so far (`best_ms` 0: there is none
/// yet). Where the two runs of the check tell that it is far behind, or, of a long program, that it is not ahead, they are
/// its samples; of a long program that is the first, too.
struct Screened {
  RunResult result;  // of the check if that failed, else of the timing
  Timing timing;
  bool checked = false;  // the check was passed: Runner::output holds what it wrote
};
/// `accept` looks at Runner::output after a passed check and returns why it is wrong, or an empty string.
using Accept = std::function<std::string()>;
Screened screen(Runner&, const RunProgram&, double best_ms, const Accept& accept);

/// How long a run may take beside a best one of `best_ms` before it is said to hang; 0: nothing is known yet.
double timeout_for(double best_ms);

struct Finalist {
  RunResult result;
  Timing timing;
  Speedup over_incumbent;
};
struct Final {
  Finalist incumbent;
  std::vector<Finalist> candidates;
  int winner = -1;  // index into candidates; -1: the incumbent stays
};
/// All interleaved, `rounds` of each; while a median clears kWinMargin but no interval does as many again, up to eight times
/// as many in all or four seconds. The winner is the fastest of those whose interval clears it.
Final finalists(Runner&, const RunProgram& incumbent, const std::vector<RunProgram>& candidates, int rounds = 15);

}  // namespace pg
