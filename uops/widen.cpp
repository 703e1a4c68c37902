// Pass 7: accesses of neighbours become vector accesses. Two walks over the entries: the first finds the groups of Loads,
// the second writes the entries anew; there Stores wait until something could see that they are late.
#include "uops/widen.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "uops/linear.h"
#include "uops/passes.h"
#include "uops/simplify.h"

namespace pg {

namespace {

constexpr int kWidestAccess = 16;  // bytes

const UOp& buffer_of(const UOp& access) { return access.src(0).src(0); }
UOp gate_of(const UOp& access) {
  const size_t at = access.is(Op::Load) ? 1 : 2;
  return access.src().size() > at ? access.src(at) : UOp();
}

int widest(const UOp& buffer) { return kWidestAccess / buffer.dtype().element_bytes(); }

/// An index as base + offset; base null: 0.
std::pair<UOp, int64_t> taken_apart(const UOp& index) {
  if (const auto n = const_int(index)) return {{}, *n};
  if (const auto last = index.is(Op::Add) ? const_int(index.src(1)) : std::nullopt) return {index.src(0), *last};
  return {index, 0};
}
int64_t round_down(int64_t n, int64_t to) { return n - ((n % to) + to) % to; }

/// The same for gates that are the same for neighbours: of x + 0 < n .. x + 3 < n, where x and n are multiples of 4, each
/// says what the others do. Null stays null.
UOp gate_of_run(const UOp& gate, int lanes) {
  if (!gate) return gate;
  if (gate.is(Op::And) || gate.is(Op::Or))
    return alu(gate.op(), gate_of_run(gate.src(0), lanes), gate_of_run(gate.src(1), lanes));
  if (!gate.is(Op::Lt) || gate.src(0).dtype() != dt::index) return gate;
  const auto [x, c] = taken_apart(gate.src(0));
  const auto [limit, d] = taken_apart(gate.src(1));
  int64_t step = lanes;
  while (step > 1 && (!x || divisor(x) % step != 0 || (limit && divisor(limit) % step != 0))) step /= 2;
  if (step == 1) return gate;
  // x + (c - d) < limit
  return limit ? alu(Op::Lt, x + iconst(round_down(c - d, step)), limit) : alu(Op::Lt, x, iconst(-round_down(c - d, step)));
}

/// An address as what it shares with its neighbours and a number of elements.
struct Address {
  UOp buffer, base, gate;  // base null: 0; gate null: always
  int64_t offset = 0;

  explicit Address(const UOp& access) : buffer(buffer_of(access)), gate(gate_of_run(gate_of(access), widest(buffer))) {
    std::tie(base, offset) = taken_apart(access.src(0).src(1));
  }
  bool has_base_of(const Address& o) const { return buffer == o.buffer && base == o.base && gate == o.gate; }
  int64_t divisor_of_base() const { return base ? divisor(base) : 0; }
};
/// The Index of several elements for that of the first.
UOp widened(const UOp& index, int lanes) {
  return UOp(Op::Index, index.dtype().vec(lanes), {}, {index.src(0), index.src(1)});
}

bool reads_memory(const UOp& u) { return u.is(Op::Load) || u.is(Op::LaneXor); }
/// Whether the value may be another one when it is computed again in the same scope.
bool may_change(const UOp& u) { return u && !collect(u, reads_memory).empty(); }

/// Offsets that are taken, as runs of a power of two that begin at a multiple of their length. `f(first, lanes)` is called
/// for each, the longest first; what is left over is called with 1.
template <class F>
void each_run(std::vector<int64_t> offsets, int64_t base_divisor, int widest, F f) {
  std::sort(offsets.begin(), offsets.end());
  for (size_t i = 0; i < offsets.size();) {
    int lanes = widest;
    const auto is_run = [&](int n) {
      const auto last = i + static_cast<size_t>(n) - 1;
      return base_divisor % n == 0 && offsets[i] % n == 0 && last < offsets.size() && offsets[last] == offsets[i] + n - 1;
    };
    while (lanes > 1 && !is_run(lanes)) lanes /= 2;
    f(offsets[i], lanes);
    i += static_cast<size_t>(lanes);
  }
}

class Widener {
 public:
  explicit Widener(const UOp& linear) : entries_(linear.src()), part_(entries_.size()) {
    for (const UOp& e : entries_) {
      in_threads_at_all_ |= is_threads(e);
      known_.insert(e.id());
    }
    find_private();
    find_loads();
  }

  UOps run() {
    scopes_.assign(1, {});
    for (size_t i = 0; i < entries_.size(); ++i) entry(i);
    flush();
    return std::move(out_);
  }

 private:
  /// A lane of a vector Load, for a scalar one.
  struct Part {
    UOp vector;  // null: stays as it is
    int lane = 0;
    bool is_first = false;  // in the list: the vector is loaded here
  };
  struct Group {
    Address address;
    std::vector<std::pair<int64_t, size_t>> members;  // offset, entry
    bool may_change = false;
  };
  struct Pending {
    Address address;
    UOp store;
  };

  static bool is_threads(const UOp& e) { return e.is(Op::For) && e.src(0).arg_as<RangeArg>().kind == Kind::Local; }
  /// Memory of one thread becomes registers: nothing is gained by vectors of it.
  void find_private() {
    bool in_threads = false;
    for (const UOp& e : entries_) {
      if (is_threads(e)) in_threads = true;
      if (e.is(Op::End) && is_threads(e.src(0))) in_threads = false;
      if (e.is(Op::Memory) && (in_threads || !in_threads_at_all_)) private_.push_back(e);
    }
  }
  bool is_candidate(const UOp& access) const {
    const UOp& buffer = buffer_of(access);
    return access.src(0).dtype().lanes == 1 && buffer.dtype().lanes == 1 && !may_change(gate_of(access)) &&
           std::find(private_.begin(), private_.end(), buffer) == private_.end();
  }

  // ---- the first walk ----
  void find_loads() {
    std::vector<Group> groups;
    std::unordered_map<const void*, bool> bound;
    const auto close = [&](auto which) {
      for (const Group& g : groups)
        if (which(g)) settle(g);
      std::erase_if(groups, which);
    };
    const auto close_all = [&] { close([](const Group&) { return true; }); };
    for (size_t i = 0; i < entries_.size(); ++i) {
      const UOp& e = entries_[i];
      if (e.is(Op::For) || e.is(Op::If) || e.is(Op::End) || e.is(Op::Barrier) || e.is(Op::CopyWait)) close_all();
      if (e.is(Op::Memory) || e.is(Op::Store) || e.is(Op::CopyAsync))
        close([&](const Group& g) { return g.address.buffer == (e.is(Op::Memory) ? e : buffer_of(e)); });
      // A base that is made of what was read before is not the same any more.
      if (reads_memory(e) && !bound.emplace(e.id(), true).second) close([](const Group& g) { return g.may_change; });
      if (!e.is(Op::Load) || !is_candidate(e)) continue;
      const Address a(e);
      auto g = std::find_if(groups.begin(), groups.end(), [&](const Group& o) { return o.address.has_base_of(a); });
      if (g == groups.end()) {
        groups.push_back({a, {}, may_change(a.base)});
        g = groups.end() - 1;
      }
      g->members.emplace_back(a.offset, i);
    }
    close_all();
  }
  void settle(const Group& g) {
    std::map<int64_t, std::vector<size_t>> at;  // an element may be read more than once
    for (const auto& [offset, entry] : g.members) at[offset].push_back(entry);
    std::vector<int64_t> offsets;
    for (const auto& [offset, entries] : at) offsets.push_back(offset);
    each_run(offsets, g.address.divisor_of_base(), widest(g.address.buffer), [&](int64_t first, int lanes) {
      if (lanes == 1) return;
      size_t earliest = entries_.size();
      for (int l = 0; l < lanes; ++l) earliest = std::min(earliest, at[first + l].front());
      const UOp& index = entries_[at[first].front()].src(0);
      // An index that was computed before its base changed is not computed again.
      if (g.may_change && !(index == entries_[earliest].src(0))) return;
      const UOp gate = gate_of(entries_[earliest]);
      const UOp vector = load(widened(index, lanes), gate ? broadcast(gate, lanes) : UOp());
      if (known_.contains(vector.id())) return;  // it has users of its own
      for (int l = 0; l < lanes; ++l)
        for (size_t entry : at[first + l]) part_[entry] = {vector, l, false};
      part_[earliest].is_first = true;
    });
  }

  // ---- the second walk ----
  void entry(size_t i) {
    const UOp& e = entries_[i];
    if (e.is(Op::For) || e.is(Op::If)) {
      flush();
      scopes_.emplace_back();
      const UOp opener = rebuilt(e);
      if (e.is(Op::For)) stands_for(e.src(0), opener.src(0));
      openers_.push_back(opener);
      out_.push_back(opener);
      return;
    }
    if (e.is(Op::End)) {
      flush();
      out_.push_back(UOp(Op::End, dt::kVoid, {}, {openers_.back()}));
      openers_.pop_back();
      for (auto s = scopes_.back().rbegin(); s != scopes_.back().rend(); ++s) now_[s->first] = s->second;
      scopes_.pop_back();
      return;
    }
    if (e.is(Op::Store)) return store_entry(e);
    if (e.is(Op::CopyAsync)) {
      flush_buffer(buffer_of(e));
      flush_buffer(e.src(1).src(0));
    } else if (e.is(Op::Memory)) {
      flush_buffer(e);
    } else if (e.is(Op::Barrier) || e.is(Op::CopyWait)) {
      flush();
    }
    if (!is_linear_value(e)) return out_.push_back(rebuilt(e));
    const Part& part = part_[i];
    if (!part.vector) return enter(e, rebuilt(e));
    if (part.is_first) {  // its address and gate are of this entry
      const UOp vector = rebuilt(part.vector);
      const UOp& index = vector.src(0).src(1);
      if (is_linear_value(index)) emit(index);
      if (const UOp gate = gate_of(vector)) emit(gate);
      emit(vector);
      vectors_[part.vector] = vector;
    }
    enter(e, UOp(Op::Shuffle, e.dtype(), Ints{part.lane}, {vectors_.at(part.vector)}));
  }

  /// A value of the new program.
  void emit(const UOp& u) {
    if (u.is(Op::Load)) flush_buffer(buffer_of(u));
    // What waits was to have the value from before.
    for (const Pending& p : pending_) {
      const auto src = p.store.src();
      if (src[0].src(1) == u || std::find(src.begin(), src.end(), u) != src.end()) {
        flush();
        break;
      }
    }
    out_.push_back(u);
  }
  void enter(const UOp& old, const UOp& now) {
    emit(now);
    stands_for(old, now);
  }
  void stands_for(const UOp& old, const UOp& now) {
    auto& known = now_[old.id()];
    scopes_.back().emplace_back(old.id(), known);
    known = now;
  }

  /// The same node with the sources that stand for its own now.
  UOp rebuilt(const UOp& u) const {
    UOps src;
    bool same = true;
    for (const UOp& s : u.src()) {
      src.push_back(current(s));
      same = same && src.back() == s;
    }
    return same ? u : u.with_src(src);
  }
  UOp current(const UOp& s) const {
    if (auto it = now_.find(s.id()); it != now_.end() && it->second) return it->second;
    // Not an entry of the program: an Index, or what is made anew for a vector.
    if (s.src().empty() || s.is(Op::Param) || s.is(Op::Memory)) return s;
    return rebuilt(s);
  }

  void store_entry(const UOp& e) {
    const UOp s = rebuilt(e);
    const UOp& buffer = buffer_of(s);
    if (!is_candidate(s)) {
      flush_buffer(buffer);
      return out_.push_back(s);
    }
    const Address a(s);
    for (const Pending& p : pending_)  // only neighbours are known not to be the same element
      if (p.address.buffer == buffer && (!p.address.has_base_of(a) || p.address.offset == a.offset)) {
        flush_buffer(buffer);
        break;
      }
    pending_.push_back({a, s});
  }
  void flush() {
    while (!pending_.empty()) flush_buffer(UOp(pending_.front().address.buffer));
  }
  void flush_buffer(const UOp& buffer) {
    std::vector<Pending> mine;
    std::erase_if(pending_, [&](const Pending& p) { return p.address.buffer == buffer && (mine.push_back(p), true); });
    if (mine.empty()) return;
    std::map<int64_t, UOp> stores;
    std::vector<int64_t> offsets;
    for (const Pending& p : mine) stores[p.address.offset] = p.store, offsets.push_back(p.address.offset);
    each_run(offsets, mine.front().address.divisor_of_base(), widest(buffer), [&](int64_t first, int lanes) {
      const UOp& one = stores.at(first);
      UOps values;
      for (int l = 0; l < lanes; ++l) values.push_back(stores.at(first + l).src(1));
      const UOp stack(Op::Stack, buffer.dtype().vec(lanes), {}, values);
      if (lanes == 1 || known_.contains(stack.id())) {
        for (int l = 0; l < lanes; ++l) out_.push_back(stores.at(first + l));
        return;
      }
      out_.push_back(stack);
      UOp gate;
      if (gate_of(one)) out_.push_back(gate = broadcast(gate_of(one), lanes));
      out_.push_back(store(widened(one.src(0), lanes), stack, gate));
    });
  }

  std::span<const UOp> entries_;
  std::vector<Part> part_;  // by entry
  UOps private_;
  std::unordered_set<const void*> known_;  // entries of the old program
  bool in_threads_at_all_ = false;
  UOps out_, openers_;
  std::unordered_map<const void*, UOp> now_;  // what stands for a value of the old program
  std::vector<std::vector<std::pair<const void*, UOp>>> scopes_;
  std::unordered_map<UOp, UOp> vectors_;
  std::vector<Pending> pending_;
};

}  // namespace

UOp accesses_widened(const UOp& linear, const Target& target) {
  return target.gpu ? linear.with_src(Widener(linear).run()) : linear;
}

}  // namespace pg
