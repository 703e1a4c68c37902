#include "search/ranking.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <map>
#include <set>

#include "runtime/config.h"
#include "search/features.h"

namespace pg {

namespace {

constexpr double kRefit = 1.2;       // of the rows at the last fit
constexpr size_t kParts = 4;         // of the kernels, each held out once
constexpr double kLeastLead = 0.02;  // of the rank correlation, before the trees are believed

/// Shallow trees in small steps, split at few places: what a round says of a handful of rows is noise, and five fits must
/// not take a second.
TreeOptions tree_options() {
  return {.rounds = 60,
          .parameters = {{"objective", "reg:squarederror"},
                         {"tree_method", "hist"},
                         {"max_depth", "4"},
                         {"eta", "0.1"},
                         {"max_bin", "64"}}};
}

double log_of(double estimate) { return std::log2(std::max(estimate, 1e-9)); }

/// Trees for the groups that `wanted` takes: they learn by how much the estimate errs, in logarithms, beside its mean error
/// for the kernel. So what they know nothing of stays in the estimate's order.
template <class Wanted>
std::shared_ptr<const Trees> fitted(const RankingData& data, const std::shared_ptr<const Xgboost>& library, Wanted&& wanted,
                                    std::string& why) {
  Table rows{data.features.columns};
  std::vector<float> labels;
  for (const RankingData::Group& g : data.groups) {
    if (!wanted(g)) continue;
    const auto error = [&](size_t i) { return std::log2(data.ms[i]) - log_of(data.estimates[i]); };
    double mean = 0;
    for (size_t i = g.first; i < g.first + g.count; ++i) mean += error(i) / static_cast<double>(g.count);
    for (size_t i = g.first; i < g.first + g.count; ++i) {
      rows.add(data.features.row(i));
      labels.push_back(static_cast<float>(error(i) - mean));
    }
  }
  return Trees::fit(library, rows, labels, tree_options(), why);
}

std::vector<double> scored(const Trees& trees, const Table& features, std::span<const double> estimates) {
  const std::vector<float> errors = trees.predict(features);
  std::vector<double> scores;
  for (size_t i = 0; i < errors.size(); ++i) scores.push_back(log_of(estimates[i]) + errors[i]);
  return scores;
}

}  // namespace

std::vector<double> held_out_scores(const RankingData& data, const std::shared_ptr<const Xgboost>& library, size_t parts,
                                    std::string& why) {
  std::map<std::string, size_t> part;  // of kernels
  for (const RankingData::Group& g : data.groups) part.emplace(g.kernel, part.size() % parts);
  std::vector<double> scores(data.rows());
  for (size_t p = 0; p < std::min(parts, part.size()); ++p) {
    const auto trees = fitted(
        data, library, [&](const RankingData::Group& g) { return part.at(g.kernel) != p; }, why);
    if (!trees) return {};
    for (const RankingData::Group& g : data.groups) {
      if (part.at(g.kernel) != p) continue;
      Table rows{data.features.columns};
      for (size_t i = g.first; i < g.first + g.count; ++i) rows.add(data.features.row(i));
      const std::vector<double> own = scored(*trees, rows, std::span(data.estimates).subspan(g.first, g.count));
      if (own.size() != g.count) return {};
      std::copy(own.begin(), own.end(), scores.begin() + static_cast<long>(g.first));
    }
  }
  return scores;
}

std::shared_ptr<const Ranking> Ranking::fit(const RankingData& data, const std::shared_ptr<const Xgboost>& library,
                                            std::string& why) {
  const std::vector<double> held_out = held_out_scores(data, library, kParts, why);
  if (held_out.empty()) return nullptr;
  const std::shared_ptr<Ranking> r(new Ranking);
  r->learned_ = order_quality(data, held_out);
  r->analytic_ = order_quality(data, data.estimates);
  r->trees_ = fitted(
      data, library, [](const RankingData::Group&) { return true; }, why);
  if (!r->trees_) return nullptr;
  return r;
}

std::vector<double> Ranking::scores(const Table& features, std::span<const double> estimates) const {
  return scored(*trees_, features, estimates);
}

bool Ranking::leads() const {
  return learned_.correlation >= analytic_.correlation + kLeastLead && learned_.regret <= analytic_.regret;
}

namespace {

/// Says why there is no ranking, once.
void say_once(const std::string& what) {
  static std::set<std::string> said;
  if (config().debug >= 1 && said.insert(what).second)
    std::cerr << "ranking: " << what << ": candidates come in the order of the estimate\n";
}

std::shared_ptr<const Ranking> fresh(Store& store, const WinnerKey& like, const Target& target, const Costs& costs) {
  const auto start = std::chrono::steady_clock::now();
  const FoundXgboost xgboost = Xgboost::find(config().xgboost);
  if (!xgboost.library) {
    say_once(xgboost.what + " (" + xgboost.remedy + ")");
    return nullptr;
  }
  const RankingData data = ranking_data(store, like, target, kMostRankingRows, costs);
  if (data.rows() < kLeastRankingRows || data.kernels() < kLeastRankingKernels) return nullptr;
  std::string why;
  const auto r = Ranking::fit(data, xgboost.library, why);
  if (!r) {
    say_once(why);
    return nullptr;
  }
  if (config().debug >= 1) {
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    char line[200];
    std::snprintf(
        line, sizeof line,
        "ranking: %zu rows of %zu kernels in %.2f s; rank correlation on kernels held out %.3f, the estimate's %.3f%s",
        data.rows(), data.kernels(), seconds.count(), r->learned().correlation, r->analytic().correlation,
        r->leads() ? "" : ": not used");
    std::cerr << line << "\n";
  }
  return r->leads() ? r : nullptr;
}

}  // namespace

std::shared_ptr<const Ranking> ranking(Store& store, const WinnerKey& like, const Target& target, const Costs& costs) {
  struct Known {
    int64_t rows = 0;
    std::shared_ptr<const Ranking> ranking;
  };
  static std::mutex mutex;
  static auto& all = *new std::map<std::string, Known>;  // never destroyed: at exit the library is gone before its trees
  const int64_t rows = store.stats().measurements;
  if (rows < static_cast<int64_t>(kLeastRankingRows)) return nullptr;
  std::lock_guard lock(mutex);
  if (store.path() == ":memory:") return fresh(store, like, target, costs);  // each is another one
  const std::string key = store.path() + "\n" + like.device + " " + like.toolchain + " " + std::to_string(like.threads) +
                          "\n" + config().xgboost + "\n" + std::to_string(costs.math);
  const auto known = all.find(key);
  if (known != all.end() && rows >= known->second.rows &&
      static_cast<double>(rows) < kRefit * static_cast<double>(known->second.rows))
    return known->second.ranking;
  return (all[key] = {rows, fresh(store, like, target, costs)}).ranking;
}

}  // namespace pg
