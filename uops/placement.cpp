#include "uops/placement.h"

#include <algorithm>

#include "uops/online.h"
#include "uops/simplify.h"

namespace pg {

namespace {
bool contains(const UOps& axes, const UOp& range) {
  return std::any_of(axes.begin(), axes.end(), [&](const UOp& a) { return axis_of(a) == axis_of(range); });
}
std::string loop_text(const NestPlan& n, size_t depth) {
  if (!depth) return "the top of " + n.name;
  const auto& arg = n.loops[depth - 1].arg_as<RangeArg>();
  return text(RangeRef{arg.axis, arg.tile});
}
/// What is evaluated once the reduction is done: the value with the reduction cut out, and the store.
UOp epilogue(const Definition& d) {
  const UOp whole = d.store ? d.store : d.value;
  return d.reduce ? substitute(whole, {{d.reduce, constant(d.reduce.dtype(), int64_t{0})}}) : whole;
}
UOp everything(const Definition& d) { return d.store ? d.store : d.value; }
}  // namespace

std::vector<size_t> definitions_read(const std::vector<Definition>& all, const UOp& expression) {
  std::vector<size_t> found;
  for (const UOp& read : definition_reads(expression))
    for (size_t d = 0; d < all.size(); ++d)
      if (all[d].node == read.src(0).src(0) && std::find(found.begin(), found.end(), d) == found.end()) found.push_back(d);
  return found;
}

UOps param_reads(const UOp& expression, const UOp& param) {
  UOps found;
  for (const UOp& u : expression_nodes(expression))
    if (u.is(Op::Load) && u.src(0).src(0) == param) found.push_back(u);
  std::sort(found.begin(), found.end(), [](const UOp& a, const UOp& b) { return a.hash() < b.hash(); });
  return found;
}

Placement::Placement(const UOp& scheduled) {
  std::vector<std::string> kept;
  for (const UOp& u : scheduled.src().subspan(1)) {
    if (!u.is(Op::Directive)) continue;
    const Directive d = parse_directive(u.arg_as<std::string>());
    if (const auto* s = std::get_if<StageOpt>(&d)) stages_.push_back(*s), kept.push_back(s->value);
    if (const auto* o = std::get_if<OnlineLoop>(&d)) online_axis_ = o->axis;
  }
  definitions_ = pg::definitions(elementwise_inlined(scheduled.src(0), kept));
  make_nests(scheduled);
  find_whole();
  find_trivial_loops(root());
  for (size_t d = definitions_.size() - 1; d-- > 0;) place_by_default(d);
  for (const StageOpt& s : stages_) place_stage(scheduled.src(0), s);
  if (!fault_.empty()) return;
  if (!online_axis_.empty()) place_online(online_axis_);
  for (size_t d = 0; d < root() && fault_.empty(); ++d) check_readers(d);
  if (!fault_.empty()) return;
  for (size_t d = nests_.size(); d-- > 0;) classify(d);
  for (size_t d = 0; d < root() && fault_.empty(); ++d) {
    // What the reader computes once its reduction is done must still be there.
    for (size_t r = d + 1; r <= root(); ++r) {
      const NestPlan& reader = nests_[r];
      if (nests_[d].attach.nest != r || nests_[d].carried || !definitions_[r].reduce || nests_[d].attach.depth <= reader.accumulate_at) continue;
      const std::vector<size_t> read = definitions_read(definitions_, epilogue(definitions_[r]));
      if (std::find(read.begin(), read.end(), d) != read.end())
        refuse("stage: the epilogue of " + reader.name + " reads " + nests_[d].name + " outside " + loop_text(reader, nests_[d].attach.depth));
    }
  }
  if (!nests_[root()].split.empty() && !definitions_read(definitions_, epilogue(definitions_.back())).empty())
    refuse("grid: the epilogue reads " +
           nests_[definitions_read(definitions_, epilogue(definitions_.back()))[0]].name + ", a part of which is in each item");
  place_buffers();
  for (const StageOpt& s : stages_)
    for (size_t d = 0; d < root() && fault_.empty(); ++d)
      if (s.value == nests_[d].name && !s.layout.empty() && tile_parts(d).empty()) refuse("stage: the layout does not fit " + s.value);
  for (size_t d = 0; d < definitions_.size(); ++d) groups_.push_back({d});
  for (const UOp& u : scheduled.src().subspan(1))
    if (u.is(Op::Directive))
      if (const Directive d = parse_directive(u.arg_as<std::string>()); std::holds_alternative<Fuse>(d)) fuse(std::get<Fuse>(d).axis);
}

void Placement::make_nests(const UOp& scheduled) {
  for (const Definition& d : definitions_) {
    NestPlan& n = nests_.emplace_back();
    n.name = d.store ? d.store.src(0).src(0).arg_as<ParamArg>().name : d.node.arg_as<std::string>();
    UOps axes = d.ranges, ranges;
    for (const UOp& r : d.reduce_ranges)
      if (!contains(axes, r)) axes.push_back(r);
    for (const UOp& u : scheduled.src().subspan(1))
      if (u.is(Op::Range) && contains(axes, u)) ranges.push_back(u);
    if (!d.store)
      for (const UOp& u : scheduled.src().subspan(1))
        if (u.is(Op::Nest) && u.arg_as<std::string>() == n.name) ranges.assign(u.src().begin(), u.src().end());
    n.chains = Chains(axes, ranges);
    for (const UOp& u : scheduled.src().subspan(1))
      if (u.is(Op::Directive))
        if (const Directive pad = parse_directive(u.arg_as<std::string>()); std::holds_alternative<PadLoop>(pad))
          n.chains.pad(std::get<PadLoop>(pad).axis, std::get<PadLoop>(pad).size);
    for (const UOp& r : ranges) {
      // The grid is the output's; another nest walks such a range as a loop.
      (is_register(kind_of(r)) ? n.registers : n.loops).push_back(r);
    }
    n.attach = {definitions_.size() - 1, 0};
    n.whole.assign(d.ranges.size(), false);
  }
}

size_t Placement::named(const std::string& nest) const {
  if (nest.empty()) return root();
  for (size_t d = 0; d < nests_.size(); ++d)
    if (nests_[d].name == nest) return d;
  return nests_.size();
}

bool Placement::reduces(size_t d, const UOp& range) const { return contains(definitions_[d].reduce_ranges, range); }

/// Axes that some reader does not read at its own axis of that name.
void Placement::find_whole() {
  for (size_t reader = 0; reader < definitions_.size(); ++reader)
    for (const UOp& read : definition_reads(everything(definitions_[reader])))
      for (size_t d = 0; d < reader; ++d) {
        const UOp& at = read.src(0);
        if (!(at.src(0) == definitions_[d].node)) continue;
        for (size_t i = 0; i < definitions_[d].ranges.size(); ++i)
          if (!(at.src(i + 1) == definitions_[d].ranges[i])) nests_[d].whole[i] = true;
      }
}

size_t Placement::root_depth(size_t d) const {
  while (nests_[d].attach.nest != root()) d = nests_[d].attach.nest;
  return nests_[d].attach.depth;
}

/// A definition stands at the innermost root loop all of whose enclosing ranges index it, and not inside a reader's place.
void Placement::place_by_default(size_t d) {
  const NestPlan& out = nests_[root()];
  size_t depth = 0;
  while (depth < out.loops.size() && (out.trivial[depth] || contains(definitions_[d].ranges, out.loops[depth]))) ++depth;
  if (std::find(nests_[d].whole.begin(), nests_[d].whole.end(), true) != nests_[d].whole.end()) depth = 0;
  for (size_t reader = d + 1; reader < root(); ++reader) {
    const std::vector<size_t> read = definitions_read(definitions_, everything(definitions_[reader]));
    if (std::find(read.begin(), read.end(), d) != read.end()) depth = std::min(depth, root_depth(reader));
  }
  nests_[d].attach = {root(), depth};
  // A stage says where its definition stands; what that one reads stands no deeper.
  for (const StageOpt& s : stages_)
    if (s.value == nests_[d].name)
      if (const auto at = find_place(s)) nests_[d].attach = *at;
}

void Placement::place_stage(const UOp& kernel, const StageOpt& s) {
  const auto at = find_place(s);
  if (!at) return;
  const size_t d = named(s.value);
  if (d == root()) return refuse("stage: " + s.value + " is the output");
  if (d < root()) {
    if (nests_[d].staged) return refuse("stage: " + s.value + " is staged twice");
    nests_[d].attach = *at, nests_[d].staged = true;
    return;
  }
  for (const UOp& p : params_of(kernel))
    if (p.arg_as<ParamArg>().name == s.value) {
      buffer_stages_.push_back({s, p, *at});
      return;
    }
  refuse("stage: no buffer or definition is named " + s.value);
}

std::optional<Attach> Placement::find_place(const StageOpt& s) {
  const size_t nest = named(s.at.nest);
  if (nest == nests_.size()) {
    refuse("stage: no nest is named " + s.at.nest);
    return std::nullopt;
  }
  if (const size_t d = named(s.value); d < nests_.size() && nest <= d) {
    refuse("stage: " + nests_[nest].name + " does not read " + s.value);
    return std::nullopt;
  }
  if (s.at.axis.empty()) return Attach{nest, 0};
  const UOps& loops = nests_[nest].loops;
  for (size_t i = 0; i < loops.size(); ++i) {
    const auto& arg = loops[i].arg_as<RangeArg>();
    if (arg.axis == s.at.axis && arg.tile == s.at.tile) return Attach{nest, i + 1};
  }
  refuse("stage: " + nests_[nest].name + " has no loop " + text(RangeRef{s.at.axis, s.at.tile}));
  return std::nullopt;
}

bool Placement::is_below(size_t reader, const Attach& at) const {
  while (reader != at.nest) {
    if (reader == root()) return false;
    const Attach& its = nests_[reader].attach;
    if (its.nest == at.nest) return its.depth >= at.depth;
    reader = its.nest;
  }
  return true;
}

void Placement::check_readers(size_t d) {
  bool any = false;
  for (size_t reader = d + 1; reader <= root(); ++reader) {
    const std::vector<size_t> read = definitions_read(definitions_, everything(definitions_[reader]));
    if (std::find(read.begin(), read.end(), d) == read.end()) continue;
    any = true;
    if (!is_below(reader, nests_[d].attach))
      return refuse("stage: " + nests_[reader].name + " reads " + nests_[d].name + " outside " +
                    loop_text(nests_[nests_[d].attach.nest], nests_[d].attach.depth));
  }
  if (!any && nests_[d].staged) refuse("stage: nobody reads " + nests_[d].name);
}

// ---- online ----------------------------------------------------------------------------------------------------------

void Placement::place_online(const std::string& axis) {
  NestPlan& out = nests_[root()];
  const Chain* c = out.chains.find(axis);
  if (!c || !reduces(root(), c->axis)) return refuse("online: " + out.name + " does not reduce over " + axis);
  if (const std::string why = online_fault(definitions_, c->axis); !why.empty()) return refuse("online: " + why);
  for (size_t i = 0; i < out.loops.size(); ++i)
    if (out.loops[i] == c->ranges[0]) out.online = i + 1;
  if (!out.online || kind_of(c->ranges[0]) != Kind::Loop) return refuse("online: " + axis + " is no loop of " + out.name);
  for (size_t i = 0; i + 1 < out.online; ++i)
    if (!out.trivial[i] && reduces(root(), out.loops[i])) return refuse("online: the reduce loop " + axis_of(out.loops[i]) + " stands round " + axis);
  for (size_t d = 0; d < root(); ++d) {
    if (!reduces(d, c->axis)) continue;
    nests_[d].carried = true;
    if (nests_[d].staged && !(nests_[d].attach == Attach{root(), out.online}))
      return refuse("online: " + nests_[d].name + " is rescaled at " + axis + ", not staged elsewhere");
    for (size_t i = 0; i + 1 < out.online; ++i)
      if (!out.trivial[i] && !contains(definitions_[d].ranges, out.loops[i]))
        return refuse("online: " + nests_[d].name + " has no axis " + axis_of(out.loops[i]));
    nests_[d].attach = {root(), out.online};
  }
  // What reads a rescaled value, or what a rescaled one reads, stands inside the loop.
  for (size_t d = root(); d-- > 0;) {
    if (nests_[d].carried || nests_[d].staged) continue;
    for (size_t r : definitions_read(definitions_, everything(definitions_[d])))
      if (nests_[r].carried) nests_[d].attach = {root(), std::max(nests_[d].attach.depth, out.online)};
  }
}

// ---- regions ---------------------------------------------------------------------------------------------------------

bool Placement::follows(size_t d, const UOp& axis, const Attach& at) const {
  if (d == at.nest) return true;
  if (!nests_[at.nest].chains.find(axis_of(axis))) return false;
  if (reduces(d, axis) && !contains(definitions_[d].ranges, axis)) return nests_[d].carried && at.nest == root();
  for (size_t i = 0; i < definitions_[d].ranges.size(); ++i)
    if (axis_of(definitions_[d].ranges[i]) == axis_of(axis) && nests_[d].whole[i]) return false;
  // Its readers walk no more of the axis than the place does.
  for (size_t reader = d + 1; reader <= root(); ++reader) {
    if (reader == at.nest) continue;
    const std::vector<size_t> read = definitions_read(definitions_, everything(definitions_[reader]));
    if (std::find(read.begin(), read.end(), d) == read.end()) continue;
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
  const int64_t whole = bounds(c.extent).hi, own = d == root() ? whole : closed_at(d, axis, nests_[d].attach);
  const bool aligned = own == whole || own % c.register_tile == 0;
  return aligned ? round_up(walked, c.register_tile) : walked + c.register_tile - 1;
}

void Placement::find_trivial_loops(size_t d) {
  NestPlan& n = nests_[d];
  n.trivial.clear();
  for (const UOp& r : n.loops) {
    const Chain& c = n.chains.of(r);
    const int64_t tile = r.arg_as<RangeArg>().tile,
                  region = d == root() ? bounds(c.extent).hi : closed_at(d, c.axis, n.attach);
    const bool grid = d == root() && kind_of(r) == Kind::Grid,
               rescales = d == root() && axis_of(r) == online_axis_ && tile == 0;
    // Inside a loop that stays open even for one trip, what is left of the axis is decided there.
    bool within = true;
    for (const UOp& outer : c.ranges) {
      if (outer == r) break;
      const auto at = static_cast<size_t>(std::find(n.loops.begin(), n.loops.end(), outer) - n.loops.begin());
      within &= at < n.trivial.size() && n.trivial[at];
    }
    n.trivial.push_back(within && !grid && !rescales && (tile ? std::min(tile, region) : region) <= c.step(r));
  }
}

void Placement::classify(size_t d) {
  NestPlan& n = nests_[d];
  if (d != root()) find_trivial_loops(d);
  for (const UOp& r : n.loops)
    if (d == root() && kind_of(r) == Kind::Grid && reduces(d, r)) n.split.push_back(r);
  const auto matters = [&](size_t i) { return !n.trivial[i] && !(d == root() && kind_of(n.loops[i]) == Kind::Grid); };
  n.first_reduce = n.loops.size();
  for (size_t i = n.loops.size(); i-- > 0;)
    if (matters(i) && reduces(d, n.loops[i])) n.first_reduce = i;
  n.accumulate_at = n.first_reduce;
  for (size_t i = n.first_reduce; i < n.loops.size(); ++i)
    if (matters(i) && !reduces(d, n.loops[i])) n.crossing = true, n.accumulate_at = i + 1;
  if (n.online) {
    n.first_reduce = n.online - 1;
    n.accumulate_at = std::max(n.accumulate_at, n.online);
    n.crossing = true;
  }
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

std::vector<TilePart> Placement::tile_parts(size_t d) const {
  const std::vector<int64_t> extents = tile_extents(d);
  const UOps& axes = definitions_[d].ranges;
  for (const StageOpt& s : stages_)
    if (s.value == nests_[d].name && !s.layout.empty()) {
      std::vector<std::vector<std::string>> names;
      for (size_t i = 0; i < axes.size(); ++i) names.push_back({std::to_string(i), axis_of(axes[i])});
      std::string fault;
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
  for (const StageGroup& g : s.groups) bytes += product({tile_elements(g.parts, std::max<int64_t>(1, target.vector_bytes / element))}, element);
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

// ---- buffers ---------------------------------------------------------------------------------------------------------

void Placement::place_buffers() {
  for (BufferStage& s : buffer_stages_) {
    if (!fault_.empty()) return;
    if (definitions_.back().store.src(0).src(0) == s.param) return refuse("stage: " + s.stage.value + " is written by the kernel");
    bool any = false;
    for (size_t d = 0; d < definitions_.size(); ++d)
      any |= is_below(d, s.attach) && !param_reads(everything(definitions_[d]), s.param).empty();
    if (!any) return refuse("stage: no user of " + s.stage.value + " below " + loop_text(nests_[s.attach.nest], s.attach.depth));
    std::string why;
    s.groups = stage_groups(*this, s, why);
    if (!why.empty()) return refuse(why);
    if (s.groups.empty()) return refuse("stage: no user of " + s.stage.value + " below " + loop_text(nests_[s.attach.nest], s.attach.depth));
  }
}

// ---- fuse ------------------------------------------------------------------------------------------------------------

void Placement::fuse(const std::string& axis) {
  if (!fault_.empty()) return;
  bool any = false;
  const auto over = [&](size_t d) {
    return std::any_of(definitions_[d].reduce_ranges.begin(), definitions_[d].reduce_ranges.end(),
                       [&](const UOp& r) { return axis_of(r) == axis; });
  };
  for (size_t first = 0; first < root(); ++first) {
    if (groups_[first].empty() || !over(first)) continue;
    for (size_t d = first + 1; d < root(); ++d) {
      if (groups_[d].size() != 1 || !over(d)) continue;
      const NestPlan &a = nests_[first], &b = nests_[d];
      const bool alike = a.attach == b.attach && a.loops == b.loops && a.registers == b.registers && a.carried == b.carried &&
                         definitions_[first].ranges == definitions_[d].ranges &&
                         definitions_[first].reduce_ranges == definitions_[d].reduce_ranges;
      // No value flows from the first to this one, directly or through what stands between.
      std::vector<bool> depends(definitions_.size(), false);
      for (size_t member : groups_[first]) depends[member] = true;
      for (size_t r = first + 1; r <= d; ++r)
        for (size_t read : definitions_read(definitions_, everything(definitions_[r]))) depends[r] = depends[r] || depends[read];
      bool flows = depends[d];
      // What it reads must be there when the first one is computed.
      for (size_t read : definitions_read(definitions_, everything(definitions_[d]))) flows |= read > first && nests_[read].attach == a.attach;
      if (!alike || flows) continue;
      groups_[first].push_back(d);
      groups_[d].clear();
      any = true;
    }
  }
  if (!any) refuse("fuse: no two definitions reduce over " + axis + " side by side");
}

}  // namespace pg
