#include "search/unpacked.h"

#include <algorithm>
#include <map>

#include "search/movement.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {

// Numbers of a row that one turn unpacks: of each of a few rows, and of as many as a vector has lanes.
constexpr int64_t kMostInBody = 256, kMostInSquares = 64;

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

/// Whether an axis walks over neighbours wherever the definition reads memory.
bool runs_along(const Definition& d, const UOp& axis) {
  for (const UOp& u : expression_nodes(d.value))
    if (u.is(Op::Load) && coefficient(flat_address(u.src(0)), axis) != 1) return false;
  return true;
}

/// Tiles of an axis in the output's nest, outer to inner.
std::vector<Tile> tiles_of(const Opts& opts, const std::string& axis) {
  std::vector<Tile> tiles;
  for (const Opt& o : opts)
    if (const auto* tile = std::get_if<Tile>(&o); tile && tile->axis == axis) tiles.push_back(*tile);
  return tiles;
}

}  // namespace

UOp unpacked_inline(const UOp& kernel) {
  std::vector<std::string> kept;
  bool any = false;
  for (const Definition& d : definitions(kernel))
    if (unpacks(d))
      any = true;
    else if (!d.store)
      kept.push_back(d.node.arg_as<std::string>());
  return any ? elementwise_inlined(kernel, kept) : kernel;
}

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

namespace {

bool has_axis(const UOps& axes, const std::string& name) {
  return std::any_of(axes.begin(), axes.end(), [&](const UOp& a) { return axis_of(a) == name; });
}

/// For the opts of one kernel: one packed operand after the other.
class ForPacked {
 public:
  ForPacked(const UOp& kernel, Opts plain, int64_t lanes)
      : output_(definitions(kernel).back()), opts_(std::move(plain)), lanes_(lanes) {}

  void operand(const Definition& d) {
    const std::string name = d.node.arg_as<std::string>();
    StageOpt* stage = nullptr;
    for (Opt& o : opts_) {
      if (auto* s = std::get_if<StageOpt>(&o); s && s->value == name) stage = s;
      if (auto* p = std::get_if<PrefetchBuffer>(&o); p && p->buffer == name) p->buffer = numbers_of(d);
    }
    if (stage)
      turned(d, *stage);
    else if (const UOp along = vectors_along(d); !along)
      return;
    else if (rows_pass(d))
      kept(d, along);
    else
      streamed(d, along);
  }

  Opts opts() {
    if (own_.empty()) return opts_;
    const std::string output = output_.store.src(0).src(0).arg_as<ParamArg>().name;
    for (Opt& o : opts_)
      if (auto* tile = std::get_if<Tile>(&o); tile && tile->nest.empty()) tile->nest = output;
    // Tiles go before what refers to ranges.
    const auto first =
        std::find_if(opts_.begin(), opts_.end(), [](const Opt& o) { return !std::holds_alternative<Tile>(o); });
    opts_.insert(first, own_.begin(), own_.end());
    return opts_;
  }

 private:
  std::vector<Tile> tiles(const UOp& axis) const { return tiles_of(opts_, axis_of(axis)); }
  bool has_vectors(const UOp& axis) const { return !tiles(axis).empty() && tiles(axis).back().kind == Kind::Vec; }
  UOp vectors_along(const Definition& d) const {
    for (const UOp& axis : d.ranges)
      if (has_vectors(axis) && tiles(axis).back().size == lanes_ && (block_of(d, axis, kMostInBody) || runs_along(d, axis)))
        return axis;
    return {};
  }

  /// Of the views of the same memory that are read, that of the numbers: to ask for its lines is enough.
  static std::string numbers_of(const Definition& d) {
    std::map<std::string, double> reads;
    for (const UOp& u : expression_nodes(d.value))
      if (u.is(Op::Load)) reads[u.src(0).src(0).arg_as<ParamArg>().name] += 1.0 / u.dtype().bytes();
    const auto less = [](const auto& a, const auto& b) { return a.second < b.second; };
    return std::max_element(reads.begin(), reads.end(), less)->first;
  }

  /// Staged with the vectors across its rows: squares are turned where another axis walks over neighbours in memory.
  void turned(const Definition& d, StageOpt& stage) {
    std::string across;
    std::vector<LayoutPart> layout;
    int64_t row = 1;  // of the tile: what the register block reads at once
    for (const UOp& axis : d.ranges) {
      if (has_vectors(axis)) {
        across = axis_of(axis);
        own_.push_back(Tile{across, tiles(axis).back().size, Kind::Vec, stage.value});
        for (const Tile& t : tiles(axis))
          if (is_register(t.kind)) row = std::max(row, t.size);
        continue;
      }
      layout.push_back({axis_of(axis)});
      int64_t run = block_of(d, axis, kMostInSquares);
      if (run == 0 && runs_along(d, axis)) run = std::min(lanes_, bounds(axis.src(0)).hi);
      if (run > lanes_) own_.push_back(Tile{axis_of(axis), run, Kind::Unroll, stage.value});
      if (run > 1) own_.push_back(Tile{axis_of(axis), std::min(run, lanes_), Kind::Upcast, stage.value});
    }
    if (across.empty() || layout.empty() || !stage.layout.empty()) return;
    layout.insert(layout.end() - 1, {across, row, LayoutPart::Kind::Outer});
    layout.push_back({across, row, LayoutPart::Kind::Inner});
    stage.layout = layout;
  }

  /// Whether several blocks of rows read the operand.
  bool rows_pass(const Definition& d) const {
    return std::any_of(output_.ranges.begin(), output_.ranges.end(), [&](const UOp& axis) {
      int64_t tile = 1;
      for (const Tile& t : tiles(axis))
        if (is_register(t.kind)) tile = std::max(tile, t.size);
      return !has_axis(d.ranges, axis_of(axis)) && bounds(axis.src(0)).hi > tile;
    });
  }
  /// What a block of rows reads is unpacked for all of them, as it lies.
  void kept(const Definition& d, const UOp& along) {
    RangeRef at;
    for (Opt& o : opts_) {
      if (auto* grid = std::get_if<Grid>(&o)) {
        std::erase_if(grid->axes, [&](const std::string& axis) { return !has_axis(d.ranges, axis); });
        if (!grid->axes.empty()) at.axis = grid->axes.back();
      }
      if (const auto* tile = std::get_if<Tile>(&o);
          tile && tile->kind == Kind::Loop && !(tile->axis == axis_of(along)) && has_axis(d.ranges, tile->axis))
        at = {tile->axis, tile->size};
      if (const auto* order = std::get_if<Order>(&o); order && order->ranges[0] == RangeRef{axis_of(along), 0})
        at = order->ranges[0];  // a part of the sum at a time
    }
    if (at.axis.empty()) return streamed(d, along);
    const std::string name = d.node.arg_as<std::string>();
    if (const int64_t block = block_of(d, along, kMostInBody); block > lanes_)
      own_.push_back(Tile{axis_of(along), block, Kind::Unroll, name});
    own_.push_back(Tile{axis_of(along), lanes_, Kind::Vec, name});
    opts_.push_back(StageOpt{name, at});
  }

  /// Unpacked where it is multiplied: the steps of a block share its scale. Where each number is read once, memory is asked
  /// for those of the next turn: the rows are too short for a processor to find out by itself.
  void streamed(const Definition& d, const UOp& along) {
    const std::string axis = axis_of(along);
    if (const int64_t block = block_of(d, along, kMostInBody); block > lanes_) {
      const Opt vectors = tiles(along).back();
      std::erase_if(opts_, [&](const Opt& o) {  // blocks in place of parts of them
        const auto* t = std::get_if<Tile>(&o);
        return t && t->axis == axis && t->kind != Kind::Vec && (is_register(t->kind) || t->size % block != 0);
      });
      opts_.insert(std::find(opts_.begin(), opts_.end(), vectors), Tile{axis, block, Kind::Unroll});
    }
    std::string turn;
    for (const UOp& o : output_.ranges) {
      if (!has_axis(d.ranges, axis_of(o))) return;
      turn = axis_of(o);
    }
    if (turn.empty()) return;
    opts_.push_back(PrefetchBuffer{numbers_of(d), {turn, 0}});
  }

  const Definition output_;
  Opts opts_, own_;
  const int64_t lanes_;
};
}  // namespace

Opts for_packed(const UOp& kernel, const Opts& plain, int64_t lanes) {
  ForPacked packed(kernel, plain, lanes);
  for (const Definition& d : definitions(kernel))
    if (unpacks(d)) packed.operand(d);
  return packed.opts();
}

}  // namespace pg
