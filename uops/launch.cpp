// What a launch needs, read off the Linear.
#include "uops/kernel.h"
#include "uops/lower.h"

namespace pg {

LaunchInfo launch_info(const UOp& linear) {
  if (!linear.is(Op::Linear))
    throw InternalError(std::string("launch_info: ") + info(linear.op()).name + " is not a Linear");
  LaunchInfo launch{.name = identifier(linear.arg_as<std::string>()),
                    .params = params_of(linear),
                    .variables = variables_of(linear),
                    .items = iconst(1)};
  for (const UOp& entry : linear.src())
    if (entry.is(Op::For) && entry.src(0).arg_as<RangeArg>().kind == Kind::Grid) launch.items = entry.src(0).src(0);
  return launch;
}

}  // namespace pg
