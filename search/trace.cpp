#include "search/trace.h"

#include <iostream>
#include <sstream>

#include "runtime/config.h"
#include "search/schedule.h"
#include "uops/gathers.h"
#include "uops/lower.h"
#include "uops/simplify.h"
#include "uops/text.h"

namespace pg {

void trace_kernel(const UOp& kernel, const Opts& opts, const Device& device, int level, std::ostream& out) {
  if (level < 3) return;
  out << "kernel " << kernel.arg_as<std::string>() << ": " << (opts.empty() ? "unscheduled" : text(opts)) << "\n";
  if (level < 4) return;
  const Expected<Schedule> schedule = Schedule(kernel, device.target()).apply(opts);
  if (!schedule) return;  // building it says why
  const UOp scheduled = schedule->scheduled();
  if (level >= 5) out << "--- scheduled\n" << text(scheduled) << "\n";
  std::vector<std::string> steps;
  UOp linear;
  {
    const SimplifyTrace trace(level >= 6 ? &steps : nullptr);
    linear = lower(scheduled, device.target(), [&](const Pass& pass, const UOp& after) {
      if (level < 5) return;
      for (const std::string& step : steps) out << "    " << step << "\n";
      steps.clear();
      out << "--- " << pass.name << "\n" << text(after) << "\n";
    });
  }
  for (const std::string& gather : inner_gathers(linear)) out << "gathers: " << gather << "\n";
  out << "--- source\n" << device.render(linear).text << "\n";
}

void trace_kernel(const UOp& kernel, const Opts& opts, const Device& device) {
  if (config().debug < 3) return;
  std::ostringstream all;  // in one piece: kernels may be built on several threads
  trace_kernel(kernel, opts, device, config().debug, all);
  std::cerr << all.str() << std::flush;
}

}  // namespace pg
