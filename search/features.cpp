#include "search/features.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "search/build.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {

constexpr double kPeakFlops = 4, kPeakBytes = 8;  // a lane, a core, in some unit of time: only how kernels compare matters

/// What an axis is to a kernel; several axes of one role are summed up.
enum Role : size_t { Innermost, Second, Outer, Reduced, ReducedToo, kRoles };
constexpr const char* kRoleNames[] = {"innermost", "second", "outer", "reduced", "reduced_too"};
constexpr const char* kOfRole[] = {"extent",      "register_tile", "lanes", "unrolled", "threads",
                                   "cache_tiles", "cache_tile",    "waste", "grid"};
constexpr const char* kOfKernel[] = {"flops",       "bytes",          "intensity",        "cores",
                                     "definitions", "reductions",     "definitions_axes", "operations",
                                     "functions",   "loads_of_memory"};
constexpr const char* kOfSchedule[] = {
    "estimate",      "math",          "loads",        "latency",        "spills",   "memory",         "copies",
    "share_memory",  "loads_to_math", "registers",    "accumulators",   "pressure", "stages",         "stages_top",
    "stages_params", "stages_layout", "stages_async", "stages_buffers", "nests",    "online",         "prefetched",
    "blocks",        "items",         "items_a_core", "quantisation",   "loops",    "innermost_loop", "second_loop",
    "third_loop",    "vector_role",   "opts"};

double log_of(double x) { return std::log2(std::max(x, 1e-12)); }
double extent_of(const Axis& a) { return static_cast<double>(std::max<int64_t>(1, bounds(a.extent).hi)); }

/// By the kernel's order: outputs from the innermost outwards, then what is only summed over, the longest first.
std::vector<Role> roles(const Schedule& s) {
  const std::vector<Axis>& axes = s.axes();
  std::vector<Role> all(axes.size(), ReducedToo);
  size_t outputs = 0, longest = axes.size();
  for (size_t i = axes.size(); i-- > 0;) {
    if (axes[i].output)
      all[i] = static_cast<Role>(std::min<size_t>(outputs++, Outer));
    else if (longest == axes.size() || extent_of(axes[i]) >= extent_of(axes[longest]))
      longest = i;
  }
  if (longest < axes.size()) all[longest] = Reduced;
  return all;
}

using AxisRow = std::array<double, std::size(kOfRole)>;
AxisRow row_of(const Schedule& s, const Axis& axis) {
  const double extent = extent_of(axis);
  double lanes = 1, unrolled = 1, threads = 1, tiles = 0, tile = extent;
  const Schedule::Splits& chain = s.chain(axis.name);
  for (size_t i = 0; i < chain.size(); ++i) {
    const double trips =
        static_cast<double>(chain[i].size) / static_cast<double>(i + 1 < chain.size() ? chain[i + 1].size : 1);
    switch (chain[i].kind) {
      case Kind::Vec: lanes *= trips; break;
      case Kind::Unroll: unrolled *= trips; break;
      case Kind::Local: threads *= trips; break;
      case Kind::Loop: ++tiles, tile = std::min(tile, static_cast<double>(chain[i].size)); break;
      default: break;
    }
  }
  const double registers = static_cast<double>(s.register_tile(axis.name));
  const double waste = std::ceil(extent / registers) * registers / extent;
  const bool shared = std::find(s.grid().begin(), s.grid().end(), axis.name) != s.grid().end();
  return {log_of(extent), log_of(registers), log_of(lanes), log_of(unrolled),  log_of(threads),
          tiles,          log_of(tile),      log_of(waste), shared ? 1.0 : 0.0};
}

bool is_function(Op op) { return op == Op::Exp || op == Op::Sin || op == Op::Cos || op == Op::Erf || op == Op::Tanh; }

}  // namespace

Features::Features(const UOp& kernel, const Target& target) : target_(target) {
  const UOps variables = variables_of(kernel);
  std::vector<int64_t> values;
  for (const UOp& v : variables) values.push_back(v.arg_as<VariableArg>().hi);
  const Work w = work(kernel, variables, values);
  double reductions = 0, axes = 0, operations = 0, functions = 0, loads = 0;
  const std::vector<Definition> all = definitions(kernel);
  for (const Definition& d : all) {
    reductions += d.reduce ? 1 : 0;
    axes += static_cast<double>(d.ranges.size() + d.reduce_ranges.size());
    for (const UOp& u : expression_nodes(d.store ? d.store : d.value)) {
      operations += info(u.op()).has(op_flag::Elementwise) && u.dtype().is_float();
      functions += is_function(u.op());
      loads += u.is(Op::Load) && u.src(0).src(0).is(Op::Param);
    }
  }
  const double cores = std::max(1, target.gpu ? target.sms : target.cores);
  least_ = std::max({w.flops / (kPeakFlops * std::max(1, target.lanes_f32())), w.bytes / kPeakBytes, 1.0}) / cores;
  for (const double x : {log_of(w.flops), log_of(w.bytes), log_of(w.flops) - log_of(w.bytes), log_of(cores),
                         static_cast<double>(all.size()), reductions, axes, operations, functions, loads})
    kernel_.push_back(static_cast<float>(x));
}

std::vector<float> Features::of(const Schedule& s, const Estimate& e) const {
  const auto relative = [&](double ns) { return log_of(ns / least_ + 1e-3); };
  const std::vector<Role> role = roles(s);
  const auto role_of = [&](const std::string& axis) {
    for (size_t i = 0; i < role.size(); ++i)
      if (s.axes()[i].name == axis) return static_cast<double>(role[i]);
    return -1.0;
  };
  std::array<AxisRow, kRoles> by_role{};
  double accumulators = 0, registers = 0, vector_role = -1, items = 1;
  for (size_t i = 0; i < role.size(); ++i) {
    const Axis& axis = s.axes()[i];
    const AxisRow row = row_of(s, axis);
    for (size_t j = 0; j < row.size(); ++j) by_role[role[i]][j] += row[j];
    registers += row[1];
    if (axis.output) accumulators += row[1] - row[2];
    if (row[2] > 0) vector_role = static_cast<double>(role[i]);
    const Schedule::Splits& chain = s.chain(axis.name);
    if (row[8] > 0) items *= std::ceil(extent_of(axis) / (chain.empty() ? 1.0 : static_cast<double>(chain[0].size)));
  }
  double top = 0, params = 0, layouts = 0, async = 0, buffers = 0;
  for (const StageOpt& stage : s.stages()) {
    top += stage.at.axis.empty();
    params += !s.nest(stage.value);
    layouts += !stage.layout.empty();
    async += stage.copy == StageCopy::CpAsync;
    buffers += static_cast<double>(stage.stages);
  }
  double live = 0;
  for (const Schedule::Nest& n : s.nests()) live += n.live;
  std::vector<double> loops;  // roles, innermost first
  const std::vector<RangeRef> order = s.order();
  for (size_t i = order.size(); i-- > 0;)
    if (s.kind(order[i]) == Kind::Loop) loops.push_back(role_of(order[i].axis));
  const size_t count = loops.size();
  loops.resize(std::max<size_t>(3, count), -1);
  const double cores = std::max(1, target_.gpu ? target_.sms : target_.cores);

  std::vector<float> row = kernel_;
  const auto add = [&](double x) { row.push_back(static_cast<float>(x)); };
  for (const AxisRow& of_role : by_role)
    for (const double x : of_role) add(x);
  for (const double x : {relative(e.ns), relative(e.math / cores), relative(e.loads / cores), relative(e.latency / cores),
                         relative(e.spills / cores), relative(e.memory / cores), relative(e.copies / cores)})
    add(x);
  const double all = e.math + e.loads + e.memory;
  add(all > 0 ? e.memory / all : 0);
  add(all > 0 ? log_of((e.loads + 1) / (e.math + 1)) : 0);
  for (const double x : {registers,
                         accumulators,
                         static_cast<double>(register_pressure(s, target_)) / std::max(1, target_.registers),
                         static_cast<double>(s.stages().size()),
                         top,
                         params,
                         layouts,
                         async,
                         buffers,
                         live,
                         s.online().empty() ? 0.0 : 1.0,
                         static_cast<double>(s.prefetched().size()),
                         static_cast<double>(s.blocks()),
                         log_of(items),
                         log_of(items / cores),
                         log_of(std::ceil(items / cores) * cores / items),
                         static_cast<double>(count),
                         loops[0],
                         loops[1],
                         loops[2],
                         vector_role,
                         static_cast<double>(s.opts().size())})
    add(x);
  return row;
}

const std::vector<std::string>& Features::names() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> names(std::begin(kOfKernel), std::end(kOfKernel));
    for (const char* role : kRoleNames)
      for (const char* what : kOfRole) names.push_back(std::string(role) + "." + what);
    names.insert(names.end(), std::begin(kOfSchedule), std::end(kOfSchedule));
    return names;
  }();
  return all;
}

}  // namespace pg
