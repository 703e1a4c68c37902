// The canonical state of a schedule. What each opt does to it is in apply.cpp.
#include "search/schedule.h"

#include <algorithm>

#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {
bool contains(const std::vector<std::string>& list, const std::string& s) {
  return std::find(list.begin(), list.end(), s) != list.end();
}
}  // namespace

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

Schedule::Schedule(UOp kernel, const Target& target) : kernel_(std::move(kernel)), ast_(kernel_), target_(target) {
  unscheduled();
}

void Schedule::unscheduled() {
  axes_ = pg::axes(ast_);
  nests_.clear();
  for (const Definition& d : definitions(ast_)) {
    Nest& n = nests_.emplace_back();
    n.name = d.store ? d.store.src(0).src(0).arg_as<ParamArg>().name : d.node.arg_as<std::string>();
    n.live = d.store || d.reduce;
    for (const UOps* ranges : {&d.ranges, &d.reduce_ranges})
      for (const UOp& r : *ranges) {
        if (n.has(axis_of(r))) continue;
        n.axes.push_back(axis_of(r));
        n.outputs += ranges == &d.ranges;
        n.chains[axis_of(r)];
      }
    n.loops = default_loops(n);
  }
}

const Axis* Schedule::axis(const std::string& name) const {
  for (const Axis& a : axes_)
    if (a.name == name) return &a;
  return nullptr;
}
const Schedule::Nest* Schedule::nest(const std::string& name) const {
  for (const Nest& n : nests_)
    if (n.name == name) return &n;
  return nullptr;
}
const Schedule::Nest& Schedule::nest_with(const std::string& axis) const {
  if (root().has(axis)) return root();
  for (const bool live : {true, false})
    for (const Nest& n : nests_)
      if (n.live == live && n.has(axis)) return n;
  throw InternalError("no nest has axis " + axis);
}
const Schedule::Splits& Schedule::chain(const std::string& axis) const { return nest_with(axis).chains.at(axis); }

int64_t Schedule::register_tile(const std::string& axis) const {
  for (const Split& s : chain(axis))
    if (is_register(s.kind)) return s.size;  // outer to inner: the first is the largest
  return 1;
}

bool Schedule::is_grid(const Nest& n, const std::string& axis) const { return &n == &root() && contains(grid_, axis); }

Kind Schedule::kind(const RangeRef& r) const {
  if (!r.tile) return contains(grid_, r.axis) ? Kind::Grid : Kind::Loop;
  for (const Split& s : chain(r.axis))
    if (s.size == r.tile) return s.kind;
  throw InternalError("no range " + text(r));
}

/// Threads by depth, then the registers of each axis.
std::vector<RangeRef> Schedule::threads_and_registers(const std::vector<std::string>& axes, auto&& chain_of) {
  std::vector<RangeRef> all;
  for (size_t depth = 0, more = 1; more; ++depth) {
    more = 0;
    for (const std::string& a : axes) {
      const Splits& splits = chain_of(a);
      if (depth < splits.size() && splits[depth].kind == Kind::Local) all.push_back({a, splits[depth].size});
      more |= depth + 1 < splits.size();
    }
  }
  for (const std::string& a : axes)
    for (const Split& s : chain_of(a))
      if (is_register(s.kind)) all.push_back({a, s.size});
  return all;
}

std::vector<RangeRef> Schedule::default_loops(const Nest& n) const {
  // Outputs before reductions, so that accumulators stay in registers; outer tiles before inner ones.
  std::vector<RangeRef> loops;
  for (const bool output : {true, false})
    for (size_t depth = 0, more = 1; more; ++depth) {
      more = 0;
      for (size_t i = 0; i < n.axes.size(); ++i) {
        if ((i < n.outputs) != output) continue;
        const Splits& splits = n.chains.at(n.axes[i]);
        if (depth == 0 && !is_grid(n, n.axes[i])) loops.push_back({n.axes[i], 0});
        if (depth > 0 && depth <= splits.size() && splits[depth - 1].kind == Kind::Loop)
          loops.push_back({n.axes[i], splits[depth - 1].size});
        more |= depth < splits.size();
      }
    }
  return loops;
}

std::vector<RangeRef> Schedule::reordered(std::vector<RangeRef> loops, const std::vector<RangeRef>& innermost) {
  std::vector<RangeRef> moved;
  for (RangeRef r : innermost) {
    r.nest.clear();
    if (std::erase(loops, r)) moved.push_back(r);
  }
  loops.insert(loops.end(), moved.begin(), moved.end());
  return loops;
}

std::string Schedule::misplaced(const std::vector<RangeRef>& loops) {
  for (size_t i = 0; i < loops.size(); ++i)
    for (size_t j = i + 1; j < loops.size(); ++j)
      if (loops[i].axis == loops[j].axis && loops[i].tile && (!loops[j].tile || loops[j].tile > loops[i].tile))
        return text(loops[i]) + " outside " + text(loops[j]);
  return "";
}

std::vector<RangeRef> Schedule::order() const {
  std::vector<RangeRef> all;
  for (const std::string& a : grid_) all.push_back({a, 0});
  all.insert(all.end(), root().loops.begin(), root().loops.end());
  for (const Axis& a : axes_)
    if (!root().has(a.name))
      for (const RangeRef& r : nest_with(a.name).loops)
        if (r.axis == a.name) all.push_back(r);
  std::vector<std::string> names;
  for (const Axis& a : axes_) names.push_back(a.name);
  for (const RangeRef& r : threads_and_registers(names, [&](const std::string& a) { return chain(a); })) all.push_back(r);
  return all;
}

// ---- the shortest opts -----------------------------------------------------------------------------------------------

void Schedule::tile_opts(Opts& opts) const {
  for (const Axis& a : axes_) {
    const Splits& common = chain(a.name);
    const bool alike = a.name != online_ && std::all_of(nests_.begin(), nests_.end(), [&](const Nest& n) {
                         return !n.live || !n.has(a.name) || n.chains.at(a.name) == common;
                       });
    for (const Nest& n : nests_) {
      if (!n.live || !n.has(a.name) || (alike && &n != &nest_with(a.name))) continue;
      const Splits& splits = n.chains.at(a.name);
      for (size_t i = 0; i < splits.size(); ++i)
        if (i == online_split() && a.name == online_ && &n == &root())
          opts.push_back(Online{a.name, splits[i].size});
        else
          opts.push_back(Tile{a.name, splits[i].size, splits[i].kind, alike ? "" : n.name});
    }
  }
}

void Schedule::order_opts(Opts& opts) const {
  // Unnamed ranges stay outermost, so a common beginning need not be said.
  const auto named = [](const std::vector<RangeRef>& loops, const std::vector<RangeRef>& unnamed) {
    size_t same = 0;
    while (same < loops.size() && loops[same] == unnamed[same]) ++same;
    return std::vector<RangeRef>(loops.begin() + static_cast<long>(same), loops.end());
  };
  const auto say = [&](const Nest& n) {
    std::vector<RangeRef> own = named(n.loops, default_loops(n));
    if (own.empty()) return;
    if (&n != &root()) own[0].nest = n.name;
    opts.push_back(Order{own});
  };
  say(root());
  for (const Nest& n : nests_)
    if (&n != &root() && n.live) say(n);
}

bool Schedule::has_threads(const Nest& n, const std::string& axis) {
  const auto chain = n.chains.find(axis);
  return chain != n.chains.end() &&
         std::any_of(chain->second.begin(), chain->second.end(), [](const Split& s) { return s.kind == Kind::Local; });
}
void Schedule::lanes_opts(Opts& opts) const {
  for (const Axis& a : axes_) {
    const auto along = [&](const Nest& n) { return n.live && has_threads(n, a.name); };
    const bool alike =
        std::all_of(nests_.begin(), nests_.end(), [&](const Nest& n) { return !along(n) || n.lanes == a.name; });
    bool said = false;
    for (const Nest& n : nests_) {
      if (!along(n) || n.lanes != a.name || (alike && said)) continue;
      opts.push_back(Lanes{a.name, alike ? "" : n.name});
      said = true;
    }
  }
}

Opts Schedule::opts() const {
  Opts opts;
  if (streams_) opts.push_back(*streams_);
  tile_opts(opts);
  if (!grid_.empty()) opts.push_back(Grid{grid_});
  order_opts(opts);
  for (const auto& [axis, size] : padded_) opts.push_back(PadLoop{axis, size});
  for (const StageOpt& s : stages_) opts.push_back(s);
  for (const std::string& axis : fused_) opts.push_back(Fuse{axis});
  for (const PrefetchBuffer& p : prefetched_) opts.push_back(p);
  lanes_opts(opts);
  if (blocks_ > 1) opts.push_back(Bounds{blocks_});
  return opts;
}

// ---- for lowering ----------------------------------------------------------------------------------------------------

UOp Schedule::split_range(const Nest& n, const RangeRef& r) const {
  const Splits& splits = n.chains.at(r.axis);
  int64_t step = splits.empty() ? 1 : splits[0].size;
  Kind kind = is_grid(n, r.axis) ? Kind::Grid : Kind::Loop;
  if (r.tile)
    for (size_t i = 0; i < splits.size(); ++i)
      if (splits[i].size == r.tile) step = i + 1 < splits.size() ? splits[i + 1].size : 1, kind = splits[i].kind;
  const UOp trips = r.tile ? iconst(r.tile / step) : simplify(ceildiv(axis(r.axis)->extent, step));
  return range(r.axis, trips, r.tile, kind);
}

UOp Schedule::scheduled() const {
  const auto ranges_of = [&](const Nest& n) {
    std::vector<RangeRef> all;
    if (&n == &root())
      for (const std::string& a : grid_) all.push_back({a, 0});
    all.insert(all.end(), n.loops.begin(), n.loops.end());
    for (const RangeRef& r : threads_and_registers(n.axes, [&](const std::string& a) { return n.chains.at(a); }))
      all.push_back(r);
    UOps ranges;
    for (const RangeRef& r : all) ranges.push_back(split_range(n, r));
    return ranges;
  };
  UOps src{ast_};
  for (const RangeRef& r : order()) src.push_back(split_range(nest_with(r.axis), r));
  const size_t common = src.size();
  for (const Nest& n : nests_) {
    if (&n == &root() || !n.live) continue;
    UOps shared;  // what it gets from the common ranges
    for (size_t i = 1; i < common; ++i)
      if (n.has(axis_of(src[i]))) shared.push_back(src[i]);
    if (const UOps own = ranges_of(n); own != shared) src.push_back(UOp(Op::Nest, dt::kVoid, n.name, own));
  }
  for (const StageOpt& s : stages_) src.push_back(directive(s));
  if (!online_.empty()) src.push_back(directive(OnlineLoop{online_}));
  for (const std::string& axis : fused_) src.push_back(directive(Fuse{axis}));
  for (const auto& [axis, size] : padded_) src.push_back(directive(PadLoop{axis, size}));
  for (const PrefetchBuffer& p : prefetched_) src.push_back(directive(p));
  for (const Nest& n : nests_)
    if (n.live && !n.lanes.empty()) src.push_back(directive(Lanes{n.lanes, n.name}));
  if (blocks_ > 1) src.push_back(directive(Bounds{blocks_}));
  return UOp(Op::Scheduled, dt::kVoid, {}, src);
}

Expected<Schedule> read_schedule(const UOp& kernel, std::string_view opts, const Target& target) {
  try {
    return Schedule(kernel, target).apply(parse_opts(opts));
  } catch (const UserError& e) {
    return Illegal{e.what()};
  }
}

int64_t register_pressure(const Schedule& schedule, const Target& target) {
  int64_t most = 0;
  for (const Definition& d : definitions(schedule.ast())) {
    const Schedule::Nest* nest = d.store ? &schedule.root() : schedule.nest(d.node.arg_as<std::string>());
    if (!nest->live) continue;
    int64_t accumulators = 1, lanes = 1, most_numerous = 1;
    const auto visit = [&](const UOps& ranges, bool reduce) {
      for (const UOp& r : ranges) {
        int64_t instances = 1;
        const auto& splits = nest->chains.at(axis_of(r));
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
