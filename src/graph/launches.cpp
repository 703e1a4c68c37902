#include "src/graph/launches.h"

#include <algorithm>

#include "src/tensor/buffers.h"
#include "uops/together.h"

namespace pg {

namespace {
constexpr size_t kMost = 4;  // kernels of a launch: the time to compile it grows with them

bool share_an_input(const PlannedKernel& a, const PlannedKernel& b) {
  return std::any_of(a.buffers.begin() + 1, a.buffers.end(), [&](const UOp& read) {
    return !(memory_of(read) && is_frozen(read)) &&
           std::find(b.buffers.begin() + 1, b.buffers.end(), read) != b.buffers.end();
  });
}

PlannedKernel one_launch(const Plan& plan, const std::vector<size_t>& group) {
  PlannedKernel all;
  UOps kernels;
  for (const size_t k : group) kernels.push_back(plan.kernels[k].ast);
  all.ast = together(kernels);
  const std::vector<int64_t> first = first_slots(all.ast);
  for (size_t i = 0; i < group.size(); ++i) {
    const UOps& own = plan.kernels[group[i]].buffers;
    all.buffers.insert(all.buffers.end(), own.begin(), own.begin() + (first[i + 1] - first[i]));
  }
  return all;
}
}  // namespace

void launch_together(Plan& plan, const std::vector<LaunchNeeds>& needs, const PlanOptions& options) {
  std::vector<PlannedKernel> kernels;
  std::vector<bool> done(plan.kernels.size());   // in a launch that stands before it
  std::vector<bool> asked(plan.kernels.size());  // in a group that was refused: parts of it are not offered
  for (size_t i = 0; i < plan.kernels.size(); ++i) {
    if (done[i]) continue;
    std::vector<size_t> group{i};
    const auto may_join = [&](size_t j) {
      return needs[j].reduces && !plan.kernels[j].constant && needs[j].streams == needs[i].streams;
    };
    if (!asked[i] && may_join(i))
      for (size_t j = i + 1; j < plan.kernels.size() && group.size() < kMost; ++j)
        if (!done[j] && needs[j].after <= i && may_join(j) && share_an_input(plan.kernels[i], plan.kernels[j]))
          group.push_back(j);
    if (group.size() == 1) {
      kernels.push_back(plan.kernels[i]);
      continue;
    }
    PlannedKernel launch = one_launch(plan, group);
    Alternative a{.name = "together",
                  .site = "together " + launch.ast.arg_as<std::string>(),
                  .node = launch.ast,
                  .by_default = options.gpu && needs[i].streams};
    options.take(a);
    plan.alternatives.push_back(a);
    kernels.push_back(a.taken ? std::move(launch) : plan.kernels[i]);
    for (const size_t k : group) (a.taken ? done : asked)[k] = true;
  }
  plan.kernels = std::move(kernels);
}

}  // namespace pg
