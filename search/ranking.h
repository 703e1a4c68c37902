#pragma once
// A second opinion on which candidates come first: trees that were fitted to what this machine measured of other schedules.
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "search/ranking_data.h"

namespace pg {

/// Trees that were fitted to rows of several kernels, and how they fare on kernels that they did not see.
class Ranking {
 public:
  /// Null when the library refuses; then `why` holds its words.
  static std::shared_ptr<const Ranking> fit(const RankingData&, const std::shared_ptr<const Xgboost>&, std::string& why);
  /// A number a candidate, the least first; none when the library refuses.
  std::vector<double> scores(const Table& features, std::span<const double> estimates) const;
  /// Whether it orders the candidates of kernels it did not see better than the estimate does.
  bool leads() const;
  const OrderQuality& learned() const { return learned_; }
  const OrderQuality& analytic() const { return analytic_; }

 private:
  std::shared_ptr<const Trees> trees_;
  OrderQuality learned_, analytic_;  // of kernels that were held out
};

/// Scores of each row by trees that did not see its kernel, where the kernels are dealt out to so many parts. None when the
/// library refuses.
std::vector<double> held_out_scores(const RankingData&, const std::shared_ptr<const Xgboost>&, size_t parts,
                                    std::string& why);

/// The ranking for searches of this device, toolchain and number of threads: fitted to the store's rows when there are
/// enough, and again when a fifth is new. Null where there are too few, where XGBoost is missing or refuses, and where
/// the estimate is the better one.
std::shared_ptr<const Ranking> ranking(Store&, const WinnerKey& like, const Target&, const Costs&);

inline constexpr size_t kLeastRankingRows = 300;   // fewer say more about the noise than about schedules
inline constexpr size_t kLeastRankingKernels = 3;  // of fewer, none can be held out and still leave two to compare
inline constexpr size_t kMostRankingRows = 2000;   // what can be read, fitted five times and tried in a second

}  // namespace pg
