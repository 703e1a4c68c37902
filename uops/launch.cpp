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
                    .shared = {},
                    .items = iconst(1)};
  for (const UOp& p : params_of(linear))
    (p.arg_as<ParamArg>().slot < kWorkspaceSlot ? launch.params : launch.workspaces).push_back(p);
  for (const UOp& entry : linear.src())
    if (entry.is(Op::For) && entry.src(0).is(Op::Range) && entry.src(0).arg_as<RangeArg>().kind == Kind::Grid)
      launch.phases.push_back(entry.src(0).src(0));
  UOps open;  // a Memory outside the threads is shared by them
  const auto is_local = [](const UOp& u) {
    return u.is(Op::For) && u.src(0).is(Op::Range) && u.src(0).arg_as<RangeArg>().kind == Kind::Local;
  };
  const bool has_threads = std::any_of(linear.src().begin(), linear.src().end(), is_local);
  for (const UOp& entry : linear.src()) {
    if (entry.is(Op::For) || entry.is(Op::If)) open.push_back(entry);
    if (entry.is(Op::End) && !open.empty()) open.pop_back();
    if (is_local(entry)) {
      launch.threads = std::max(launch.threads, *const_int(entry.src(0).src(0)));
      launch.blocks = std::max(launch.blocks, entry.src(0).arg_as<RangeArg>().tile);
    }
    if (!entry.is(Op::Memory) || (has_threads && std::any_of(open.begin(), open.end(), is_local))) continue;
    int64_t bytes = entry.dtype().bytes();
    for (const UOp& extent : entry.src()) bytes *= *const_int(extent);
    auto& places = has_threads ? launch.shared : launch.scratch;
    if (std::any_of(places.begin(), places.end(), [&](const auto& m) { return m.first == entry; })) continue;
    if (has_threads) {
      launch.shared.emplace_back(entry, launch.shared_bytes);
      launch.shared_bytes += (bytes + 127) / 128 * 128;  // all banks begin with it
      continue;
    }
    if (bytes <= kLargestOnStack) continue;
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
