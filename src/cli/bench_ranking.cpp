#include "src/cli/bench_ranking.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "runtime/config.h"
#include "runtime/device.h"
#include "search/ranking.h"

namespace pg {

namespace {

double seconds_of(auto&& what) {
  const auto start = std::chrono::steady_clock::now();
  what();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Scores that put what both orders put first in front, as the search does.
std::vector<double> both(std::span<const double> one, std::span<const double> other) {
  const auto order = [](std::span<const double> scores) {
    std::vector<size_t> all(scores.size());
    std::iota(all.begin(), all.end(), size_t{0});
    std::stable_sort(all.begin(), all.end(), [&](size_t a, size_t b) { return scores[a] < scores[b]; });
    return all;
  };
  const std::vector<size_t> turns = taking_turns(order(one), order(other));
  std::vector<double> scores(turns.size());
  for (size_t i = 0; i < turns.size(); ++i) scores[turns[i]] = static_cast<double>(i);
  return scores;
}

}  // namespace

void bench_ranking_command(const BenchRankingOptions& options, std::ostream& out) {
  Device& device = default_device();
  const auto store = Store::open(config().db, OpenMode::ReadOnly, true);
  const WinnerKey like{.device = device.info().id, .toolchain = device.toolchain().id, .threads = device.target().cores};
  RankingData data;
  const double reading = seconds_of([&] {
    data = ranking_data(*store, like, device.target(), kMostRankingRows, calibrate(device, *store).value_or(default_costs(device.target())));
  });
  if (data.kernels() < kLeastRankingKernels)
    throw UserError("the database has measurements of " + std::to_string(data.kernels()) +
                    " kernels under this toolchain and " + std::to_string(like.threads) + " threads, and a ranking needs " +
                    std::to_string(kLeastRankingKernels) + ": tune some with BEAM=4");
  const FoundXgboost xgboost = Xgboost::find(config().xgboost);
  if (!xgboost.library) throw UserError(xgboost.what + ": " + xgboost.remedy);
  std::string why;
  std::shared_ptr<const Ranking> ranking;
  const double fitting = seconds_of([&] { ranking = Ranking::fit(data, xgboost.library, why); });
  const std::vector<double> learned = held_out_scores(data, xgboost.library, data.groups.size(), why);
  if (!ranking || learned.empty()) throw UserError(why);
  const double predicting = seconds_of([&] { ranking->scores(data.features, data.estimates); });

  std::vector<double> turns;
  OrderQuality mean_turns{0, 0};
  const auto line = [&](const std::string& kernel, size_t rows, const OrderQuality& a, const OrderQuality& l,
                        const OrderQuality& t) {
    if (options.json)
      out << nlohmann::ordered_json{{"kernel", kernel},
                                    {"rows", rows},
                                    {"estimate_correlation", a.correlation},
                                    {"learned_correlation", l.correlation},
                                    {"estimate_regret", a.regret},
                                    {"learned_regret", l.regret},
                                    {"turns_regret", t.regret}}
                 .dump()
          << "\n";
    else
      out << fmt::format(
          "{:<40} {:5} rows  correlation {:6.3f} -> {:6.3f}  best of the first {}: {:.3f} -> {:.3f}, in turns {:.3f}\n",
          kernel, rows, a.correlation, l.correlation, kFirstFew, a.regret, l.regret, t.regret);
  };
  for (const RankingData::Group& g : data.groups) {
    const auto part = [&](const std::vector<double>& all) { return std::span(all).subspan(g.first, g.count); };
    const std::vector<double> scores = both(part(learned), part(data.estimates));
    const OrderQuality t = order_quality(scores, part(data.ms));
    mean_turns.correlation += t.correlation / static_cast<double>(data.groups.size());
    mean_turns.regret += t.regret / static_cast<double>(data.groups.size());
    line(g.name, g.count, order_quality(part(data.estimates), part(data.ms)), order_quality(part(learned), part(data.ms)),
         t);
  }
  line("mean", data.rows(), order_quality(data, data.estimates), order_quality(data, learned), mean_turns);
  if (!options.json)
    out << fmt::format(
        "{} rows of {} kernels: {:.2f} s to read, {:.2f} s to fit and to try on kernels held out, {:.0f} predictions a "
        "second; the search would {}\n",
        data.rows(), data.kernels(), reading, fitting, static_cast<double>(data.rows()) / predicting,
        ranking->leads() ? "use it" : "keep to the estimate");
}

}  // namespace pg
