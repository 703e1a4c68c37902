#include "search/unpacked.h"

#include <algorithm>

#include "uops/kernel.h"
#include "uops/scope.h"

namespace pg {

namespace {

constexpr int64_t kMostInBody = 64;  // numbers of a row that one turn unpacks

/// Of the constants that an axis is divided by where a definition reads, the largest up to `most`: what lies in one block of
/// it has one scale. 0: it is not divided.
int64_t block_of(const Definition& d, const UOp& axis, int64_t most) {
  int64_t block = 0;
  for (const UOp& u : expression_nodes(d.value)) {
    if ((!u.is(Op::IDiv) && !u.is(Op::Mod)) || !(u.src(0) == axis)) continue;
    if (const auto by = const_int(u.src(1)); by && *by <= most) block = std::max(block, *by);
  }
  return block;
}

const StageOpt* stage_of(const Opts& opts, const std::string& value) {
  for (const Opt& o : opts)
    if (const auto* stage = std::get_if<StageOpt>(&o); stage && stage->value == value) return stage;
  return nullptr;
}

/// Tiles of an axis in the output's nest, outer to inner.
std::vector<Tile> tiles_of(const Opts& opts, const std::string& axis) {
  std::vector<Tile> tiles;
  for (const Opt& o : opts)
    if (const auto* tile = std::get_if<Tile>(&o); tile && tile->axis == axis) tiles.push_back(*tile);
  return tiles;
}

}  // namespace

UOp as_if_unpacked(const UOp& kernel) {
  Substitution floats;
  auto slot = static_cast<int64_t>(params_of(kernel).size());
  UOps parts;
  for (const Definition& d : definitions(kernel)) {
    if (!unpacks(d)) {
      parts.push_back(substitute(d.node, floats));
      continue;
    }
    UOps extents;
    for (const UOp& axis : d.ranges) extents.push_back(axis.src(0));
    floats.emplace_back(d.node, UOp(Op::Param, d.value.dtype(), ParamArg{slot++, d.node.arg_as<std::string>()}, extents));
  }
  return floats.empty() ? UOp() : kernel.with_src(parts);
}

Opts for_packed(const UOp& kernel, const Opts& plain, int64_t lanes) {
  const std::vector<Definition> all = definitions(kernel);
  const std::string output = all.back().store.src(0).src(0).arg_as<ParamArg>().name;
  Opts own, layouts = plain;
  for (const Definition& d : all) {
    const std::string name = unpacks(d) ? d.node.arg_as<std::string>() : "";
    const StageOpt* stage = name.empty() ? nullptr : stage_of(plain, name);
    if (!stage) continue;
    std::string across, along;  // the axis with the vectors; the one that runs through a block
    for (const UOp& axis : d.ranges) {
      const std::vector<Tile> tiles = tiles_of(plain, axis_of(axis));
      const int64_t block = block_of(d, axis, kMostInBody);
      if (!tiles.empty() && tiles.back().kind == Kind::Vec) {
        across = axis_of(axis);
        own.push_back(Tile{across, tiles.back().size, Kind::Vec, name});
      } else if (block) {
        along = axis_of(axis);
        if (block > lanes) own.push_back(Tile{along, block, Kind::Unroll, name});
        own.push_back(Tile{along, std::min(block, lanes), Kind::Upcast, name});
      }
    }
    if (across.empty() || along.empty()) continue;
    int64_t row = 1;  // of the tile: what the register block reads at once
    for (const Tile& t : tiles_of(plain, across))
      if (is_register(t.kind)) row = std::max(row, t.size);
    using Part = LayoutPart::Kind;
    for (Opt& o : layouts)
      if (auto* s = std::get_if<StageOpt>(&o); s && s->value == name && s->layout.empty())
        s->layout = {{across, row, Part::Outer}, {along}, {across, row, Part::Inner}};
  }
  if (own.empty()) return plain;
  for (Opt& o : layouts)
    if (auto* tile = std::get_if<Tile>(&o); tile && tile->nest.empty()) tile->nest = output;
  // Tiles go before what refers to ranges.
  const auto first = std::find_if(layouts.begin(), layouts.end(), [](const Opt& o) { return !std::holds_alternative<Tile>(o); });
  layouts.insert(first, own.begin(), own.end());
  return layouts;
}

}  // namespace pg
