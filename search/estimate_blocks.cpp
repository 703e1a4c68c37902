// The cost model of a GPU: a block's arithmetic, shared memory and waiting, as many blocks as a processor takes at once, and
// what all of them fetch; the slowest of these tells. Only the order of estimates matters.
#include <algorithm>
#include <cmath>
#include <set>

#include "search/movement.h"
#include "search/moves_blocks.h"
#include "search/thread_registers.h"
#include "uops/bank_conflicts.h"
#include "uops/kernel.h"
#include "uops/placement.h"
#include "uops/simplify.h"

namespace pg {

namespace {

constexpr double kWarpsPerCycle = 4;         // instructions that a processor issues
constexpr double kGlobalWait = 600;          // cycles until what is fetched is there, from L2 or beyond
constexpr double kNearWait = 200;            // the same where the L1 has most of it
constexpr double kSharedWait = 30;           // and from shared memory, with its barrier
constexpr double kMathWait = 4;              // until a sum may be added to again
constexpr double kSlow = 8;                  // instructions of an exponential and the like
constexpr double kSector = 32, kLine = 128;  // bytes that are fetched together; that the L1 serves together
constexpr double kSpillCost = 0.08;          // for each register that a thread lacks
// What is not the slowest is in its way now and then: of what a processor has to do beside, so much counts, and of a
// thread's registers, which leave no room for the compiler's order. Of two schedules that the slowest part does not tell
// apart, the one with fewer reads of shared memory, barriers and registers is the better one.
constexpr double kBeside = 0.03, kCrowded = 0.01;
constexpr int64_t kProcessorThreads = 2048, kProcessorBlocks = 32, kBlockReserve = 1024;  // bytes that a block has beside
constexpr int64_t kThreadRegisters = 255;
constexpr double kElement = 4;

/// In cycles of a processor.
struct Machine {
  double clock, dram, l2, launch;  // GHz; bytes a cycle of all processors; a kernel in a stream
  Machine(const Target& t, const Costs& costs) : clock(1 / (kWarpsPerCycle * costs.math)), launch(costs.launch * clock) {
    const auto bytes = [&](double beyond) { return std::max(t.sms, 1) / (costs.load / kLine + beyond) / clock; };
    l2 = bytes(costs.byte[0]), dram = bytes(costs.byte[2]);
  }
};

double up(double a, double b) { return std::ceil(a / b); }
double extent_of(const UOp& r) { return static_cast<double>(std::max<int64_t>(1, bounds(r.src(0)).hi)); }

/// How a nest walks one axis within a block.
struct Walk {
  UOp axis;
  double walked = 1, threads = 1, registers = 1, steps = 1;
  double innermost = 1;  // neighbouring elements of one thread
  bool vec = false, reduce = false;
};

struct Cost {
  double issue = 0, shared = 0, near = 0;  // cycles of a processor for a block: instructions, wavefronts of both memories
  double wait = 0;                         // cycles of a block by itself
  double fetched = 0;                      // bytes of a block from L2
};

class BlockEstimate {
 public:
  BlockEstimate(const Schedule& s, const Target& t, const Costs& costs)
      : s_(s), target_(t), machine_(t, costs), placement_(s.scheduled(), true), threads_(double(placement_.threads())) {}

  double ns() {
    if (!placement_.fault().empty()) return 1e18;
    const NestPlan& root = placement_.nest(placement_.root());
    for (const UOp& r : root.loops)
      if (kind_of(r) == Kind::Grid) blocks_ *= extent_of(r);
    parts_ = 1;
    for (const UOp& r : root.split) parts_ *= extent_of(r);
    for (size_t d = 0; d <= placement_.root(); ++d) definition(d);
    const double registers = static_cast<double>(thread_registers(placement_));
    const double sms = std::max(target_.sms, 1), resident = blocks_at_once(registers);
    const double busiest = up(blocks_, sms);  // blocks of the processor that has most
    const double together = std::min(resident, busiest);
    Cost c = cost_;
    const double room = std::min<double>(
        kThreadRegisters, double(target_.sm_registers) / (threads_ * double(std::max<int64_t>(1, s_.blocks()))));
    if (registers > room) c.issue *= 1 + kSpillCost * (registers - room), c.near += c.issue * 0.2;
    // Blocks side by side hide each other's waiting.
    const double work = std::max({c.issue, c.shared + c.near, c.fetched / 64});
    const double block = std::max(work, std::max(c.wait, work) / together);
    double all = std::max(
        {busiest * block, up(busiest, resident) * c.wait, c.fetched * blocks_ / machine_.l2, dram_bytes() / machine_.dram});
    all += kBeside * (busiest * (c.issue + c.shared + c.near + c.fetched / 64) + up(busiest, resident) * c.wait);
    all *= 1 + kCrowded * registers / double(kThreadRegisters);
    double launches = 1;
    if (parts_ > 1) {  // partial results are left and merged
      launches = 2;
      all += outputs() * kElement * (2 * parts_ + 1) / std::min(machine_.dram, machine_.l2) + kGlobalWait;
    }
    return (all + launches * machine_.launch) / machine_.clock;
  }

 private:
  double warps() const { return up(threads_, kWarpLanes); }

  double blocks_at_once(double registers) const {
    double n = std::min<double>(kProcessorBlocks, std::floor(kProcessorThreads / threads_));
    const double taken = std::min<double>(kThreadRegisters, up(registers, 8) * 8);
    n = std::min(n, std::floor(double(target_.sm_registers) / (taken * warps() * kWarpLanes)));
    if (target_.shared_sm_bytes)
      n = std::min(n, std::floor(double(target_.shared_sm_bytes) / double(placement_.shared_bytes() + kBlockReserve)));
    return std::max({1.0, n, static_cast<double>(s_.blocks())});
  }

  std::vector<Walk> walks(size_t d) const {
    const NestPlan& plan = placement_.nest(d);
    const Definition& def = placement_.definitions()[d];
    std::vector<int64_t> tile;
    if (d != placement_.root()) tile = placement_.tile_extents(d);
    std::vector<Walk> all;
    for (const Chain& c : plan.chains.all()) {
      Walk w;
      w.axis = c.axis;
      w.reduce = placement_.reduces(d, c.axis);
      w.walked = extent_of(c.axis);
      for (size_t i = 0; i < c.ranges.size(); ++i) {
        const Kind kind = kind_of(c.ranges[i]);
        const double trips = extent_of(c.ranges[i]);
        if (kind == Kind::Grid) w.walked = static_cast<double>(c.steps[i]);
        if (kind == Kind::Local) w.threads *= trips;
        if (is_register(kind)) w.registers *= trips;
        w.vec |= kind == Kind::Vec;
      }
      if (is_register(kind_of(c.ranges.back()))) w.innermost = extent_of(c.ranges.back());
      for (size_t i = 0; i < def.ranges.size() && i < tile.size(); ++i)
        if (axis_of(def.ranges[i]) == axis_of(c.axis)) w.walked = std::max<double>(1, double(tile[i]));
      w.steps = up(w.walked, w.threads * w.registers);
      all.push_back(w);
    }
    return all;
  }

  /// Element address of each lane of the first warp, along these walks; `strides`: by walk.
  std::array<int64_t, kWarpLanes> lanes(size_t d, const std::vector<Walk>& walks, const std::vector<double>& strides) const {
    const NestPlan& plan = placement_.nest(d);
    std::array<int64_t, kWarpLanes> at{};
    for (int lane = 0; lane < kWarpLanes; ++lane) {
      int64_t rest = lane % static_cast<int64_t>(threads_);
      for (size_t i = plan.locals.size(); i-- > 0;) {
        const UOp& r = plan.locals[i];
        const int64_t trips = static_cast<int64_t>(extent_of(r)), digit = rest % trips;
        rest /= trips;
        for (size_t w = 0; w < walks.size(); ++w)
          if (axis_of(walks[w].axis) == axis_of(r))
            at[static_cast<size_t>(lane)] += digit * plan.chains.of(r).step(r) * static_cast<int64_t>(strides[w]);
      }
    }
    return at;
  }

  const BufferStage* staged(const UOp& load, size_t d, const StageGroup::User*& user, const StageGroup*& group) const {
    for (const BufferStage& b : placement_.buffer_stages())
      for (const StageGroup& g : b.groups)
        for (const StageGroup::User& u : g.users)
          if (u.definition == d && u.load == load) {
            user = &u, group = &g;
            return &b;
          }
    return nullptr;
  }

  void definition(size_t d) {
    const Definition& def = placement_.definitions()[d];
    const std::vector<Walk> all = walks(d);
    double steps = 1, outer = 1, instances = 1, results = 1, merged = 1, sums = 1;
    for (const Walk& w : all) {
      steps *= w.steps, instances *= w.registers;
      if (!w.reduce) outer *= w.steps, results *= w.registers;
      if (w.reduce) merged *= w.threads;
      sums *= w.reduce ? 1 : w.registers;
    }
    if (d != placement_.root()) {  // again in each turn of the loops outside
      const NestPlan& at = placement_.nest(placement_.nest(d).attach.nest);
      for (size_t i = 0; i < placement_.nest(d).attach.depth && i < at.loops.size(); ++i)
        if (kind_of(at.loops[i]) == Kind::Loop) steps *= extent_of(at.loops[i]), outer *= extent_of(at.loops[i]);
    }
    std::set<UOp, decltype([](const UOp& a, const UOp& b) { return a.id() < b.id(); })> inside;
    double math = def.reduce ? 1 : 0, after = 0;
    for (const UOp& body : def.bodies)
      for (const UOp& u : expression_nodes(body)) inside.insert(u);
    const bool product = def.reduce && def.bodies.size() == 1 && def.bodies[0].is(Op::Mul);
    bool waits_global = false, waits_shared = false;
    double turns = 0;  // of the loop that what is staged comes with
    const auto visit = [&](const UOp& u) {
      const bool in_body = inside.contains(u) || (!def.reduce);
      if (info(u.op()).has(op_flag::Elementwise) && u.dtype().is_float()) {
        const bool slow = u.is(Op::Exp) || u.is(Op::Log) || u.is(Op::Sin) || u.is(Op::Cos) || u.is(Op::Erf) ||
                          u.is(Op::Tanh) || u.is(Op::Div);
        (in_body ? math : after) += product && u == def.bodies[0] ? 0 : slow ? kSlow : 1;
      }
      if (u.is(Op::Load) && u.src(0).src(0).is(Op::Param)) {
        double copies = 1;
        for (const Walk& w : all)
          if (depends_on(u, w.axis)) copies *= w.registers;
        const double times = warps() * (in_body ? steps : outer) * copies;
        access(d, u, all, times, steps, waits_global, waits_shared, turns);
      }
      if (u.is(Op::Load) && u.src(0).src(0).is(Op::Define)) {
        double copies = 1;
        for (const Walk& w : all)
          if (depends_on(u, w.axis)) copies *= w.registers;
        tile_access(d, u, all, warps() * (in_body ? steps : outer) * copies);
        waits_shared |= in_body;
      }
    };
    for (const UOp& u : expression_nodes(def.store ? def.store : def.value)) visit(u);
    cost_.issue += warps() * (math * steps * instances + after * outer * results) / kWarpsPerCycle;
    // Few sums of a thread, and few warps, wait for each other.
    if (def.reduce) cost_.wait += kMathWait * steps * std::max(1.0, instances / std::max(1.0, sums));
    if (waits_global) cost_.wait += steps * (turns > 0 || outer < steps ? kNearWait : kGlobalWait) + kGlobalWait;
    if (waits_shared) cost_.wait += steps * kSharedWait;
    if (merged > 1) {
      const bool beyond = placement_.nest(d).merges_lanes
                              ? merged > kWarpLanes
                              : merged * double(placement_.output_threads(d)) > kWarpLanes;  // a warp: in shared memory
      cost_.wait += outer * (kSharedWait * std::log2(merged) + (beyond ? 100 : 0));
    }
    if (def.store) cost_.near += warps() * outer * results * store_lines(d, all) * 2;
  }

  double store_lines(size_t d, const std::vector<Walk>& all) const {
    const UOp flat = flat_address(placement_.definitions()[d].store.src(0));
    return lines(d, all, flat) / width_along(all, flat);
  }
  std::vector<double> strides_of(const std::vector<Walk>& all, const UOp& flat) const {
    std::vector<double> strides;
    for (const Walk& w : all) {
      const auto c = coefficient(flat, w.axis);
      strides.push_back(c ? double(*c) : depends_on(flat, w.axis) ? 1000 : 0);
    }
    return strides;
  }
  /// Neighbours that one instruction of a thread takes.
  double width_along(const std::vector<Walk>& all, const UOp& flat) const {
    for (const Walk& w : all)
      if (coefficient(flat, w.axis) == 1 && w.innermost > 1) return std::min(4.0, w.innermost);
    return 1;
  }
  /// Times that the L1 is asked for one access of a warp.
  double lines(size_t d, const std::vector<Walk>& all, const UOp& flat) const {
    std::set<int64_t> touched;
    for (int64_t a : lanes(d, all, strides_of(all, flat))) touched.insert(a * int64_t(kElement) / int64_t(kLine));
    return static_cast<double>(touched.size());
  }

  /// `times`: elements that a block's warps ask for, one of each lane.
  void access(size_t d, const UOp& load, const std::vector<Walk>& all, double times, double steps, bool& global,
              bool& shared, double& turns) {
    const UOp flat = flat_address(load.src(0));
    const StageGroup::User* user = nullptr;
    const StageGroup* group = nullptr;
    const BufferStage* stage = staged(load, d, user, group);
    if (!stage) {
      const double width = width_along(all, flat);
      cost_.near += times / width * std::max(lines(d, all, flat), width) * 2;
      cost_.issue += times / width / kWarpsPerCycle;
      cost_.fetched += footprint(all, flat, load);
      global = true;
      return;
    }
    shared = true;
    // The tile: its parts' strides, and what a step along each axis moves.
    std::vector<double> strides(all.size(), 0);
    double stride = 1, width = 1;
    for (size_t i = group->parts.size(); i-- > 0;) {
      const TilePart& part = group->parts[i];
      if (part.dim < user->coordinates.size())
        for (size_t w = 0; w < all.size(); ++w) {
          const double c = double(coefficient(user->coordinates[part.dim], all[w].axis).value_or(0));
          strides[w] += c * stride;
          if (i + 1 == group->parts.size() && c == 1) width = std::max(width, std::min(4.0, all[w].innermost));
        }
      const bool last = i + 1 == group->parts.size();
      stride *= double(part.count) + (last && stage->stage.banks == StageBanks::Pad ? 4 : 0);
    }
    const auto at = lanes(d, all, strides);
    const int power = width >= 4 ? 4 : width >= 2 ? 2 : 1;
    const std::set<int64_t> distinct(at.begin(), at.end());
    const double least = std::max(1.0, up(double(distinct.size()) * power, kBanks));
    const double ways = stage->stage.banks == StageBanks::Swizzle ? least : double(warp_spread(at, power));
    cost_.shared += times / power * std::max(least, ways);
    cost_.issue += times / power / kWarpsPerCycle;
    if (!copied_.insert(group).second) return;
    // The copy: once a turn of the loops outside.
    const NestPlan& nest = placement_.nest(stage->attach.nest);
    double outside = 1, elements = 1;
    for (size_t i = 0; i < stage->attach.depth && i < nest.loops.size(); ++i)
      if (kind_of(nest.loops[i]) != Kind::Grid) outside *= extent_of(nest.loops[i]);
    for (int64_t e : group->extents) elements *= double(e);
    const bool straight = group->parts.empty() || group->parts.back().dim + 1 == group->extents.size();
    const double chunk = straight && !group->extents.empty() && group->extents.back() % 4 == 0 ? 4 : 1;
    const bool async = stage->stage.copy == StageCopy::CpAsync;
    const double run = group->extents.empty() ? 1 : double(group->extents.back()) * kElement;
    cost_.fetched += outside * elements * kElement * std::max(1.0, kSector / run);
    cost_.issue += outside * elements / chunk / kWarpLanes * (async ? 2 : 3) / kWarpsPerCycle;
    cost_.shared += outside * elements / kWarpLanes * (straight ? 1 : 2);
    cost_.near += outside * elements * kElement / 64 * (async ? 0.5 : 1) * (chunk == 1 ? 2 : 1);
    const double slots = double(stage->stage.stages);
    const double per_turn = steps / std::max(1.0, outside) * kSharedWait;
    // Ahead by so many turns; and without that the loop stands still until the tile is there.
    const double exposed = slots <= 1 ? kGlobalWait : std::max(0.0, kGlobalWait / (async ? slots - 1 : 1) - per_turn);
    if (turns == 0) cost_.wait += outside * (exposed + (slots <= 1 ? 2 : 1) * kSharedWait) + kGlobalWait;
    turns = std::max(turns, outside);
  }

  /// What another definition left in shared memory.
  void tile_access(size_t d, const UOp& load, const std::vector<Walk>& all, double times) {
    size_t from = 0;
    while (from < placement_.root() && !(placement_.definitions()[from].node == load.src(0).src(0))) ++from;
    if (from == placement_.root()) return;  // it is computed where it is read
    const std::vector<int64_t> tile = placement_.tile_extents(from);
    std::vector<double> strides(all.size(), 0);
    double stride = 1, width = 1;
    for (size_t dim = tile.size(); dim-- > 0; stride *= double(std::max<int64_t>(1, tile[dim])))
      for (size_t w = 0; w < all.size(); ++w) {
        const double c = double(coefficient(load.src(0).src(dim + 1), all[w].axis).value_or(0));
        strides[w] += c * stride;
        if (dim + 1 == tile.size() && c == 1) width = std::max(width, std::min(4.0, all[w].innermost));
      }
    const int power = width >= 4 ? 4 : width >= 2 ? 2 : 1;
    cost_.shared += times / power * double(warp_spread(lanes(d, all, strides), power));
    cost_.issue += times / power / kWarpsPerCycle;
  }

  /// Bytes of a buffer that a block touches, whole sectors.
  double footprint(const std::vector<Walk>& all, const UOp& flat, const UOp& load) const {
    double elements = 1, run = 1;
    for (const Walk& w : all) {
      if (!depends_on(load, w.axis)) continue;
      elements *= w.walked;
      if (coefficient(flat, w.axis) == 1) run = std::max(run, w.walked);
    }
    double whole = 1;
    for (const UOp& e : load.src(0).src(0).src()) whole *= double(std::max<int64_t>(1, bounds(e).hi));
    return std::min(elements, whole) * kElement * std::max(1.0, kSector / (run * kElement));
  }

  double outputs() const {
    double n = 1;
    for (const UOp& r : placement_.definitions().back().ranges) n *= extent_of(r);
    return n;
  }

  /// What the L2 does not have: each buffer once, or, where they are larger than it, once for each wave of blocks that
  /// touches it.
  double dram_bytes() const {
    std::set<std::string> seen;
    double once = outputs() * kElement, by_waves = 0;
    const NestPlan& root = placement_.nest(placement_.root());
    const double wave = std::min(blocks_, std::max(1.0, double(target_.sms)));
    for (const Definition& d : placement_.definitions())
      for (const UOp& u : expression_nodes(d.store ? d.store : d.value)) {
        if (!u.is(Op::Load) || !u.src(0).src(0).is(Op::Param)) continue;
        if (!seen.insert(u.src(0).src(0).arg_as<ParamArg>().name).second) continue;
        double bytes = kElement;
        for (const UOp& e : u.src(0).src(0).src()) bytes *= double(std::max<int64_t>(1, bounds(e).hi));
        double part = 1, left = wave;  // of it, that one wave touches: blocks are numbered with the last axis fastest
        for (size_t i = root.loops.size(); i-- > 0;) {
          if (kind_of(root.loops[i]) != Kind::Grid) continue;
          const double trips = extent_of(root.loops[i]), covered = std::min(trips, left);
          left = up(left, trips);
          if (depends_on(u, root.chains.of(root.loops[i]).axis)) part *= covered / trips;
        }
        once += bytes;
        by_waves += bytes * part * up(blocks_, wave);
      }
    if (once <= double(target_.l2_bytes) || target_.l2_bytes == 0) return once;
    return std::max(once, outputs() * kElement + by_waves);
  }

  const Schedule& s_;
  const Target& target_;
  const Machine machine_;
  const Placement placement_;
  const double threads_;
  double blocks_ = 1, parts_ = 1;
  Cost cost_;
  std::set<const StageGroup*> copied_;
};

}  // namespace

double estimate_blocks(const Schedule& s, const Target& target, const Costs& costs) {
  return BlockEstimate(s, target, costs).ns();
}

}  // namespace pg
