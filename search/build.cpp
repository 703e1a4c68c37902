#include "search/build.h"

#include <cmath>
#include <iostream>
#include <unordered_set>

#include "runtime/config.h"
#include "search/trace.h"
#include "uops/evaluate.h"
#include "uops/kernel.h"
#include "uops/lower.h"
#include "uops/together.h"

namespace pg {

namespace {
UOp lowered(const UOp& kernel, const Opts& opts, const Target& target) {
  const Expected<Schedule> schedule = Schedule(kernel, target).apply(opts);
  if (!schedule) throw UserError(schedule.reason());
  return lower(schedule->scheduled(), target);
}
std::string building(const UOp& kernel, const Opts& opts) {
  return "building " + kernel.arg_as<std::string>() + " with '" + text(opts) + "'";
}
}  // namespace

Source render_kernel(const UOp& kernel, const Opts& opts, Device& device) {
  return with_context(building(kernel, opts), [&] { return device.render(lowered(kernel, opts, device.target())); });
}

std::optional<Source> render_together(const UOp& together, std::span<const Opts> opts, Device& device) {
  const UOps kernels = kernels_in(together);
  UOps linears;
  for (size_t k = 0; k < kernels.size(); ++k)
    with_context(building(kernels[k], opts[k]), [&] { linears.push_back(lowered(kernels[k], opts[k], device.target())); });
  const JoinedPrograms program = joined(together, linears, device.target());
  if (program.linear) return device.render(program.linear);
  if (config().debug >= 1)
    std::cerr << together.arg_as<std::string>() << ": launched one by one: " << program.why_not << "\n";
  return std::nullopt;
}

Built build(const UOp& kernel, const Opts& opts, Device& device) {
  Built b;
  b.source = render_kernel(kernel, opts, device);
  trace_kernel(kernel, opts, device);
  b.artifact = device.compile(b.source);
  b.program = device.load(b.artifact, b.source.launch);
  return b;
}

namespace {
Work work_of(const UOp& kernel, std::span<const UOp> variables, std::span<const int64_t> values) {
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
}  // namespace

Work work(const UOp& launch, std::span<const UOp> variables, std::span<const int64_t> values) {
  Work w;
  for (const UOp& kernel : kernels_in(launch)) {
    const Work one = work_of(kernel, variables, values);
    w.flops += one.flops, w.bytes += one.bytes;
  }
  return w;
}

}  // namespace pg
