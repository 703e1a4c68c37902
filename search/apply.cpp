// Step 6: what an opt does to a schedule, or why it may not.
#include <algorithm>

#include "search/schedule.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {
constexpr int64_t kMaxTile = 1 << 20;            // elements of a loop tile
constexpr int64_t kMaxLanes = 64;                // of a vec range: four 64-byte registers of floats
constexpr int64_t kMaxInstances = 512;           // statements of a register block; beyond, code no longer fits the L1i
constexpr int64_t kMaxPrivateBytes = 256 << 10;  // private memory lives on the stack of a pool thread

bool contains(const std::vector<std::string>& list, const std::string& s) {
  return std::find(list.begin(), list.end(), s) != list.end();
}
std::string n(int64_t v) { return std::to_string(v); }
}  // namespace

struct Apply {
  Schedule s;

  Expected<Schedule> operator()(const Tile& t) {
    const Axis* a = s.axis(t.axis);
    if (!a) return Illegal{"tile: no axis " + t.axis};
    auto& chain = s.chains_.at(t.axis);
    if (t.kind == Kind::Local || t.kind == Kind::Tc) return Illegal{std::string("tile: ") + text(t.kind) + " needs a GPU"};
    if (t.size < 1 || t.size > kMaxTile) return Illegal{"tile: size " + n(t.size) + " is not in 1.." + n(kMaxTile)};
    if (!chain.empty()) {
      const auto& inner = chain.back();
      if (t.size >= inner.size || inner.size % t.size != 0)
        return Illegal{"tile: " + n(t.size) + " does not divide enclosing " + n(inner.size)};
      if (inner.kind == Kind::Vec)
        return Illegal{"tile: the vec range " + t.axis + ":" + n(inner.size) + " stays innermost"};
      if (is_register(inner.kind) && !is_register(t.kind))
        return Illegal{"tile: a loop below register tile " + n(inner.size) + " of " + t.axis};
    }
    if (t.kind == Kind::Vec) {
      if (t.size < 2 || t.size > kMaxLanes || (t.size & (t.size - 1)))
        return Illegal{"vec: " + n(t.size) + " lanes; a power of two in 2.." + n(kMaxLanes)};
      if (second_vec(t.axis)) return Illegal{"vec: second vec range"};
    }
    const bool by_default = s.loops_ == s.default_loops();
    chain.push_back({t.size, t.kind});
    if (t.kind == Kind::Loop) {
      const RangeRef parent{t.axis, chain.size() > 1 ? chain[chain.size() - 2].size : 0};
      const auto at = std::find(s.loops_.begin(), s.loops_.end(), parent);
      s.loops_.insert(at == s.loops_.end() ? s.loops_.begin() : at + 1, {t.axis, t.size});
    }
    if (by_default) s.loops_ = s.default_loops();
    return nested();
  }

  Expected<Schedule> operator()(const Grid& g) {
    const bool by_default = s.loops_ == s.default_loops();
    for (size_t i = 0; i < g.axes.size(); ++i) {
      const Axis* a = s.axis(g.axes[i]);
      if (!a) return Illegal{"grid: no axis " + g.axes[i]};
      if (!a->output) return Illegal{"grid: " + g.axes[i] + " is a reduce axis"};
      if (std::find(g.axes.begin(), g.axes.begin() + i, g.axes[i]) != g.axes.begin() + i)
        return Illegal{"grid: " + g.axes[i] + " named twice"};
    }
    for (const std::string& a : s.grid_)  // a later grid replaces an earlier one
      if (!contains(g.axes, a)) s.loops_.insert(s.loops_.begin(), RangeRef{a, 0});
    s.grid_ = g.axes;
    std::erase_if(s.loops_, [&](const RangeRef& r) { return !r.tile && contains(g.axes, r.axis); });
    if (by_default) s.loops_ = s.default_loops();
    return nested();
  }

  Expected<Schedule> operator()(const Order& o) {
    for (size_t i = 0; i < o.ranges.size(); ++i) {
      const RangeRef& r = o.ranges[i];
      if (std::find(s.loops_.begin(), s.loops_.end(), r) == s.loops_.end())
        return Illegal{"order: " + text(r) + " is no loop range"};
      if (std::find(o.ranges.begin(), o.ranges.begin() + i, r) != o.ranges.begin() + i)
        return Illegal{"order: " + text(r) + " named twice"};
    }
    std::erase_if(s.loops_,
                  [&](const RangeRef& r) { return std::find(o.ranges.begin(), o.ranges.end(), r) != o.ranges.end(); });
    s.loops_.insert(s.loops_.end(), o.ranges.begin(), o.ranges.end());
    return nested();
  }

  /// Limits of a whole schedule: on the way there it may be beyond them (an upcast tile that the next opt vectorises).
  Expected<Schedule> within_limits() const {
    if (const int64_t i = instances(); i > kMaxInstances)
      return Illegal{"tile: " + n(i) + " instances > " + n(kMaxInstances)};
    if (const int64_t bytes = private_bytes(); bytes > kMaxPrivateBytes)
      return Illegal{"order: private tile of " + n(bytes >> 10) + " KB > " + n(kMaxPrivateBytes >> 10) + " KB"};
    return s;
  }

 private:
  /// Whether another axis of a nest that has `axis` is vectorised already.
  bool second_vec(const std::string& axis) const {
    for (const Definition& d : definitions(s.kernel_)) {
      bool has = false, other = false;
      for (const UOps* ranges : {&d.ranges, &d.reduce_ranges})
        for (const UOp& r : *ranges) {
          has |= axis_of(r) == axis;
          for (const auto& split : s.chain(axis_of(r))) other |= split.kind == Kind::Vec;
        }
      if (has && other) return true;
    }
    return false;
  }
  /// Statements of the largest register block.
  int64_t instances() const {
    int64_t most = 1;
    for (const Definition& d : definitions(s.kernel_)) {
      int64_t product = 1;
      for (const UOps* ranges : {&d.ranges, &d.reduce_ranges})
        for (const UOp& r : *ranges) {
          const auto& splits = s.chain(axis_of(r));
          const bool vec = !splits.empty() && splits.back().kind == Kind::Vec;
          product *= s.register_tile(axis_of(r)) / (vec ? splits.back().size : 1);
        }
      most = std::max(most, product);
    }
    return most;
  }

  Expected<Schedule> nested() const {
    for (size_t i = 0; i < s.loops_.size(); ++i)
      for (size_t j = i + 1; j < s.loops_.size(); ++j)
        if (s.loops_[i].axis == s.loops_[j].axis && s.loops_[i].tile &&
            (!s.loops_[j].tile || s.loops_[j].tile > s.loops_[i].tile))
          return Illegal{"order: " + text(s.loops_[i]) + " outside " + text(s.loops_[j])};
    return s;
  }

  /// Private memory of the definitions, and of partial results where an output loop stands inside a reduce loop.
  int64_t private_bytes() const {
    int64_t bytes = 0;
    const std::vector<RangeRef> order = s.order();
    const std::vector<Definition> all = definitions(s.kernel_);
    for (const Definition& d : all) {
      if (!d.store && !d.reduce) continue;  // inlined
      const auto is_output = [&](const RangeRef& r) {
        return std::any_of(d.ranges.begin(), d.ranges.end(), [&](const UOp& u) { return axis_of(u) == r.axis; });
      };
      const auto is_reduce = [&](const RangeRef& r) {
        return std::any_of(d.reduce_ranges.begin(), d.reduce_ranges.end(),
                           [&](const UOp& u) { return axis_of(u) == r.axis; });
      };
      std::vector<RangeRef> open;
      if (d.store) {
        bool crossing = false;
        size_t p = 0;
        while (p < order.size() && !(is_reduce(order[p]) && !is_register(s.kind(order[p])))) ++p;
        for (size_t i = p; i < order.size(); ++i) crossing |= is_output(order[i]) && !is_register(s.kind(order[i]));
        if (!crossing || merges_in_output(d)) continue;
        open.assign(order.begin(), order.begin() + p);
      } else {
        // At most what stands at the innermost root loop all of whose enclosing ranges index it.
        for (const RangeRef& r : order) {
          if (is_register(s.kind(r)) || !is_output(r)) break;
          open.push_back(r);
        }
      }
      int64_t element_bytes = 0;
      for (const UOp& b : d.store ? d.bodies : UOps{d.value}) element_bytes += b.dtype().bytes();
      int64_t elements = 1;
      for (const UOp& axis : d.ranges) {
        RangeRef outermost{axis_of(axis), 0};
        int64_t extent = bounds(axis.src(0)).hi;
        for (const auto& split : s.chain(axis_of(axis))) {
          if (std::find(open.begin(), open.end(), outermost) == open.end()) break;
          outermost.tile = split.size;
          extent = split.size;
        }
        if (std::find(open.begin(), open.end(), outermost) != open.end()) extent = 1;
        if (__builtin_mul_overflow(elements, std::max<int64_t>(extent, 1), &elements)) elements = int64_t{1} << 50;
      }
      bytes += std::min<int64_t>(elements, int64_t{1} << 50) * element_bytes;
    }
    return bytes;
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
