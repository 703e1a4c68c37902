// The cost model: a static estimate that ranks candidates before anything is compiled.
#include <algorithm>
#include <cmath>

#include "search/moves.h"
#include "search/moves_blocks.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {

// In cycles of a core that begins two multiply-adds in each: Zen 4/5, Golden Cove.
constexpr double kMathPerCycle = 2, kMathLatency = 4;
constexpr double kLoopCycles = 0.5;     // of a register block's loop: counting, jumping, addresses; most of it hides
constexpr double kCopyCycles = 0.25;    // of an element into a staged tile, once
constexpr double kItemCycles = 20;      // finding a grid item's indices
constexpr double kSpillPenalty = 0.15;  // per register above the file
constexpr double kLine = 64;            // bytes of a cache line

struct AxisShape {
  double extent = 1, registers = 1, lanes = 1, waste = 1;  // registers: instances in the register block
};

AxisShape shape_of_axis(const Schedule& s, const Axis& a) {
  AxisShape shape;
  shape.extent = static_cast<double>(std::max<int64_t>(1, bounds(a.extent).hi));
  const auto& chain = s.chain(a.name);
  const double tile = static_cast<double>(s.register_tile(a.name));
  if (!chain.empty() && chain.back().kind == Kind::Vec) shape.lanes = static_cast<double>(chain.back().size);
  shape.registers = tile / shape.lanes;
  // Masked lanes cost what whole ones do; a peeled tail of rows costs its operands again.
  const double vectors = std::ceil(shape.extent / shape.lanes) * shape.lanes / shape.extent;
  const double tail = std::fmod(shape.extent, tile) > 0 ? 0.3 * tile / shape.extent : 0;
  shape.waste = vectors + std::min(1.0, tail);
  return shape;
}

UOp flat(const UOp& at) {
  UOp sum = iconst(0), stride = iconst(1);
  for (size_t i = at.src(0).src().size(); i-- > 0;) {
    sum = sum + at.src(i + 1) * stride;
    stride = stride * at.src(0).src(i);
  }
  return simplify(sum);
}

double elements_of(const UOp& buffer) {
  double n = 1;
  for (const UOp& e : buffer.src()) n *= static_cast<double>(std::max<int64_t>(1, bounds(e).hi));
  return n;
}

/// Elements of an axis that the ranges inside the `depth` outermost loops walk over.
double covered(const Schedule& s, const std::vector<RangeRef>& loops, size_t depth, const UOp& axis) {
  RangeRef r{axis_of(axis), 0};
  double extent = static_cast<double>(std::max<int64_t>(1, bounds(axis.src(0)).hi));
  const auto is_open = [&] {
    return std::find(loops.begin(), loops.begin() + static_cast<long>(depth), r) != loops.begin() + static_cast<long>(depth);
  };
  const auto& chain = s.chain(r.axis);
  for (size_t i = 0; is_open(); ++i) {
    if (i == chain.size()) return 1;
    r.tile = chain[i].size;
    extent = std::min(extent, static_cast<double>(r.tile));
  }
  return extent;
}

/// How often the part of a buffer that the loops inside `depth` touch is fetched: once per trip of the loops outside, but
/// for the innermost of those that do not move it.
double fetches(const Schedule& s, const std::vector<RangeRef>& loops, size_t depth, const UOps& axes, const UOp& address) {
  double times = 1;
  bool stays = true;
  for (size_t i = depth; i-- > 0;)
    for (const UOp& a : axes) {
      if (axis_of(a) != loops[i].axis) continue;
      stays &= !depends_on(address, a);
      if (!stays) times *= covered(s, loops, i, a) / covered(s, loops, i + 1, a);
    }
  return times;
}

/// Time to fetch what a nest reads and writes: at each cache level, the largest inner part of the nest whose data fit into
/// the level is loaded once for each trip of the loops round it.
struct Stream {
  UOp address;
  bool packed = false;  // a staged tile: its elements lie side by side
};
double memory_ns(const Schedule& s, const Target& target, const Costs& costs, const Definition& d,
                 const std::vector<Stream>& streams) {
  std::vector<RangeRef> loops;
  UOps axes = d.ranges;
  axes.insert(axes.end(), d.reduce_ranges.begin(), d.reduce_ranges.end());
  for (const RangeRef& r : s.order())
    if (!is_register(s.kind(r)) && std::any_of(axes.begin(), axes.end(), [&](const UOp& a) { return axis_of(a) == r.axis; }))
      loops.push_back(r);
  const double sizes[] = {static_cast<double>(target.l1_bytes), static_cast<double>(target.l2_bytes),
                          static_cast<double>(target.l3_bytes)};
  double ns = 0;
  for (size_t level = 0; level < costs.byte.size(); ++level)
    for (size_t depth = 0; depth <= loops.size(); ++depth) {
      double footprint = 0, traffic = 0;
      for (const auto& [address, packed] : streams) {
        double elements = 1, run = 1, line = packed ? 0 : kLine;  // run: contiguous elements
        for (const UOp& a : axes) {
          if (!depends_on(address, a)) continue;
          elements *= covered(s, loops, depth, a);
          if (coefficient(address, a) != 1) continue;
          run = std::max(run, covered(s, loops, depth, a));
          if (depth > 0 && loops[depth - 1].axis == axis_of(a)) line = 0;  // the next trip goes on in the same line
        }
        const double bytes = elements / run * std::max(run * 4, line);
        footprint += bytes;
        traffic += bytes * fetches(s, loops, depth, axes, address);
      }
      if (footprint > sizes[level] * 0.75 && depth < loops.size()) continue;
      ns += traffic * costs.byte[level];
      break;
    }
  return ns;
}

}  // namespace

Estimate estimate_parts(const Schedule& s, const Target& target, const Costs& costs) {
  if (target.gpu) return {.ns = estimate_blocks(s, target, costs)};
  const double cycle = kMathPerCycle * costs.math;
  Estimate e;
  double ns = 0;
  const double over = static_cast<double>(register_pressure(s, target) - target.registers);
  std::vector<std::string> kept;
  for (const StageOpt& stage : s.stages()) kept.push_back(stage.value);
  for (const Definition& d : definitions(elementwise_inlined(s.ast(), kept))) {
    double iterations = 1, accumulators = 1, waste = 1, lanes = 1, instances = 1;
    std::vector<std::pair<std::string, AxisShape>> shapes;
    for (const UOps* ranges : {&d.ranges, &d.reduce_ranges})
      for (const UOp& r : *ranges) {
        const AxisShape shape = shape_of_axis(s, *s.axis(axis_of(r)));
        iterations *= shape.extent;
        waste *= shape.waste;
        lanes = std::max(lanes, shape.lanes);
        instances *= shape.registers;
        const bool unrolled =
            ranges == &d.reduce_ranges && !s.chain(axis_of(r)).empty() && s.chain(axis_of(r)).back().kind == Kind::Unroll;
        if (!unrolled) accumulators *= shape.registers;
        shapes.emplace_back(axis_of(r), shape);
      }
    const double width = std::max(1.0, lanes * 4 / target.vector_bytes);
    const double blocks = iterations * waste / (instances * lanes);  // executions of the register block

    UOps roots = d.bodies;
    if (!d.reduce) roots.push_back(d.store ? d.store : d.value);
    double math = d.reduce ? instances * width : 0, loads = 0;
    std::vector<Stream> streams;
    for (const UOp& u : toposort(roots)) {
      if (info(u.op()).has(op_flag::Elementwise) && u.dtype().is_float())
        math += instances * width *
                (u.is(Op::Exp) || u.is(Op::Sin) || u.is(Op::Cos) || u.is(Op::Erf) || u.is(Op::Tanh) ? 12 : 0.5);
      if ((!u.is(Op::Load) && !u.is(Op::Store)) || !u.src(0).src(0).is(Op::Param)) continue;
      const UOp address = flat(u.src(0));
      const bool packed =
          u.is(Op::Load) && std::find(kept.begin(), kept.end(), u.src(0).src(0).arg_as<ParamArg>().name) != kept.end();
      streams.push_back({address, packed});
      if (packed) e.copies += elements_of(u.src(0).src(0)) * kCopyCycles * cycle;
      double copies = 1;
      bool gather = false, vector = false;
      for (const UOps* ranges : {&d.ranges, &d.reduce_ranges})
        for (const UOp& r : *ranges) {
          if (!depends_on(address, r)) continue;
          for (const auto& [axis, shape] : shapes)
            if (axis == axis_of(r)) {
              copies *= shape.registers;
              if (shape.lanes > 1) (packed || coefficient(address, r) == 1 ? vector : gather) = true;
            }
        }
      loads += copies * (gather ? lanes * 1.5 : vector ? width : 1);
    }
    const double latency = d.reduce ? kMathLatency * instances / std::max(1.0, accumulators) * width : 0;
    const double block = std::max({math * costs.math, loads * costs.load, latency * cycle}) + kLoopCycles * cycle;
    e.math += blocks * math * costs.math;
    e.loads += blocks * loads * costs.load;
    e.latency += blocks * latency * cycle;
    if (over > 0) e.spills += blocks * block * kSpillPenalty * over;
    ns += blocks * block;
    e.memory += memory_ns(s, target, costs, d, streams);
  }
  ns += e.spills + e.memory + e.copies;
  double items = 1;
  for (const std::string& axis : s.grid()) {
    const auto& chain = s.chain(axis);
    const double extent = static_cast<double>(std::max<int64_t>(1, bounds(s.axis(axis)->extent).hi));
    items *= std::ceil(extent / (chain.empty() ? 1.0 : static_cast<double>(chain[0].size)));
  }
  const double per_core = std::ceil(items / target.cores) / items;  // quantisation: the slowest core
  e.ns = ns * per_core + items * kItemCycles * cycle / target.cores;
  return e;
}

double estimate(const Schedule& s, const Target& target, const Costs& costs) {
  return estimate_parts(s, target, costs).ns;
}

}  // namespace pg
