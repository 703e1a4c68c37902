#pragma once
// What a database tells about the order of schedules: features of what was measured, and how good an order of them is.
#include <span>
#include <string>
#include <vector>

#include "cache/store.h"
#include "runtime/xgboost.h"
#include "search/calibrate.h"
#include "uops/target.h"

namespace pg {

/// Measured schedules, those of one kernel and bucket side by side: their times are comparable.
struct RankingData {
  struct Group {
    std::string kernel, name;  // id, and what people call it
    size_t first = 0, count = 0;
  };
  Table features;
  std::vector<double> ms, estimates;  // a row
  std::vector<Group> groups;
  size_t rows() const { return ms.size(); }
  size_t kernels() const;
};

/// What this device, toolchain and number of threads measured and found right, `most` rows at most: of each group its share,
/// from the fastest to the slowest.
RankingData ranking_data(Store&, const WinnerKey& like, const Target&, size_t most, const Costs&);

/// How an order by `scores`, the least first, fares against the times.
struct OrderQuality {
  double correlation = 0;  // of ranks, Spearman's
  double regret = 1;       // the best time among the first few over the best time
};
OrderQuality order_quality(std::span<const double> scores, std::span<const double> ms);
/// The mean over all groups.
OrderQuality order_quality(const RankingData&, std::span<const double> scores);

/// Two orders of the same things, turn by turn, without what already stands there.
std::vector<size_t> taking_turns(std::span<const size_t> one, std::span<const size_t> other);

inline constexpr size_t kFirstFew = 16;  // what a round of a narrow beam measures

}  // namespace pg
