#pragma once
// The schedule vocabulary. docs/schedule.md says what each opt means.
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "uops/directive.h"

namespace pg {

struct Tile {  // tile(n,32,upcast), tile(S.j,16,vec)
  std::string axis;
  int64_t size = 1;
  Kind kind = Kind::Loop;
  std::string nest = {};  // empty: every nest that has the axis
  friend bool operator==(const Tile&, const Tile&) = default;
};
struct Grid {  // grid(m n)
  std::vector<std::string> axes;
  friend bool operator==(const Grid&, const Grid&) = default;
};
struct Order {  // order(n k n:512 m k:512), order(S.i j e): the first range names the nest, without one it is the output's
  std::vector<RangeRef> ranges;
  friend bool operator==(const Order&, const Order&) = default;
};
struct Online {  // online(j,256): tile(C.j,256), and all reductions over j are rescaled at j
  std::string axis;
  int64_t size = 1;
  friend bool operator==(const Online&, const Online&) = default;
};
struct Streams {  // streams(n,4): n is walked at 4 places at once, a quarter of it apart; before all other opts
  std::string axis;
  int64_t count = 1;
  friend bool operator==(const Streams&, const Streams&) = default;
};
struct Swap {  // swap(m,n): they change places in the grid
  std::string a, b;
  friend bool operator==(const Swap&, const Swap&) = default;
};
/// StageOpt, Fuse, PadLoop, PrefetchBuffer, Bounds and Lanes as uops/directive.h has them.
using Opt = std::variant<Tile, Grid, Order, StageOpt, Online, Fuse, PadLoop, PrefetchBuffer, Bounds, Lanes, Swap, Streams>;
using Opts = std::vector<Opt>;

std::string text(const Opt&);
std::string text(const Opts&);  // opts joined by one space
/// parse(text(o)) == o. Throws UserError naming the text that is no opt.
Opt parse_opt(std::string_view);
Opts parse_opts(std::string_view);

}  // namespace pg
