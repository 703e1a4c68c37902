// What a block of threads asks of a schedule.
#include <algorithm>

#include "uops/placement.h"
#include "uops/simplify.h"

namespace pg {

UOps without_threads(const UOps& ranges) {
  UOps loops, threads, registers;
  for (const UOp& r : ranges) {
    const auto& arg = r.arg_as<RangeArg>();
    const bool outside = std::any_of(ranges.begin(), ranges.end(), [&](const UOp& o) {
      return kind_of(o) == Kind::Local && axis_of(o) == arg.axis && o.arg_as<RangeArg>().tile < arg.tile;
    });
    if (kind_of(r) == Kind::Local || (is_register(kind_of(r)) && outside))
      threads.push_back(range(arg.axis, r.src(0), arg.tile, Kind::Loop));
    else
      (is_register(kind_of(r)) ? registers : loops).push_back(r);
  }
  if (threads.empty()) return ranges;
  std::stable_sort(threads.begin(), threads.end(),
                   [](const UOp& a, const UOp& b) { return a.arg_as<RangeArg>().tile > b.arg_as<RangeArg>().tile; });
  for (const UOps* more : {&threads, &registers}) loops.insert(loops.end(), more->begin(), more->end());
  return loops;
}

int64_t Placement::threads_of(const NestPlan& n) {
  int64_t threads = 1;
  for (const UOp& r : n.locals) threads *= *const_int(r.src(0));
  return threads;
}
int64_t Placement::threads() const {
  int64_t most = 1;
  for (const NestPlan& n : nests_) most = std::max(most, threads_of(n));
  return most;
}
int64_t Placement::output_threads(size_t d) const {
  int64_t threads = 1;
  for (const UOp& r : nests_[d].locals)
    if (!reduces(d, r)) threads *= *const_int(r.src(0));
  return threads;
}

int64_t Placement::shared_bytes() const {
  int64_t bytes = 0;
  const auto add = [&](int64_t elements, DType t, int64_t slots) {
    bytes += (elements * t.bytes() * slots + 127) / 128 * 128;
  };
  for (size_t d = 0; d < root(); ++d) {
    int64_t elements = 1;
    for (int64_t e : tile_extents(d)) elements *= std::max<int64_t>(e, 1);
    add(elements, definitions_[d].value.dtype(), nests_[d].carried ? 2 : 1);  // with exp(M - M')
  }
  for (const BufferStage& s : buffer_stages_)
    for (const StageGroup& g : s.groups) add(tile_elements(g.parts, 1), s.param.dtype(), s.stage.stages);
  return bytes;
}

void Placement::check_threads() {
  for (size_t d = 0; d < nests_.size(); ++d) {
    const NestPlan& n = nests_[d];
    if (n.crossing && !(d == root() && !n.online && n.split.empty() && merges_in_output(definitions_[d])))
      return refuse("order: threads have no memory for partial results of " + n.name);
    for (const UOp& r : n.locals)
      if (n.merges_lanes && reduces(d, r) && axis_of(r) != axis_of(n.locals.back()))
        return refuse("lanes: threads along " + axis_of(r) + " have parts of the same results");
    if (n.crossing && output_threads(d) != threads_of(n))
      return refuse("order: partial results of " + n.name + " are each in several threads");
  }
  for (const BufferStage& s : buffer_stages_) {
    if (s.stage.stages > 1 || s.stage.copy == StageCopy::CpAsync) {
      const NestPlan& n = nests_[s.attach.nest];
      if (s.attach.depth == 0 || kind_of(n.loops[s.attach.depth - 1]) != Kind::Loop || n.trivial[s.attach.depth - 1] ||
          const_int(n.loops[s.attach.depth - 1].src(0)) == 1)
        return refuse("stage: a ring of copies needs a loop that turns");
      if (s.attach.nest != root()) return refuse("stage: a ring of copies stands in the output's nest");
      for (const BufferStage& other : buffer_stages_)
        if (other.attach == s.attach && (other.stage.stages != s.stage.stages || other.stage.copy != s.stage.copy))
          return refuse("stage: copies at one loop have the same slots and way");
      for (const StageGroup& g : s.groups)
        if (g.by_axes) return refuse("stage: a ring of copies needs indices that are sums");
    }
    if (s.stage.copy == StageCopy::CpAsync && s.param.dtype().element_bytes() != 4)
      return refuse("stage: cp.async copies elements of 4 bytes");
  }
}

}  // namespace pg
