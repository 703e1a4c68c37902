// Bundles for a product on a GPU: a block's tile, a thread's part of it, how much of the sum comes in a turn and by which
// way, how many blocks share a processor. What another bundle beats on any machine is not made.
#include <algorithm>

#include "search/block_axes.h"
#include "search/templates_blocks.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {

constexpr int64_t kWidth = 4;                                    // elements of a 16-byte access
constexpr int64_t kElement = 4;                                  // bytes
constexpr int64_t kMostInstances = 512;                          // statements of a register block, as opts allow
constexpr int64_t kLeastThreads = 64, kMostThreads = 512;        // of a block: fewer hide nothing, more have few registers
constexpr int64_t kBusyThreads = 256, kProcessorThreads = 2048;  // of a processor: that hide its waiting, that it takes
constexpr int64_t kThreadRegisters = 255, kOwnRegisters = 28;    // that a thread may have; for addresses and counters
constexpr int64_t kBlockReserve = 1024;                          // bytes of shared memory that a block has beside
constexpr int64_t kDeepest = 6;                                  // slots of a ring
constexpr int64_t kTurnDepths[] = {8, 16, 32};                   // of the sum, in a turn
constexpr int64_t kTurns = 4;                                    // that a part of a sum takes at least
constexpr double kUseful = 0.7;                                  // of the best tile's share of work that is no padding
constexpr double kFull = 1.5;       // blocks a processor from which a tile a quarter as large gains nothing
constexpr size_t kThreadTiles = 3;  // of a block's tile, each with another number of threads
constexpr size_t kMost = 240;       // bundles in all

struct Tile2 {
  int64_t m, n;
};
constexpr Tile2 kBlocks[] = {{256, 128}, {128, 256}, {128, 128}, {256, 64}, {128, 64}, {64, 128},
                             {64, 64},   {32, 128},  {64, 32},   {32, 64},  {32, 32},  {16, 64}};
constexpr Tile2 kThreads[] = {{8, 16}, {8, 8}, {8, 4}, {4, 8}, {4, 4}, {2, 4}};  // fewest reads of shared memory first

enum class Way { Unstaged, Slots, SwizzledRing, PaddedRing };

int64_t up(int64_t a, int64_t b) { return (a + b - 1) / b; }

class ProductTemplates {
 public:
  ProductTemplates(const UOp& kernel, const Target& target, const ProductAxes& axes, BundleSet& found)
      : target_(target),
        root_(definitions(kernel).back()),
        rows_(axes.rows),
        columns_(axes.columns),
        deep_(axes.deep),
        operands_(operands(root_, deep_)),
        sms_(std::max(target.sms, 1)),
        found_(found) {}

  void run() {
    const std::vector<Tile2> tiles = worthwhile();
    // The best thread tile of each block first, should there be too many.
    for (size_t rank = 0; rank < kThreadTiles; ++rank)
      for (const Tile2& t : tiles)
        if (const std::vector<Tile2> threads = thread_tiles(t); rank < threads.size()) block(t, threads[rank], rank == 0);
  }

 private:
  int64_t blocks(const Tile2& t) const {
    return extents(root_.ranges) / extent(rows_) / extent(columns_) * up(extent(rows_), t.m) * up(extent(columns_), t.n);
  }
  double useful(const Tile2& t) const {
    const auto share = [](int64_t n, int64_t tile) { return double(n) / double(up(n, tile) * tile); };
    return share(extent(rows_), t.m) * share(extent(columns_), t.n);
  }
  /// Blocks that a sum must be shared by for every processor to have one.
  int64_t wanted(const Tile2& t) const { return up(sms_, blocks(t)); }

  /// Block tiles that neither compute much padding, nor are too small where larger ones fill the machine, nor too large.
  std::vector<Tile2> worthwhile() const {
    std::vector<Tile2> fit;
    for (const Tile2& t : kBlocks)
      if (2 * extent(rows_) > t.m && 2 * extent(columns_) > t.n) fit.push_back(t);
    double best = 0;
    int64_t least = INT64_MAX;
    for (const Tile2& t : fit) best = std::max(best, useful(t)), least = std::min(least, wanted(t));
    std::vector<Tile2> good;
    for (const Tile2& t : fit) {
      const bool small = std::any_of(fit.begin(), fit.end(), [&](const Tile2& o) {
        return o.m * o.n >= 4 * t.m * t.n && double(blocks(o)) >= kFull * double(sms_) && useful(o) >= kUseful * best;
      });
      if (useful(t) >= kUseful * best && !small && wanted(t) <= 4 * least) good.push_back(t);
    }
    return good;
  }
  static int64_t threads(const Tile2& block, const Tile2& own) { return block.m / own.m * (block.n / own.n); }
  static std::vector<Tile2> thread_tiles(const Tile2& block) {
    std::vector<Tile2> all;
    for (const Tile2& own : kThreads) {
      const int64_t n = block.m < own.m || block.n < own.n ? 0 : threads(block, own);
      const bool known = std::any_of(all.begin(), all.end(), [&](const Tile2& o) { return threads(block, o) == n; });
      if (n >= kLeastThreads && n <= kMostThreads && !known) all.push_back(own);
    }
    return all;
  }

  void block(const Tile2& block, const Tile2& own, bool first) {
    bool staged = false;
    // Copies by a thread take registers and a barrier a turn: short turns. Rings are for long ones.
    for (int64_t turn : kTurnDepths) {
      if (turn > kTurnDepths[0] && turn >= 2 * extent(deep_)) continue;
      const int64_t depth = std::min(turn, extent(deep_));
      for (int64_t parts : shares(block, depth)) {
        const int64_t part = part_of(parts, depth);
        for (int64_t together : {1, 2}) {
          if (depth <= 16) staged |= bundle(block, own, depth, part, together, Way::Slots);
          if (depth >= 16) staged |= bundle(block, own, depth, part, together, Way::SwizzledRing);
          if (depth >= 16) staged |= bundle(block, own, depth, part, together, Way::PaddedRing);
        }
      }
    }
    // What the L1 serves well enough: few blocks; and what cannot be staged.
    if (staged && !(first && blocks(block) <= 2 * sms_)) return;
    const int64_t depth = std::min<int64_t>(kTurnDepths[0], extent(deep_));
    for (int64_t parts : shares(block, depth)) bundle(block, own, depth, part_of(parts, depth), 1, Way::Unstaged);
  }

  /// Into how many blocks a sum may be shared out: 1 where the blocks suffice, else so many that they do, once or twice.
  std::vector<int64_t> shares(const Tile2& block, int64_t depth) const {
    const int64_t n = wanted(block);
    std::vector<int64_t> all;
    if (n > 1 && const_int(deep_.src(0)))
      for (int64_t parts : {n, 2 * n})
        if (extent(deep_) >= kTurns * depth * parts) all.push_back(parts);
    if (n <= 2 || all.empty()) all.push_back(1);
    return all;
  }

  /// How much of the sum each of several blocks takes, in whole turns; 0: there is one.
  int64_t part_of(int64_t parts, int64_t depth) const { return parts > 1 ? up(up(extent(deep_), parts), depth) * depth : 0; }

  bool bundle(const Tile2& block, const Tile2& own, int64_t depth, int64_t part, int64_t together, Way way) {
    const int64_t n = threads(block, own), copies = way == Way::Slots ? up((block.m + block.n) * depth, n) : 0;
    const int64_t registers = own.m * own.n + own.m + own.n + copies + kOwnRegisters;
    const auto room = [&](int64_t blocks) { return std::min(kThreadRegisters, target_.sm_registers / (n * blocks)); };
    if (registers > room(together) || together * n > kProcessorThreads) return false;
    const int64_t waves = up(blocks(block) * (part ? up(extent(deep_), part) : 1), sms_);
    if (together > waves) return false;  // nothing to share the processor with
    // One block a processor where two would fit easily only wastes it.
    if (together == 1 && waves > 1 && 4 * registers < 3 * room(2) && 2 * n <= kProcessorThreads) return false;

    Opts opts;
    tile(opts, rows_, block.m, own.m);
    tile(opts, columns_, block.n, own.n);
    const std::string k = axis_of(deep_);
    const int64_t unroll = std::min(depth, std::max<int64_t>(1, kMostInstances / (own.m * own.n)));
    Grid grid{axis_names(root_.ranges)};
    if (part) opts.push_back(Tile{k, part}), grid.axes.push_back(k);
    if (unroll < depth) opts.push_back(Tile{k, depth});
    if (unroll > 1) opts.push_back(Tile{k, unroll, Kind::Unroll});
    opts.push_back(grid);
    if (together > 1) opts.push_back(Bounds{together});
    if (way == Way::Unstaged) return found_.add(opts, kMost);
    const bool any_along = std::any_of(operands_.begin(), operands_.end(), [](const Operand& o) { return o.along_sum; });
    if (way == Way::PaddedRing && !any_along) return false;  // the same as the other one
    if (way == Way::Slots) return found_.add(with_stages(opts, {k, part}, 2, way), kMost);
    // As deep as fits beside the blocks that keep the processor busy.
    const int64_t beside = std::max(together, std::min(up(kBusyThreads, n), waves));
    const int64_t memory = std::min(target_.shared_block_bytes, target_.shared_sm_bytes / beside - kBlockReserve);
    const int64_t turns = up(part ? part : extent(deep_), depth);
    int64_t slots = std::min({kDeepest, memory / ((block.m + block.n) * depth * kElement), turns});
    while (slots >= 2 && !found_.add(with_stages(opts, {k, part}, slots, way), kMost)) --slots;
    return slots >= 2;
  }

  /// A thread's registers in groups of four that lie apart: what neighbouring threads read is side by side.
  static void tile(Opts& opts, const UOp& axis, int64_t size, int64_t own) {
    if (own > kWidth) {
      opts.push_back(Tile{axis_of(axis), size, Kind::Upcast});
      size = size / own * kWidth, own = kWidth;
    }
    opts.push_back(Tile{axis_of(axis), size, Kind::Local});
    opts.push_back(Tile{axis_of(axis), own, Kind::Upcast});
  }
  Opts with_stages(Opts opts, const RangeRef& at, int64_t slots, Way way) const {
    for (const Operand& o : operands_) {
      StageOpt s{o.name, at, StageMemory::Shared};
      s.stages = slots;
      s.copy = way == Way::Slots ? StageCopy::Plain : StageCopy::CpAsync;
      if (o.along_sum) s.banks = way == Way::SwizzledRing ? StageBanks::Swizzle : StageBanks::Pad;
      if (o.turns() && way == Way::Slots) s.layout = {{"1"}, {"0"}};
      opts.push_back(s);
    }
    return opts;
  }

  const Target& target_;
  const Definition root_;
  const UOp rows_, columns_, deep_;
  const std::vector<Operand> operands_;
  const int64_t sms_;
  BundleSet& found_;
};

}  // namespace

void product_templates(const UOp& kernel, const Target& target, const ProductAxes& axes, BundleSet& found) {
  ProductTemplates(kernel, target, axes, found).run();
}

}  // namespace pg
