#include "uops/online.h"

#include <algorithm>
#include <optional>

#include "uops/scope.h"

namespace pg {

namespace {
bool reduces_over(const Definition& d, const UOp& axis) { return has_axis(d.reduce_ranges, axis); }
const std::string& reducer_of(const Definition& d) { return d.reduce.arg_as<ReduceArg>().reducer; }

/// How an expression scales when M grows: by exp(M - M') to this power. None: in another way.
class Power {
 public:
  Power(const std::vector<Definition>& all, const UOp& maximum) : all_(all), maximum_(maximum) {}

  std::optional<int> of(const UOp& u) const {
    if (!uses(u)) return 0;
    switch (u.op()) {
      case Op::Exp: return shifted(u.src(0)) ? std::optional(1) : std::nullopt;
      case Op::Neg: return of(u.src(0));
      case Op::Cast: return u.dtype().is_float() && u.src(0).dtype().is_float() ? of(u.src(0)) : std::nullopt;
      case Op::Mul: return sum(of(u.src(0)), of(u.src(1)));
      case Op::Div: return uses(u.src(1)) ? std::nullopt : of(u.src(0));
      case Op::Add:
      case Op::Sub: return same(u.src(0), u.src(1));
      case Op::Where: return uses(u.src(0)) ? std::nullopt : same(u.src(1), u.src(2));
      case Op::Load: return u.src(0).src(0).is(Op::Define) ? of_read(u) : std::nullopt;
      default: return std::nullopt;
    }
  }
  /// Whether M is used anywhere below, through definitions too.
  bool uses(const UOp& u) const { return depends_on(u, maximum_); }

 private:
  bool is_maximum(const UOp& u) const { return u.is(Op::Load) && u.src(0).src(0) == maximum_; }
  /// s - M
  bool shifted(const UOp& u) const {
    if (u.is(Op::Sub)) return is_maximum(u.src(1)) && !uses(u.src(0));
    if (!u.is(Op::Add)) return false;
    for (int i : {0, 1})
      if (u.src(i).is(Op::Neg) && is_maximum(u.src(i).src(0)) && !uses(u.src(1 - i))) return true;
    return false;
  }
  static std::optional<int> sum(std::optional<int> a, std::optional<int> b) {
    if (!a || !b || *a + *b > 1) return std::nullopt;
    return *a + *b;
  }
  std::optional<int> same(const UOp& a, const UOp& b) const {
    const auto x = of(a), y = of(b);
    const auto zero = [](const UOp& u) { return u.is(Op::Const) && u.dtype().is_float() && u.arg_as<double>() == 0; };
    if (zero(a)) return y;
    if (zero(b)) return x;
    return x && y && *x == *y ? x : std::nullopt;
  }
  std::optional<int> of_read(const UOp& u) const {
    const UOp& define = u.src(0).src(0);
    for (const Definition& d : all_)
      if (d.node == define) return d.reduce ? std::nullopt : of(d.value);  // a finished sum, or M as it stands
    return std::nullopt;
  }

  const std::vector<Definition>& all_;
  const UOp& maximum_;
};
}  // namespace

int online_maximum(const std::vector<Definition>& all, const UOp& axis) {
  for (size_t d = 0; d + 1 < all.size(); ++d)
    if (all[d].reduce && reduces_over(all[d], axis) && reducer_of(all[d]) == "max") return static_cast<int>(d);
  return -1;
}

std::string online_fault(const std::vector<Definition>& all, const UOp& axis) {
  const int m = online_maximum(all, axis);
  if (m < 0) return "no maximum over " + axis_of(axis);
  const Definition& maximum = all[m];
  const std::string& name = maximum.node.arg_as<std::string>();
  if (!maximum.value.dtype().is_float()) return name + " is no float";
  const Power power(all, maximum.node);
  for (const Definition& d : all) {
    if (d.node == maximum.node) {
      if (!(d.value == d.reduce)) return name + " has an epilogue";
      continue;
    }
    const std::string what = d.store ? "the output" : d.node.arg_as<std::string>();
    if (d.reduce && reduces_over(d, axis)) {
      if (reducer_of(d) != "sum") return what + " is no sum";
      if (!d.store && !(d.value == d.reduce)) return what + " has an epilogue";
      if (!d.store && d.ranges != maximum.ranges) return what + " has other axes than " + name;
      if (power.of(d.bodies[0]) != 1) return what + " uses " + name + " outside exp(s-" + name + ")";
    } else if (d.reduce && power.uses(d.bodies[0])) {
      return what + " uses " + name + " outside exp(s-" + name + ")";
    }
  }
  for (const UOp& r : maximum.ranges)
    if (std::none_of(all.back().ranges.begin(), all.back().ranges.end(), [&](const UOp& a) { return a == r; }))
      return name + " has the axis " + axis_of(r) + ", which the output has not";
  return "";
}

}  // namespace pg
