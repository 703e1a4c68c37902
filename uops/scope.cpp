#include "uops/scope.h"

#include <algorithm>

#include "uops/kernel.h"
#include "uops/simplify.h"

namespace pg {

const std::string& axis_of(const UOp& range) { return range.arg_as<RangeArg>().axis; }
bool has_axis(const UOps& ranges, const UOp& range) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const UOp& r) { return axis_of(r) == axis_of(range); });
}
Kind kind_of(const UOp& range) { return range.arg_as<RangeArg>().kind; }
bool is_register(Kind k) { return k == Kind::Unroll || k == Kind::Upcast || k == Kind::Vec; }
bool divides(int64_t n, const UOp& extent) { return divisor(extent) % n == 0; }
int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// ---- chains ----------------------------------------------------------------------------------------------------------

Chains::Chains(const UOps& axes, const UOps& ranges, bool threads) {
  for (const UOp& axis : axes) {
    if (find(axis_of(axis))) continue;
    Chain& c = chains_.emplace_back();
    c.axis = axis, c.extent = axis.src(0), c.padded = threads;
    for (const UOp& r : ranges)
      if (axis_of(r) == axis_of(axis)) c.ranges.push_back(r);
    if (c.ranges.empty()) throw InternalError("Scheduled: axis " + axis_of(axis) + " has no range");
    std::sort(c.ranges.begin(), c.ranges.end(), [](const UOp& a, const UOp& b) {
      const int64_t x = a.arg_as<RangeArg>().tile, y = b.arg_as<RangeArg>().tile;
      return y != 0 && (x == 0 || x > y);
    });
    for (size_t i = 0; i < c.ranges.size(); ++i) {
      c.steps.push_back(i + 1 < c.ranges.size() ? c.ranges[i + 1].arg_as<RangeArg>().tile : 1);
      if (!is_register(kind_of(c.ranges[i])) && !(threads && kind_of(c.ranges[i]) == Kind::Local))
        c.innermost_loop = static_cast<int>(i);
      else if (!threads)
        c.register_tile = std::max(c.register_tile, c.ranges[i].arg_as<RangeArg>().tile);
    }
    if (threads) c.register_tile = c.steps[0];  // no loop of a block is clipped
  }
}

int64_t Chain::vector_lanes() const {
  return kind_of(ranges.back()) == Kind::Vec ? ranges.back().arg_as<RangeArg>().tile : 1;
}

void Chains::pad(const std::string& axis, int64_t to) {
  for (Chain& c : chains_)
    if (axis_of(c.axis) == axis && !divides(to, c.extent)) {
      c.extent = simplify(ceildiv(c.extent, to) * iconst(to));
      c.padded = true;
    }
}

const Chain* Chains::find(const std::string& axis) const {
  for (const Chain& c : chains_)
    if (axis_of(c.axis) == axis) return &c;
  return nullptr;
}
const Chain& Chains::of(const UOp& range) const {
  const Chain* c = find(axis_of(range));
  if (!c) throw InternalError("no chain for axis " + axis_of(range));
  return *c;
}

// ---- what a range is at a point of the tree --------------------------------------------------------------------------

bool Scope::is_open(const UOp& range) const {
  return std::any_of(values.begin(), values.end(), [&](const auto& v) { return v.first == range; });
}
UOp Scope::value(const UOp& range) const {
  for (const auto& [r, v] : values)
    if (r == range) return v;
  return range;  // a register range stands for itself
}
Region Scope::region(const Chain& c) const {
  const auto at = regions.find(axis_of(c.axis));
  return at == regions.end() ? Region{iconst(0), c.extent} : at->second;
}
UOp Scope::position(const Chain& c) const {
  UOp sum = region(c).base;
  for (size_t i = 0; i < c.ranges.size(); ++i) sum = sum + value(c.ranges[i]) * iconst(c.steps[i]);
  return sum;
}
UOp Scope::walked(const Chain& c) const {
  UOp sum = iconst(0);
  for (size_t i = 0; i < c.ranges.size(); ++i)
    if (is_open(c.ranges[i]) && !is_shared_out(c.ranges[i])) sum = sum + value(c.ranges[i]) * iconst(c.steps[i]);
  return sum;
}
/// What the threads of a block have different parts of: a tile of all of them holds it whole.
bool Scope::is_shared_out(const UOp& range) const { return thread && kind_of(range) == Kind::Local; }
UOp Scope::base(const Chain& c) const { return region(c).base + walked(c); }
Region Scope::closed(const Chain& c) const {
  for (const UOp& r : c.ranges) {
    if (is_open(r) && !is_shared_out(r)) continue;
    const UOp whole = region(c).extent;
    int64_t tile = r.arg_as<RangeArg>().tile;
    if (!tile) return {base(c), whole};
    if (const auto n = const_int(whole)) tile = std::min(tile, round_up(*n, c.register_tile));
    return {base(c), iconst(tile)};
  }
  return {base(c), iconst(1)};
}
UOp Scope::gate(const UOps& axes) const {
  UOp all;
  for (const auto& [axis, condition] : gates)
    if (std::any_of(axes.begin(), axes.end(), [&](const UOp& a) { return axis_of(a) == axis; }))
      all = all ? alu(Op::And, all, condition) : condition;
  return all;
}

}  // namespace pg
