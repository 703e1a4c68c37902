// Step 6: what an opt does to a schedule, or why it may not.
#include <algorithm>

#include "search/schedule.h"
#include "search/streams.h"
#include "uops/kernel.h"
#include "uops/placement.h"
#include "uops/scope.h"

namespace pg {

namespace {
constexpr int64_t kMaxTile = 1 << 20;   // elements of a loop tile
constexpr int64_t kMaxLanes = 64;       // of a vec range: four 64-byte registers of floats
constexpr int64_t kMaxInstances = 512;  // statements of a register block; beyond, code no longer fits the L1i
constexpr int64_t kMaxThreadRegisters = 255, kMaxProcessorThreads = 2048;
constexpr int64_t kMaxSlots = 8;        // of a ring of copies
constexpr int64_t kMaxPrivateBytes =
    16 << 20;  // tiles of one thread: beyond a core's share of the last cache they are no nearer
constexpr int64_t kMaxRegisterBytes = 2 << 10;  // of a tile in registers: all of AVX-512's

bool contains(const std::vector<std::string>& list, const std::string& s) {
  return std::find(list.begin(), list.end(), s) != list.end();
}
std::string n(int64_t v) { return std::to_string(v); }
}  // namespace

struct Apply {
  Schedule s;

  Expected<Schedule> operator()(const Tile& t) {
    if (!t.nest.empty() && !s.nest(t.nest)) return Illegal{"tile: no nest " + t.nest};
    bool any = false;
    for (Schedule::Nest& nest : s.nests_) {
      if (!nest.has(t.axis) || (!t.nest.empty() && nest.name != t.nest)) continue;
      any = true;
      if (std::string why = tile(nest, t); !why.empty()) return Illegal{why};
    }
    if (!any) return Illegal{"tile: no axis " + t.axis + (t.nest.empty() ? "" : " in " + t.nest)};
    return s;
  }

  Expected<Schedule> operator()(const Grid& g) {
    Schedule::Nest& root = s.nests_.back();
    for (size_t i = 0; i < g.axes.size(); ++i) {
      if (!s.axis(g.axes[i])) return Illegal{"grid: no axis " + g.axes[i]};
      if (!root.has(g.axes[i])) return Illegal{"grid: " + root.name + " has no axis " + g.axes[i]};
      if (std::find(g.axes.begin(), g.axes.begin() + static_cast<long>(i), g.axes[i]) !=
          g.axes.begin() + static_cast<long>(i))
        return Illegal{"grid: " + g.axes[i] + " named twice"};
    }
    const bool by_default = root.loops == s.default_loops(root);
    for (const std::string& a : s.grid_)  // a later grid replaces an earlier one
      if (!contains(g.axes, a)) root.loops.insert(root.loops.begin(), RangeRef{a, 0});
    s.grid_ = g.axes;
    std::erase_if(root.loops, [&](const RangeRef& r) { return !r.tile && contains(g.axes, r.axis); });
    if (by_default) root.loops = s.default_loops(root);
    return nested();
  }

  Expected<Schedule> operator()(const Order& o) {
    const std::string nest = o.ranges.empty() ? "" : o.ranges[0].nest;
    if (!nest.empty() && !s.nest(nest)) return Illegal{"order: no nest " + nest};
    const auto addressed = [&](const Schedule::Nest& other) {
      return nest.empty() ? &other == &s.nests_.back() : other.name == nest;
    };
    for (size_t i = 0; i < o.ranges.size(); ++i) {
      const RangeRef r{o.ranges[i].axis, o.ranges[i].tile};
      const bool known = std::any_of(s.nests_.begin(), s.nests_.end(), [&](const Schedule::Nest& n) {
        return addressed(n) && std::find(n.loops.begin(), n.loops.end(), r) != n.loops.end();
      });
      if (!known) return Illegal{"order: " + text(r) + " is no loop range"};
      for (size_t j = 0; j < i; ++j)
        if (o.ranges[j].axis == r.axis && o.ranges[j].tile == r.tile) return Illegal{"order: " + text(r) + " named twice"};
    }
    for (Schedule::Nest& other : s.nests_)
      if (addressed(other)) other.loops = Schedule::reordered(other.loops, o.ranges);
    return nested();
  }

  Expected<Schedule> operator()(const StageOpt& st) {
    StageOpt canonical = st;
    if (s.target_.gpu) {
      if (std::string why = block_stage(canonical); !why.empty()) return Illegal{"stage: " + why};
    } else {
      if (st.memory == StageMemory::Shared || st.memory == StageMemory::Global)
        return Illegal{std::string("stage: ") + (st.memory == StageMemory::Shared ? "shared" : "global") +
                       " memory needs a GPU"};
      if (st.stages != 1 || st.copy != StageCopy::Plain) return Illegal{"stage: pipelined copies need a GPU"};
      if (st.banks != StageBanks::Plain) return Illegal{"stage: banks need a GPU"};
    }
    if (canonical.at.nest == s.root().name) canonical.at.nest.clear();
    if (std::any_of(s.stages_.begin(), s.stages_.end(),
                    [&](const StageOpt& other) { return other.value == st.value && other.at == canonical.at; }))
      return Illegal{"stage: " + st.value + " is staged there already"};
    for (Schedule::Nest& nest : s.nests_)
      if (nest.name == st.value) nest.live = true;
    s.stages_.push_back(canonical);
    std::sort(s.stages_.begin(), s.stages_.end(), [](const StageOpt& a, const StageOpt& b) { return text(a) < text(b); });
    return s;
  }

  Expected<Schedule> operator()(const Online& o) {
    if (!s.online_.empty()) return Illegal{"online: " + s.online_ + " is rescaled already"};
    Schedule::Nest& root = s.nests_.back();
    if (!root.has(o.axis)) return Illegal{"online: " + root.name + " has no axis " + o.axis};
    // Parts of the axis may stand outside, for the grid.
    const auto& chain = root.chains.at(o.axis);
    if (chain.size() > 1 || (chain.size() == 1 && chain[0].kind != Kind::Loop))
      return Illegal{"online: " + o.axis + " is tiled already"};
    if (std::string why = tile(root, {o.axis, o.size, Kind::Loop, root.name}); !why.empty()) return Illegal{why};
    s.online_ = o.axis;
    return s;
  }

  Expected<Schedule> operator()(const Fuse& f) {
    if (!s.axis(f.axis)) return Illegal{"fuse: no axis " + f.axis};
    if (contains(s.fused_, f.axis)) return Illegal{"fuse: " + f.axis + " named twice"};
    s.fused_.push_back(f.axis);
    std::sort(s.fused_.begin(), s.fused_.end());
    return s;
  }

  Expected<Schedule> operator()(const PadLoop& p) {
    if (!s.axis(p.axis)) return Illegal{"pad: no axis " + p.axis};
    if (p.size < 1 || p.size > kMaxTile) return Illegal{"pad: size " + n(p.size) + " is not in 1.." + n(kMaxTile)};
    s.padded_[p.axis] = p.size;
    return s;
  }

  Expected<Schedule> operator()(const PrefetchBuffer& p) {
    if (s.target_.gpu) return Illegal{"prefetch: a GPU has other threads to run meanwhile"};
    PrefetchBuffer canonical = p;
    if (canonical.at.nest == s.root().name) canonical.at.nest.clear();
    if (std::any_of(s.prefetched_.begin(), s.prefetched_.end(), [&](const PrefetchBuffer& o) { return o == canonical; }))
      return Illegal{"prefetch: " + p.buffer + " is asked for there already"};
    s.prefetched_.push_back(canonical);
    std::sort(s.prefetched_.begin(), s.prefetched_.end(),
              [](const PrefetchBuffer& a, const PrefetchBuffer& b) { return text(Opt(a)) < text(Opt(b)); });
    return s;
  }

  Expected<Schedule> operator()(const Bounds& b) {
    if (!s.target_.gpu) return Illegal{"bounds: needs a GPU"};
    s.blocks_ = b.blocks;
    return s;
  }

  Expected<Schedule> operator()(const Streams& w) {
    if (s.target_.gpu) return Illegal{"streams: a GPU's blocks are many streams already"};
    if (!s.opts().empty()) return Illegal{"streams: it goes before all other opts"};
    const Expected<UOp> ast = split_into_streams(s.kernel_, w);
    if (!ast) return Illegal{ast.reason()};
    s.streams_ = w;
    s.ast_ = *ast;
    s.unscheduled();
    return s;
  }

  Expected<Schedule> operator()(const Lanes& l) {
    if (!l.nest.empty() && !s.nest(l.nest)) return Illegal{"lanes: no nest " + l.nest};
    bool any = false;
    for (Schedule::Nest& nest : s.nests_) {
      if (!Schedule::has_threads(nest, l.axis) || (!l.nest.empty() && nest.name != l.nest)) continue;
      nest.lanes = l.axis;
      any = true;
    }
    if (!any) return Illegal{"lanes: no threads along " + l.axis + (l.nest.empty() ? "" : " in " + l.nest)};
    return s;
  }

  Expected<Schedule> operator()(const Swap& w) {
    std::vector<std::string> grid = s.grid_;
    const auto a = std::find(grid.begin(), grid.end(), w.a), b = std::find(grid.begin(), grid.end(), w.b);
    if (a == grid.end() || b == grid.end()) return Illegal{"swap: " + (a == grid.end() ? w.a : w.b) + " is not in the grid"};
    std::iter_swap(a, b);
    return (*this)(Grid{grid});
  }

  /// Limits of a whole schedule: on the way there it may be beyond them (an upcast tile that the next opt vectorises).
  Expected<Schedule> within_limits() const {
    if (const int64_t i = instances(); i > kMaxInstances)
      return Illegal{"tile: " + n(i) + " instances > " + n(kMaxInstances)};
    for (const auto& [axis, size] : s.padded_)
      for (const Schedule::Nest& nest : s.nests_)
        if (nest.live && nest.has(axis) && size % register_tile(nest, axis))
          return Illegal{"pad: register tile " + n(register_tile(nest, axis)) + " of " + axis + " does not divide " +
                         n(size)};
    if (!s.online_.empty()) {
      const auto& chain = s.root().chains.at(s.online_);
      if (chain.size() > s.online_split() && chain[s.online_split()].kind != Kind::Loop)
        return Illegal{"online: no loop rescales behind the parts of " + s.online_};
    }
    const Placement placement(s.scheduled(), s.target_.gpu);
    if (!placement.fault().empty()) return Illegal{placement.fault()};
    if (s.target_.gpu) return within_block(placement);
    if (const int64_t bytes = placement.private_bytes(Target{}); bytes > kMaxPrivateBytes)
      return Illegal{(s.stages_.empty() ? "order: " : "stage: ") + ("private memory of " + n(bytes >> 10)) + " KB > " +
                     n(kMaxPrivateBytes >> 10) + " KB"};
    for (const StageOpt& st : s.stages_)
      if (st.memory == StageMemory::Reg)
        if (const int64_t bytes = placement.bytes_of(st.value, Target{}); bytes > kMaxRegisterBytes)
          return Illegal{"stage: " + n(bytes) + " bytes > registers " + n(kMaxRegisterBytes)};
    return s;
  }

 private:
  /// A stage on the GPU is in shared memory. "" or why not.
  std::string block_stage(StageOpt& st) const {
    if (st.memory == StageMemory::Cache) st.memory = StageMemory::Shared;
    if (st.memory != StageMemory::Shared) return "values are kept in shared memory here";
    if (st.stages > kMaxSlots) return n(st.stages) + " slots > " + n(kMaxSlots);
    if (st.copy == StageCopy::Plain && st.stages > 2) return "plain copies have at most 2 slots";
    if (st.copy == StageCopy::CpAsync && s.target_.sm < 80) return "cp.async needs sm_80";
    return "";
  }
  Expected<Schedule> within_block(const Placement& placement) const {
    if (const int64_t registers = accumulators(); registers > kMaxThreadRegisters)
      return Illegal{"tile: " + n(registers) + " registers > " + n(kMaxThreadRegisters)};
    if (const int64_t threads = placement.threads(); threads > s.target_.max_threads)
      return Illegal{"tile: " + n(threads) + " threads > " + n(s.target_.max_threads)};
    if (const int64_t threads = s.blocks_ * placement.threads(); s.blocks_ > 1 && threads > kMaxProcessorThreads)
      return Illegal{"bounds: " + n(threads) + " threads > " + n(kMaxProcessorThreads)};
    if (const int64_t bytes = placement.shared_bytes() * s.blocks_; s.blocks_ > 1 && bytes > s.target_.shared_sm_bytes)
      return Illegal{"bounds: " + n(bytes >> 10) + " KB > shared " + n(s.target_.shared_sm_bytes >> 10) + " KB"};
    if (const int64_t bytes = placement.shared_bytes(); bytes > s.target_.shared_block_bytes)
      return Illegal{"stage: " + n(bytes >> 10) + " KB > shared " + n(s.target_.shared_block_bytes >> 10) + " KB"};
    return s;
  }

  static int64_t register_tile(const Schedule::Nest& nest, const std::string& axis) {
    for (const auto& split : nest.chains.at(axis))
      if (is_register(split.kind)) return split.size;
    return 1;
  }

  std::string tile(Schedule::Nest& nest, const Tile& t) {
    auto& chain = nest.chains.at(t.axis);
    if (t.kind == Kind::Tc || (t.kind == Kind::Local && !s.target_.gpu))
      return std::string("tile: ") + text(t.kind) + " needs a GPU";
    if (t.size < 1 || t.size > kMaxTile) return "tile: size " + n(t.size) + " is not in 1.." + n(kMaxTile);
    if (!chain.empty()) {
      const auto& inner = chain.back();
      if (t.size >= inner.size || inner.size % t.size != 0)
        return "tile: " + n(t.size) + " does not divide enclosing " + n(inner.size);
      if (inner.kind == Kind::Vec) return "tile: the vec range " + t.axis + ":" + n(inner.size) + " stays innermost";
      if (is_register(inner.kind) && t.kind == Kind::Loop)
        return "tile: a loop below register tile " + n(inner.size) + " of " + t.axis;
      for (const auto& split : chain)
        if (split.kind == Kind::Local && t.kind == Kind::Loop)
          return "tile: a loop below local tile " + n(split.size) + " of " + t.axis;
    }
    if (t.kind == Kind::Vec) {
      if (t.size < 2 || t.size > kMaxLanes || (t.size & (t.size - 1)))
        return "vec: " + n(t.size) + " lanes; a power of two in 2.." + n(kMaxLanes);
      for (const auto& [axis, splits] : nest.chains)
        for (const auto& split : splits)
          if (split.kind == Kind::Vec) return "vec: second vec range";
    }
    const bool by_default = nest.loops == s.default_loops(nest);
    chain.push_back({t.size, t.kind});
    if (t.kind == Kind::Loop) {
      const RangeRef parent{t.axis, chain.size() > 1 ? chain[chain.size() - 2].size : 0};
      const auto at = std::find(nest.loops.begin(), nest.loops.end(), parent);
      nest.loops.insert(at == nest.loops.end() ? nest.loops.begin() : at + 1, {t.axis, t.size});
    }
    if (by_default) nest.loops = s.default_loops(nest);
    return "";
  }

  /// Of the thread that has most: 32-bit registers.
  int64_t accumulators() const {
    int64_t most = 1;
    for (const Definition& d : definitions(s.ast_)) {
      if (!d.reduce) continue;
      const Schedule::Nest& nest = d.store ? s.nests_.back() : *s.nest(d.node.arg_as<std::string>());
      int64_t product = 0;
      for (const UOp& body : d.bodies) product += (body.dtype().bytes() + 3) / 4;
      for (const auto& [axis, splits] : nest.chains) {
        const bool reduces = has_axis(d.reduce_ranges, range(axis, iconst(1)));
        for (size_t i = 0; i < splits.size(); ++i)
          if (is_register(splits[i].kind) && !(reduces && splits[i].kind == Kind::Unroll))
            product *= splits[i].size / (i + 1 < splits.size() ? splits[i + 1].size : 1);
      }
      most = std::max(most, product);
    }
    return most;
  }

  /// Statements of the largest register block.
  int64_t instances() const {
    int64_t most = 1;
    for (const Schedule::Nest& nest : s.nests_) {
      if (!nest.live) continue;
      int64_t product = 1;
      for (const auto& [axis, splits] : nest.chains)
        for (size_t i = 0; i < splits.size(); ++i)
          if (is_register(splits[i].kind) && splits[i].kind != Kind::Vec)
            product *= splits[i].size / (i + 1 < splits.size() ? splits[i + 1].size : 1);
      most = std::max(most, product);
    }
    return most;
  }

  Expected<Schedule> nested() const {
    for (const Schedule::Nest& nest : s.nests_)
      if (const std::string why = Schedule::misplaced(nest.loops); !why.empty()) return Illegal{"order: " + why};
    return s;
  }
};

Expected<Schedule> Schedule::apply(const Opt& opt) const { return apply(Opts{opt}); }
Expected<Schedule> Schedule::apply(const Opts& opts) const {
  Apply apply{*this};
  for (const Opt& opt : opts) {
    Expected<Schedule> next = std::visit([&](const auto& o) { return Apply(apply)(o); }, opt);
    if (!next) return next;
    apply.s = *next;
  }
  return opts.empty() ? Expected<Schedule>(apply.s) : apply.within_limits();
}

}  // namespace pg
