#include "search/heuristic_attention_blocks.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "search/attention_parts.h"
#include "search/chains.h"
#include "uops/kernel.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {

constexpr int64_t kWidth = 4;        // elements of a 16-byte access
constexpr int64_t kWarp = 32;        // threads
constexpr int64_t kFewRows = 8;      // that share their keys: a thread has sums of all of them
constexpr int64_t kFewKeys = 256;    // that they look at in a turn, at most
constexpr int64_t kLeastPart = 128;  // of the keys, that is worth a block, and a second kernel that merges
constexpr int64_t kAcross = 16;      // threads along the columns: 256 bytes of a row of values

int64_t up_to_power_of_two(int64_t n) {
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(n, 1))));
}

class BlockAttention {
 public:
  BlockAttention(const UOp& kernel, const Target& target, const AttentionParts& parts, const AttentionBlock& block)
      : kernel_(kernel), target_(target), p_(parts), b_(block) {}

  std::optional<Schedule> run() {
    text_.clear();
    b_.rows ? many_rows() : few_rows();
    const Expected<Schedule> s = Schedule(kernel_, target_).apply(parse_opts(text_));
    return s ? std::optional(*s) : std::nullopt;
  }

 private:
  // The text of a schedule is as good a way to write one down as any, and easier to read.
  void tile(const std::string& axis, int64_t size, const char* kind) {
    if (size > 1) text_ += " tile(" + axis + "," + std::to_string(size) + "," + kind + ")";
  }
  void stage(const std::string& what, const std::string& at, const std::string& how = "") {
    if (!what.empty()) text_ += " stage(" + what + "," + (at.empty() ? "top" : at) + how + ")";
  }
  std::string of(const std::string& nest, const std::string& axis) const { return nest + "." + axis; }

  /// Columns of the output and of the values: a thread has neighbours of them, 16 bytes at a time. Returns how many threads
  /// there are along them.
  int64_t columns(int64_t most) {
    const int64_t chunks = (p_.columns + kWidth - 1) / kWidth, across = std::min(most, up_to_power_of_two(chunks));
    const int64_t own = (chunks + across - 1) / across * across * kWidth;
    const std::string d = of(p_.output, p_.d);
    if (own > across * kWidth) tile(d, own, "upcast");
    if (across > 1) tile(d, across * kWidth, "local");
    tile(d, kWidth, "vec");
    return across;
  }
  /// A row's maximum and its sum of weights: by neighbouring threads of one warp, that need no barrier.
  void row_states() {
    const int64_t lanes = std::min(b_.keys / kWidth, kWarp);
    const int64_t rows = std::min(b_.threads / lanes, up_to_power_of_two(b_.rows ? b_.rows : p_.rows));
    for (const std::string& nest : {p_.maximum, p_.total}) {
      if (!p_.i.empty()) tile(of(nest, p_.i), rows, "local");
      tile(of(nest, p_.j), lanes * kWidth, "local");
      tile(of(nest, p_.j), kWidth, "upcast");
      lanes_of_ += " lanes(" + of(nest, p_.j) + ")";
    }
  }
  /// What stands outside the keys, once a block; the innermost axis of the grid.
  std::string grid(const std::string& inner) {
    std::string axes, last;
    for (const UOp& a : p_.outer) axes += axis_of(a) + " ", last = axis_of(a);
    if (!inner.empty()) axes += inner, last = inner;
    if (!axes.empty()) text_ += " grid(" + axes + ")";
    return last;
  }
  /// All threads along a definition's last axes.
  void spread(const std::string& definition) {
    int64_t threads = b_.threads;
    for (const Definition& d : definitions(kernel_)) {
      if (d.store || d.node.arg_as<std::string>() != definition) continue;
      for (size_t a = d.ranges.size(); a-- > 0 && threads > 1;) {
        const int64_t used = std::min(threads, up_to_power_of_two(bounds(d.ranges[a].src(0)).hi));
        if (std::any_of(p_.outer.begin(), p_.outer.end(), [&](const UOp& o) { return axis_of(o) == axis_of(d.ranges[a]); }))
          continue;  // of the grid
        tile(of(definition, axis_of(d.ranges[a])), used, "local");
        threads /= used;
      }
    }
  }
  void keep(const std::string& at, const std::string& keys) {
    for (const std::string& q : p_.in_place) stage(q, at);
    if (p_.in_place.empty()) stage(p_.queries, at);
    stage(p_.scores, keys);
    stage(p_.weights, keys);
    text_ += lanes_of_;
  }
  void online() {
    if (b_.part) text_ += "tile(" + of(p_.output, p_.j) + "," + std::to_string(b_.part) + ") ";
    text_ += "online(" + p_.j + "," + std::to_string(b_.keys) + ")";
  }

  /// Rows by keys by threads in both directions, twice: scores, and sums over keys.
  void many_rows() {
    online();
    const std::string i = of(p_.output, p_.i);
    tile(of(p_.output, p_.j), kWidth, "unroll");
    const int64_t across = columns(kAcross), down = std::min(b_.threads / across, b_.rows);
    tile(i, b_.rows, "local");
    tile(i, b_.rows / down, "upcast");
    if (!p_.scores.empty()) {
      const std::string s = p_.scores;
      const int64_t along = std::min<int64_t>(b_.keys / kWidth, b_.threads), rows = std::min(b_.threads / along, b_.rows);
      tile(of(s, p_.i), b_.rows, "local");
      tile(of(s, p_.i), b_.rows / rows, "upcast");
      // Keys of a thread lie apart: its neighbours have rows of the tile that begin in other banks.
      tile(of(s, p_.j), b_.keys, "upcast");
      tile(of(s, p_.j), along, "local");
      tile(of(s, p_.e.back()), kWidth, "unroll");
    }
    row_states();
    tile(of(p_.weights, p_.i), b_.threads / std::min(b_.keys / kWidth, b_.threads), "local");
    tile(of(p_.weights, p_.j), b_.keys, "local");
    tile(of(p_.weights, p_.j), kWidth, "vec");
    for (const std::string& q : p_.in_place) spread(q);
    const std::string at = grid(p_.i);
    const std::string ring = b_.slots > 1 ? ",stages=" + std::to_string(b_.slots) + ",copy=cp.async" : "";
    if (!p_.scores.empty()) stage(p_.keys, p_.j, ",layout=src+pad" + ring);
    stage(p_.values, p_.j, ring);
    keep(at, p_.j);
  }

  /// Threads along the keys, or along what a key is summed over; keys and values go by once.
  void few_rows() {
    online();
    const std::string o = p_.output;
    const int64_t across = columns(kWarp), along = std::min(b_.threads / across, b_.keys / 2);
    if (kWidth * along < b_.keys) tile(of(o, p_.j), kWidth * along, "unroll");
    tile(of(o, p_.j), along, "local");
    if (!p_.i.empty()) tile(of(o, p_.i), p_.rows, "upcast");
    if (!p_.scores.empty()) {
      const std::string s = p_.scores, e = of(s, p_.e.back());
      const int64_t lanes = std::min<int64_t>(8, up_to_power_of_two(p_.depth / kWidth));  // 128 bytes of a key
      if (lanes > 1) tile(e, lanes * kWidth, "local");
      tile(e, kWidth, "unroll");
      if (lanes > 1) lanes_of_ += " lanes(" + e + ")";
      const int64_t side_by_side = b_.threads / lanes, own = std::clamp<int64_t>(b_.keys / side_by_side, 1, kWidth);
      if (own > 1) tile(of(s, p_.j), own * side_by_side, "upcast");
      tile(of(s, p_.j), side_by_side, "local");
      if (!p_.i.empty()) tile(of(s, p_.i), p_.rows, "upcast");
    }
    row_states();
    tile(of(p_.weights, p_.j), std::min(b_.keys, b_.threads), "local");
    for (const std::string& q : p_.in_place) spread(q);
    keep(grid(b_.part ? p_.j : ""), b_.part ? p_.j + ":" + std::to_string(b_.part) : p_.j);
  }

  const UOp& kernel_;
  const Target& target_;
  const AttentionParts& p_;
  const AttentionBlock b_;
  std::string text_, lanes_of_;
};

/// Said, or ptxas may go below what a thread needs, for the sake of more blocks than shared memory has room for.
std::optional<Schedule> two_blocks(const Schedule& s) {
  const Expected<Schedule> two = s.apply(Opt(Bounds{2}));
  return two ? std::optional(*two) : std::nullopt;
}

bool has_few_rows(const AttentionParts& p, const UOp& kernel) {
  if (p.rows > kFewRows) return false;
  const Definition out = definitions(kernel).back();
  return p.i.empty() || std::any_of(out.ranges.begin(), out.ranges.end(),
                                    [&](const UOp& r) { return axis_of(r) == p.i && const_int(r.src(0)); });
}
}  // namespace

std::optional<Schedule> attention_block(const UOp& kernel, const Target& target, const AttentionBlock& block) {
  const auto parts = attention_parts(kernel);
  if (!parts || (block.rows && parts->i.empty())) return std::nullopt;
  return BlockAttention(kernel, target, *parts, block).run();
}

std::vector<AttentionBlock> attention_blocks(const UOp& kernel, const Target& target) {
  const auto parts = attention_parts(kernel);
  std::vector<AttentionBlock> all;
  if (!parts) return all;
  if (has_few_rows(*parts, kernel)) {
    for (const int64_t threads : {256, 128, 512})
      for (const int64_t keys : {256, 64, 128, 512})
        for (const int64_t turns : {0, 2, 4, 8})
          if (keys == 128 || keys * std::max<int64_t>(turns, 1) < 2 * parts->key_count)
            all.push_back({0, keys, threads, 1, keys * turns});
    return all;
  }
  for (const int64_t slots : {1, 2, 3})
    for (const int64_t threads : {128, 256})
      for (const int64_t rows : {64, 32, 128})
        for (const int64_t keys : {32, 64})
          if ((slots == 1 || target.sm >= 80) && rows < 2 * std::max<int64_t>(parts->rows, 32))
            all.push_back({rows, keys, threads, slots});
  return all;
}

/// Small blocks, of which several share a processor and hide each other's copies. What such a block has in registers and
/// shared memory fits every GPU; which of them is fastest, measurements say.
std::optional<Schedule> attention_block_heuristic(const UOp& kernel, const Target& target) {
  const auto parts = attention_parts(kernel);
  if (!parts) return std::nullopt;
  int64_t outer = 1;
  for (const UOp& a : parts->outer) outer *= std::max<int64_t>(1, bounds(a.src(0)).hi);
  if (has_few_rows(*parts, kernel)) {
    // Where there are few rows, more processors than rows have something to do when each looks at a part of the keys.
    const int64_t share = up_to_power_of_two(parts->key_count * outer / (2 * std::max(target.sms, 1)));
    const int64_t part = std::max(share, kLeastPart), keys = up_to_power_of_two(parts->key_count);
    if (2 * outer <= target.sms && parts->key_count >= 2 * part)
      if (const auto s = attention_block(kernel, target, {0, std::min(part / 2, kFewKeys), 256, 1, part}))
        return two_blocks(*s).value_or(*s);
    const auto s = attention_block(kernel, target, {0, std::clamp(keys, kFewKeys / 2, kFewKeys), 256, 1});
    return s ? two_blocks(*s).value_or(*s) : s;
  }
  const int64_t blocks = (parts->rows + 63) / 64 * outer;
  const int64_t rows = blocks < target.sms || parts->rows <= 32 ? 32 : 64;
  std::optional<Schedule> one;
  for (const int64_t r : {rows, int64_t{32}, int64_t{16}})  // fewer of them for wide heads
    if (auto s = attention_block(kernel, target, {r, 32, 128, 1})) {
      if (auto two = two_blocks(*s)) return two;
      if (!one) one = std::move(s);
    }
  return one;
}

}  // namespace pg
