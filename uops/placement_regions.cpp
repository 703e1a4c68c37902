// What part of an axis stands at a place, and how much memory the tiles of it take.
#include <algorithm>

#include "uops/placement.h"
#include "uops/simplify.h"

namespace pg {

bool Placement::follows(size_t d, const UOp& axis, const Attach& at) const {
  if (d == at.nest) return true;
  if (!nests_[at.nest].chains.find(axis_of(axis))) return false;
  if (reduces(d, axis) && !has_axis(definitions_[d].ranges, axis)) return nests_[d].carried && at.nest == root();
  for (size_t i = 0; i < definitions_[d].ranges.size(); ++i)
    if (axis_of(definitions_[d].ranges[i]) == axis_of(axis) && nests_[d].whole[i]) return false;
  // Its readers walk no more of the axis than the place does.
  for (size_t reader = d + 1; reader <= root(); ++reader) {
    if (reader == at.nest) continue;
    if (!reads(reader, d)) continue;
    if (!follows(reader, axis, at)) return false;
  }
  // A place between: what stands there follows too.
  const Attach& its = nests_[d].attach;
  return its.nest == at.nest || follows(its.nest, axis, at);
}

int64_t Placement::closed(size_t nest, const std::string& axis, size_t depth) const {
  const NestPlan& n = nests_[nest];
  const Chain* c = n.chains.find(axis);
  if (!c) throw InternalError("closed: " + n.name + " has no axis " + axis);
  const int64_t whole = nest == root() ? bounds(c->extent).hi : closed_at(nest, c->axis, n.attach);
  for (const UOp& r : c->ranges) {
    const auto at = static_cast<size_t>(std::find(n.loops.begin(), n.loops.end(), r) - n.loops.begin());
    if (at < n.loops.size() && (at < depth || (!n.trivial.empty() && n.trivial[at]))) continue;
    const int64_t tile = r.arg_as<RangeArg>().tile;
    return tile ? std::min(tile, round_up(whole, c->register_tile)) : whole;
  }
  return 1;
}

int64_t Placement::closed_at(size_t d, const UOp& axis, const Attach& at) const {
  if (d == at.nest) return closed(d, axis_of(axis), at.depth);
  return follows(d, axis, at) ? closed(at.nest, axis_of(axis), at.depth) : bounds(nests_[d].chains.of(axis).extent).hi;
}

int64_t Placement::touched(size_t d, const UOp& axis, int64_t walked) const {
  const Chain& c = nests_[d].chains.of(axis);
  const int64_t whole = bounds(c.extent).hi;
  // With threads only the outermost range runs over the end: within one of its turns tiles divide each other.
  if (threads_ && d == root() && walked < std::min(whole, c.register_tile) && c.register_tile % walked == 0) return walked;
  const int64_t own = d == root() ? whole : closed_at(d, axis, nests_[d].attach);
  const bool aligned = own == whole || own % c.register_tile == 0;
  return aligned ? round_up(walked, c.register_tile) : walked + c.register_tile - 1;
}

std::vector<int64_t> Placement::tile_extents(size_t d) const {
  std::vector<int64_t> extents;
  for (const UOp& axis : definitions_[d].ranges) {
    const int64_t n = closed_at(d, axis, nests_[d].attach);
    int64_t most = n;
    for (size_t user = d; user < nests_.size(); ++user)
      if (nests_[user].chains.find(axis_of(axis))) most = std::max(most, touched(user, axis, n));
    extents.push_back(most);
  }
  return extents;
}

std::vector<TilePart> Placement::tile_parts(size_t d, std::string& fault) const {
  const std::vector<int64_t> extents = tile_extents(d);
  const UOps& axes = definitions_[d].ranges;
  for (const StageOpt& s : stages_)
    if (s.value == nests_[d].name && !s.layout.empty()) {
      std::vector<std::vector<std::string>> names;
      for (size_t i = 0; i < axes.size(); ++i) names.push_back({std::to_string(i), axis_of(axes[i])});
      return resolve_layout(s.layout, names, extents, fault);
    }
  // The axis that its nest walks by vectors is last.
  std::vector<size_t> order;
  for (const bool vec : {false, true})
    for (size_t i = 0; i < axes.size(); ++i)
      if ((nests_[d].chains.of(axes[i]).vector_lanes() > 1) == vec) order.push_back(i);
  return plain_layout(extents, order);
}

namespace {
int64_t product(const std::vector<int64_t>& extents, int64_t bytes) {
  for (int64_t e : extents)
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(e, 1), &bytes)) return int64_t{1} << 50;
  return std::min(bytes, int64_t{1} << 50);
}
int64_t buffer_bytes(const BufferStage& s, const Target& target) {
  const int64_t element = s.param.dtype().element_bytes();
  int64_t bytes = 0;
  for (const StageGroup& g : s.groups)
    bytes += product({tile_elements(g.parts, std::max<int64_t>(1, target.vector_bytes / element))}, element);
  return bytes;
}
}  // namespace

int64_t Placement::private_bytes(const Target& target) const {
  int64_t bytes = 0;
  for (size_t d = 0; d < nests_.size(); ++d) {
    const NestPlan& n = nests_[d];
    if (d != root()) bytes += product(tile_extents(d), definitions_[d].value.dtype().bytes() * (n.carried ? 2 : 1));
    if (!n.crossing || (d == root() && n.split.empty() && !n.online && merges_in_output(definitions_[d]))) continue;
    std::vector<int64_t> extents;
    for (const UOp& axis : definitions_[d].ranges)
      extents.push_back(round_up(closed(d, axis_of(axis), n.first_reduce), n.chains.of(axis).register_tile));
    for (const UOp& body : definitions_[d].bodies) bytes += product(extents, body.dtype().bytes());
  }
  for (const BufferStage& s : buffer_stages_) bytes += buffer_bytes(s, target);
  return bytes;
}

int64_t Placement::bytes_of(const std::string& value, const Target& target) const {
  for (size_t d = 0; d < root(); ++d)
    if (nests_[d].name == value) return product(tile_extents(d), definitions_[d].value.dtype().bytes());
  int64_t bytes = 0;
  for (const BufferStage& s : buffer_stages_)
    if (s.stage.value == value) bytes = std::max(bytes, buffer_bytes(s, target));
  return bytes;
}

}  // namespace pg
