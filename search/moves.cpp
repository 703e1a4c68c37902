#include "search/moves.h"

#include <algorithm>
#include <map>
#include <set>

#include "search/chains.h"
#include "search/moves_blocks.h"
#include "search/streams.h"
#include "search/tune.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {

class Neighbours {
 public:
  Neighbours(const Schedule& s, const Target& t) : s_(s), target_(t) { seen_.insert(text(s.opts())); }

  std::vector<Schedule> run() {
    for (const Axis& a : s_.axes()) {
      if (bounds(a.extent).hi < 2) continue;
      register_tiles(a);
      loop_tiles(a);
      move_vec(a);
    }
    grids();
    orders();
    stages();
    prefetches();
    streams();
    return std::move(found_);
  }

 private:
  void add(std::optional<Schedule> s) {
    if (s && seen_.insert(text(s->opts())).second) found_.push_back(std::move(*s));
  }
  static bool has_vec(const Splits& c) { return !c.empty() && c.back().kind == Kind::Vec; }
  static Splits loops_of(const Splits& c) {
    Splits loops;
    for (const auto& split : c)
      if (!is_register(split.kind)) loops.push_back(split);
    return loops;
  }
  /// Loop tiles above a register tile: rounded up to a multiple of it, outer ones to multiples of inner ones.
  static Splits join(Splits loops, const Splits& registers) {
    int64_t unit = registers.empty() ? 1 : registers[0].size;
    for (size_t i = loops.size(); i-- > 0;) {
      loops[i].size = (loops[i].size + unit - 1) / unit * unit;
      if (loops[i].size == unit)
        loops.erase(loops.begin() + static_cast<long>(i));
      else
        unit = loops[i].size;
    }
    loops.insert(loops.end(), registers.begin(), registers.end());
    return loops;
  }

  void register_tiles(const Axis& a) {
    const Splits& c = s_.chain(a.name);
    const Splits loops = loops_of(c);
    const int64_t extent = bounds(a.extent).hi;
    const auto with = [&](const Splits& registers) { add(with_chains(s_, {{a.name, join(loops, registers)}})); };
    if (has_vec(c)) {
      for (int64_t lanes : {target_.lanes_f32() / 2, target_.lanes_f32(), target_.lanes_f32() * 2})
        for (int64_t vectors : {1, 2, 3, 4, 6, 8}) {
          if (lanes < 2 || lanes * vectors >= 2 * std::max<int64_t>(extent, target_.lanes_f32())) continue;
          if (vectors == 1)
            with({{lanes, Kind::Vec}});
          else
            with({{lanes * vectors, Kind::Upcast}, {lanes, Kind::Vec}});
        }
      return;
    }
    with({});
    std::set<int64_t> sizes = {2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16};
    for (int64_t blocks = (extent + 15) / 16; blocks <= extent && blocks <= (extent + 15) / 16 + 4; ++blocks)
      sizes.insert((extent + blocks - 1) / blocks);
    for (int64_t size : sizes) {
      if (size < 2 || size > extent) continue;
      with({{size, Kind::Upcast}});
      if (a.reduce && size <= 8) with({{size, Kind::Unroll}});
    }
  }

  void loop_tiles(const Axis& a) {
    const Splits& c = s_.chain(a.name);
    const Splits loops = loops_of(c);
    const Splits registers(c.begin() + static_cast<long>(loops.size()), c.end());
    if (!loops.empty()) add(with_chains(s_, {{a.name, registers}}));
    for (int64_t size : {16, 32, 64, 96, 128, 256, 512, 1024})
      if (size < bounds(a.extent).hi && (registers.empty() || size > registers[0].size))
        add(with_chains(s_, {{a.name, join({{size, Kind::Loop}}, registers)}}));
  }

  void move_vec(const Axis& to) {
    if (has_vec(s_.chain(to.name))) return;
    const int64_t lanes = target_.lanes_f32();
    std::vector<std::pair<std::string, Splits>> changed;
    for (const Axis& from : s_.axes())
      if (has_vec(s_.chain(from.name))) changed.emplace_back(from.name, loops_of(s_.chain(from.name)));
    for (int64_t vectors : {1, 2, 4}) {
      auto both = changed;
      Splits registers = {{lanes, Kind::Vec}};
      if (vectors > 1) registers.insert(registers.begin(), {lanes * vectors, Kind::Upcast});
      both.emplace_back(to.name, join(loops_of(s_.chain(to.name)), registers));
      add(with_chains(s_, both));
    }
  }

  void grids() {
    std::vector<std::string> outputs;
    for (const Axis& a : s_.axes())
      if (a.output) outputs.push_back(a.name);
    std::vector<std::vector<std::string>> candidates = {{}};
    for (const std::string& a : outputs) candidates.push_back({a});
    for (const std::string& a : outputs)
      for (const std::string& b : outputs)
        if (a != b) candidates.push_back({a, b});
    if (outputs.size() > 2) candidates.push_back(outputs);
    for (const auto& g : candidates)
      if (Expected<Schedule> next = s_.apply(Opt(Grid{g}))) add(*next);
  }

  void orders() {
    const std::vector<RangeRef>& loops = s_.root().loops;
    for (size_t from = 0; from < loops.size(); ++from)
      for (size_t to = 0; to < loops.size(); ++to) {
        if (from == to) continue;
        std::vector<RangeRef> moved = loops;
        moved.erase(moved.begin() + static_cast<long>(from));
        moved.insert(moved.begin() + static_cast<long>(to), loops[from]);
        if (Expected<Schedule> next = s_.apply(Opt(Order{moved}))) add(*next);
      }
  }

  std::vector<RangeRef> places() const {
    std::vector<RangeRef> all = s_.root().loops;
    for (const std::string& axis : s_.grid()) all.push_back({axis, 0});
    return all;
  }
  void without(const Opt& dropped) {
    Opts fewer = s_.opts();
    std::erase(fewer, dropped);
    if (Expected<Schedule> next = Schedule(s_.kernel(), s_.target()).apply(fewer)) add(*next);
  }
  std::vector<std::string> inputs() const {
    std::vector<std::string> names;
    for (const UOp& p : params_of(s_.kernel()))
      if (p.arg_as<ParamArg>().slot > 0) names.push_back(p.arg_as<ParamArg>().name);
    return names;
  }

  /// One stage less, or one more at any loop of the output's nest: of a buffer, or of a definition that several read.
  void stages() {
    for (const StageOpt& stage : s_.stages()) without(stage);
    std::vector<std::string> values = inputs();
    for (const Schedule::Nest& n : s_.nests())
      if (&n != &s_.root()) values.push_back(n.name);
    for (const std::string& value : values)
      for (const RangeRef& at : places())
        if (Expected<Schedule> next = s_.apply(Opt(StageOpt{value, at}))) add(*next);
  }
  void prefetches() {
    for (const PrefetchBuffer& p : s_.prefetched()) without(p);
    for (const std::string& buffer : inputs())
      for (const RangeRef& at : places())
        if (Expected<Schedule> next = s_.apply(Opt(PrefetchBuffer{buffer, at}))) add(*next);
  }

  void streams() {
    add(unstreamed(s_));
    for (const std::string& axis : s_.grid()) add(streamed(s_, axis));
  }

  const Schedule& s_;
  const Target& target_;
  std::set<std::string> seen_;
  std::vector<Schedule> found_;
};

}  // namespace

std::vector<Schedule> moves(const Schedule& s, const Target& target) {
  return target.gpu ? block_moves(s, target) : Neighbours(s, target).run();
}

std::string family(const Schedule& s, const Target& target) { return target.gpu ? block_family(s) : ""; }

std::vector<size_t> varied(const std::vector<std::string>& families) {
  std::map<std::string, size_t> members;
  std::vector<std::pair<size_t, size_t>> order;  // how many of its family go before it; its rank
  for (size_t i = 0; i < families.size(); ++i) order.emplace_back(members[families[i]]++, i);
  std::sort(order.begin(), order.end());
  std::vector<size_t> ranks;
  for (const auto& [before, rank] : order) ranks.push_back(rank);
  return ranks;
}

}  // namespace pg
