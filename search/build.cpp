#include "search/build.h"

#include <cmath>
#include <unordered_set>

#include "search/trace.h"
#include "uops/evaluate.h"
#include "uops/kernel.h"
#include "uops/lower.h"

namespace pg {

Source render_kernel(const UOp& kernel, const Opts& opts, Device& device) {
  return with_context("building " + kernel.arg_as<std::string>() + " with '" + text(opts) + "'", [&] {
    const Expected<Schedule> schedule = Schedule(kernel, device.target()).apply(opts);
    if (!schedule) throw UserError(schedule.reason());
    return device.render(lower(schedule->scheduled(), device.target()));
  });
}

Built build(const UOp& kernel, const Opts& opts, Device& device) {
  Built b;
  b.source = render_kernel(kernel, opts, device);
  trace_kernel(kernel, opts, device);
  b.artifact = device.compile(b.source);
  b.program = device.load(b.artifact, b.source.launch);
  return b;
}

Work work(const UOp& kernel, std::span<const UOp> variables, std::span<const int64_t> values) {
  Work w;
  std::unordered_set<const void*> touched;
  const auto count = [&](const UOps& ranges) {
    double n = 1;
    for (const UOp& r : ranges) n *= static_cast<double>(evaluate(r.src(0), variables, values));
    return n;
  };
  for (const Definition& d : definitions(kernel)) {
    const double outer = count(d.ranges), inner = outer * count(d.reduce_ranges);
    std::unordered_set<const void*> in_body;
    for (const UOp& body : d.bodies)
      for (const UOp& u : expression_nodes(body)) in_body.insert(u.id());
    for (const UOp& u : expression_nodes(d.store ? d.store : d.value)) {
      if (u.is(Op::Load) || u.is(Op::Store)) {
        const UOp& buffer = u.src(0).src(0);
        if (!buffer.is(Op::Param) || !touched.insert(buffer.id()).second) continue;
        // A buffer read through other memory (gather) or in part: no more than the accesses made.
        double elements = 1;
        for (const UOp& e : buffer.src()) elements *= static_cast<double>(evaluate(e, variables, values));
        w.bytes += buffer.dtype().bytes() * std::min(elements, u.is(Op::Load) && in_body.contains(u.id()) ? inner : outer);
      }
      const bool counts = info(u.op()).has(op_flag::Elementwise) && u.dtype().is_float() && !u.is(Op::Cast) &&
                          !u.is(Op::Bitcast) && !u.is(Op::Where);
      if (counts) w.flops += (u.is(Op::Fma) ? 2 : 1) * (in_body.contains(u.id()) ? inner : outer);
    }
    // The combine of the reduction itself: one operation an element for sum, max, ..
    if (d.reduce && d.bodies[0].dtype().is_float()) w.flops += inner;
  }
  return w;
}

}  // namespace pg
