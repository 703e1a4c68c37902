#include "uops/lane_merge.h"

#include <algorithm>

#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

UOps lanes_merged(const Reducer& row, std::vector<UOps> results) {
  for (int group = results[0][0].dtype().lanes; group > 1; group /= 2) {
    // Two vectors, or the halves of one, whose groups of lanes are halved.
    const bool pairs = results.size() > 1;
    const int lanes = results[0][0].dtype().lanes, all = pairs ? 2 * lanes : lanes;
    Ints low, high;
    for (int first = 0; first < all; first += group)
      for (int i = 0; i < group / 2; ++i) low.push_back(first + i), high.push_back(first + group / 2 + i);
    std::vector<UOps> next;
    for (size_t r = 0; r < results.size(); r += pairs ? 2 : 1) {
      UOps a, b;
      for (size_t s = 0; s < results[r].size(); ++s) {
        UOps from{results[r][s]};
        if (pairs) from.push_back(results[r + 1][s]);
        const DType t = from[0].dtype().vec(all / 2);
        a.push_back(UOp(Op::Shuffle, t, low, from));
        b.push_back(UOp(Op::Shuffle, t, high, from));
      }
      next.push_back(row.combine(a, b));
    }
    results = std::move(next);
  }
  return results[0];
}

UOp results_together(const UOp& statement, const UOps& ranges, int64_t lanes) {
  const bool all = statement.is(Op::StoreAll);
  if (!all && !statement.is(Op::Store)) return {};
  Substitution merged;
  for (const UOp& r : collect(statement, [](const UOp& u) { return u.is(Op::Reduce); })) {
    const auto lane = std::find_if(r.src().begin(), r.src().end(),
                                   [](const UOp& u) { return u.is(Op::Range) && kind_of(u) == Kind::Vec; });
    if (lane == r.src().end()) return {};
    lanes = std::min(lanes, *const_int(lane->src(0)));
    merged.emplace_back(r, constant(r.dtype(), int64_t{0}));
  }
  const UOp rest = substitute(statement, merged);
  const UOps loads = collect(rest, [](const UOp& u) { return u.is(Op::Load); });
  const UOps stores = all ? UOps(rest.src().begin(), rest.src().end()) : UOps{rest};
  // Where all indices are register ranges, variables stand for a memory.
  const auto in_memory = [](const UOp& access) {
    const auto is_loop = [](const UOp& u) { return u.is(Op::Range) && !is_register(kind_of(u)); };
    return access.src(0).src(0).is(Op::Memory) && !collect(access.src(0).src(1), is_loop).empty();
  };
  if (merged.empty() &&
      (std::none_of(loads.begin(), loads.end(), in_memory) ||
       std::any_of(stores.begin(), stores.end(), [](const UOp& s) { return s.src(0).src(0).is(Op::Memory); })))
    return {};
  for (const UOp& r : ranges) {
    const int64_t trips = *const_int(r.src(0));
    if (trips < 2 || trips > lanes || (trips & (trips - 1)) != 0) continue;
    const auto step = [&](const UOp& access) { return coefficient(access.src(0).src(1), r).value_or(-1); };
    if (std::all_of(stores.begin(), stores.end(), [&](const UOp& s) { return step(s) == 1; }) &&
        std::all_of(loads.begin(), loads.end(), [&](const UOp& l) { return step(l) == 0 || step(l) == 1; }))
      return r;
  }
  return {};
}

}  // namespace pg
