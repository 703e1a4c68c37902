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
Opt random_opt(RandomSource& random) {
  switch (random.below(3)) {
    case 0:
      return Tile{random_axis(random), random.between(-3, 1 << 20),
                  random.pick({Kind::Loop, Kind::Unroll, Kind::Upcast, Kind::Vec, Kind::Local, Kind::Tc})};
    case 1: {
      Grid g;
      for (int64_t n = random.below(4); n > 0; --n) g.axes.push_back(random_axis(random));
      return g;
    }
    default: {
      Order o;
      for (int64_t n = random.below(6); n > 0; --n)
        o.ranges.push_back({random_axis(random), random.one_in(2) ? 0 : random.between(1, 4096)});
      return o;
    }
  }
}
}  // namespace

TEST_CASE("opts read as the documentation writes them") {
  CHECK(text(Opt(Tile{"n", 32, Kind::Upcast})) == "tile(n,32,upcast)");
  CHECK(text(Opt(Tile{"n", 512})) == "tile(n,512)");
  CHECK(text(Opt(Grid{{"m", "n"}})) == "grid(m n)");
  CHECK(text(Opt(Order{{{"n"}, {"k"}, {"n", 512}}})) == "order(n k n:512)");
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
  CHECK(refused("fold(n)") == "schedule: 'fold(n)' is no opt: known are tile, grid, order, stage, online, fuse, pad, swap");
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
  CHECK(refused("tile(n,4)) grid(m)") == "schedule: ')' is no opt: the form is name(arguments)");
}
