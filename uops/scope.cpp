#include "uops/scope.h"

#include <algorithm>

#include "uops/kernel.h"
#include "uops/simplify.h"

namespace pg {

namespace {
int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
}  // namespace

const std::string& axis_of(const UOp& range) { return range.arg_as<RangeArg>().axis; }
Kind kind_of(const UOp& range) { return range.arg_as<RangeArg>().kind; }
bool is_register(Kind k) { return k == Kind::Unroll || k == Kind::Upcast || k == Kind::Vec; }

// ---- chains ----------------------------------------------------------------------------------------------------------

Chains::Chains(const UOp& scheduled) {
  for (const Definition& d : definitions(scheduled.src(0)))
    for (const UOps* ranges : {&d.ranges, &d.reduce_ranges})
      for (const UOp& axis : *ranges) {
        if (find(axis_of(axis))) continue;
        Chain& c = chains_.emplace_back();
        c.axis = axis, c.extent = axis.src(0);
      }
  for (const UOp& r : scheduled.src().subspan(1)) {
    Chain* c = const_cast<Chain*>(find(axis_of(r)));
    if (!c) throw InternalError("Scheduled: no axis " + axis_of(r));
    c->ranges.push_back(r);
  }
  for (Chain& c : chains_) {
    if (c.ranges.empty()) throw InternalError("Scheduled: axis " + axis_of(c.axis) + " has no range");
    std::sort(c.ranges.begin(), c.ranges.end(), [](const UOp& a, const UOp& b) {
      const int64_t x = a.arg_as<RangeArg>().tile, y = b.arg_as<RangeArg>().tile;
      return y != 0 && (x == 0 || x > y);
    });
    for (size_t i = 0; i < c.ranges.size(); ++i) {
      c.steps.push_back(i + 1 < c.ranges.size() ? c.ranges[i + 1].arg_as<RangeArg>().tile : 1);
      if (is_register(kind_of(c.ranges[i])))
        c.register_tile = std::max(c.register_tile, c.ranges[i].arg_as<RangeArg>().tile);
      else
        c.innermost_loop = static_cast<int>(i);
    }
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
UOp Scope::position(const Chain& c) const {
  UOp sum = iconst(0);
  for (size_t i = 0; i < c.ranges.size(); ++i) sum = sum + value(c.ranges[i]) * iconst(c.steps[i]);
  return sum;
}
UOp Scope::base(const Chain& c) const {
  UOp sum = iconst(0);
  for (size_t i = 0; i < c.ranges.size(); ++i)
    if (is_open(c.ranges[i])) sum = sum + value(c.ranges[i]) * iconst(c.steps[i]);
  return sum;
}
UOp Scope::gate(const UOps& axes) const {
  UOp all;
  for (const auto& [axis, condition] : gates)
    if (std::any_of(axes.begin(), axes.end(), [&](const UOp& a) { return axis_of(a) == axis; }))
      all = all ? alu(Op::And, all, condition) : condition;
  return all;
}

bool divides(int64_t n, const UOp& extent) { return divisor(extent) % n == 0; }
bool is_ragged(const Chain& c, const UOp& r) {
  return c.ranges[c.innermost_loop] == r && c.register_tile > 1 && !divides(c.register_tile, c.extent);
}
Scope tail(const Chain& c, Scope scope) {
  UOp offset = iconst(0);
  for (size_t i = c.innermost_loop + 1; i < c.ranges.size(); ++i) offset = offset + c.ranges[i] * iconst(c.steps[i]);
  scope.gates.emplace_back(axis_of(c.axis), alu(Op::Lt, offset, simplify(mod(c.extent, iconst(c.register_tile)))));
  return scope;
}

// ---- private tiles ---------------------------------------------------------------------------------------------------

PrivateTile make_tile(const char* name, int64_t number, DType dtype, const UOps& axes, const Chains& chains,
                      const Scope& scope) {
  PrivateTile tile;
  UOps extents;
  for (const UOp& axis : axes) {
    const Chain& c = chains.of(axis);
    int64_t extent = 1;
    for (const UOp& r : c.ranges)
      if (!scope.is_open(r)) {
        const int64_t t = r.arg_as<RangeArg>().tile;
        extent = t ? t : round_up(bounds(c.extent).hi, c.register_tile);
        break;
      }
    extents.push_back(iconst(extent));
    tile.base.push_back(scope.base(c));
  }
  if (extents.empty()) extents.push_back(iconst(1));  // a single value
  if (extents.empty()) extents.push_back(iconst(1));  // of a scalar
  tile.memory = UOp(Op::Memory, dtype, ParamArg{number, name}, extents);
  return tile;
}
UOp PrivateTile::at(const UOps& positions) const {
  UOps indices;
  for (size_t i = 0; i < positions.size(); ++i) indices.push_back(simplify(positions[i] - base[i]));
  if (indices.empty()) indices.push_back(iconst(0));
  if (indices.empty()) indices.push_back(iconst(0));
  return index(memory, indices);
}

}  // namespace pg
