#pragma once
// The inside of block_templates: bundles as they are found, each once.
#include <set>
#include <string>
#include <vector>

#include "search/block_axes.h"
#include "search/schedule.h"

namespace pg {

class BundleSet {
 public:
  BundleSet(const UOp& kernel, const Target& target) : unscheduled_(kernel, target) {}
  /// Whether they are legal. Of these, so many are kept in all; behind them nothing is looked at any more.
  bool add(const Opts& opts, size_t most = kMostTemplates);
  /// Will not be found any more.
  void exclude(const Opts& opts);
  std::vector<Schedule> take() { return std::move(found_); }

  static constexpr size_t kMostTemplates = 300;

 private:
  Schedule unscheduled_;
  std::set<std::string> seen_;
  std::vector<Schedule> found_;
};

void product_templates(const UOp& kernel, const Target&, const ProductAxes&, BundleSet&);

}  // namespace pg
