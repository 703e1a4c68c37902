#include "search/block_axes.h"

#include <algorithm>

#include "search/movement.h"
#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

int64_t extent(const UOp& axis) { return std::max<int64_t>(1, bounds(axis.src(0)).hi); }
int64_t extents(const UOps& axes) {
  int64_t all = 1;
  for (const UOp& a : axes) all *= extent(a);
  return all;
}
UOp longest(const UOps& axes) {
  return *std::max_element(axes.begin(), axes.end(), [](const UOp& a, const UOp& b) { return extent(a) < extent(b); });
}
std::vector<std::string> axis_names(const UOps& axes) {
  std::vector<std::string> names;
  for (const UOp& a : axes) names.push_back(axis_of(a));
  return names;
}

UOp contiguous(const UOp& kernel, const UOps& axes) {
  UOp best;
  int most = 0;
  for (const UOp& a : axes) {
    if (extent(a) < 2) continue;
    const Movement m = movement(kernel, a);
    const int gain = 2 * m.contiguous - m.strided - 4 * m.scattered_stores;
    if (m.contiguous > 0 && (!best || gain > most)) most = gain, best = a;
  }
  return best;
}

std::optional<ProductAxes> product_axes(const UOp& kernel, int64_t least) {
  const Definition root = definitions(kernel).back();
  UOps shared;
  for (const UOp& r : root.ranges)
    if (extent(r) >= least && movement(kernel, r).fixed > 0) shared.push_back(r);
  if (!root.reduce || shared.size() < 2) return std::nullopt;
  ProductAxes p;
  p.columns = contiguous(kernel, shared);
  if (!p.columns) p.columns = shared.back();
  std::erase(shared, p.columns);
  p.rows = longest(shared);
  p.deep = longest(root.reduce_ranges);
  return p;
}

std::vector<Operand> operands(const Definition& sum, const UOp& deep) {
  std::vector<Operand> all;
  for (const UOp& u : expression_nodes(sum.bodies[0])) {
    if (!u.is(Op::Load) || !u.src(0).src(0).is(Op::Param)) continue;
    const std::string& name = u.src(0).src(0).arg_as<ParamArg>().name;
    if (std::any_of(all.begin(), all.end(), [&](const Operand& o) { return o.name == name; })) continue;
    all.push_back({name, coefficient(flat_address(u.src(0)), deep) == 1, u.src(0).src().size() - 1});
  }
  return all;
}

}  // namespace pg
