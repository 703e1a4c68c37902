#pragma once
// The schedule vocabulary. docs/schedule.md says what each opt means.
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "uops/uop.h"

namespace pg {

/// A range by name: `m` is the outermost range of axis m, `m:96` the one that walks inside a tile of 96 elements.
struct RangeRef {
  std::string axis;
  int64_t tile = 0;
  friend bool operator==(const RangeRef&, const RangeRef&) = default;
  friend auto operator<=>(const RangeRef&, const RangeRef&) = default;
};
std::string text(const RangeRef&);

struct Tile {  // tile(n,32,upcast)
  std::string axis;
  int64_t size = 1;
  Kind kind = Kind::Loop;
  friend bool operator==(const Tile&, const Tile&) = default;
};
struct Grid {  // grid(m n)
  std::vector<std::string> axes;
  friend bool operator==(const Grid&, const Grid&) = default;
};
struct Order {  // order(n k n:512 m k:512)
  std::vector<RangeRef> ranges;
  friend bool operator==(const Order&, const Order&) = default;
};
using Opt = std::variant<Tile, Grid, Order>;
using Opts = std::vector<Opt>;

std::string text(const Opt&);
std::string text(const Opts&);  // opts joined by one space
/// parse(text(o)) == o. Throws UserError naming the text that is no opt.
Opt parse_opt(std::string_view);
Opts parse_opts(std::string_view);

}  // namespace pg
