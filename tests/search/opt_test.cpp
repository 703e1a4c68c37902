#include "search/opt.h"

#include <doctest/doctest.h>

#include "tests/properties/random_source.h"

using namespace pg;
using namespace pg::test;

namespace {
std::string refused(std::string_view s) {
  try {
    parse_opts(s);
  } catch (const UserError& e) {
    return e.what();
  }
  return "";
}

std::string random_axis(RandomSource& random) {
  std::string s(1, random.pick({'a', 'z', 'M', '_'}));
  for (int64_t n = random.below(4); n > 0; --n) s += random.pick({'a', 'Z', '0', '9', '_'});
  return s;
}
RangeRef random_range(RandomSource& random, bool nest) {
  return {random_axis(random), random.one_in(2) ? 0 : random.between(1, 4096),
          nest && random.one_in(2) ? random_axis(random) : ""};
}
StageOpt random_stage(RandomSource& random) {
  StageOpt s{random_axis(random), random_range(random, true)};
  if (random.one_in(4)) s.at.axis.clear(), s.at.tile = 0;
  s.memory = random.pick({StageMemory::Cache, StageMemory::Reg, StageMemory::Shared, StageMemory::Global});
  for (int64_t n = random.below(4); n > 0; --n) {
    LayoutPart p{random.one_in(3) ? std::to_string(random.below(12)) : random_axis(random)};
    p.kind = random.pick({LayoutPart::Kind::Whole, LayoutPart::Kind::Outer, LayoutPart::Kind::Inner});
    if (p.kind != LayoutPart::Kind::Whole) p.size = random.between(1, 4096);
    s.layout.push_back(p);
  }
  s.stages = random.between(1, 4);
  s.copy = random.pick({StageCopy::Plain, StageCopy::CpAsync});
  return s;
}
Opt random_opt(RandomSource& random) {
  switch (random.below(12)) {
    case 0:
      return Tile{random_axis(random), random.between(-3, 1 << 20),
                  random.pick({Kind::Loop, Kind::Unroll, Kind::Upcast, Kind::Vec, Kind::Local, Kind::Tc}),
                  random.one_in(2) ? random_axis(random) : ""};
    case 1: {
      Grid g;
      for (int64_t n = random.below(4); n > 0; --n) g.axes.push_back(random_axis(random));
      return g;
    }
    case 2: {
      Order o;
      for (int64_t n = random.below(6); n > 0; --n) o.ranges.push_back(random_range(random, o.ranges.empty()));
      return o;
    }
    case 3: return random_stage(random);
    case 4: return Online{random_axis(random), random.between(-3, 1 << 20)};
    case 5: return Fuse{random_axis(random)};
    case 6: return PadLoop{random_axis(random), random.between(1, 1 << 20)};
    case 7: return PrefetchBuffer{random_axis(random), random_range(random, true)};
    case 9: return Streams{random_axis(random), random.between(-3, 1 << 20)};
    case 8: return Bounds{random.between(1, 32)};
    case 10: return Lanes{random_axis(random), random.one_in(2) ? random_axis(random) : ""};
    default: return Swap{random_axis(random), random_axis(random)};
  }
}
}  // namespace

TEST_CASE("opts read as the documentation writes them") {
  CHECK(text(Opt(Tile{"n", 32, Kind::Upcast})) == "tile(n,32,upcast)");
  CHECK(text(Opt(Tile{"n", 512})) == "tile(n,512)");
  CHECK(text(Opt(Grid{{"m", "n"}})) == "grid(m n)");
  CHECK(text(Opt(Order{{{"n"}, {"k"}, {"n", 512}}})) == "order(n k n:512)");
  CHECK(text(Opt(Tile{"j", 16, Kind::Vec, "S"})) == "tile(S.j,16,vec)");
  CHECK(text(Opt(Order{{{"i", 0, "S"}, {"j"}, {"e", 4}}})) == "order(S.i j e:4)");
  CHECK(text(Opt(StageOpt{"P", {"j", 256}})) == "stage(P,j:256)");
  CHECK(text(Opt(StageOpt{
            "B", {}, StageMemory::Reg, {{"n", 8, LayoutPart::Kind::Outer}, {"k"}, {"n", 8, LayoutPart::Kind::Inner}}})) ==
        "stage(B,top,mem=reg,layout=n/8 k n%8)");
  CHECK(text(Opt(Online{"j", 256})) == "online(j,256)");
  CHECK(text(Opt(Fuse{"j"})) == "fuse(j)");
  CHECK(text(Opt(PadLoop{"m", 8})) == "pad(m,8)");
  CHECK(text(Opt(PrefetchBuffer{"X", {"i", 32}})) == "prefetch(X,i:32)");
  CHECK(text(Opt(Swap{"m", "n"})) == "swap(m,n)");
  CHECK(text(Opt(Streams{"n", 4})) == "streams(n,4)");
  CHECK(text(Opts{Tile{"n", 8, Kind::Vec}, Grid{{"m"}}}) == "tile(n,8,vec) grid(m)");
  CHECK(text(Opts{}) == "");
  CHECK(parse_opts("").empty());
  CHECK(parse_opt("tile(n,32,loop)") == Opt(Tile{"n", 32}));
  CHECK(parse_opts("  tile(n,8,vec)\n\tgrid(m  n) ") == Opts{Tile{"n", 8, Kind::Vec}, Grid{{"m", "n"}}});
}

TEST_CASE("parse(text(o)) == o") {
  RandomSource random(1);
  for (int i = 0; i < 2000; ++i) {
    const Opts opts = {random_opt(random), random_opt(random), random_opt(random)};
    CAPTURE(text(opts));
    CHECK(parse_opt(text(opts[0])) == opts[0]);
    CHECK(parse_opts(text(opts)) == opts);
  }
}

TEST_CASE("what is no opt is named, with what was expected") {
  CHECK(refused("n") == "schedule: 'n' is no opt: the form is name(arguments)");
  CHECK(refused("tile(n,4") == "schedule: 'tile(n,4' is no opt: the form is name(arguments)");
  CHECK(refused("fold(n)") == "schedule: 'fold(n)' is no opt: known are tile, grid, order, stage, online, fuse, pad, prefetch, bounds, lanes, swap, streams");
  CHECK(refused("tile(n)") == "schedule: 'tile(n)' is no opt: tile(axis,size[,kind])");
  CHECK(refused("tile(n,x)") == "schedule: 'tile(n,x)' is no opt: tile(axis,size[,kind])");
  CHECK(refused("tile(n,4x)") == "schedule: 'tile(n,4x)' is no opt: tile(axis,size[,kind])");
  CHECK(refused("tile(n,99999999999999999999)") ==
        "schedule: 'tile(n,99999999999999999999)' is no opt: tile(axis,size[,kind])");
  CHECK(refused("tile(4,4)") == "schedule: 'tile(4,4)' is no opt: an axis name is letters, digits and _");
  CHECK(refused("tile(,4)") == "schedule: 'tile(,4)' is no opt: an axis name is letters, digits and _");
  CHECK(refused("tile(n,4,vec,8)") == "schedule: 'tile(n,4,vec,8)' is no opt: tile(axis,size[,kind])");
  CHECK(refused("tile(n,4,wide)") == "schedule: 'tile(n,4,wide)' is no opt: kinds are loop, unroll, upcast, vec, local, tc");
  CHECK(refused("tile(n,4,grid)") == "schedule: 'tile(n,4,grid)' is no opt: kinds are loop, unroll, upcast, vec, local, tc");
  CHECK(refused("grid(m:4)") == "schedule: 'grid(m:4)' is no opt: grid(axis axis ..)");
  CHECK(refused("order(m:)") == "schedule: 'order(m:)' is no opt: a range is axis or axis:tile");
  CHECK(refused("order(m:0)") == "schedule: 'order(m:0)' is no opt: a range is axis or axis:tile");
  CHECK(refused("order(+)") == "schedule: 'order(+)' is no opt: an axis name is letters, digits and _");
  CHECK(refused("tile(S.n:8,4)") == "schedule: 'tile(S.n:8,4)' is no opt: tile(axis,size[,kind])");
  CHECK(refused("tile(.n,4)") == "schedule: 'tile(.n,4)' is no opt: a nest's name is letters, digits and _");
  CHECK(refused("order(m S.n)") == "schedule: 'order(m S.n)' is no opt: order([nest.]range range ..)");
  CHECK(refused("online(j)") == "schedule: 'online(j)' is no opt: online(axis,size)");
  CHECK(refused("online(j,big)") == "schedule: 'online(j,big)' is no opt: online(axis,size)");
  CHECK(refused("online(4,4)") == "schedule: 'online(4,4)' is no opt: online(axis,size)");
  CHECK(refused("streams(n)") == "schedule: 'streams(n)' is no opt: streams(axis,count)");
  CHECK(refused("swap(m)") == "schedule: 'swap(m)' is no opt: swap(axis,axis)");
  CHECK(refused("swap(m,n,k)") == "schedule: 'swap(m,n,k)' is no opt: swap(axis,axis)");
  CHECK(refused("swap(m,4)") == "schedule: 'swap(m,4)' is no opt: swap(axis,axis)");
  CHECK(refused("prefetch(X)") == "schedule: 'prefetch(X)' is no opt: prefetch(buffer,range)");
  CHECK(refused("fuse(j k)") == "schedule: 'fuse(j k)' is no opt: fuse(axis)");
  CHECK(refused("pad(m)") == "schedule: 'pad(m)' is no opt: pad(axis,size)");
  CHECK(refused("pad(m,0)") == "schedule: 'pad(m,0)' is no opt: pad(axis,size)");
  CHECK(refused("stage(B)") ==
        "schedule: 'stage(B)' is no opt: stage(value,range[,mem=..][,layout=..][,stages=n][,copy=..])");
  CHECK(refused("tile(n,4)) grid(m)") == "schedule: ')' is no opt: the form is name(arguments)");
}
