#include "src/graph/axes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_set>

#include "uops/kernel.h"
#include "uops/simplify.h"

namespace pg {

/// simplify takes a Define for the name of a buffer and does not look inside.
UOp kernel_simplified(const UOp& kernel) {
  Substitution changed;
  UOps parts;
  for (const UOp& part : kernel.src()) {
    UOp next = substitute(part, changed);
    UOps src(next.src().begin(), next.src().end());
    src[0] = simplify(src[0]);
    next = next.with_src(src);
    if (next != part) changed.emplace_back(part, next);
    parts.push_back(std::move(next));
  }
  return kernel.with_src(parts);
}

namespace {
bool holds_ranges(const UOp& u) { return u.is(Op::Reduce) || u.is(Op::Define) || u.is(Op::Output); }
bool reads_definition(const UOp& u) { return u.is(Op::Index) && u.src(0).is(Op::Define); }

/// Replaces neighbours in the lists of ranges and in the indices of definitions: `from` by `to`.
UOp with_lists(const UOp& kernel, const Substitution& axes, const UOps& from, const UOps& to) {
  return transform(kernel, [&](const UOp& u) -> UOp {
    for (const auto& [axis, expression] : axes)
      if (u == axis) return expression;
    if (!holds_ranges(u) && !reads_definition(u)) return {};
    const UOps src(u.src().begin(), u.src().end());
    auto at = std::search(src.begin() + 1, src.end(), from.begin(), from.end());
    if (at == src.end()) return {};
    UOps changed(src.begin(), at);
    changed.insert(changed.end(), to.begin(), to.end());
    changed.insert(changed.end(), at + from.size(), src.end());
    return u.with_src(changed);
  });
}

// ---- splitting ----

struct Division {
  UOp axis;
  int64_t by = 0;
};
/// What is computed in place may divide an axis that others walk as one: it is computed but once for each of its elements.
std::optional<Division> division(const UOp& kernel) {
  UOps nodes;
  for (const Definition& d : definitions(kernel)) {
    if (!d.store && !d.reduce) continue;
    const UOps own = expression_nodes(d.node);
    nodes.insert(nodes.end(), own.begin(), own.end());
  }
  for (const UOp& u : nodes) {
    if (!u.is(Op::IDiv) && !u.is(Op::Mod)) continue;
    const auto by = const_int(u.src(1));
    if (!u.src(0).is(Op::Range) || !by) continue;
    const auto extent = const_int(u.src(0).src(0));
    if (extent && *by > 1 && *by < *extent && *extent % *by == 0) return Division{u.src(0), *by};
  }
  return std::nullopt;
}
}  // namespace

UOp axes_split(const UOp& kernel) {
  UOp result = kernel;
  while (const auto d = division(result)) {
    const std::string& name = d->axis.arg_as<RangeArg>().axis;
    const UOp outer = range(name + "o", iconst(*const_int(d->axis.src(0)) / d->by)),
              inner = range(name + "i", iconst(d->by));
    const UOp whole = outer * iconst(d->by) + inner;
    result = kernel_simplified(with_lists(result, {{d->axis, whole}}, {whole}, {outer, inner}));
  }
  return result;
}

// ---- merging ----

namespace {
/// Whether every list of ranges holds both axes side by side or neither.
bool always_neighbours(const UOp& kernel, const UOp& a, const UOp& b) {
  for (const UOp& u : collect(kernel, holds_ranges)) {
    const auto src = u.src();
    const auto at = std::find(src.begin(), src.end(), a), bt = std::find(src.begin(), src.end(), b);
    if (at == src.end() && bt == src.end()) continue;
    if (at == src.end() || bt == src.end() || bt != at + 1) return false;
  }
  return true;
}

/// Param → the dimension that, with the next one, is walked by (a, b); nullopt when some access stands in the way.
using Joints = std::map<int64_t, size_t>;
std::optional<Joints> joints(const UOp& kernel, const UOp& a, const UOp& b) {
  const UOps accesses = collect(kernel, [](const UOp& u) { return u.is(Op::Index) && u.src(0).is(Op::Param); });
  Joints found;
  for (const UOp& access : accesses)
    for (size_t i = 1; i + 1 < access.src().size(); ++i)
      if (access.src(i) == a && access.src(i + 1) == b) {
        if (access.src(0).src(i) != b.src(0)) return std::nullopt;  // a window of the dimension
        found.emplace(access.src(0).arg_as<ParamArg>().slot, i - 1);
      }
  for (const UOp& access : accesses) {
    auto it = found.find(access.src(0).arg_as<ParamArg>().slot);
    if (it == found.end()) continue;
    const UOp &first = access.src(it->second + 1), &second = access.src(it->second + 2);
    if (!(first == a && second == b) && !(const_int(first) && const_int(second))) return std::nullopt;
  }
  return found;
}

UOp without_dimension(const UOp& u, size_t first, const UOp& joined) {
  UOps src(u.src().begin(), u.src().end());
  src[first] = joined;
  src.erase(src.begin() + first + 1);
  return u.with_src(src);
}

/// The kernel with a and b as one axis, null when an access would have to take it apart again.
UOp merged(const UOp& kernel, const UOp& a, const UOp& b) {
  const auto rows = const_int(a.src(0)), columns = const_int(b.src(0));
  if (!rows || !columns || !always_neighbours(kernel, a, b)) return {};
  const auto dimensions = joints(kernel, a, b);
  if (!dimensions) return {};
  const UOp joined_params = transform(kernel, [&](const UOp& u) -> UOp {
    const bool access = u.is(Op::Index) && u.src(0).is(Op::Param);
    const UOp& param = access ? u.src(0) : u;
    if (!param.is(Op::Param)) return {};
    auto it = dimensions->find(param.arg_as<ParamArg>().slot);
    if (it == dimensions->end()) return {};
    const size_t at = it->second + access;
    const UOp joined = access ? u.src(at) * iconst(*columns) + u.src(at + 1) : simplify(u.src(at) * u.src(at + 1));
    return without_dimension(u, at, joined);
  });
  const UOp both = range(a.arg_as<RangeArg>().axis + b.arg_as<RangeArg>().axis, iconst(*rows * *columns));
  const UOp quotient = idiv(both, iconst(*columns)), rest = mod(both, iconst(*columns));
  const UOp result = kernel_simplified(with_lists(joined_params, {{a, quotient}, {b, rest}}, {quotient, rest}, {both}));
  const UOps apart =
      collect(result, [&](const UOp& u) { return (u.is(Op::IDiv) || u.is(Op::Mod)) && depends_on(u.src(0), both); });
  return apart.empty() ? result : UOp();
}
}  // namespace

UOp axes_merged(const UOp& kernel) {
  UOp result = kernel;
  for (bool changed = true; changed;) {
    changed = false;
    for (const UOp& list : collect(result, holds_ranges)) {
      for (size_t i = 1; i + 1 < list.src().size() && !changed; ++i) {
        if (!list.src(i).is(Op::Range) || !list.src(i + 1).is(Op::Range)) continue;
        if (UOp next = merged(result, list.src(i), list.src(i + 1))) {
          result = next;
          changed = true;
        }
      }
      if (changed) break;
    }
  }
  return result;
}

}  // namespace pg
