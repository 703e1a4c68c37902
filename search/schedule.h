#pragma once
// The canonical state of a schedule: range chains per axis, the grid, the order. Opts change it or say why they may not.
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
  explicit Schedule(UOp kernel);  // unscheduled: one loop per axis, reduce axes innermost
  const UOp& kernel() const { return kernel_; }
  const std::vector<Axis>& axes() const { return axes_; }
  const Axis* axis(const std::string& name) const;

  struct Split {
    int64_t size;
    Kind kind;
    friend bool operator==(const Split&, const Split&) = default;
  };
  /// Tiles of an axis, outer to inner (the outermost range itself is implied).
  const std::vector<Split>& chain(const std::string& axis) const;
  /// Largest register tile of an axis (1: none): the alignment of its loops.
  int64_t register_tile(const std::string& axis) const;
  const std::vector<std::string>& grid() const { return grid_; }
  /// All ranges, grid first, loops in order, register kinds last.
  std::vector<RangeRef> order() const;
  Kind kind(const RangeRef&) const;

  /// The schedule after `opt`, or why it is not allowed. Limits on code and private memory hold for the state after the last
  /// opt.
  Expected<Schedule> apply(const Opt&) const;
  Expected<Schedule> apply(const Opts&) const;
  /// The shortest opts that give this state from nothing, in canonical order: the identity used to deduplicate.
  Opts opts() const;
  /// The Scheduled UOp for `lower`.
  UOp scheduled() const;

 private:
  friend struct Apply;
  /// The order of loops when no `order` was given: a function of the chains and the grid.
  std::vector<RangeRef> default_loops() const;

  UOp kernel_;
  std::vector<Axis> axes_;
  std::map<std::string, std::vector<Split>> chains_;
  std::vector<std::string> grid_;
  std::vector<RangeRef> loops_;  // explicit order of Loop ranges, all of them
};

/// The kernel under opts that come from a database: text that is no opt is as illegal as an opt that does not apply.
Expected<Schedule> read_schedule(const UOp& kernel, std::string_view opts);

/// SIMD registers the register block needs (accumulators + inner operands + 1); above Target::registers it is legal but
/// pruned.
int64_t register_pressure(const Schedule&, const Target&);

}  // namespace pg
