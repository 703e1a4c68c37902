#pragma once
// Kernel ASTs written by hand (uops/kernel.h): axes by name, buffers by slot in the order in which they are asked for.
#include <string>
#include <utility>

#include "uops/kernel.h"

namespace pg {

class KernelWriter {
 public:
  /// An axis; of extent 1 it is the index 0 and no Range.
  static UOp axis(const std::string& name, UOp extent) {
    if (const_int(extent) == 1) return iconst(0);
    return range(name, std::move(extent));
  }
  static UOp axis(const std::string& name, int64_t extent) { return axis(name, iconst(extent)); }

  /// The first one asked for is the output.
  UOp param(const std::string& name, DType t, UOps extents) { return UOp(Op::Param, t, ParamArg{slots_++, name}, extents); }
  UOp param(const std::string& name, DType t, std::initializer_list<int64_t> extents) {
    UOps e;
    for (int64_t n : extents) e.push_back(iconst(n));
    return param(name, t, e);
  }
  /// buffer[i, j, ..]
  static UOp at(const UOp& buffer, std::initializer_list<UOp> indices) { return index(buffer, UOps(indices)); }
  static UOp read(const UOp& buffer, std::initializer_list<UOp> indices) { return load(at(buffer, indices)); }

  /// Over axes of extent 1 only, a reduction of one state is its body.
  static UOp reduce(const std::string& reducer, UOps bodies, const UOps& axes) {
    const DType t = bodies[0].dtype();
    if (only_ranges(axes).empty() && bodies.size() == 1) return bodies[0];
    for (const UOp& r : only_ranges(axes)) bodies.push_back(r);
    return UOp(Op::Reduce, t, ReduceArg{reducer, {}}, bodies);
  }
  static UOp reduce(const std::string& reducer, const UOp& body, const UOps& axes) {
    return reduce(reducer, UOps{body}, axes);
  }
  static UOp project(const UOp& reduction, int64_t state) {
    return UOp(Op::Project, reduction.src(static_cast<size_t>(state)).dtype(), state, {reduction});
  }

  /// A virtual buffer over the axes; the result reads it at them.
  UOp define(const std::string& name, const UOp& value, const UOps& axes) {
    UOps src{value};
    for (const UOp& r : only_ranges(axes)) src.push_back(r);
    definitions_.emplace_back(Op::Define, value.dtype(), name, src);
    return load(index(definitions_.back(), only_ranges(axes)));
  }
  /// The kernel of the definitions so far.
  UOp output(const std::string& name, const UOp& place, const UOp& value, const UOps& axes, const UOp& gate = {}) {
    UOps src{store(place, value, gate)};
    for (const UOp& r : only_ranges(axes)) src.push_back(r);
    definitions_.emplace_back(Op::Output, dt::kVoid, Arg(), src);
    return UOp(Op::Kernel, dt::kVoid, name, std::exchange(definitions_, {}));
  }

  static UOps only_ranges(const UOps& axes) {
    UOps ranges;
    for (const UOp& a : axes)
      if (a.is(Op::Range)) ranges.push_back(a);
    return ranges;
  }

 private:
  int64_t slots_ = 0;
  UOps definitions_;
};

}  // namespace pg
