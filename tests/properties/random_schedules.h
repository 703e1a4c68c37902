#pragma once
// Schedules made of random legal opts.
#include <algorithm>

#include "search/schedule.h"
#include "tests/properties/random_source.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg::test {

class ScheduleGenerator {
 public:
  ScheduleGenerator(UOp kernel, RandomSource& random, int64_t most_instances = 48, const Target& target = {})
      : schedule_(std::move(kernel), target), random_(random), most_instances_(most_instances) {}

  Schedule next() {
    if (schedule_.axes().empty()) return schedule_;
    // What keeps values nearer refers to loops that must be there, so it mostly comes late.
    if (random_.one_in(4)) step({Streams{random_.pick(schedule_.axes()).name, random_.between(2, 4)}});
    if (random_.below(4))
      for (int tries = 6; tries > 0 && schedule_.online().empty(); --tries) step(online());
    for (int64_t n = random_.below(10); n > 0; --n) step({opt()});
    for (int64_t n = random_.below(5); n > 0; --n) step({near()});
    if (random_.one_in(2))
      for (const Axis& a : schedule_.axes()) step({Fuse{a.name}});
    return schedule_;
  }
  /// One random opt, legal or not.
  Opt opt() {
    switch (random_.below(9)) {
      case 0: return grid();
      case 1:
      case 2: return order();
      case 3: return near();
      default: return tile();
    }
  }

 private:
  void step(const Opts& o) {
    if (Expected<Schedule> s = schedule_.apply(o); s && instances(*s) <= most_instances_) schedule_ = *s;
  }
  static int64_t instances(const Schedule& s) {
    int64_t most = 1;
    for (const Schedule::Nest& n : s.nests()) {
      int64_t product = 1;
      for (const auto& [axis, splits] : n.chains)
        for (const Schedule::Split& split : splits)
          if (is_register(split.kind)) {
            product *= split.size;
            break;
          }
      most = std::max(most, product);
    }
    return most;
  }

  /// A stage, a fusion, padding, an exchange in the grid, a hint, neighbouring threads.
  Opt near() {
    if (schedule_.target().gpu && random_.one_in(5)) return lanes();
    switch (random_.below(9)) {
      case 8: return prefetch();
      case 0: return Fuse{random_.pick(schedule_.axes()).name};
      case 1: return PadLoop{random_.pick(schedule_.axes()).name, random_.pick<int64_t>({2, 4, 8, 12, 16})};
      case 2:
        if (schedule_.grid().size() > 1) return Swap{schedule_.grid()[0], schedule_.grid()[1]};
        [[fallthrough]];
      default: return stage();
    }
  }
  Opt lanes() {
    return Lanes{random_.pick(schedule_.axes()).name, random_.one_in(2) ? random_.pick(schedule_.nests()).name : ""};
  }
  Opt prefetch() {
    const UOps buffers = params_of(schedule_.kernel());
    std::vector<RangeRef> places = schedule_.root().loops;
    for (const std::string& axis : schedule_.grid()) places.push_back({axis, 0});
    if (places.empty()) return grid();
    return PrefetchBuffer{random_.pick(buffers).arg_as<ParamArg>().name, random_.pick(places)};
  }
  Opt stage() {
    std::vector<std::string> values;
    std::vector<size_t> dims;
    for (const UOp& p : params_of(schedule_.kernel()))
      if (p.arg_as<ParamArg>().slot > 0) values.push_back(p.arg_as<ParamArg>().name), dims.push_back(p.src().size());
    for (const Schedule::Nest& n : schedule_.nests())
      if (&n != &schedule_.root())
        for (int twice = 0; twice < 2; ++twice) values.push_back(n.name), dims.push_back(n.outputs);
    if (values.empty()) return grid();
    const auto which = static_cast<size_t>(random_.below(static_cast<int64_t>(values.size())));
    StageOpt s{values[which], {}};
    const Schedule::Nest& at = random_.one_in(4) ? random_.pick(schedule_.nests()) : schedule_.root();
    std::vector<RangeRef> places = at.loops;
    if (&at == &schedule_.root())
      for (const std::string& axis : schedule_.grid()) places.push_back({axis, 0});
    if (!places.empty() && !random_.one_in(5)) s.at = random_.pick(places);
    if (&at != &schedule_.root()) s.at.nest = at.name;
    if (random_.one_in(4)) s.layout = layout(dims[which]);
    if (!schedule_.target().gpu) return s;
    if (random_.one_in(2)) s.stages = random_.between(1, 4), s.copy = random_.pick({StageCopy::Plain, StageCopy::CpAsync});
    s.banks = random_.pick({StageBanks::Plain, StageBanks::Swizzle, StageBanks::Pad});
    return s;
  }
  std::vector<LayoutPart> layout(size_t dims) {
    std::vector<LayoutPart> parts;
    for (size_t d = 0; d < dims; ++d) {
      const std::string name = std::to_string(d);
      if (random_.one_in(2)) {
        parts.push_back({name});
        continue;
      }
      const int64_t size = random_.pick<int64_t>({2, 4, 8});
      parts.push_back({name, size, LayoutPart::Kind::Outer});
      parts.push_back({name, size, LayoutPart::Kind::Inner});
    }
    random_.shuffle(parts);
    return parts;
  }
  /// A loop that rescales, with some output loops inside.
  Opts online() {
    std::vector<std::string> reduced;
    for (const Axis& a : schedule_.axes())
      if (schedule_.root().has(a.name) && !a.output) reduced.push_back(a.name);
    const std::string axis = reduced.empty() ? random_.pick(schedule_.axes()).name : random_.pick(reduced);
    const int64_t size = random_.pick<int64_t>({1, 2, 3, 4, 8, 16});
    Order inside{{{axis, 0, schedule_.root().name}}};
    for (const Axis& a : schedule_.axes())
      if (a.output && random_.one_in(2)) inside.ranges.push_back({a.name});
    inside.ranges.push_back({axis, size});
    if (random_.below(3)) return {Online{axis, size}, inside};
    // Parts of the axis in the items of a grid.
    Grid parts{{axis}};
    for (const Axis& a : schedule_.axes())
      if (a.output && random_.one_in(2)) parts.axes.push_back(a.name);
    inside.ranges[0].tile = size * random_.between(2, 3);
    return {Tile{axis, inside.ranges[0].tile, Kind::Loop, schedule_.root().name}, Online{axis, size}, parts, inside};
  }

  Opt tile() {
    const Axis& a = random_.pick(schedule_.axes());
    std::string nest;
    if (random_.one_in(4)) {
      const Schedule::Nest& n = random_.pick(schedule_.nests());
      if (n.has(a.name)) nest = n.name;
    }
    const auto& chain = nest.empty() ? schedule_.chain(a.name) : schedule_.nest(nest)->chains.at(a.name);
    Kind kind = random_.pick({Kind::Loop, Kind::Unroll, Kind::Upcast, Kind::Vec, Kind::Vec});
    if (schedule_.target().gpu && random_.one_in(2)) kind = Kind::Local;
    if (kind == Kind::Vec && random_.below(4)) return Tile{a.name, random_.pick<int64_t>({2, 4, 4, 8, 16}), kind, nest};
    const int64_t enclosing = chain.empty() ? std::max<int64_t>(2, bounds(a.extent).hi + 2) : chain.back().size;
    int64_t size = random_.between(1, std::min<int64_t>(enclosing, kind == Kind::Loop ? 24 : 9));
    if (!chain.empty())
      while (enclosing % size) --size;
    else if (random_.one_in(2))  // room for tiles inside
      size = random_.pick<int64_t>({4, 6, 8, 12, 16});
    return Tile{a.name, size, kind, nest};
  }
  Opt grid() {
    Grid g;
    for (const Axis& a : schedule_.axes())
      if (schedule_.root().has(a.name) && random_.one_in(a.output ? 2 : 5)) g.axes.push_back(a.name);
    random_.shuffle(g.axes);
    return g;
  }
  /// Some or all loops in any order that keeps inner tiles inside their outer ones.
  Opt order() {
    const bool own = random_.one_in(4);
    const Schedule::Nest& nest = own ? random_.pick(schedule_.nests()) : schedule_.root();
    std::vector<RangeRef> loops = nest.loops;
    random_.shuffle(loops);
    if (random_.one_in(3)) loops.resize(static_cast<size_t>(random_.below(static_cast<int64_t>(loops.size()) + 1)));
    for (size_t i = 0; i < loops.size(); ++i)
      for (size_t j = i + 1; j < loops.size(); ++j)
        if (loops[i].axis == loops[j].axis && loops[i].tile && (!loops[j].tile || loops[j].tile > loops[i].tile))
          std::swap(loops[i], loops[j]);
    if (own && !loops.empty()) loops[0].nest = nest.name;
    return Order{loops};
  }

  Schedule schedule_;
  RandomSource& random_;
  int64_t most_instances_;
};

}  // namespace pg::test
