// The beam's steps on a GPU. A chain is taken as factors, how often each of its ranges turns, so that one factor changes and
// the tiles round it follow.
#include "search/moves_blocks.h"

#include <algorithm>
#include <set>

#include "search/chains.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {

constexpr int64_t kMostWidth = 4;   // elements of an access: 16 bytes of floats
constexpr int64_t kMostSlots = 6;   // of a ring: deeper ones have not paid anywhere
constexpr int64_t kMostBounds = 4;  // blocks that are asked for on a processor

struct Factor {
  int64_t trips;
  Kind kind;
};
using Factors = std::vector<Factor>;  // outer to inner

Factors factors_of(const Splits& c) {
  Factors f;
  for (size_t i = 0; i < c.size(); ++i) f.push_back({c[i].size / (i + 1 < c.size() ? c[i + 1].size : 1), c[i].kind});
  return f;
}
Splits splits_of(const Factors& f) {
  Splits c;
  int64_t size = 1;
  for (size_t i = f.size(); i-- > 0;) {
    if (f[i].trips == 1) continue;
    size *= f[i].trips;
    c.insert(c.begin(), {size, f[i].kind});
  }
  return c;
}

class BlockNeighbours {
 public:
  explicit BlockNeighbours(const Schedule& s) : s_(s) { seen_.insert(text(s.opts())); }

  std::vector<Schedule> run() {
    for (const Axis& a : s_.axes()) {
      if (bounds(a.extent).hi < 2) continue;
      // Nests that walk it in the same way change together.
      std::vector<std::string> nests;
      bool alike = a.name != s_.online();
      for (const Schedule::Nest& n : s_.nests())
        if (n.live && n.has(a.name)) nests.push_back(n.name), alike &= n.chains.at(a.name) == s_.chain(a.name);
      if (alike) nests = {""};
      for (const std::string& nest : nests) {
        nest_ = nest;
        resized(a);
        widened(a);
        regrouped(a);
      }
    }
    nest_.clear();
    lanes();
    grids();
    splits();
    stages();
    for (int64_t b = 1; b <= kMostBounds; ++b)
      if (b != s_.blocks()) add(s_.apply(Opt(Bounds{b})));
    return std::move(found_);
  }

 private:
  void add(const Expected<Schedule>& s) {
    if (s && seen_.insert(text(s->opts())).second) found_.push_back(*s);
  }
  /// Of the nest that is being changed.
  const Splits& chain(const std::string& axis) const {
    return nest_.empty() ? s_.chain(axis) : s_.nest(nest_)->chains.at(axis);
  }
  void add(const std::string& axis, const Factors& f) {
    const Splits c = splits_of(f), &now = chain(axis);
    if (!nest_.empty()) {
      if (const auto s = with_chain_of(s_, nest_, axis, c)) add(Expected<Schedule>(*s));
      return;
    }
    // A stage stands at the loop over a block's part of a sum, which is called by its size.
    if (is_split(axis) && !c.empty() && !now.empty())
      return rebuilt(axis, c, {axis, now[0].size}, {axis, c[0].size}, {s_.grid()});
    if (const auto s = with_chains(s_, {{axis, c}})) add(Expected<Schedule>(*s));
  }

  bool is_split(const std::string& axis) const {
    return s_.axis(axis)->reduce && std::find(s_.grid().begin(), s_.grid().end(), axis) != s_.grid().end();
  }

  /// Threads, registers, unrolling, loop tiles: any of them twice or half as many.
  void resized(const Axis& a) {
    const Factors f = factors_of(chain(a.name));
    for (size_t i = 0; i < f.size(); ++i) {
      Factors more = f, fewer = f;
      if (more[i].trips *= 2; f[i].kind != Kind::Vec || more[i].trips <= kMostWidth) add(a.name, more);
      if (fewer[i].trips /= 2; f[i].trips % 2 == 0) add(a.name, fewer);
      Factors without = f;
      without[i].trips = 1;
      add(a.name, without);
    }
  }

  /// A range that is not there yet.
  void widened(const Axis& a) {
    const Factors f = factors_of(chain(a.name));
    const auto has = [&](Kind k) { return std::any_of(f.begin(), f.end(), [&](const Factor& x) { return x.kind == k; }); };
    const auto with = [&](size_t at, Factor x) {
      Factors next = f;
      next.insert(next.begin() + static_cast<long>(at), x);
      add(a.name, next);
    };
    size_t loops = 0, registers = f.size();
    while (loops < f.size() && f[loops].kind == Kind::Loop) ++loops;
    if (has(Kind::Vec)) --registers;
    if (!has(Kind::Vec))
      for (int64_t width = 2; width <= kMostWidth; width *= 2) with(f.size(), {width, Kind::Vec});
    if (!has(Kind::Upcast))
      for (int64_t rows : {2, 4}) with(registers, {rows, Kind::Upcast});
    if (!has(Kind::Local))
      for (int64_t threads : {2, 4, 8, 16, 32, 64, 128, 256}) with(loops, {threads, Kind::Local});
    if (a.reduce && !has(Kind::Unroll))
      for (int64_t times : {2, 4, 8}) with(registers, {times, Kind::Unroll});
    if (a.reduce && loops == 0 && !f.empty())
      for (int64_t turns : {2, 4}) with(0, {turns, Kind::Loop});
  }

  /// The same tile by fewer threads with more registers, or the other way round; neighbouring elements of a thread far apart
  /// or side by side.
  void regrouped(const Axis& a) {
    const Factors f = factors_of(chain(a.name));
    for (size_t i = 0; i + 1 < f.size(); ++i) {
      Factors inwards = f, outwards = f, swapped = f;
      if (f[i].trips % 2 == 0) inwards[i].trips /= 2, inwards[i + 1].trips *= 2, add(a.name, inwards);
      if (f[i + 1].trips % 2 == 0) outwards[i].trips *= 2, outwards[i + 1].trips /= 2, add(a.name, outwards);
      if (f[i + 1].kind != Kind::Vec) std::swap(swapped[i], swapped[i + 1]), add(a.name, swapped);
      if (f[i].kind != Kind::Local || f[i + 1].kind != Kind::Upcast || f[i + 1].trips % 2) continue;
      Factors apart = f;  // half of its registers outside the threads
      apart[i + 1].trips /= 2;
      apart.insert(apart.begin() + static_cast<long>(i), {2, Kind::Upcast});
      add(a.name, apart);
    }
  }

  /// Which threads are neighbours, in each nest.
  void lanes() {
    Opts without;
    bool any = false;
    for (const Opt& o : s_.opts())
      if (std::holds_alternative<Lanes>(o))
        any = true;
      else
        without.push_back(o);
    if (any) add(Schedule(s_.kernel(), s_.target()).apply(without));
    for (const Axis& a : s_.axes()) {
      add(s_.apply(Opt(Lanes{a.name})));
      for (const Schedule::Nest& n : s_.nests())
        if (n.live) add(s_.apply(Opt(Lanes{a.name, n.name})));
    }
  }

  void grids() {
    const std::vector<std::string>& g = s_.grid();
    for (size_t i = 0; i < g.size(); ++i)
      for (size_t j = i + 1; j < g.size(); ++j) add(s_.apply(Opt(Swap{g[i], g[j]})));
    for (const Axis& a : s_.axes()) {
      std::vector<std::string> next = g;
      if (std::erase(next, a.name) == 0) {
        if (!a.output) continue;
        next.push_back(a.name);
      }
      add(s_.apply(Opt(Grid{next})));
    }
  }

  /// A reduction's parts over blocks: none, or twice and half as many as there are (by `resized`).
  void splits() {
    for (const Axis& a : s_.axes()) {
      if (!a.reduce || !s_.root().has(a.name) || !const_int(a.extent)) continue;
      const Splits& chain = s_.chain(a.name);
      Grid grid{s_.grid()};
      if (is_split(a.name)) {
        std::erase(grid.axes, a.name);
        if (!chain.empty())
          rebuilt(a.name, Splits(chain.begin() + 1, chain.end()), {a.name, chain[0].size}, {a.name, 0}, grid);
        continue;
      }
      const int64_t unit = chain.empty() ? 1 : chain[0].size, extent = *const_int(a.extent);
      grid.axes.push_back(a.name);
      for (int64_t parts : {2, 4, 8, 16, 32}) {
        const int64_t part = (extent / parts + unit - 1) / unit * unit;
        if (part <= unit || part >= extent) continue;
        Splits split = chain;
        split.insert(split.begin(), {part, Kind::Loop});
        rebuilt(a.name, split, {a.name, 0}, {a.name, part}, grid);
      }
    }
  }
  /// With another chain; what is staged at the loop `from` is staged at `to` then.
  void rebuilt(const std::string& axis, const Splits& chain, const RangeRef& from, const RangeRef& to, const Grid& grid) {
    Opts tiles, later;
    for (const Opt& o : s_.opts()) {
      if (const auto* t = std::get_if<Tile>(&o)) {
        if (t->axis != axis) tiles.push_back(o);
      } else if (const auto* st = std::get_if<StageOpt>(&o)) {
        StageOpt moved = *st;
        if (moved.at == from) moved.at = to;
        later.push_back(moved);
      } else if (std::holds_alternative<Bounds>(o) || std::holds_alternative<Fuse>(o) || std::holds_alternative<Lanes>(o)) {
        later.push_back(o);
      }
    }
    for (const auto& split : chain) tiles.push_back(Tile{axis, split.size, split.kind});
    tiles.push_back(grid);
    tiles.insert(tiles.end(), later.begin(), later.end());
    add(Schedule(s_.kernel(), s_.target()).apply(tiles));
  }

  /// The schedule with other stages.
  void staged(const std::vector<StageOpt>& stages) {
    Opts opts;
    for (const Opt& o : s_.opts())
      if (!std::holds_alternative<StageOpt>(o)) opts.push_back(o);
    opts.insert(opts.end(), stages.begin(), stages.end());
    if (opts.empty()) return;
    add(Schedule(s_.kernel(), s_.target()).apply(opts));
  }

  void stages() {
    const std::vector<StageOpt>& now = s_.stages();
    for (size_t i = 0; i < now.size(); ++i) {
      std::vector<StageOpt> next = now;
      next.erase(next.begin() + static_cast<long>(i));
      staged(next);
      rings(now[i].at);
      for (StageBanks banks : {StageBanks::Plain, StageBanks::Swizzle, StageBanks::Pad})
        for (const auto& layout : {std::vector<LayoutPart>{}, std::vector<LayoutPart>{{"1"}, {"0"}}}) {
          if (!layout.empty() && banks == StageBanks::Swizzle) continue;
          next = now;
          next[i].banks = banks;
          next[i].layout = layout;
          staged(next);
        }
    }
    std::vector<std::string> values;
    for (const UOp& p : params_of(s_.kernel()))
      if (p.arg_as<ParamArg>().slot > 0) values.push_back(p.arg_as<ParamArg>().name);
    for (const Schedule::Nest& n : s_.nests())
      if (&n != &s_.root()) values.push_back(n.name);
    std::vector<RangeRef> places = s_.root().loops;
    for (const std::string& axis : s_.grid()) places.push_back({axis, 0});
    for (const std::string& value : values)
      for (const RangeRef& at : places) {
        StageOpt one{value, at, StageMemory::Shared};
        for (const StageOpt& other : now)  // copies at one loop go along
          if (other.at == at) one.stages = other.stages, one.copy = other.copy;
        add(s_.apply(Opt(one)));
      }
  }
  /// All copies at a loop with other slots, by another way.
  void rings(const RangeRef& at) {
    const auto with = [&](int64_t slots, StageCopy copy) {
      std::vector<StageOpt> next = s_.stages();
      for (StageOpt& s : next)
        if (s.at == at) s.stages = slots, s.copy = copy;
      staged(next);
    };
    with(1, StageCopy::Plain);
    with(2, StageCopy::Plain);
    for (int64_t slots = 1; slots <= kMostSlots; ++slots) with(slots, StageCopy::CpAsync);
  }

  const Schedule& s_;
  std::string nest_;  // that is being changed; empty: all
  std::set<std::string> seen_;
  std::vector<Schedule> found_;
};

}  // namespace

std::vector<Schedule> block_moves(const Schedule& s, const Target&) { return BlockNeighbours(s).run(); }

}  // namespace pg
