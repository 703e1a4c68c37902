// The beam: seeds, then rounds of one-step moves, ranked by estimate, timed, the best kept; finalists against the default.
#include "search/tune.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <random>
#include <set>

#include "search/build.h"
#include "search/calibrate.h"
#include "search/candidates.h"
#include "search/features.h"
#include "search/keys.h"
#include "search/moves.h"
#include "search/ranking.h"

namespace pg {

namespace {

constexpr int kPatience = 2;    // rounds without a gain before the search ends
constexpr double kGain = 0.99;  // what counts as one
constexpr double kNearRoof = 0.95;
constexpr int kMaxRounds = 12;
constexpr double kKernelSeconds = 45;  // one kernel's search without a budget of its own
constexpr double kCalibrated = 5;      // seconds: a shorter search has none to spare for measuring the machine
constexpr int kFinalRounds = 15, kLongFinalRounds = 6;  // the fewest with a 95 % interval
constexpr double kHopeless = 1.05;                      // of the default's time: no finalist
constexpr int64_t kRegisterSlack = 4;  // registers above the file that are still tried: compilers rematerialise
constexpr size_t kFinalists = 3;
constexpr double kShort = 4;           // seconds: more candidates at a time would be compiled and never run
constexpr double kRankingSeconds = 3;  // shorter searches cannot spare the time to fit a ranking

class Beam {
 public:
  Beam(const UOp& kernel, const Bindings64& bindings, Device& device, Store& store, const TuneOptions& options)
      : kernel_(kernel),
        bindings_(bindings),
        device_(device),
        store_(store),
        options_(options),
        key_(winner_key(kernel, bindings, device)),
        start_(now()),
        candidates_(kernel, bindings, device, store, key_, options.seed),
        random_(options.seed) {
    candidates_.on_leader = [this](const Timed& t) { tell_leader(t); };
  }

  TuneResult run() {
    const Expected<Schedule> heuristic_schedule =
        Schedule(kernel_, device_.target()).apply(heuristic(kernel_, device_.target(), bindings_));
    if (!heuristic_schedule) throw InternalError("the heuristic's schedule is illegal: " + heuristic_schedule.reason());
    incumbent_ = candidates_.measure_default(*heuristic_schedule);
    const Timed& incumbent = *incumbent_;
    beam_ = {incumbent};
    gained_on_ = incumbent;
    if (const auto costs =
            has(SearchPart::Calibration) ? calibrate(device_, store_, limit() >= kCalibrated) : std::nullopt) {
      calibrated_ = true;
      costs_ = *costs;
      const KernelRow row = kernel_row(kernel_, bindings_);
      roof_ms_ = least_ms(row.flops, row.bytes, device_.target(), costs_);
    }
    calibrate_by(incumbent);
    say("default", incumbent);
    tell_leader(incumbent);
    if (has(SearchPart::Estimate) && has(SearchPart::Ranking) && limit() >= kRankingSeconds)
      ranking_ = ranking(store_, key_, device_.target(), costs_);

    keep(candidates_.measure(scoring([&] { return chosen(seeds(), true); }), beam_.front(), stop_));
    gained_on_ = beam_.front();
    int without_gain = 0;
    for (int round = 1; has(SearchPart::Moves) && round <= kMaxRounds && without_gain < patience() && !stop_(); ++round) {
      const std::vector<Candidate> next = scoring([&] {
        std::vector<Candidate> all;
        for (const Timed& t : beam_) {
          const Lineage lineage{.origin = "move", .round = round, .parent = text(t.schedule.opts())};
          for (Schedule& s : moves(t.schedule, device_.target())) all.push_back({std::move(s), lineage});
        }
        return chosen(std::move(all));
      });
      if (next.empty()) break;
      keep(candidates_.measure(next, beam_.front(), stop_));
      without_gain = has_gained() ? 0 : without_gain + 1;
      say("round " + std::to_string(round), beam_.front());
    }
    return finish(incumbent);
  }

 private:
  using Clock = std::chrono::steady_clock;
  static Clock::time_point now() { return Clock::now(); }
  double elapsed() const { return std::chrono::duration<double>(now() - start_).count(); }
  double limit() const { return options_.budget_seconds > 0 ? options_.budget_seconds : kKernelSeconds; }
  bool out_of_time() { return stopped_ |= search_interrupted() || elapsed() + final_seconds() > limit(); }
  /// Rounds of the final.
  int final_rounds() const { return incumbent_->ms > kLongRunMs ? kLongFinalRounds : kFinalRounds; }
  /// What the final will take, with one challenger at least.
  double final_seconds() const {
    if (!incumbent_) return 0;
    const double runs = final_rounds() + 2, programs = static_cast<double>(1 + std::max<size_t>(1, challengers().size()));
    return std::min(limit() / 2, 1e-3 * incumbent_->ms * runs * programs);  // 2: its first and its last run
  }
  std::vector<Timed> challengers() const {
    std::vector<Timed> fastest;
    for (const Timed& t : beam_)
      if (fastest.size() < kFinalists && t.ms < kHopeless * incumbent_->ms &&
          text(t.schedule.opts()) != text(incumbent_->schedule.opts()))
        fastest.push_back(t);
    return fastest;
  }

  std::vector<Candidate> scoring(const std::function<std::vector<Candidate>()>& choose) {
    const Clock::time_point start = now();
    std::vector<Candidate> chosen = choose();
    scoring_seconds_ += std::chrono::duration<double>(now() - start).count();
    return chosen;
  }

  void say(const std::string& stage, const Timed& t) const {
    if (!options_.progress) return;
    char line[96];
    std::snprintf(line, sizeof line, "  %-9s %10.4f ms  %4lld measured  ", stage.c_str(), t.ms,
                  static_cast<long long>(candidates_.measured));
    options_.progress(line + text(t.schedule.opts()));
  }

  /// A leader that turned out to be no better than an earlier one is not told.
  void tell_leader(const Timed& t) {
    if (!options_.on_leader || t.ms >= told_ms_) return;
    told_ms_ = t.ms;
    options_.on_leader(elapsed(), t.ms);
  }

  bool has(SearchPart part) const {
    return std::find(options_.without.begin(), options_.without.end(), part) == options_.without.end();
  }

  /// Rounds without a gain that end the search: fewer where there is little to gain.
  int patience() const { return beam_.front().ms * kNearRoof < roof_ms_ ? 1 : kPatience; }

  /// Whether the leader is faster beyond doubt than the one that last was.
  bool has_gained() {
    if (beam_.front().ms > kGain * gained_on_->ms) return false;
    Timed& leader = beam_.front();
    const Speedup s = candidates_.gain(*gained_on_, leader);
    leader.ms = gained_on_->ms / s.ratio;
    const bool gained = s.ratio * kGain >= 1 && s.low >= 1;
    if (gained) gained_on_ = leader;
    sort_beam();
    if (!candidates_.has_failed(gained_on_->schedule)) return gained;
    gained_on_ = beam_.front();
    return true;
  }

  void calibrate_by(const Timed& t) { scale_ = t.ms / std::max(1.0, estimate(t.schedule, device_.target(), costs_)); }

  /// What to start from beside the default: earlier measurements, winners of the same kernel and of its nearest shapes,
  /// templates.
  std::vector<Candidate> seeds() {
    std::vector<Candidate> all;
    const auto add = [&](const std::string& opts, const char* origin) {
      if (Expected<Schedule> s = read_schedule(kernel_, opts, device_.target())) all.push_back({*s, {.origin = origin}});
    };
    std::vector<std::string> earlier = candidates_.remembered();
    if (earlier.size() > static_cast<size_t>(2 * options_.beam)) earlier.resize(static_cast<size_t>(2 * options_.beam));
    for (const std::string& o : earlier) add(o, "earlier");
    if (has(SearchPart::Neighbours)) {
      for (const WinnerRow& w : store_.winners_other_toolchain(key_)) add(w.schedule, "neighbour");
      const std::string shape = kernel_row(kernel_, bindings_).shape;
      auto near = store_.winners_of_template(template_hash(kernel_), key_);
      std::sort(near.begin(), near.end(), [&](const auto& a, const auto& b) {
        return shape_distance(a.second.shape, shape) < shape_distance(b.second.shape, shape);
      });
      for (size_t i = 0; i < near.size() && i < 4; ++i) add(near[i].first.schedule, "neighbour");
    }
    must_measure_ = all.size();
    if (has(SearchPart::Templates))
      for (Schedule& s : templates(kernel_, device_.target())) all.push_back({std::move(s), {.origin = "template"}});
    return all;
  }

  struct Scored {
    double ms;  // estimated
    std::string text;
    Candidate candidate;
  };

  /// Ranks without compiling; keeps the best few and a random tenth. `seeding`: of the best, one of each family goes before
  /// second ones.
  std::vector<Candidate> chosen(std::vector<Candidate> all, bool seeding = false) {
    const Target& target = device_.target();
    std::vector<Scored> scored;
    std::vector<Candidate> result;
    std::set<std::string> listed;
    Table rows{Features::names().size()};
    const size_t certain = std::exchange(must_measure_, 0);
    for (size_t i = 0; i < all.size(); ++i) {
      if (i >= certain && i % 32 == 0 && out_of_time()) break;  // a wide beam has thousands of neighbours
      const Schedule& schedule = all[i].schedule;
      const std::string name = text(schedule.opts());
      if (!candidates_.is_new(schedule) || !listed.insert(name).second) continue;
      scored_.insert(name);
      if (i < certain) {
        result.push_back(std::move(all[i]));
        continue;
      }
      if (!target.gpu && register_pressure(schedule, target) > target.registers + kRegisterSlack) continue;
      const Estimate e = has(SearchPart::Estimate) ? estimate_parts(schedule, target, costs_) : Estimate{};
      if (ranking_) rows.add(features_.of(schedule, e));
      scored.push_back(
          {has(SearchPart::Estimate) ? scale_ * e.ns : static_cast<double>(random_()), name, std::move(all[i])});
    }
    const std::vector<size_t> order = ordered(scored, rows, seeding);
    const size_t best = limit() < kShort ? 8 : static_cast<size_t>(8 + 4 * options_.beam),
                 random = has(SearchPart::Chance) ? best / 10 + 1 : 0;
    for (size_t i = 0; i < order.size() && i < best; ++i) result.push_back(scored[order[i]].candidate);
    if (order.size() > best)
      for (size_t i = 0; i < random; ++i)
        result.push_back(scored[order[best + random_() % (order.size() - best)]].candidate);
    return result;
  }

  /// By estimate; with a ranking, what it puts first and what the estimate puts first take turns.
  std::vector<size_t> ordered(const std::vector<Scored>& scored, const Table& rows, bool seeding) const {
    const auto by = [&](const auto& score) {
      std::vector<size_t> order(scored.size());
      std::iota(order.begin(), order.end(), size_t{0});
      std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        return score(a) != score(b) ? score(a) < score(b) : scored[a].text < scored[b].text;
      });
      std::vector<std::string> families;
      for (const size_t i : order) families.push_back(seeding ? family(scored[i].candidate.schedule, device_.target()) : "");
      std::vector<size_t> out;
      for (const size_t i : varied(families)) out.push_back(order[i]);
      return out;
    };
    const std::vector<size_t> estimated_order = by([&](size_t i) { return scored[i].ms; });
    if (!ranking_) return estimated_order;
    std::vector<double> estimates;
    for (const Scored& s : scored) estimates.push_back(s.ms);
    const std::vector<double> scores = ranking_->scores(rows, estimates);
    if (scores.size() != scored.size()) return estimated_order;
    return taking_turns(by([&](size_t i) { return scores[i]; }), estimated_order);
  }

  void keep(std::vector<Timed> timed) {
    for (Timed& t : timed) beam_.push_back(std::move(t));
    sort_beam();
    if (const auto width = std::max(1, options_.beam); static_cast<int>(beam_.size()) > width)
      beam_.erase(beam_.begin() + width, beam_.end());
    calibrate_by(beam_.front());
  }

  void sort_beam() {
    std::erase_if(beam_, [&](const Timed& t) { return candidates_.has_failed(t.schedule); });
    if (beam_.empty()) beam_.push_back(*incumbent_);
    std::stable_sort(beam_.begin(), beam_.end(), [](const Timed& a, const Timed& b) { return a.ms < b.ms; });
  }

  /// The default competes in every final and is replaced only beyond noise.
  TuneResult finish(const Timed& incumbent) {
    TuneResult r;
    const std::vector<Timed> rivals = challengers();
    r.opts = incumbent.schedule.opts();
    r.default_ms = r.best_ms = incumbent.ms;
    if (!rivals.empty()) {
      const Final f = candidates_.final_round(incumbent, rivals, final_rounds());
      if (f.incumbent.result.status == RunStatus::Ok) r.default_ms = r.best_ms = f.incumbent.timing.median_ms;
      if (f.winner >= 0) {
        r.best_ms = f.candidates[static_cast<size_t>(f.winner)].timing.median_ms;
        r.opts = rivals[static_cast<size_t>(f.winner)].schedule.opts();
      }
    }
    r.candidates = static_cast<int64_t>(scored_.size()) + 1;  // and the default
    r.scoring_seconds = scoring_seconds_;
    r.compiled = candidates_.compiled;
    r.measured = candidates_.measured;
    r.finished = !search_interrupted() && (options_.budget_seconds == 0 || !stopped_);
    r.calibrated = calibrated_;
    r.ranked = ranking_ != nullptr;
    r.seconds = elapsed();
    if (!earlier_winner_stays(r))
      store_.put_winner({key_, text(r.opts), r.best_ms, r.default_ms, r.candidates, r.seconds, r.finished});
    SearchCounters& counters = search_counters();
    counters.candidates += r.candidates;
    counters.compiled += r.compiled;
    counters.measured += r.measured;
    counters.seconds += r.seconds;
    for (const auto& [reason, n] : candidates_.rejected) counters.rejected[reason] += n;
    return r;
  }

  /// What won before and did not get its turn this time is not given up for what did.
  bool earlier_winner_stays(TuneResult& r) const {
    const auto before = r.finished ? std::nullopt : store_.winner(key_);
    if (!before || before->schedule == text(r.opts)) return false;
    const Expected<Schedule> s = read_schedule(kernel_, before->schedule, device_.target());
    if (!s || !candidates_.is_new(*s)) return false;
    r.opts = s->opts();
    r.best_ms = before->median_ms;
    r.default_ms = before->default_ms;
    return true;
  }

  UOp kernel_;
  Bindings64 bindings_;
  Device& device_;
  Store& store_;
  TuneOptions options_;
  WinnerKey key_;
  Clock::time_point start_;
  Candidates candidates_;
  std::mt19937_64 random_;
  std::vector<Timed> beam_;                     // fastest first
  std::optional<Timed> incumbent_, gained_on_;  // the default; the leader when a round last had a gain
  double roof_ms_ = 0;                          // 0: not known
  double told_ms_ = std::numeric_limits<double>::infinity();
  std::function<bool()> stop_ = [this] { return out_of_time(); };
  Costs costs_ = default_costs(device_.target());
  bool calibrated_ = false, stopped_ = false;  // stopped: the time was over
  double scoring_seconds_ = 0;
  double scale_ = 1;         // measured over estimated time of the best so far
  size_t must_measure_ = 0;  // the first seeds are measured whatever their estimate
  std::set<std::string> scored_;
  Features features_{kernel_, device_.target()};
  std::shared_ptr<const Ranking> ranking_;  // null: the estimate alone
};

}  // namespace

const char* text(SearchPart part) {
  switch (part) {
    case SearchPart::Templates: return "templates";
    case SearchPart::Neighbours: return "neighbours";
    case SearchPart::Estimate: return "estimate";
    case SearchPart::Calibration: return "calibration";
    case SearchPart::Ranking: return "ranking";
    case SearchPart::Chance: return "chance";
    case SearchPart::Moves: return "moves";
  }
  return "";
}

TuneResult tune(const UOp& kernel, const Bindings64& bindings, Device& device, Store& store, const TuneOptions& options) {
  if (!store.writable())
    throw UserError("tuning needs a database that can be written: " + store.path() +
                    " is read-only (set PICOGRAD_DB or --db to another place)");
  return with_context("tuning " + kernel.arg_as<std::string>(), [&] {
    store.put_device(device.info().id, device.info().json);
    store.put_toolchain(device.toolchain().id, device.toolchain().json);
    store.put_kernel(kernel_row(kernel, bindings));
    return Beam(kernel, bindings, device, store, options).run();
  });
}

}  // namespace pg
