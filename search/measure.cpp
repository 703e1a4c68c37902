#include "search/measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

namespace pg {
namespace {

constexpr double kGiveUpFactor = 2;  // screening ends past this multiple of the best
constexpr int kScreenRuns = 3;
// A program that runs so long owes little of its time to cold caches: the two runs of its check tell enough where even the
// better one is far behind the best.
constexpr double kTellingMs = 1, kFarBehind = 1.4;
constexpr int kMostRounds = 4;  // times those of a final, at once, while somebody seems to win and noise does not let it
constexpr double kScreenMs = 300, kFinalMs = 4000;  // samples of slow kernels are fewer, never under the runner's least
constexpr double kTimeoutFactor = 20, kLeastTimeoutMs = 2000, kFirstTimeoutMs = 60000;

double quantile(std::span<const double> sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}
std::vector<double> sorted(std::span<const double> x) {
  std::vector<double> out(x.begin(), x.end());
  std::sort(out.begin(), out.end());
  return out;
}

/// The largest r for which the r-th smallest and r-th largest of n enclose the median with 95 %: P(Binomial(n, 1/2) < r)
/// <= 2.5 %.
size_t interval_rank(size_t n) {
  double term = std::pow(0.5, static_cast<double>(n)), below = 0;  // P(= k), P(< k)
  size_t rank = 0;
  for (size_t k = 0; k < n; ++k) {
    below += term;
    if (below > 0.025) break;
    rank = k + 1;
    term *= static_cast<double>(n - k) / static_cast<double>(k + 1);
  }
  return rank;
}

Finalist finalist(RunResult r, std::span<const double> incumbent) {
  Finalist f;
  f.timing = timing(r.ms);
  if (r.status == RunStatus::Ok) f.over_incumbent = speedup(incumbent, r.ms);
  f.result = std::move(r);
  return f;
}

Final decided(const std::vector<RunResult>& results) {
  Final out;
  const std::vector<double>& base = results[0].ms;
  out.incumbent = finalist(results[0], base);
  for (size_t i = 1; i < results.size(); ++i) {
    Finalist f = finalist(results[i], base);
    const bool wins = f.result.status == RunStatus::Ok && out.incumbent.result.status == RunStatus::Ok &&
                      f.over_incumbent.low > kWinMargin;
    if (wins && (out.winner < 0 || f.timing.median_ms < out.candidates[static_cast<size_t>(out.winner)].timing.median_ms))
      out.winner = static_cast<int>(i - 1);
    out.candidates.push_back(std::move(f));
  }
  return out;
}

/// It would win if its median were all there is to know.
bool is_open(const Finalist& f) { return f.result.status == RunStatus::Ok && f.over_incumbent.ratio > kWinMargin; }

}  // namespace

Timing timing(std::span<const double> ms) {
  if (ms.empty()) return {};
  const auto s = sorted(ms);
  Timing t{.median_ms = quantile(s, 0.5), .samples = static_cast<int64_t>(s.size())};
  if (t.median_ms > 0) t.spread = (quantile(s, 0.75) - quantile(s, 0.25)) / 2 / t.median_ms;
  return t;
}

Speedup speedup(std::span<const double> incumbent, std::span<const double> candidate) {
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(incumbent.size(), candidate.size()); ++i) ratios.push_back(incumbent[i] / candidate[i]);
  Speedup out{.ratio = 1, .low = 0, .high = std::numeric_limits<double>::infinity()};
  if (ratios.empty()) return out;
  std::sort(ratios.begin(), ratios.end());
  out.ratio = quantile(ratios, 0.5);
  if (const size_t r = interval_rank(ratios.size()); r > 0) {
    out.low = ratios[r - 1];
    out.high = ratios[ratios.size() - r];
  }
  return out;
}

double timeout_for(double best_ms) {
  return best_ms > 0 ? std::max(kLeastTimeoutMs, kTimeoutFactor * best_ms) : kFirstTimeoutMs;
}

Screened screen(Runner& runner, const RunProgram& program, double best_ms, const Accept& accept) {
  const RunLimits limits{.give_up_ms = kGiveUpFactor * best_ms, .timeout_ms = timeout_for(best_ms)};
  Screened out;
  out.result = runner.check(program, limits);
  if (out.result.status != RunStatus::Ok) return out;
  if (std::string why = accept ? accept() : std::string(); !why.empty()) {
    out.result.status = RunStatus::Wrong;
    out.result.reason = std::move(why);
    return out;
  }
  out.checked = true;
  if (best_ms <= 0 && *std::min_element(out.result.ms.begin(), out.result.ms.end()) > kLongRunMs) {
    out.timing = timing(out.result.ms);
    return out;
  }
  if (const double better = *std::min_element(out.result.ms.begin(), out.result.ms.end());
      best_ms > 0 && better > kTellingMs && better > (better > kLongRunMs ? 1 : kFarBehind) * best_ms) {
    out.timing = timing(std::span(&better, 1));
    if (better > limits.give_up_ms) {
      out.result.status = RunStatus::Slow;
      out.result.reason = "the better of its first two runs took " + std::to_string(better) + " ms";
    }
    return out;
  }
  out.result = runner.time({program}, {.limits = limits, .runs = kScreenRuns, .enough_ms = kScreenMs})[0];
  out.timing = timing(out.result.ms);
  return out;
}

Final finalists(Runner& runner, const RunProgram& incumbent, const std::vector<RunProgram>& candidates, int rounds) {
  std::vector<RunProgram> all = {incumbent};
  all.insert(all.end(), candidates.begin(), candidates.end());
  std::vector<RunResult> results(all.size());
  const auto start = std::chrono::steady_clock::now();
  for (int runs = rounds;; runs = static_cast<int>(results[0].ms.size())) {
    std::vector<RunResult> more =
        runner.time(all, {.limits = {.timeout_ms = kFirstTimeoutMs}, .runs = runs, .enough_ms = kFinalMs});
    for (size_t i = 0; i < more.size(); ++i) {
      if (results[i].status != RunStatus::Ok) continue;  // it failed before
      more[i].ms.insert(more[i].ms.begin(), results[i].ms.begin(), results[i].ms.end());
      results[i] = std::move(more[i]);
    }
    const Final f = decided(results);
    const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - start;
    if (f.winner >= 0 || f.incumbent.result.status != RunStatus::Ok || runs >= kMostRounds * rounds ||
        passed.count() > kFinalMs || std::none_of(f.candidates.begin(), f.candidates.end(), is_open))
      return f;
  }
}

}  // namespace pg
