#include "uops/turned_copy.h"

#include <algorithm>

#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {

/// Row i's lane j becomes row j's lane i: blocks beside the diagonal change places, twice as large ones in each turn.
UOps transposed(UOps rows) {
  const auto lanes = static_cast<int64_t>(rows.size());
  const DType t = rows[0].dtype();
  for (int64_t block = 1; block < lanes; block *= 2) {
    Ints low, high;
    for (int64_t j = 0; j < lanes; ++j) {
      const bool second = j & block;
      low.push_back(second ? lanes + j - block : j);
      high.push_back(second ? lanes + j : j + block);
    }
    for (int64_t i = 0; i < lanes; ++i) {
      if (i & block) continue;
      UOp &a = rows[static_cast<size_t>(i)], &b = rows[static_cast<size_t>(i + block)];
      const UOp first = UOp(Op::Shuffle, t, low, {a, b});
      b = UOp(Op::Shuffle, t, high, {a, b});
      a = first;
    }
  }
  return rows;
}

/// Of the ranges those that walk over `lanes` neighbours of an address, nearest first; empty: none do.
UOps neighbours(const UOp& address, const UOps& ranges, int64_t lanes) {
  std::vector<std::pair<int64_t, UOp>> near;
  for (const UOp& r : ranges)
    if (const auto step = coefficient(address, r); step && *step > 0 && *step < lanes) near.emplace_back(*step, r);
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  UOps found;
  int64_t covered = 1;
  for (const auto& [step, r] : near)
    if (step == covered) covered *= *const_int(r.src(0)), found.push_back(r);
  return covered == lanes ? found : UOps();
}

/// Calls `f` with numbers for the ranges, the last one counting fastest.
template <class F>
void each(const UOps& ranges, F f) {
  int64_t all = 1;
  for (const UOp& r : ranges) all *= *const_int(r.src(0));
  for (int64_t n = 0; n < all; ++n) {
    Substitution numbers;
    int64_t rest = n;
    for (size_t i = ranges.size(); i-- > 0;) {
      const int64_t trips = *const_int(ranges[i].src(0));
      numbers.emplace_back(ranges[i], iconst(rest % trips));
      rest /= trips;
    }
    f(numbers);
  }
}

Substitution with(Substitution numbers, const UOp& range, int64_t number) {
  numbers.emplace_back(range, iconst(number));
  return numbers;
}

}  // namespace

UOp turned_copy(const UOp& store_of, const UOps& ranges, const UOp& vec) {
  if (!store_of.is(Op::Store) || store_of.src().size() != 2 || !store_of.src(1).is(Op::Load)) return {};
  const UOp &to = store_of.src(0), &access = store_of.src(1), &from = access.src(0);
  const DType t = to.dtype();
  if (!to.src(0).is(Op::Memory) || to.src(0).dtype() != t || !from.src(0).is(Op::Param) || from.dtype() != t ||
      t.bytes() != 4)
    return {};
  const int64_t lanes = *const_int(vec.src(0));
  const auto apart = coefficient(from.src(1), vec);
  if (lanes < 4 || !apart || *apart == 0 || *apart == 1 || coefficient(to.src(1), vec) != 1) return {};
  UOps near = neighbours(from.src(1), ranges, lanes);
  const UOp gate = access.src().size() == 2 ? access.src(1) : UOp();
  if (near.empty() || (gate && std::any_of(near.begin(), near.end(), [&](const UOp& r) { return depends_on(gate, r); })))
    return {};
  UOps far = ranges;
  std::erase_if(far, [&](const UOp& r) { return std::find(near.begin(), near.end(), r) != near.end(); });
  std::reverse(near.begin(), near.end());  // farthest first, to count in order

  const DType row = t.vec(static_cast<int>(lanes));
  const auto at = [&](const UOp& index, const Substitution& numbers, int64_t beyond) {
    return UOp(Op::Index, row, {}, {index.src(0), simplify(substitute(index.src(1), numbers) + iconst(beyond))});
  };
  UOps out;
  each(far, [&](const Substitution& outside) {
    Substitution first = with(outside, vec, 0);
    for (const UOp& r : near) first.emplace_back(r, iconst(0));
    UOps rows;
    for (int64_t i = 0; i < lanes; ++i) {
      const UOp here = gate ? simplify(substitute(gate, with(outside, vec, i))) : iconst(1);
      const UOp place = at(from, first, i * *apart);
      rows.push_back(const_int(here) == 1   ? load(place)
                     : const_int(here) == 0 ? constant(row, int64_t{0})
                                            : load(place, broadcast(here, static_cast<int>(lanes))));
    }
    size_t column = 0;
    const UOps columns = transposed(std::move(rows));
    each(near, [&](const Substitution& inside) {
      Substitution numbers = with(outside, vec, 0);
      numbers.insert(numbers.end(), inside.begin(), inside.end());
      out.push_back(store(at(to, numbers, 0), columns[column++]));
    });
  });
  return block(out);
}

UOp turned_value(const UOp& store_of, const UOps& ranges, const UOp& vec,
                 const std::function<UOp(const Substitution&, const UOp&)>& row) {
  if (!store_of.is(Op::Store)) return {};
  const UOp &to = store_of.src(0), &value = store_of.src(1);
  const DType t = to.dtype();
  const int64_t lanes = *const_int(vec.src(0));
  if (!to.src(0).is(Op::Memory) || to.src(0).dtype() != t || t.bytes() != 4 || lanes < 4 || coefficient(to.src(1), vec) != 1)
    return {};
  const UOps loads = collect(value, [](const UOp& u) { return u.is(Op::Load); });
  const auto step = [](const UOp& load, const UOp& r) { return coefficient(load.src(0).src(1), r).value_or(-1); };
  if (std::none_of(loads.begin(), loads.end(), [&](const UOp& l) { return step(l, vec) < 0 || step(l, vec) > 1; }))
    return {};
  const auto is_near = [&](const UOp& r) {
    return const_int(r.src(0)) == lanes && std::all_of(loads.begin(), loads.end(), [&](const UOp& l) {
             const int64_t s = step(l, r);
             return (s == 0 || s == 1) && !(l.src().size() == 2 && depends_on(l.src(1), r));
           });
  };
  const auto near = std::find_if(ranges.begin(), ranges.end(), is_near);
  if (near == ranges.end()) return {};
  UOps far = ranges;
  std::erase(far, *near);
  UOps out;
  each(far, [&](const Substitution& outside) {
    UOps rows;
    for (int64_t i = 0; i < lanes; ++i) rows.push_back(row(with(outside, vec, i), *near));
    const UOps columns = transposed(std::move(rows));
    for (int64_t i = 0; i < lanes; ++i) {
      const Substitution first = with(with(outside, vec, 0), *near, i);
      const UOp place = simplify(substitute(to.src(1), first));
      out.push_back(
          store(UOp(Op::Index, t.vec(static_cast<int>(lanes)), {}, {to.src(0), place}), columns[static_cast<size_t>(i)]));
    }
  });
  return block(out);
}

}  // namespace pg
