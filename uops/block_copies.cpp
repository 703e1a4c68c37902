// Copies into shared memory by all threads of a block, at once or on their way while the loop turns.
#include <algorithm>
#include <bit>
#include <numeric>

#include "uops/opener.h"
#include "uops/simplify.h"

namespace pg {

namespace {
UOp plain(Op op) { return UOp(op, dt::kVoid, {}, {}); }
constexpr int64_t kCopyBytes = 16;  // that one thread moves at a time, at most
constexpr int64_t kBankPad = 4;     // elements that move rows to other banks and keep them aligned

/// Elements that a thread moves at a time: side by side in the buffer and in the tile, aligned in both.
int64_t width_of(const BufferStage& stage, const StageGroup& group, const StagedTile& tile) {
  const size_t last = group.extents.size() - 1;
  if (group.by_axes || group.extents.empty() || tile.parts.empty()) return 1;
  const TilePart& inner = tile.parts.back();
  if (inner.dim != last || inner.kind != LayoutPart::Kind::Whole) return 1;
  const int64_t row = *const_int(tile.memory.src(tile.memory.src().size() - 1));
  int64_t width = kCopyBytes / stage.param.dtype().element_bytes();
  while (width > 1 && (group.extents[last] % width || row % width || divisor(simplify(tile.base[last])) % width ||
                       divisor(stage.param.src(last)) % width))
    width /= 2;
  return width;
}

/// Where a chunk lies in the box: chunks are numbered in the buffer's order.
UOps chunk_at(const StageGroup& group, int64_t width, UOp chunk) {
  UOps within(group.extents.size());
  for (size_t d = within.size(); d-- > 0;) {
    const bool last = d + 1 == within.size();
    const int64_t extent = last ? group.extents[d] / width : group.extents[d];
    within[d] = d ? simplify(mod(chunk, iconst(extent))) : chunk;
    chunk = simplify(idiv(chunk, iconst(extent)));
    if (last) within[d] = simplify(within[d] * iconst(width));
  }
  return within;
}
}  // namespace

/// Addresses exchanged so that the lanes of a warp meet in no bank, as far as that can be had: reading first, then filling.
StagedTile Opener::without_conflicts(const BufferStage& stage, const StageGroup& group, const StagedTile& tile) const {
  int64_t elements = 1;
  for (const TilePart& p : tile.parts) elements *= p.count;
  if (!std::has_single_bit(static_cast<uint64_t>(elements))) return tile;  // nothing to exchange within
  const int element_bytes = stage.param.dtype().element_bytes();
  StagedTile relative = tile;
  relative.slot = {};
  relative.base.assign(tile.base.size(), iconst(0));
  std::vector<WarpAccess> accesses;
  const auto add = [&](const UOps& coordinates, int64_t width) {
    const UOps at = relative.indices(coordinates);
    UOp flat = iconst(0);
    for (size_t i = 0; i < tile.parts.size(); ++i) flat = flat * iconst(tile.parts[i].count) + at[i];
    accesses.push_back(warp_access(static_cast<int>(width), [&](int lane) {
      const int64_t thread = lane % placement_.threads();
      const int64_t address = const_int(simplify(substitute(flat, {{thread_, iconst(thread)}}))).value_or(0);
      return (address & (elements - 1)) / width * width;  // from where the tile is read backwards, too
    }));
  };
  for (const StageGroup::User& user : group.users) {
    const NestPlan& plan = placement_.nest(user.definition);
    const Scope threads = with_threads(plan, {});
    Substitution at, origin;
    int64_t width = 1;
    for (const Chain& c : plan.chains.all()) {
      UOp place = iconst(0);
      for (size_t i = 0; i < c.ranges.size(); ++i)
        if (kind_of(c.ranges[i]) == pg::Kind::Local) place = place + threads.value(c.ranges[i]) * iconst(c.steps[i]);
      at.emplace_back(c.axis, place);
      origin.emplace_back(c.axis, iconst(0));
      // Neighbours of one thread along the tile's rows are read together.
      const UOp& last = c.ranges.back();
      if (tile.parts.empty() || !(user.coordinates[tile.parts.back().dim] == c.axis) || !is_register(kind_of(last))) continue;
      width = std::gcd(last.arg_as<RangeArg>().tile, int64_t{kCopyBytes / element_bytes});
    }
    UOps coordinates;
    for (const UOp& e : user.coordinates) coordinates.push_back(simplify(substitute(e, at) - substitute(e, origin)));
    add(coordinates, width);
  }
  const int64_t width = width_of(stage, group, tile);
  add(chunk_at(group, width, thread_), width);
  const int bits = std::countr_zero(static_cast<uint64_t>(elements));
  const Swizzle solved = solve_swizzle(bits, accesses, element_bytes).swizzle;
  return solved.is_identity() ? tile : tile.swizzled(solved);
}

UOp Opener::open_block_stage(const BufferStage& stage, Scope& scope, size_t number) {
  const StageOpt& opt = stage.stage;
  const bool ring = opt.stages > 1 || opt.copy == StageCopy::CpAsync;
  UOps out;
  for (size_t g = 0; g < stage.groups.size(); ++g) {
    const std::string name = opt.value + "_tile" + (stage.groups.size() > 1 ? std::to_string(g) : "");
    Ring made{&stage, stage.groups[g],
              StagedTile::make_ring(name, number_of(name + " of stage " + std::to_string(number)), stage.param.dtype(),
                                    box_base(placement_, stage.groups[g].users[0], stage, scope), stage.groups[g].parts,
                                    opt.stages, opt.banks == StageBanks::Pad ? kBankPad : 0),
              stage.attach};
    if (opt.banks == StageBanks::Swizzle) made.tile = without_conflicts(stage, made.group, made.tile);
    declared(made.tile.memory);
    StagedTile read = made.tile;
    if (ring) {
      const UOp& loop = turning_.at({stage.attach.nest, stage.attach.depth});
      if (opt.stages > 1) read = read.in_slot(simplify(mod(loop, iconst(opt.stages))));
      rings_.push_back(std::move(made));
    } else {
      out.push_back(block_copy(made, {}, {}, Move::Direct));
    }
    scope.staged.push_back(std::make_shared<StagedLoads>(StagedLoads{stage.groups[g], std::move(read)}));
  }
  return block(out);
}

/// Chunks are numbered in the buffer's order, so that neighbouring threads read neighbouring memory; of T threads number t
/// takes t, t + T, .. What lies outside of the buffer is 0. `at`: where the tile begins, if not where it was made.
UOp Opener::block_copy(const Ring& ring, const Substitution& at, const UOp& slot, Move move, const UOp& registers) const {
  const StageGroup& group = ring.group;
  StagedTile to = slot ? ring.tile.in_slot(slot) : ring.tile;
  UOps base;
  for (const UOp& b : ring.tile.base) base.push_back(at.empty() ? b : simplify(substitute(b, at)));
  to.base.assign(base.size(), iconst(0));
  const int64_t width = width_of(*ring.stage, group, ring.tile), threads = placement_.threads();
  int64_t elements = 1;
  for (int64_t e : group.extents) elements *= e;
  const int64_t chunks = elements / width, rounds = chunks / threads;
  std::string lane_name = ring.tile.memory.arg_as<ParamArg>().name + "_lane", round_name = lane_name;
  round_name.replace(round_name.size() - 4, 4, "round");
  const UOp lane = width > 1 ? range(lane_name, iconst(width), width, pg::Kind::Vec) : UOp();

  const auto moved = [&](const UOp& round) {
    UOps within = chunk_at(group, width, simplify(round * iconst(threads) + thread_)), coordinates, tested;
    for (size_t d = 0; d < base.size(); ++d) tested.push_back(simplify(base[d] + within[d]));
    coordinates = tested;
    UOp place = to.at(within);
    if (lane) {  // side by side in the tile too, whatever is exchanged there
      coordinates.back() = coordinates.back() + lane;
      UOps src(place.src().begin(), place.src().end());
      src.back() = src.back() + lane;
      place = place.with_src(src);
    }
    const UOp source = source_of(*ring.stage, group, coordinates, tested, {});
    const UOp kept = registers ? index(registers, UOps{lane ? round * iconst(width) + lane : round}) : UOp();
    switch (move) {
      case Move::Direct: return store(place, source);
      case Move::ToRegisters: return store(kept, source);
      case Move::FromRegisters: return store(place, load(kept));
      case Move::Async: break;
    }
    UOps src{place, source.src(0)};
    if (source.src().size() == 2) src.push_back(source.src(1));
    return UOp(Op::CopyAsync, dt::kVoid, {}, src);
  };
  UOps out;
  if (rounds > 0) out.push_back(moved(rounds > 1 ? range(round_name, iconst(rounds), rounds, pg::Kind::Upcast) : iconst(0)));
  if (rounds * threads < chunks) {
    const UOp left = alu(Op::Lt, thread_, iconst(chunks - rounds * threads));
    out.push_back(UOp(Op::If, dt::kVoid, {}, {left, moved(iconst(rounds))}));
  }
  return block(out);
}

/// A loop whose copies are on their way while it turns: in turn t they are issued for a later one.
UOp Opener::turned(const Nest& n, size_t i, const UOp& loop, const UOp& body) {
  std::vector<const Ring*> here;
  for (const Ring& r : rings_)
    if (r.attach == Attach{n.number, i + 1}) here.push_back(&r);
  if (here.empty()) return UOp(Op::For, dt::kVoid, {}, {loop, body});
  UOps out;
  // Slots are filled again: the last turn of the time before is over.
  bool turns_again = false;
  for (size_t j = 0; j < i; ++j) turns_again |= kind_of(n.plan->loops[j]) != pg::Kind::Grid && !n.plan->trivial[j];
  if (turns_again) out.push_back(plain(Op::Barrier));
  out.push_back(here[0]->stage->stage.copy == StageCopy::CpAsync ? turned_async(here, loop, body)
                                                                 : turned_plain(here, loop, body));
  return block(out);
}

UOp Opener::turned_async(const std::vector<const Ring*>& rings, const UOp& loop, const UOp& body) const {
  const int64_t slots = rings[0]->stage->stage.stages;
  const UOp& trips = loop.src(0);
  const auto issue = [&](const UOp& turn) {
    UOps out;
    for (const Ring* r : rings)
      out.push_back(block_copy(*r, {{loop, turn}}, slots > 1 ? simplify(mod(turn, iconst(slots))) : UOp(), Move::Async));
    return when(simplify(alu(Op::Lt, turn, trips)), block(out));
  };
  const auto wait = [](int64_t groups) { return UOp(Op::CopyWait, dt::kVoid, groups, {}); };
  UOps out, turn;
  if (slots == 1) {
    turn = {plain(Op::Barrier), issue(loop), plain(Op::CopyCommit), wait(0), plain(Op::Barrier), body};
  } else {
    for (int64_t s = 0; s + 1 < slots; ++s) out.insert(out.end(), {issue(iconst(s)), plain(Op::CopyCommit)});
    // An empty group is one too: they are counted.
    turn = {wait(slots - 2), plain(Op::Barrier), issue(simplify(loop + iconst(slots - 1))), plain(Op::CopyCommit), body};
  }
  out.push_back(UOp(Op::For, dt::kVoid, {}, {loop, block(turn)}));
  return block(out);
}

/// Two slots and registers: the next tile is loaded before this one is used and stored after it.
UOp Opener::turned_plain(const std::vector<const Ring*>& rings, const UOp& loop, const UOp& body) {
  UOps out, loads, stores;
  const UOp next = simplify(loop + iconst(1)), slot = simplify(mod(next, iconst(2)));
  for (const Ring* r : rings) {
    out.push_back(block_copy(*r, {{loop, iconst(0)}}, iconst(0), Move::Direct));
    int64_t elements = 1;
    for (int64_t e : r->group.extents) elements *= e;
    const int64_t width = width_of(*r->stage, r->group, r->tile), threads = placement_.threads();
    const std::string name = r->tile.memory.arg_as<ParamArg>().name + "_next";
    const UOp registers = UOp(Op::Memory, r->stage->param.dtype(), ParamArg{number_of(name), name},
                              {iconst(((elements / width + threads - 1) / threads) * width)});
    out.push_back(registers);
    loads.push_back(block_copy(*r, {{loop, next}}, {}, Move::ToRegisters, registers));
    stores.push_back(block_copy(*r, {{loop, next}}, slot, Move::FromRegisters, registers));
  }
  const UOp more = simplify(alu(Op::Lt, next, loop.src(0)));
  out.push_back(UOp(Op::For, dt::kVoid, {},
                    {loop, block(UOps{plain(Op::Barrier), when(more, block(loads)), body, when(more, block(stores))})}));
  return block(out);
}

}  // namespace pg
