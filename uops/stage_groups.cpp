#include "uops/stage_groups.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "uops/placement.h"
#include "uops/simplify.h"

namespace pg {

namespace {
bool has_load(const UOp& u) {
  return !collect(u, [](const UOp& x) { return x.is(Op::Load); }).empty();
}
bool is_affine(const UOp& e) {
  if (has_load(e)) return false;
  const UOps ranges = free_ranges(e);
  return std::all_of(ranges.begin(), ranges.end(), [&](const UOp& r) { return coefficient(e, r).has_value(); });
}

void conjuncts(const UOp& gate, UOps& out) {
  if (!gate.is(Op::And)) return out.push_back(gate);
  conjuncts(gate.src(0), out);
  conjuncts(gate.src(1), out);
}
/// The conditions of a gate that the buffer's bounds do not already say about these indices.
UOp beyond_bounds(const UOp& gate, const UOps& indices, const UOp& param) {
  UOps parts;
  conjuncts(simplify(gate), parts);
  UOps said;
  for (size_t i = 0; i < indices.size(); ++i) {
    said.push_back(simplify(alu(Op::Lt, indices[i], param.src(i))));
    said.push_back(simplify(alu(Op::Not, alu(Op::Lt, indices[i], iconst(0)))));
    said.push_back(simplify(alu(Op::Lt, iconst(-1), indices[i])));
  }
  UOp rest;
  for (const UOp& p : parts)
    if (std::find(said.begin(), said.end(), p) == said.end()) rest = rest ? alu(Op::And, rest, p) : p;
  return rest;
}

/// The ranges open at a place as unknowns: bases that are the same here are the same wherever the place is.
Scope symbolic_scope(const Placement& placement, const Attach& at) {
  Scope scope;
  const NestPlan& n = placement.nest(at.nest);
  for (const Chain& c : n.chains.all())
    if (at.nest != placement.root())
      scope.regions[axis_of(c.axis)] = {variable("base of " + axis_of(c.axis), 0, 1 << 20),
                                        iconst(placement.closed(at.nest, axis_of(c.axis), 0))};
  for (size_t i = 0; i < n.loops.size(); ++i)
    if (i < at.depth || n.trivial[i])
      scope.values.emplace_back(n.loops[i], n.trivial[i] ? iconst(0) : variable("loop " + std::to_string(i), 0, 1 << 20));
  return scope;
}

/// The box's size along a coordinate.
int64_t extent_of(const Placement& placement, const StageGroup::User& user, const UOp& coordinate, const Attach& at) {
  int64_t extent = 1;
  for (const UOp& r : free_ranges(coordinate)) {
    const int64_t walked = placement.touched(user.definition, r, placement.closed_at(user.definition, r, at));
    extent += std::abs(*coefficient(coordinate, r)) * (walked - 1);
  }
  return extent;
}

/// Dimensions by the innermost loop that moves them, then the inner parts; the dimension of the vec axis is last.
std::vector<TilePart> default_layout(const Placement& placement, const StageGroup& group) {
  const StageGroup::User& user = group.users[0];
  const NestPlan& nest = placement.nest(user.definition);
  struct Dim {
    int64_t tile = 1, innermost = -1;
    bool vec = false;
  };
  std::vector<Dim> dims(group.extents.size());
  std::vector<size_t> order;
  for (size_t d = 0; d < dims.size(); ++d) {
    order.push_back(d);
    const UOps ranges = free_ranges(user.coordinates[d]);
    for (const UOp& r : ranges) {
      const Chain& c = nest.chains.of(r);
      dims[d].vec |= c.vector_lanes() > 1;
      for (size_t i = 0; i < nest.loops.size(); ++i)
        if (axis_of(nest.loops[i]) == axis_of(r)) dims[d].innermost = std::max(dims[d].innermost, static_cast<int64_t>(i));
      // Overlapping windows do not split.
      const bool elsewhere = std::any_of(user.coordinates.begin(), user.coordinates.end(),
                                         [&](const UOp& e) { return !(e == user.coordinates[d]) && depends_on(e, r); });
      if (ranges.size() == 1 && !elsewhere && coefficient(user.coordinates[d], r) == 1) dims[d].tile = c.register_tile;
    }
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return dims[a].innermost < dims[b].innermost; });
  std::vector<TilePart> parts;
  const auto whole = [&](size_t d) { return TilePart{d, LayoutPart::Kind::Whole, 1, group.extents[d]}; };
  for (size_t d : order) {
    if (group.extents[d] == 1) continue;
    if (dims[d].tile == 1 && !dims[d].vec) parts.push_back(whole(d));
    if (dims[d].tile > 1 && group.extents[d] > dims[d].tile)
      parts.push_back({d, LayoutPart::Kind::Outer, dims[d].tile, (group.extents[d] + dims[d].tile - 1) / dims[d].tile});
  }
  for (const bool vec : {false, true})
    for (size_t d : order) {
      if (group.extents[d] == 1 || dims[d].vec != vec) continue;
      if (dims[d].tile > 1)
        parts.push_back({d, LayoutPart::Kind::Inner, dims[d].tile, dims[d].tile});
      else if (vec)
        parts.push_back(whole(d));
    }
  return parts;
}

std::vector<size_t> in_order(size_t n) {
  std::vector<size_t> all(n);
  std::iota(all.begin(), all.end(), size_t{0});
  return all;
}

std::vector<std::vector<std::string>> dim_names(const StageGroup& group) {
  std::vector<std::vector<std::string>> names;
  for (size_t d = 0; d < group.extents.size(); ++d) {
    auto& n = names.emplace_back(std::vector<std::string>{std::to_string(d)});
    for (const UOp& r : free_ranges(group.users[0].coordinates[d])) n.push_back(axis_of(r));
  }
  return names;
}
}  // namespace

UOps box_base(const Placement& placement, const StageGroup::User& user, const BufferStage& stage, const Scope& scope) {
  const NestPlan& place = placement.nest(stage.attach.nest);
  UOps base;
  for (const UOp& e : user.coordinates) {
    Substitution first;
    for (const UOp& r : free_ranges(e)) {
      const bool follows = placement.follows(user.definition, r, stage.attach);
      UOp at = follows ? scope.closed(place.chains.of(r)).base : iconst(0);
      if (*coefficient(e, r) < 0) {
        const int64_t walked = placement.touched(user.definition, r, placement.closed_at(user.definition, r, stage.attach));
        at = at + iconst(walked - 1);
      }
      first.emplace_back(r, at);
    }
    base.push_back(simplify(substitute(e, first)));
  }
  return base;
}

std::vector<StageGroup> stage_groups(const Placement& placement, const BufferStage& stage, std::string& fault) {
  std::vector<StageGroup> groups;
  std::vector<UOps> bases;
  const Scope scope = symbolic_scope(placement, stage.attach);
  for (size_t d = placement.definitions().size(); d-- > 0;) {  // the nest of the place first
    if (!placement.is_below(d, stage.attach)) continue;
    const Definition& definition = placement.definitions()[d];
    const NestPlan& nest = placement.nest(d);
    UOps roots = definition.bodies;
    // Behind its reduction the nest has left the loops of the place.
    const bool left = d == stage.attach.nest && definition.reduce && stage.attach.depth > nest.accumulate_at;
    if (!left || !definition.reduce) roots.push_back(definition.store ? definition.store : definition.value);
    UOps loads;
    for (const UOp& root : roots)
      for (const UOp& l : param_reads(root, stage.param))
        if (std::find(loads.begin(), loads.end(), l) == loads.end()) loads.push_back(l);
    for (const UOp& load : loads) {
      StageGroup::User user{d, load, {}, {}};
      const auto indices = load.src(0).src().subspan(1);
      const bool by_axes = !std::all_of(indices.begin(), indices.end(), is_affine);
      if (by_axes) {
        for (const UOp& r : free_ranges(load)) user.coordinates.push_back(r);
      } else {
        user.coordinates.assign(indices.begin(), indices.end());
        if (load.src().size() == 2) user.gate = beyond_bounds(load.src(1), user.coordinates, stage.param);
      }
      const UOps base = box_base(placement, user, stage, scope);
      size_t g = 0;
      while (g < groups.size() &&
             !(groups[g].by_axes == by_axes && bases[g] == base && (!by_axes || groups[g].users[0].load == load)))
        ++g;
      if (g == groups.size()) {
        groups.emplace_back().by_axes = by_axes;
        bases.push_back(base);
        groups[g].extents.assign(user.coordinates.size(), 1);
      }
      for (size_t i = 0; i < user.coordinates.size(); ++i)
        groups[g].extents[i] = std::max(groups[g].extents[i], extent_of(placement, user, user.coordinates[i], stage.attach));
      groups[g].gated |= load.src().size() == 2;
      groups[g].users.push_back(std::move(user));
    }
  }
  for (StageGroup& g : groups) {
    g.parts = stage.stage.layout.empty() && placement.has_threads() ? plain_layout(g.extents, in_order(g.extents.size()))
              : stage.stage.layout.empty()                          ? default_layout(placement, g)
                                           : resolve_layout(stage.stage.layout, dim_names(g), g.extents, fault);
    if (!fault.empty()) return groups;
  }
  return groups;
}

}  // namespace pg
