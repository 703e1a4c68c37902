#pragma once
// The canonical state of a schedule: range chains and loop order per nest, the grid, what is staged. Opts change it or say
// why they may not.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "search/opt.h"
#include "uops/target.h"
#include "uops/uop.h"

namespace pg {

/// Why an opt is not allowed ("tile: 12 does not divide enclosing 32").
struct Illegal {
  std::string reason;
};
template <class T>
class Expected {
 public:
  Expected(T v) : v_(std::move(v)) {}
  Expected(Illegal e) : v_(std::move(e)) {}
  explicit operator bool() const { return v_.index() == 0; }
  const T& operator*() const { return std::get<0>(v_); }
  const T* operator->() const { return &std::get<0>(v_); }
  const std::string& reason() const { return std::get<1>(v_).reason; }

 private:
  std::variant<T, Illegal> v_;
};

/// An axis of a kernel, read off its definitions.
struct Axis {
  std::string name;
  UOp extent;           // index expression, Const or symbolic
  bool output = false;  // an output axis of the last definition
  bool reduce = false;  // a reduce axis of some definition
};
/// Axes in nest order: outputs of the last definition, then reduce axes.
std::vector<Axis> axes(const UOp& kernel);

class Schedule {
 public:
  /// Unscheduled: one loop per axis, reduce axes innermost. The target says what opts there are and their limits.
  explicit Schedule(UOp kernel, const Target& = {});
  const UOp& kernel() const { return kernel_; }
  /// What the ranges are ranges of: the kernel, with an axis as two where it is walked in streams.
  const UOp& ast() const { return ast_; }
  const std::optional<Streams>& streams() const { return streams_; }
  const Target& target() const { return target_; }
  const std::vector<Axis>& axes() const { return axes_; }
  const Axis* axis(const std::string& name) const;

  struct Split {
    int64_t size;
    Kind kind;
    friend bool operator==(const Split&, const Split&) = default;
  };
  using Splits = std::vector<Split>;  // tiles of an axis, outer to inner (the outermost range itself is implied)
  /// The loops of one definition.
  struct Nest {
    std::string name;               // of the definition; the output's: of its Param
    std::vector<std::string> axes;  // outputs, then reduce axes
    size_t outputs = 0;             // how many of them are outputs
    bool live = true;               // it has loops: it reduces, it is staged, or it is the output
    std::map<std::string, Splits> chains = {};
    std::vector<RangeRef> loops = {};  // all ranges of kind Loop, in order, without the nest's name
    std::string lanes = {};            // the axis whose threads are neighbours; empty: by the default order
    bool has(const std::string& axis) const { return chains.contains(axis); }
  };
  /// In the kernel's order, the output's last.
  const std::vector<Nest>& nests() const { return nests_; }
  const Nest& root() const { return nests_.back(); }
  const Nest* nest(const std::string& name) const;

  /// Tiles of an axis in the output's nest, or in the first nest that has it.
  const Splits& chain(const std::string& axis) const;
  /// Largest register tile of an axis there (1: none): the alignment of its loops.
  int64_t register_tile(const std::string& axis) const;
  const std::vector<std::string>& grid() const { return grid_; }
  const std::vector<StageOpt>& stages() const { return stages_; }
  const std::vector<PrefetchBuffer>& prefetched() const { return prefetched_; }
  int64_t blocks() const { return blocks_; }
  const std::string& online() const { return online_; }  // its axis; empty: none
  /// Which split of its chain in the output's nest is the step of the loop that rescales: behind the parts of a grid.
  size_t online_split() const { return is_grid(root(), online_); }
  /// All ranges by the chains above: grid first, loops in order, register kinds last.
  std::vector<RangeRef> order() const;
  Kind kind(const RangeRef&) const;

  /// The schedule after `opt`, or why it is not allowed. Limits on code and private memory, and what a stage asks of its
  /// place, hold for the state after the last opt.
  Expected<Schedule> apply(const Opt&) const;
  Expected<Schedule> apply(const Opts&) const;
  /// The shortest opts that give this state from nothing, in canonical order: the identity used to deduplicate.
  Opts opts() const;
  /// The Scheduled UOp for `lower`.
  UOp scheduled() const;

 private:
  friend struct Apply;
  void unscheduled();  // axes and nests of ast_, each axis one loop
  /// The order of a nest's loops when no `order` was given: a function of the chains and the grid.
  std::vector<RangeRef> default_loops(const Nest&) const;
  static std::vector<RangeRef> threads_and_registers(const std::vector<std::string>& axes, auto&& chain_of);
  /// A nest's loops with these ones innermost, as far as it has them.
  static std::vector<RangeRef> reordered(std::vector<RangeRef> loops, const std::vector<RangeRef>& innermost);
  /// "m:96 outside m", or "".
  static std::string misplaced(const std::vector<RangeRef>& loops);
  const Nest& nest_with(const std::string& axis) const;
  bool is_grid(const Nest&, const std::string& axis) const;
  UOp split_range(const Nest&, const RangeRef&) const;
  void tile_opts(Opts&) const;
  void order_opts(Opts&) const;
  void lanes_opts(Opts&) const;
  static bool has_threads(const Nest&, const std::string& axis);

  UOp kernel_, ast_;
  Target target_;
  std::optional<Streams> streams_;
  std::vector<Axis> axes_;
  std::vector<Nest> nests_;
  std::vector<std::string> grid_;
  std::vector<StageOpt> stages_;  // by text
  std::string online_;
  std::vector<std::string> fused_;  // sorted
  std::map<std::string, int64_t> padded_;
  std::vector<PrefetchBuffer> prefetched_;  // by text
  int64_t blocks_ = 1;                      // that share a processor at least (GPU)
};

/// The kernel under opts that come from a database: text that is no opt is as illegal as an opt that does not apply.
Expected<Schedule> read_schedule(const UOp& kernel, std::string_view opts, const Target& = {});

/// SIMD registers the register block needs (accumulators + inner operands + 1); above Target::registers it is legal but
/// pruned.
int64_t register_pressure(const Schedule&, const Target&);

}  // namespace pg
