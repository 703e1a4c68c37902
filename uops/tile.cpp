#include "uops/tile.h"

#include <algorithm>

#include "uops/simplify.h"

namespace pg {

std::vector<TilePart> plain_layout(const std::vector<int64_t>& extents, const std::vector<size_t>& order) {
  std::vector<TilePart> parts;
  for (size_t d : order)
    if (extents[d] > 1) parts.push_back({d, LayoutPart::Kind::Whole, 1, extents[d]});
  return parts;
}

std::vector<TilePart> resolve_layout(const std::vector<LayoutPart>& layout,
                                     const std::vector<std::vector<std::string>>& names, const std::vector<int64_t>& extents,
                                     std::string& fault) {
  std::vector<TilePart> parts;
  std::vector<int64_t> outer(extents.size(), 0), inner(extents.size(), 0), whole(extents.size(), 0);
  for (const LayoutPart& l : layout) {
    size_t d = 0;
    while (d < names.size() && std::find(names[d].begin(), names[d].end(), l.dim) == names[d].end()) ++d;
    if (d == names.size()) {
      fault = "stage: no dimension " + l.dim;
      return {};
    }
    switch (l.kind) {
      case LayoutPart::Kind::Whole: whole[d]++, parts.push_back({d, l.kind, 1, extents[d]}); break;
      case LayoutPart::Kind::Outer:
        outer[d] += l.size, parts.push_back({d, l.kind, l.size, (extents[d] + l.size - 1) / l.size});
        break;
      case LayoutPart::Kind::Inner: inner[d] += l.size, parts.push_back({d, l.kind, l.size, l.size}); break;
    }
  }
  for (size_t d = 0; d < extents.size(); ++d) {
    const auto said = std::count_if(parts.begin(), parts.end(), [&](const TilePart& p) { return p.dim == d; });
    const bool once = whole[d] == 1 && said == 1, split = said == 2 && outer[d] && outer[d] == inner[d];
    // An inner part alone will do where it holds everything.
    const bool only_inner = said == 1 && inner[d] >= extents[d];
    if (!once && !split && !only_inner && (extents[d] > 1 || said > 0)) {
      fault = "stage: the layout does not say each dimension once: " + names[d][0];
      return {};
    }
  }
  std::erase_if(parts, [](const TilePart& p) { return p.count == 1; });
  return parts;
}

int64_t padded_row(int64_t count, int64_t lanes) {
  if (count >= lanes) return round_up(count, lanes);
  int64_t n = 1;
  while (n < count) n *= 2;
  return n;
}

int64_t tile_elements(const std::vector<TilePart>& parts, int64_t lanes) {
  int64_t n = 1;
  for (size_t i = 0; i < parts.size(); ++i) {
    const int64_t count = i + 1 == parts.size() ? padded_row(parts[i].count, lanes) : parts[i].count;
    if (__builtin_mul_overflow(n, count, &n)) return int64_t{1} << 50;
  }
  return n;
}

StagedTile StagedTile::make(std::string name, int64_t number, DType t, UOps base, std::vector<TilePart> parts,
                            int64_t lanes) {
  StagedTile tile;
  tile.base = std::move(base);
  UOps extents;
  for (size_t i = 0; i < parts.size(); ++i)
    extents.push_back(iconst(i + 1 == parts.size() ? padded_row(parts[i].count, lanes) : parts[i].count));
  if (extents.empty()) extents.push_back(iconst(1));  // a single value
  tile.parts = std::move(parts);
  tile.memory = UOp(Op::Memory, t, ParamArg{number, std::move(name)}, extents);
  return tile;
}

StagedTile StagedTile::make_ring(std::string name, int64_t number, DType t, UOps base, std::vector<TilePart> parts,
                                 int64_t slots, int64_t pad) {
  StagedTile tile;
  tile.base = std::move(base);
  UOps extents;
  if (slots > 1) extents.push_back(iconst(slots));
  for (size_t i = 0; i < parts.size(); ++i) extents.push_back(iconst(parts[i].count + (i + 1 == parts.size() ? pad : 0)));
  if (extents.empty()) extents.push_back(iconst(1));
  if (slots > 1) tile.slot = iconst(0);
  tile.parts = std::move(parts);
  tile.memory = UOp(Op::Memory, t, ParamArg{number, std::move(name)}, extents);
  return tile;
}

StagedTile StagedTile::swizzled(const Swizzle& by) const {
  StagedTile t = *this;
  int64_t elements = 1;
  for (const TilePart& p : parts) elements *= p.count;
  UOps extents{iconst(elements)};
  if (slot) extents.insert(extents.begin(), memory.src(0));
  t.memory = memory.with_src(extents);
  t.swizzle = by;
  return t;
}

UOp StagedTile::at(const UOps& coordinates) const {
  UOps at = indices(coordinates);
  if (!swizzle.is_identity()) {
    UOp flat = iconst(0);
    for (size_t i = 0; i < parts.size(); ++i) flat = flat * iconst(parts[i].count) + at[i];
    at = {swizzle.apply(simplify(flat))};
  }
  if (slot && parts.empty()) return index(memory, UOps{slot});
  if (slot) at.insert(at.begin(), slot);
  return index(memory, at);
}

UOps StagedTile::indices(const UOps& coordinates) const {
  UOps indices;
  for (const TilePart& p : parts) {
    const UOp within = simplify(coordinates[p.dim] - base[p.dim]);
    indices.push_back(p.kind == LayoutPart::Kind::Whole   ? within
                      : p.kind == LayoutPart::Kind::Outer ? simplify(idiv(within, iconst(p.size)))
                                                          : simplify(mod(within, iconst(p.size))));
  }
  if (indices.empty()) indices.push_back(iconst(0));
  return indices;
}

}  // namespace pg
