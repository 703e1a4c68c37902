// The canonical state of a schedule. What each opt does to it is in apply.cpp.
#include "search/schedule.h"

#include <algorithm>

#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

std::vector<Axis> axes(const UOp& kernel) {
  std::vector<Axis> all;
  const auto find = [&](const UOp& r) -> Axis& {
    for (Axis& a : all)
      if (a.name == axis_of(r)) return a;
    return all.emplace_back(Axis{axis_of(r), r.src(0)});
  };
  const std::vector<Definition> ds = definitions(kernel);
  for (const UOp& r : ds.back().ranges) find(r).output = true;
  for (const Definition& d : ds)
    for (const UOp& r : d.ranges) find(r);
  for (const Definition& d : ds)
    for (const UOp& r : d.reduce_ranges) find(r).reduce = true;
  return all;
}

Schedule::Schedule(UOp kernel) : kernel_(std::move(kernel)), axes_(pg::axes(kernel_)) {
  for (const Axis& a : axes_) chains_[a.name];
  loops_ = default_loops();
}

const Axis* Schedule::axis(const std::string& name) const {
  for (const Axis& a : axes_)
    if (a.name == name) return &a;
  return nullptr;
}
const std::vector<Schedule::Split>& Schedule::chain(const std::string& axis) const { return chains_.at(axis); }

int64_t Schedule::register_tile(const std::string& axis) const {
  for (const Split& s : chain(axis))
    if (is_register(s.kind)) return s.size;  // outer to inner: the first is the largest
  return 1;
}

Kind Schedule::kind(const RangeRef& r) const {
  if (!r.tile) return std::find(grid_.begin(), grid_.end(), r.axis) != grid_.end() ? Kind::Grid : Kind::Loop;
  for (const Split& s : chain(r.axis))
    if (s.size == r.tile) return s.kind;
  throw InternalError("no range " + text(r));
}

std::vector<RangeRef> Schedule::default_loops() const {
  // Outputs before reductions, so that accumulators stay in registers; outer tiles before inner ones.
  std::vector<RangeRef> loops;
  for (const bool output : {true, false})
    for (size_t depth = 0, more = 1; more; ++depth) {
      more = 0;
      for (const Axis& a : axes_) {
        if (a.output != output) continue;
        const auto& splits = chain(a.name);
        if (depth == 0 && kind({a.name, 0}) == Kind::Loop) loops.push_back({a.name, 0});
        if (depth > 0 && depth <= splits.size() && splits[depth - 1].kind == Kind::Loop)
          loops.push_back({a.name, splits[depth - 1].size});
        more |= depth < splits.size();
      }
    }
  return loops;
}

std::vector<RangeRef> Schedule::order() const {
  std::vector<RangeRef> all;
  for (const std::string& a : grid_) all.push_back({a, 0});
  all.insert(all.end(), loops_.begin(), loops_.end());
  for (const Axis& a : axes_)
    for (const Split& s : chain(a.name))
      if (is_register(s.kind)) all.push_back({a.name, s.size});
  return all;
}

Opts Schedule::opts() const {
  Opts opts;
  for (const Axis& a : axes_)
    for (const Split& s : chain(a.name)) opts.push_back(Tile{a.name, s.size, s.kind});
  if (!grid_.empty()) opts.push_back(Grid{grid_});
  // Unnamed ranges stay outermost, so a common beginning need not be said.
  std::vector<RangeRef> unnamed = default_loops();
  size_t same = 0;
  while (same < loops_.size() && loops_[same] == unnamed[same]) ++same;
  if (same < loops_.size()) opts.push_back(Order{{loops_.begin() + same, loops_.end()}});
  return opts;
}

UOp Schedule::scheduled() const {
  UOps src{kernel_};
  for (const RangeRef& r : order()) {
    const auto& splits = chain(r.axis);
    int64_t step = splits.empty() ? 1 : splits[0].size;
    if (r.tile)
      for (size_t i = 0; i < splits.size(); ++i)
        if (splits[i].size == r.tile) step = i + 1 < splits.size() ? splits[i + 1].size : 1;
    const UOp trips = r.tile ? iconst(r.tile / step) : simplify(ceildiv(axis(r.axis)->extent, step));
    src.push_back(range(r.axis, trips, r.tile, kind(r)));
  }
  return UOp(Op::Scheduled, dt::kVoid, {}, src);
}

Expected<Schedule> read_schedule(const UOp& kernel, std::string_view opts) {
  try {
    return Schedule(kernel).apply(parse_opts(opts));
  } catch (const UserError& e) {
    return Illegal{e.what()};
  }
}

int64_t register_pressure(const Schedule& schedule, const Target& target) {
  int64_t most = 0;
  for (const Definition& d : definitions(schedule.kernel())) {
    int64_t accumulators = 1, lanes = 1, most_numerous = 1;
    const auto visit = [&](const UOps& ranges, bool reduce) {
      for (const UOp& r : ranges) {
        int64_t instances = 1;
        const auto& splits = schedule.chain(axis_of(r));
        for (size_t i = 0; i < splits.size(); ++i) {
          const int64_t trips = splits[i].size / (i + 1 < splits.size() ? splits[i + 1].size : 1);
          if (splits[i].kind == Kind::Vec)
            lanes = trips;
          else if (splits[i].kind == Kind::Upcast || (splits[i].kind == Kind::Unroll && !reduce))
            instances *= trips;
        }
        accumulators *= instances;
        most_numerous = std::max(most_numerous, instances);
      }
    };
    visit(d.ranges, false);
    visit(d.reduce_ranges, true);
    const int64_t width = std::max<int64_t>(1, lanes * 4 / target.vector_bytes);
    const int64_t operands = accumulators / most_numerous + 1;
    most =
        std::max(most, d.reduce ? (accumulators + operands) * width : std::min<int64_t>(operands * width, target.registers));
  }
  return most;
}

}  // namespace pg
