#pragma once
// Steps 5 to 9 for a benchmark: the kernel under its schedule, and what finding it took.
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "search/build.h"
#include "search/tune.h"

namespace pg {

struct ScheduledKernel {
  Chosen chosen;
  SearchCounters counters;
  double search_seconds = 0;
  Built built;
  int64_t items = 1;
};
/// Under the given opts, else under best_schedule's, on the default device.
ScheduledKernel scheduled_kernel(const UOp& ast, const std::optional<std::string>& opts);

/// {"candidates", "compiled", "measured", "rejected": {reason: how many}, "seconds"}
nlohmann::ordered_json search_json(const ScheduledKernel&);

}  // namespace pg
