// The cost model: a static estimate that ranks candidates before anything is compiled.
#include <algorithm>
#include <cmath>

#include "search/moves.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {

constexpr double kLoadsPerCycle = 2, kMathPerCycle = 2, kMathLatency = 4;   // Zen 4/5, Golden Cove: two FMA and two load ports
constexpr double kSpillPenalty = 0.15;       // per register above the file
constexpr double kBytesPerCycle[] = {64, 32, 12};   // sustained from L2, L3, DRAM by one core, roughly
constexpr double kItemCycles = 20;           // finding a grid item's indices

struct AxisShape {
  double extent = 1, registers = 1, lanes = 1, waste = 1;   // registers: instances in the register block
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

}  // namespace

double estimate(const Schedule& s, const Target& target) {
  double cycles = 0;
  const std::vector<RangeRef> order = s.order();
  for (const Definition& d : definitions(s.kernel())) {
    double iterations = 1, accumulators = 1, waste = 1, lanes = 1, instances = 1;
    std::vector<std::pair<std::string, AxisShape>> shapes;
    for (const UOps* ranges : {&d.ranges, &d.reduce_ranges})
      for (const UOp& r : *ranges) {
        const AxisShape shape = shape_of_axis(s, *s.axis(axis_of(r)));
        iterations *= shape.extent;
        waste *= shape.waste;
        lanes = std::max(lanes, shape.lanes);
        instances *= shape.registers;
        const bool unrolled = ranges == &d.reduce_ranges && !s.chain(axis_of(r)).empty() && s.chain(axis_of(r)).back().kind == Kind::Unroll;
        if (!unrolled) accumulators *= shape.registers;
        shapes.emplace_back(axis_of(r), shape);
      }
    const double width = std::max(1.0, lanes * 4 / target.vector_bytes);
    const double blocks = iterations * waste / (instances * lanes);   // executions of the register block

    UOps roots = d.bodies;
    if (!d.reduce) roots.push_back(d.store ? d.store : d.value);
    double math = d.reduce ? instances * width : 0, loads = 0, traffic = 0;
    for (const UOp& u : toposort(roots)) {
      if (info(u.op()).has(op_flag::Elementwise) && u.dtype().is_float()) math += instances * width * (u.is(Op::Exp) || u.is(Op::Sin) || u.is(Op::Cos) || u.is(Op::Erf) || u.is(Op::Tanh) ? 12 : 0.5);
      if ((!u.is(Op::Load) && !u.is(Op::Store)) || !u.src(0).src(0).is(Op::Param)) continue;
      const UOp address = flat(u.src(0));
      double copies = 1, streams = 1;
      bool gather = false, vector = false;
      for (const UOps* ranges : {&d.ranges, &d.reduce_ranges})
        for (const UOp& r : *ranges) {
          if (!depends_on(address, r)) continue;
          for (const auto& [axis, shape] : shapes)
            if (axis == axis_of(r)) {
              copies *= shape.registers;
              if (shape.lanes > 1) (coefficient(address, r) == 1 ? vector : gather) = true;
            }
        }
      // What the innermost loop walks with a stride misses the L1 line by line.
      for (size_t i = order.size(); i-- > 0;)
        if (s.kind(order[i]) == Kind::Loop) {
          for (const UOp& r : d.reduce_ranges)
            if (axis_of(r) == order[i].axis) {
              const auto c = coefficient(address, r);
              streams = depends_on(address, r) ? (c && std::abs(*c) * 4 < 64 ? 1 : 1.5) : 0;
            }
          break;
        }
      const double cost = gather ? lanes * 1.5 : vector ? width : 1;
      loads += copies * cost;
      traffic += copies * (gather ? lanes * 16 : vector ? lanes * 4 : 4) * streams;
    }
    const double latency = d.reduce ? kMathLatency * instances / std::max(1.0, accumulators) * width : 0;
    double block = std::max({math / kMathPerCycle, loads / kLoadsPerCycle, latency, traffic / kBytesPerCycle[0] * 0.6});
    if (const double over = static_cast<double>(register_pressure(s, target) - target.registers); over > 0) block *= 1 + kSpillPenalty * over;
    cycles += blocks * block;
  }
  double items = 1;
  for (const std::string& axis : s.grid()) {
    const auto& chain = s.chain(axis);
    const double extent = static_cast<double>(std::max<int64_t>(1, bounds(s.axis(axis)->extent).hi));
    items *= std::ceil(extent / (chain.empty() ? 1.0 : static_cast<double>(chain[0].size)));
  }
  const double per_core = std::ceil(items / target.cores) / items;   // quantisation: the slowest core
  return cycles * per_core + items * kItemCycles / target.cores;
}

}  // namespace pg
