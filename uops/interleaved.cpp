#include "uops/interleaved.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "uops/rewrite.h"
#include "uops/simplify.h"

namespace pg {

namespace {
constexpr int64_t kMostApart = 8;  // elements from lane to lane

/// buffer[base + offset + step * lane], as far as the gate lets.
struct Strided {
  UOp buffer, base, gate;  // base null: 0; gate null: always
  int64_t offset = 0, step = 0;
  DType dtype;
};

/// Adds the terms of an index of several lanes to `s`; false: not of that form.
bool add_terms(const UOp& at, Strided& s) {
  if (at.is(Op::Add)) return add_terms(at.src(0), s) && add_terms(at.src(1), s);
  if (const auto n = const_int(at)) return s.offset += *n, true;
  if (at.is(Op::Mul) && at.src(0).is(Op::Lanes) && const_int(at.src(1)) && s.step == 0)
    return s.step = *const_int(at.src(1)), true;
  if (!at.is(Op::Broadcast) || s.base) return false;
  s.base = at.src(0);
  if (const auto last = s.base.is(Op::Add) ? const_int(s.base.src(1)) : std::nullopt)
    s.offset += *last, s.base = s.base.src(0);
  return true;
}
std::optional<Strided> strided(const UOp& access) {
  const UOp& index = access.src(0);
  const size_t gate_at = access.is(Op::Load) ? 1 : 2;
  Strided s{.buffer = index.src(0), .dtype = index.dtype()};
  if (access.src().size() > gate_at) s.gate = access.src(gate_at);
  if (index.src(1).dtype().lanes == 1 || s.buffer.dtype().lanes != 1 || (s.gate && !s.gate.is(Op::Broadcast)))
    return std::nullopt;
  if (!add_terms(index.src(1), s)) return std::nullopt;
  const bool power = s.step >= 2 && s.step <= kMostApart && (s.step & (s.step - 1)) == 0;
  return power ? std::optional(s) : std::nullopt;
}

/// Accesses that differ in their offsets alone.
using Family = std::map<int64_t, UOp>;  // by offset; the last of several
class Families {
 public:
  void add(const Strided& s, const UOp& access) {
    const Key key{s.buffer.id(), s.base.id(), s.gate.id(), s.step, s.dtype.lanes};
    auto& [first, members] = families_[key];
    if (members.empty()) first = s, order_.push_back(key);
    members[s.offset] = access;
  }
  /// Calls `f` with what is common and with `step` accesses of neighbours, for each such run.
  template <class F>
  void each_run(F f) const {
    for (const auto& key : order_) {
      const auto& [common, members] = families_.at(key);
      for (auto it = members.begin(); it != members.end();) {
        UOps run;
        auto next = it;
        while (next != members.end() && next->first == it->first + static_cast<int64_t>(run.size()) &&
               static_cast<int64_t>(run.size()) < common.step)
          run.push_back((next++)->second);
        if (static_cast<int64_t>(run.size()) == common.step) f(common, it->first, run);
        it = next;
      }
    }
  }

 private:
  using Key = std::tuple<const void*, const void*, const void*, int64_t, int>;
  std::map<Key, std::pair<Strided, Family>> families_;
  std::vector<Key> order_;
};

/// The Index of whole vectors from the first of their elements on.
UOp run_index(const Strided& s, int64_t offset) {
  return UOp(Op::Index, s.dtype, {}, {s.buffer, s.base ? simplify(s.base + iconst(offset)) : iconst(offset)});
}

/// Lanes of two vectors: from `first` on, every `step`-th.
UOp every(const UOp& a, const UOp& b, int64_t first, int64_t step) {
  Ints lanes;
  for (int64_t i = 0; i < a.dtype().lanes; ++i) lanes.push_back(first + i * step);
  return UOp(Op::Shuffle, a.dtype(), lanes, {a, b});
}
/// Lane i of result k is element i * n + k of the vectors one after the other.
UOps taken_apart(const UOps& vectors) {
  if (vectors.size() == 1) return vectors;
  UOps even, odd;
  for (size_t i = 0; i < vectors.size(); i += 2) {
    even.push_back(every(vectors[i], vectors[i + 1], 0, 2));
    odd.push_back(every(vectors[i], vectors[i + 1], 1, 2));
  }
  even = taken_apart(even), odd = taken_apart(odd);
  UOps all;
  for (size_t i = 0; i < even.size(); ++i) all.insert(all.end(), {even[i], odd[i]});
  return all;
}
/// The way back.
UOps put_together(const UOps& vectors) {
  if (vectors.size() == 1) return vectors;
  UOps even, odd;
  for (size_t i = 0; i < vectors.size(); i += 2) even.push_back(vectors[i]), odd.push_back(vectors[i + 1]);
  even = put_together(even), odd = put_together(odd);
  UOps all;
  const int64_t lanes = vectors[0].dtype().lanes;
  for (size_t i = 0; i < even.size(); ++i)
    for (const int64_t half : {int64_t{0}, lanes / 2}) {
      Ints numbers;
      for (int64_t l = 0; l < lanes; ++l) numbers.push_back(half + l / 2 + (l % 2) * lanes);
      all.emplace_back(Op::Shuffle, even[i].dtype(), numbers, UOps{even[i], odd[i]});
    }
  return all;
}

bool is_store(const UOp& s) { return s.is(Op::Store); }
}  // namespace

UOps interleaved(UOps statements) {
  if (!std::all_of(statements.begin(), statements.end(), is_store)) return statements;
  std::unordered_set<UOp> written, read;
  Families loads, stores;
  for (const UOp& s : statements) {
    written.insert(s.src(0).src(0));
    for (const UOp& u : toposort(s))
      if (u.is(Op::Load)) read.insert(u.src(0).src(0));
  }
  for (const UOp& statement : statements) {
    for (const UOp& u : toposort(statement))
      if (u.is(Op::Load) && !written.contains(u.src(0).src(0)))
        if (const auto s = strided(u)) loads.add(*s, u);
    if (const auto s = strided(statement); s && !read.contains(s->buffer)) stores.add(*s, statement);
  }

  Substitution whole;
  loads.each_run([&](const Strided& common, int64_t offset, const UOps& run) {
    UOps vectors;
    for (int64_t i = 0; i < common.step; ++i)
      vectors.push_back(load(run_index(common, offset + i * common.dtype.lanes), common.gate));
    const UOps apart = taken_apart(vectors);
    for (size_t k = 0; k < run.size(); ++k) whole.emplace_back(run[k], apart[k]);
  });
  std::unordered_map<UOp, UOps> instead;  // of a Store; nothing: it went with a later one
  stores.each_run([&](const Strided& common, int64_t offset, const UOps& run) {
    UOps values;
    for (const UOp& s : run) values.push_back(s.src(1)), instead[s];
    values = put_together(values);
    const auto last = std::find_if(statements.rbegin(), statements.rend(), [&](const UOp& s) {
      return instead.contains(s) && std::find(run.begin(), run.end(), s) != run.end();
    });
    for (int64_t i = 0; i < common.step; ++i)
      instead[*last].push_back(
          store(run_index(common, offset + i * common.dtype.lanes), values[static_cast<size_t>(i)], common.gate));
  });
  if (whole.empty() && instead.empty()) return statements;
  UOps all;
  for (const UOp& s : statements) {
    const auto found = instead.find(s);
    if (found == instead.end())
      all.push_back(s);
    else
      all.insert(all.end(), found->second.begin(), found->second.end());
  }
  if (whole.empty()) return all;
  for (UOp& s : all) s = substitute(s, whole);
  return all;
}

}  // namespace pg
