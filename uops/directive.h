#pragma once
// What a schedule says beside its ranges: which values are kept in nearer memory, which loops are shared, what is asked for
// early. A Scheduled carries each as a Directive node whose argument is the text below; the opts of the search are made of
// the same structs.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "uops/uop.h"

namespace pg {

/// A range by name: `m` is the outermost range of axis m, `m:96` the one that walks inside a tile of 96 elements; `S.m:96`
/// that of one nest (a definition's, or the output's by its Param's name).
struct RangeRef {
  std::string axis;
  int64_t tile = 0;
  std::string nest = {};  // empty: the output's nest
  friend bool operator==(const RangeRef&, const RangeRef&) = default;
  friend auto operator<=>(const RangeRef&, const RangeRef&) = default;
};
std::string text(const RangeRef&);

/// A dimension of a staged tile, or its outer / inner part: `k`, `n/32`, `n%32`. `dim` is an axis that moves the dimension,
/// or the dimension's number.
struct LayoutPart {
  enum class Kind : uint8_t { Whole, Outer, Inner };
  std::string dim;
  int64_t size = 0;  // of the inner part
  Kind kind = Kind::Whole;
  friend bool operator==(const LayoutPart&, const LayoutPart&) = default;
};
/// What a stage keeps, where, and how it gets there. On the CPU: in a core's cache, plain copies, one stage.
enum class StageMemory : uint8_t { Cache, Reg, Shared, Global };
enum class StageCopy : uint8_t { Plain, CpAsync };
/// What keeps the threads of a warp out of one bank of shared memory: nothing, exchanged addresses, padded rows.
enum class StageBanks : uint8_t { Plain, Swizzle, Pad };

struct StageOpt {     // stage(B,k), stage(S,O.j:256), stage(X,top,layout=y c x%64)
  std::string value;  // a Param or a Define
  RangeRef at;        // axis empty: top
  StageMemory memory = StageMemory::Cache;
  std::vector<LayoutPart> layout = {};  // empty: by the order in which the user's loops walk it; on a GPU: the buffer's
  int64_t stages = 1;
  StageCopy copy = StageCopy::Plain;
  StageBanks banks = StageBanks::Plain;  // layout=n/32 k n%32+pad; without parts: layout=src+swizzle
  friend bool operator==(const StageOpt&, const StageOpt&) = default;
};
/// All reductions over the axis share the output's outermost range of it, by rescaling.
struct OnlineLoop {  // online(j)
  std::string axis;
  friend bool operator==(const OnlineLoop&, const OnlineLoop&) = default;
};
/// Definitions that reduce over the axis, side by side, run in one nest.
struct Fuse {  // fuse(j)
  std::string axis;
  friend bool operator==(const Fuse&, const Fuse&) = default;
};
/// The axis counts as rounded up to a multiple of `size`: whole tiles run over its end, with loads and stores masked.
struct PadLoop {  // pad(m,8)
  std::string axis;
  int64_t size = 1;
  friend bool operator==(const PadLoop&, const PadLoop&) = default;
};
/// While a turn of the loop runs, what the next turn reads of a buffer is asked for: hints beside the last reads of it.
struct PrefetchBuffer {  // prefetch(X,i)
  std::string buffer;
  RangeRef at;
  friend bool operator==(const PrefetchBuffer&, const PrefetchBuffer&) = default;
};
/// At least so many blocks share a processor of the GPU: a thread has no more registers than that leaves it.
struct Bounds {  // bounds(2)
  int64_t blocks = 1;
  friend bool operator==(const Bounds&, const Bounds&) = default;
};
/// The threads along this axis are neighbours: their digits of the thread's number are the fastest ones. In one nest (empty:
/// in each that has threads along the axis).
struct Lanes {  // lanes(j), lanes(M.j)
  std::string axis;
  std::string nest = {};
  friend bool operator==(const Lanes&, const Lanes&) = default;
};
using Directive = std::variant<StageOpt, OnlineLoop, Fuse, PadLoop, PrefetchBuffer, Bounds, Lanes>;

std::string text(const StageOpt&);
std::string text(const Directive&);
/// parse(text(d)) == d. Throws UserError that names the text and says what its form is.
Directive parse_directive(std::string_view);
UOp directive(const Directive&);  // the node

// ---- pieces of opt texts, for search/opt.cpp too ----
/// "name(inside)" taken apart; UserError when it does not read so.
struct CallText {
  std::string_view name, inside;
};
CallText parse_call(std::string_view);
std::vector<std::string_view> split_words(std::string_view, char at);  // empty words between spaces are dropped
bool is_axis_name(std::string_view);
std::optional<int64_t> parse_integer(std::string_view);
RangeRef parse_range_ref(std::string_view, std::string_view whole);
[[noreturn]] void refuse_opt(std::string_view opt, const std::string& why);
StageOpt parse_stage(std::string_view whole, std::string_view inside);
PadLoop parse_pad(std::string_view whole, std::string_view inside);
Lanes parse_lanes(std::string_view whole, std::string_view inside);
Bounds parse_bounds(std::string_view whole, std::string_view inside);
PrefetchBuffer parse_prefetch(std::string_view whole, std::string_view inside);

}  // namespace pg
