// Which reads a prefetch hints at.
#include <algorithm>

#include "uops/placement.h"
#include "uops/simplify.h"

namespace pg {

namespace {
/// What is evaluated in the innermost loops.
UOp walked(const Definition& d) {
  if (!d.reduce) return d.value;
  return d.bodies.size() == 1 ? d.bodies[0] : d.reduce;
}
}  // namespace

void Placement::place_prefetch(const UOp& kernel, const PrefetchBuffer& p) {
  if (!fault_.empty()) return;
  const auto at = find_place("prefetch", p.at);
  if (!at) return;
  UOp param;
  for (const UOp& each : params_of(kernel))
    if (each.arg_as<ParamArg>().name == p.buffer) param = each;
  if (!param) return refuse("prefetch: no buffer is named " + p.buffer);
  const UOp& loop = nests_[at->nest].loops[at->depth - 1];
  const std::string place = loop_text(nests_[at->nest], at->depth);
  const auto is_staged = [&](size_t d, const UOp& load) {
    for (const BufferStage& s : buffer_stages_)
      for (const StageGroup& g : s.groups)
        for (const StageGroup::User& user : g.users)
          if (user.definition == d && user.load == load) return true;
    return false;
  };
  for (BufferStage& s : buffer_stages_)
    if (s.param == param && s.attach == *at) {
      s.hinted = true;
      return;
    }
  std::string why = "no user of " + p.buffer + " below " + place;
  for (size_t d = definitions_.size(); d-- > 0;) {
    if (!is_below(d, *at)) continue;
    BufferPrefetch found{*at, d, {}};
    for (const UOp& load : param_reads(walked(definitions_[d]), param)) {
      const UOps indices(load.src(0).src().begin() + 1, load.src(0).src().end());
      if (is_staged(d, load))
        why = p.buffer + " is staged";
      else if (!collect(load.src(0), [](const UOp& u) { return u.is(Op::Load); }).empty())
        why = "where " + p.buffer + " is read is loaded itself";
      else if (!has_axis(free_ranges(load.src(0)), loop))
        why = p.buffer + " does not move with " + place;
      else
        found.loads.push_back(load);
    }
    if (found.loads.empty()) continue;
    prefetches_.push_back(std::move(found));
    return;
  }
  refuse("prefetch: " + why);
}

}  // namespace pg
