#include "renderers/program_shape.h"

#include <algorithm>
#include <set>

#include "uops/linear.h"

namespace pg {

namespace {
// Beyond this many a declaration says less than an array; the compiler finds the registers either way.
constexpr size_t kMostRegisters = 256;

bool is_access(const UOp& u) { return u.is(Op::Load) || u.is(Op::Store); }
bool is_rearrangement(const UOp& u) { return u.is(Op::Broadcast) || u.is(Op::Stack) || u.is(Op::Shuffle); }
}  // namespace

ProgramShape::ProgramShape(const UOp& linear, Vectors vectors) : linear_(linear), vectors_(vectors) {
  if (!linear.is(Op::Linear)) throw InternalError(std::string("rendering ") + info(linear.op()).name + ": not a Linear");
  find_shared();
  find_registers();
  count_uses();
  find_inlinable();
}

void ProgramShape::find_shared() {
  UOp threads;
  for (const UOp& entry : linear_.src()) has_threads_ |= is_threads(entry);
  if (!has_threads_) return;
  for (const UOp& entry : linear_.src()) {
    if (is_threads(entry)) threads = entry;
    if (entry.is(Op::End) && threads && entry.src(0) == threads) threads = {};
    if (entry.is(Op::Memory) && !threads) shared_.insert(entry.id());
  }
}

const std::vector<int64_t>* ProgramShape::registers(const UOp& memory) const {
  auto it = registers_.find(memory.id());
  return it == registers_.end() ? nullptr : &it->second;
}

void ProgramShape::find_registers() {
  std::unordered_map<const void*, std::set<int64_t>> places;
  std::set<const void*> arrays;
  for (const UOp& entry : linear_.src()) {
    if (!is_access(entry)) continue;
    const UOp &index = entry.src(0), &buffer = accessed(entry);
    if (buffer.is(Op::Param)) {
      if (entry.is(Op::Store)) written_[buffer.id()]++;
      continue;
    }
    const auto at = const_int(index.src(1));
    const bool by_lanes = vectors_ == Vectors::ByLanes;
    const bool is_place = at && index.src(1).is(Op::Const) && !is_shared(buffer);
    if (!is_place || (index.dtype() != buffer.dtype() && !(by_lanes && buffer.dtype().lanes == 1))) {
      arrays.insert(buffer.id());
    } else {
      const int each = by_lanes ? buffer.dtype().lanes : 1, lanes = by_lanes ? index.dtype().lanes : 1;
      for (int l = 0; l < lanes; ++l) places[buffer.id()].insert(*at * each + l);
    }
  }
  for (auto& [memory, at] : places)
    if (!arrays.contains(memory) && at.size() <= kMostRegisters) registers_[memory].assign(at.begin(), at.end());
}

void ProgramShape::use(const UOp& source, size_t user) {
  if (source.is(Op::Index)) {
    for (const UOp& s : source.src().subspan(1)) use(s, user);
  } else if (is_linear_value(source)) {
    auto it = bound_.find(source.id());
    if (it == bound_.end())
      throw InternalError(std::string("rendering: a ") + info(source.op()).name + " is used before its entry");
    operands_[user].push_back(it->second);
  }
}

void ProgramShape::mention(const UOp& source) {
  if (source.is(Op::Index)) return mention(source.src(1));
  if (source.is(Op::Range) || source.is(Op::Variable)) mentioned_.insert(source.id());
}

void ProgramShape::count_uses() {
  const auto entries = linear_.src();
  uses_.assign(entries.size(), 0);
  scope_.assign(entries.size(), 0);
  operands_.resize(entries.size());
  struct Open {
    int id;
    std::vector<std::pair<const void*, size_t>> shadowed;  // what a binding of this scope hid; size_t(-1): nothing
  };
  std::vector<Open> scopes{{0, {}}};
  int next_scope = 1;
  const auto grids =
      std::count_if(entries.begin(), entries.end(), is_grid);  // where several begin, their trips are asked for
  for (size_t i = 0; i < entries.size(); ++i) {
    const UOp& entry = entries[i];
    if (entry.is(Op::End)) {
      if (scopes.size() == 1) throw InternalError("rendering: an End without its For or If");
      for (auto it = scopes.back().shadowed.rbegin(); it != scopes.back().shadowed.rend(); ++it)
        if (it->second == size_t(-1))
          bound_.erase(it->first);
        else
          bound_[it->first] = it->second;
      scopes.pop_back();
    }
    scope_[i] = scopes.back().id;
    if (entry.is(Op::For)) {
      if (!is_grid(entry) || grids > 1) use(entry.src(0).src(0), i);
    } else if (!entry.is(Op::End) && !entry.is(Op::Memory)) {
      for (const UOp& s : entry.src()) use(s, i);
    }
    if (entry.is(Op::For) || entry.is(Op::If)) scopes.push_back({next_scope++, {}});
    if (is_linear_value(entry)) {
      auto [it, fresh] = bound_.try_emplace(entry.id(), i);
      scopes.back().shadowed.emplace_back(entry.id(), fresh ? size_t(-1) : it->second);
      it->second = i;
    }
  }
  if (scopes.size() != 1) throw InternalError("rendering: a For or If without its End");
  for (size_t i = entries.size(); i-- > 0;)  // users before what they use: the dead keep nothing alive
    if (!is_linear_value(entries[i]) || uses_[i] != 0)
      for (size_t operand : operands_[i]) uses_[operand]++;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (is_linear_value(entries[i]) ? is_dead(i) : entries[i].is(Op::End) || entries[i].is(Op::Memory)) continue;
    if (entries[i].is(Op::For)) {
      if (!is_grid(entries[i])) mention(entries[i].src(0).src(0));
    } else {
      for (const UOp& s : entries[i].src()) mention(s);
    }
  }
}

/// Whether the value of an entry is the same where the entry `to` is written, and may be written there.
bool ProgramShape::may_move(size_t entry, size_t to) const {
  const UOp& u = linear_.src(entry);
  if (u.is(Op::LaneXor)) return false;  // all lanes take part, also where `to` is a condition's branch
  if (!u.is(Op::Load)) return true;
  if (!registers(accessed(u)) || u.src().size() != 1 || u.dtype() != accessed(u).dtype()) return false;
  const auto changes = [&](const UOp& s) { return s.is(Op::Store) && accessed(s) == accessed(u); };
  return std::none_of(linear_.src().begin() + entry, linear_.src().begin() + to, changes);
}

void ProgramShape::find_inlinable() {
  const auto entries = linear_.src();
  inlinable_.assign(entries.size(), false);
  std::vector<size_t> written_at(entries.size());  // the entry whose statement would hold this one
  std::vector<size_t> user(entries.size(), 0);
  for (size_t i = entries.size(); i-- > 0;) {
    written_at[i] = i;
    // A For tests its trips before every trip: they are computed once, ahead of it.
    if (is_linear_value(entries[i]) && uses_[i] == 1 && scope_[user[i]] == scope_[i] && !entries[user[i]].is(Op::For)) {
      const size_t at = written_at[user[i]];
      // Lanes that are only rearranged are names: what they name must have one.
      inlinable_[i] = may_move(i, at) && !(vectors_ == Vectors::ByLanes && is_rearrangement(entries[user[i]]));
      if (inlinable_[i]) written_at[i] = at;
    }
    if (!is_linear_value(entries[i]) || uses_[i] != 0)
      for (size_t operand : operands_[i]) user[operand] = i;
  }
}

}  // namespace pg
