// What a launch needs, read off the Linear.
#include <algorithm>

#include "uops/kernel.h"
#include "uops/lower.h"

namespace pg {

LaunchInfo launch_info(const UOp& linear) {
  if (!linear.is(Op::Linear))
    throw InternalError(std::string("launch_info: ") + info(linear.op()).name + " is not a Linear");
  LaunchInfo launch{.name = identifier(linear.arg_as<std::string>()),
                    .params = {},
                    .workspaces = {},
                    .variables = variables_of(linear),
                    .phases = {},
                    .scratch = {},
                    .items = iconst(1)};
  for (const UOp& p : params_of(linear))
    (p.arg_as<ParamArg>().slot < kWorkspaceSlot ? launch.params : launch.workspaces).push_back(p);
  for (const UOp& entry : linear.src())
    if (entry.is(Op::For) && entry.src(0).is(Op::Range) && entry.src(0).arg_as<RangeArg>().kind == Kind::Grid)
      launch.phases.push_back(entry.src(0).src(0));
  for (const UOp& entry : linear.src()) {
    if (!entry.is(Op::Memory)) continue;
    int64_t bytes = entry.dtype().bytes();
    for (const UOp& extent : entry.src()) bytes *= *const_int(extent);
    const bool known =
        std::any_of(launch.scratch.begin(), launch.scratch.end(), [&](const auto& m) { return m.first == entry; });
    if (bytes <= kLargestOnStack || known) continue;
    launch.scratch.emplace_back(entry, launch.scratch_bytes);
    // Tiles walked side by side do not begin in the same sets of the L1.
    constexpr int64_t kApart = 64 * 5;
    launch.scratch_bytes += (bytes + 63) / 64 * 64 + kApart;
  }
  if (launch.phases.empty()) launch.phases.push_back(iconst(1));
  launch.items = launch.phases[0];
  for (size_t i = 1; i < launch.phases.size(); ++i) launch.items = launch.items + launch.phases[i];
  return launch;
}

}  // namespace pg
