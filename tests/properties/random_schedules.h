#pragma once
// Schedules made of random legal opts.
#include <algorithm>

#include "search/schedule.h"
#include "tests/properties/random_source.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg::test {

class ScheduleGenerator {
 public:
  ScheduleGenerator(UOp kernel, RandomSource& random, int64_t most_instances = 48)
      : schedule_(std::move(kernel)), random_(random), most_instances_(most_instances) {}

  Schedule next() {
    if (schedule_.axes().empty()) return schedule_;
    for (int64_t n = random_.below(10); n > 0; --n) step();
    return schedule_;
  }
  /// One random opt, legal or not.
  Opt opt() {
    switch (random_.below(8)) {
      case 0: return grid();
      case 1:
      case 2: return order();
      default: return tile();
    }
  }

 private:
  void step() {
    if (Expected<Schedule> s = schedule_.apply(opt()); s && instances(*s) <= most_instances_) schedule_ = *s;
  }
  static int64_t instances(const Schedule& s) {
    int64_t product = 1;
    for (const Axis& a : s.axes()) product *= s.register_tile(a.name);
    return product;
  }

  Opt tile() {
    const Axis& a = random_.pick(schedule_.axes());
    const auto& chain = schedule_.chain(a.name);
    const Kind kind = random_.pick({Kind::Loop, Kind::Unroll, Kind::Upcast, Kind::Vec, Kind::Vec});
    if (kind == Kind::Vec && random_.below(4)) return Tile{a.name, random_.pick<int64_t>({2, 4, 4, 8, 16}), kind};
    const int64_t enclosing = chain.empty() ? std::max<int64_t>(2, bounds(a.extent).hi + 2) : chain.back().size;
    int64_t size = random_.between(1, std::min<int64_t>(enclosing, kind == Kind::Loop ? 24 : 9));
    if (!chain.empty())
      while (enclosing % size) --size;
    else if (random_.one_in(2))  // room for tiles inside
      size = random_.pick<int64_t>({4, 6, 8, 12, 16});
    return Tile{a.name, size, kind};
  }
  Opt grid() {
    Grid g;
    for (const Axis& a : schedule_.axes())
      if (a.output && random_.one_in(2)) g.axes.push_back(a.name);
    random_.shuffle(g.axes);
    return g;
  }
  /// Some or all loops in any order that keeps inner tiles inside their outer ones.
  Opt order() {
    std::vector<RangeRef> loops;
    for (const RangeRef& r : schedule_.order())
      if (schedule_.kind(r) == Kind::Loop) loops.push_back(r);
    random_.shuffle(loops);
    if (random_.one_in(3)) loops.resize(static_cast<size_t>(random_.below(static_cast<int64_t>(loops.size()) + 1)));
    for (size_t i = 0; i < loops.size(); ++i)
      for (size_t j = i + 1; j < loops.size(); ++j)
        if (loops[i].axis == loops[j].axis && loops[i].tile && (!loops[j].tile || loops[j].tile > loops[i].tile))
          std::swap(loops[i], loops[j]);
    return Order{loops};
  }

  Schedule schedule_;
  RandomSource& random_;
  int64_t most_instances_;
};

}  // namespace pg::test
