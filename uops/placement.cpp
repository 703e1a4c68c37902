#include "uops/placement.h"

#include <algorithm>

#include "uops/online.h"
#include "uops/simplify.h"

namespace pg {

namespace {
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

std::string Placement::loop_text(const NestPlan& n, size_t depth) {
  if (!depth) return "the top of " + n.name;
  const auto& arg = n.loops[depth - 1].arg_as<RangeArg>();
  return text(RangeRef{arg.axis, arg.tile});
}

Placement::Placement(const UOp& scheduled, bool threads) : threads_(threads) {
  std::vector<std::string> kept;
  for (const UOp& u : scheduled.src().subspan(1)) {
    serial_ |= !threads && u.is(Op::Range) && kind_of(u) == Kind::Local;
    if (u.is(Op::Nest))
      serial_ |=
          !threads && std::any_of(u.src().begin(), u.src().end(), [](const UOp& r) { return kind_of(r) == Kind::Local; });
    if (!u.is(Op::Directive)) continue;
    const Directive d = parse_directive(u.arg_as<std::string>());
    if (const auto* s = std::get_if<StageOpt>(&d)) {
      serial_ |= !threads && s->memory == StageMemory::Shared;
      stages_.push_back(*s), kept.push_back(s->value);
    }
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
      if (nests_[d].attach.nest != r || nests_[d].carried || !definitions_[r].reduce ||
          nests_[d].attach.depth <= reader.accumulate_at)
        continue;
      const std::vector<size_t> read = definitions_read(definitions_, epilogue(definitions_[r]));
      if (std::find(read.begin(), read.end(), d) != read.end())
        refuse("stage: the epilogue of " + reader.name + " reads " + nests_[d].name + " outside " +
               loop_text(reader, nests_[d].attach.depth));
    }
  }
  if (!nests_[root()].split.empty())
    for (size_t d : definitions_read(definitions_, epilogue(definitions_.back())))
      if (!nests_[d].carried)  // rescaled ones are merged too
        refuse("grid: the epilogue reads " + nests_[d].name + ", a part of which is in each item");
  place_buffers();
  if (threads_) check_threads();
  for (const StageOpt& s : stages_)
    for (size_t d = 0; d < root() && fault_.empty(); ++d)
      if (std::string why; s.value == nests_[d].name && !s.layout.empty() && (tile_parts(d, why), !why.empty())) refuse(why);
  for (size_t d = 0; d < definitions_.size(); ++d) groups_.push_back({d});
  for (const UOp& u : scheduled.src().subspan(1)) {
    if (!u.is(Op::Directive)) continue;
    const Directive d = parse_directive(u.arg_as<std::string>());
    if (const auto* f = std::get_if<Fuse>(&d)) fuse(f->axis);
    if (const auto* b = std::get_if<Bounds>(&d)) blocks_ = b->blocks;
    if (const auto* p = std::get_if<PrefetchBuffer>(&d)) place_prefetch(scheduled.src(0), *p);
  }
}

void Placement::make_nests(const UOp& scheduled) {
  for (const Definition& d : definitions_) {
    NestPlan& n = nests_.emplace_back();
    n.name = d.store ? d.store.src(0).src(0).arg_as<ParamArg>().name : d.node.arg_as<std::string>();
    UOps axes = d.ranges, ranges;
    for (const UOp& r : d.reduce_ranges)
      if (!has_axis(axes, r)) axes.push_back(r);
    for (const UOp& u : scheduled.src().subspan(1))
      if (u.is(Op::Range) && has_axis(axes, u)) ranges.push_back(u);
    if (!d.store)
      for (const UOp& u : scheduled.src().subspan(1))
        if (u.is(Op::Nest) && u.arg_as<std::string>() == n.name) ranges.assign(u.src().begin(), u.src().end());
    if (!threads_) ranges = without_threads(ranges);
    n.chains = Chains(axes, ranges, threads_);
    for (const UOp& u : scheduled.src().subspan(1))
      if (u.is(Op::Directive))
        if (const Directive pad = parse_directive(u.arg_as<std::string>());
            !threads_ && std::holds_alternative<PadLoop>(pad))
          n.chains.pad(std::get<PadLoop>(pad).axis, std::get<PadLoop>(pad).size);
    for (const UOp& r : ranges) {
      // The grid is the output's; another nest walks such a range as a loop.
      (is_register(kind_of(r)) ? n.registers : threads_ && kind_of(r) == Kind::Local ? n.locals : n.loops).push_back(r);
    }
    std::stable_partition(n.locals.begin(), n.locals.end(), [&](const UOp& r) { return has_axis(d.reduce_ranges, r); });
    for (const UOp& u : scheduled.src().subspan(1)) {
      if (!u.is(Op::Directive) || n.locals.empty()) continue;
      const Directive directive = parse_directive(u.arg_as<std::string>());
      const auto* lanes = std::get_if<Lanes>(&directive);
      if (!lanes || lanes->nest != n.name) continue;
      std::stable_partition(n.locals.begin(), n.locals.end(), [&](const UOp& r) { return axis_of(r) != lanes->axis; });
      n.merges_lanes = has_axis(d.reduce_ranges, n.locals.back());
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

bool Placement::reduces(size_t d, const UOp& range) const { return has_axis(definitions_[d].reduce_ranges, range); }
bool Placement::reads(size_t reader, size_t d) const {
  const std::vector<size_t> read = definitions_read(definitions_, everything(definitions_[reader]));
  return std::find(read.begin(), read.end(), d) != read.end();
}

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
  while (depth < out.loops.size() && (out.trivial[depth] || has_axis(definitions_[d].ranges, out.loops[depth]))) ++depth;
  if (std::find(nests_[d].whole.begin(), nests_[d].whole.end(), true) != nests_[d].whole.end()) depth = 0;
  for (size_t reader = d + 1; reader < root(); ++reader) {
    if (reads(reader, d)) depth = std::min(depth, root_depth(reader));
  }
  nests_[d].attach = {root(), depth};
  // A stage says where its definition stands; what that one reads stands no deeper.
  for (const StageOpt& s : stages_)
    if (s.value == nests_[d].name)
      if (const auto at = find_stage(s)) nests_[d].attach = *at;
}

void Placement::place_stage(const UOp& kernel, const StageOpt& s) {
  const size_t d = named(s.value);
  if (d == root()) return refuse("stage: " + s.value + " is the output");
  const auto at = find_stage(s);
  if (!at) return;
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

std::optional<Attach> Placement::find_stage(const StageOpt& s) {
  const size_t nest = named(s.at.nest);
  if (const size_t d = named(s.value); nest < nests_.size() && d < nests_.size() && nest <= d) {
    refuse("stage: " + nests_[nest].name + " does not read " + s.value);
    return std::nullopt;
  }
  return find_place("stage", s.at);
}

std::optional<Attach> Placement::find_place(const char* opt, const RangeRef& at) {
  const size_t nest = named(at.nest);
  if (nest == nests_.size()) {
    refuse(std::string(opt) + ": no nest is named " + at.nest);
    return std::nullopt;
  }
  if (at.axis.empty()) return Attach{nest, 0};
  const UOps& loops = nests_[nest].loops;
  for (size_t i = 0; i < loops.size(); ++i) {
    const auto& arg = loops[i].arg_as<RangeArg>();
    if (arg.axis == at.axis && arg.tile == at.tile) return Attach{nest, i + 1};
  }
  refuse(std::string(opt) + ": " + nests_[nest].name + " has no loop " + text(RangeRef{at.axis, at.tile}));
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
    if (!reads(reader, d)) continue;
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
    if (rescales(out.loops[i])) out.online = i + 1;
  if (!out.online) return refuse("online: " + axis + " is no loop of " + out.name);
  const auto is_part = [&](size_t i) { return axis_of(out.loops[i]) == axis && kind_of(out.loops[i]) == Kind::Grid; };
  for (const UOp& r : out.loops)
    if (kind_of(r) == Kind::Grid && reduces(root(), r) && axis_of(r) != axis)
      return refuse("online: parts of " + axis_of(r) + " have no running " +
                    nests_[online_maximum(definitions_, c->axis)].name);
  for (size_t i = 0; i + 1 < out.online; ++i)
    if (!out.trivial[i] && reduces(root(), out.loops[i]) && !is_part(i))
      return refuse("online: the reduce loop " + axis_of(out.loops[i]) + " stands round " + axis);
  for (size_t d = 0; d < root(); ++d) {
    if (!reduces(d, c->axis)) continue;
    nests_[d].carried = true;
    if (nests_[d].staged && !(nests_[d].attach == Attach{root(), out.online}))
      return refuse("online: " + nests_[d].name + " is rescaled at " + axis + ", not staged elsewhere");
    for (size_t i = 0; i + 1 < out.online; ++i)
      if (!out.trivial[i] && !has_axis(definitions_[d].ranges, out.loops[i]) && !is_part(i))
        return refuse("online: " + nests_[d].name + " has no axis " + axis_of(out.loops[i]));
    // A block of threads has no peeled tails: what is read of a wider tile would begin at a part of a step, and end beyond.
    const Chain& own = *nests_[d].chains.find(axis);
    const int64_t step = c->step(out.loops[out.online - 1]);
    if (threads_ && step % own.steps[0] != 0)
      return refuse("online: " + nests_[d].name + " walks " + axis + " by " + std::to_string(own.steps[0]) +
                    ", which does not divide " + std::to_string(step));
    nests_[d].attach = {root(), out.online};
  }
  // What reads a rescaled value, or what a rescaled one reads, stands inside the loop.
  for (size_t d = root(); d-- > 0;) {
    if (nests_[d].carried || nests_[d].staged) continue;
    for (size_t r : definitions_read(definitions_, everything(definitions_[d])))
      if (nests_[r].carried) nests_[d].attach = {root(), std::max(nests_[d].attach.depth, out.online)};
  }
}

// ---- loops -----------------------------------------------------------------------------------------------------------

/// Whether it is the loop over blocks of the rescaled axis: its outermost range, or the one inside the parts of a grid.
bool Placement::rescales(const UOp& range) const {
  if (axis_of(range) != online_axis_ || kind_of(range) != Kind::Loop) return false;
  const UOps& chain = nests_[root()].chains.of(range).ranges;
  if (chain[0] == range) return true;
  return kind_of(chain[0]) == Kind::Grid && chain[1] == range && chain.size() > 2;
}

void Placement::find_trivial_loops(size_t d) {
  NestPlan& n = nests_[d];
  n.trivial.clear();
  for (const UOp& r : n.loops) {
    const Chain& c = n.chains.of(r);
    const int64_t tile = r.arg_as<RangeArg>().tile,
                  region = d == root() ? bounds(c.extent).hi : closed_at(d, c.axis, n.attach);
    const bool grid = d == root() && kind_of(r) == Kind::Grid, turns = d == root() && rescales(r);
    // Inside a loop that stays open even for one trip, what is left of the axis is decided there.
    bool within = true;
    for (const UOp& outer : c.ranges) {
      if (outer == r) break;
      const auto at = static_cast<size_t>(std::find(n.loops.begin(), n.loops.end(), outer) - n.loops.begin());
      within &= at < n.trivial.size() && n.trivial[at];
    }
    n.trivial.push_back(within && !grid && !turns && (tile ? std::min(tile, region) : region) <= c.step(r));
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
  // Threads rescale the accumulators that they have: these stay in registers until the loop closes.
  if (n.online && !threads_) {
    n.first_reduce = n.online - 1;
    n.accumulate_at = std::max(n.accumulate_at, n.online);
    n.crossing = true;
  }
}

// ---- buffers ---------------------------------------------------------------------------------------------------------

void Placement::place_buffers() {
  for (BufferStage& s : buffer_stages_) {
    if (!fault_.empty()) return;
    bool any = false;
    for (size_t d = 0; d < definitions_.size(); ++d)
      any |= is_below(d, s.attach) && !param_reads(everything(definitions_[d]), s.param).empty();
    std::string why;
    if (any) s.groups = stage_groups(*this, s, why);
    if (!why.empty()) return refuse(why);
    if (s.groups.empty() && !serial_)
      return refuse("stage: no user of " + s.stage.value + " below " + loop_text(nests_[s.attach.nest], s.attach.depth));
  }
  std::erase_if(buffer_stages_, [](const BufferStage& s) { return s.groups.empty(); });
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
      const bool alike = a.attach == b.attach && a.loops == b.loops && a.registers == b.registers && a.locals == b.locals &&
                         a.carried == b.carried && definitions_[first].ranges == definitions_[d].ranges &&
                         definitions_[first].reduce_ranges == definitions_[d].reduce_ranges;
      // No value flows from the first to this one, directly or through what stands between.
      std::vector<bool> depends(definitions_.size(), false);
      for (size_t member : groups_[first]) depends[member] = true;
      for (size_t r = first + 1; r <= d; ++r)
        for (size_t read : definitions_read(definitions_, everything(definitions_[r])))
          depends[r] = depends[r] || depends[read];
      bool flows = depends[d];
      // What it reads must be there when the first one is computed.
      for (size_t read : definitions_read(definitions_, everything(definitions_[d])))
        flows |= read > first && nests_[read].attach == a.attach;
      if (!alike || flows) continue;
      groups_[first].push_back(d);
      groups_[d].clear();
      any = true;
    }
  }
  if (!any && !serial_) refuse("fuse: no two definitions reduce over " + axis + " side by side");
}

}  // namespace pg
