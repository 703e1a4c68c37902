#include "uops/barriers.h"

#include <algorithm>
#include <set>

#include "uops/scope.h"
#include "uops/simplify.h"

namespace pg {

namespace {

class Barriers {
 public:
  Barriers(const UOps& shared, const UOps& rings, const UOps& owned, UOp thread) : thread_(std::move(thread)) {
    for (const UOp& m : shared)
      if (std::find(rings.begin(), rings.end(), m) == rings.end()) shared_.insert(m.id());
    for (const UOp& m : owned) owned_.insert(m.id());
  }

  UOp run(const UOp& body) {
    Since since;
    return placed(body, since);
  }

 private:
  using Memories = std::set<const void*>;
  /// What happened since the last barrier, on some way here.
  struct Since {
    Memories read, written;
    bool operator==(const Since&) const = default;
    void join(const Since& other) {
      read.insert(other.read.begin(), other.read.end());
      written.insert(other.written.begin(), other.written.end());
    }
  };
  static bool meet(const Memories& a, const Memories& b) {
    return std::any_of(a.begin(), a.end(), [&](const void* m) { return b.contains(m); });
  }

  void reads_of(const UOp& value, Memories& reads, std::span<const UOp> stores = {}) const {
    for (const UOp& u : toposort(value))
      if (u.is(Op::Load) && shared_.contains(u.src(0).src(0).id()) && !reads_own(u, stores))
        reads.insert(u.src(0).src(0).id());
  }
  /// A thread's old state, at the place where it stores the new one.
  bool reads_own(const UOp& load, std::span<const UOp> stores) const {
    return owned_.contains(load.src(0).src(0).id()) && std::any_of(stores.begin(), stores.end(), [&](const UOp& s) {
             const bool gated = s.src().size() == 3;
             return s.src(0) == load.src(0) && (load.src().size() == 2) == gated && (!gated || s.src(2) == load.src(1));
           });
  }
  /// Loads in everything that a statement evaluates, and the memory that it stores to. `together`: the stores that it is one
  /// of.
  void touched_by(const UOp& s, Memories& reads, Memories& writes, std::span<const UOp> together = {}) const {
    if (s.is(Op::StoreAll)) {
      for (const UOp& one : s.src()) touched_by(one, reads, writes, s.src());
      return;
    }
    if (s.is(Op::Store) && together.empty()) together = std::span(&s, 1);
    for (const UOp& source : s.src()) reads_of(source, reads, together);
    if (s.is(Op::Store) && shared_.contains(s.src(0).src(0).id())) writes.insert(s.src(0).src(0).id());
  }

  UOp placed(const UOp& s, Since& since) {
    switch (s.op()) {
      case Op::Block: {
        UOps out;
        for (const UOp& one : s.src()) out.push_back(placed(one, since));
        return block(out);
      }
      case Op::Memory:
      case Op::CopyCommit:
      case Op::CopyWait: return s;
      case Op::Barrier: since = {}; return s;
      case Op::For: return placed_loop(s, since);
      case Op::If: return placed_if(s, since);
      default: {
        Memories reads, writes;
        touched_by(s, reads, writes);
        const bool needed = meet(reads, since.written) || meet(writes, since.read);
        if (needed && divergent_) throw InternalError("a barrier is needed where threads part");
        if (needed) since = {};
        since.read.insert(reads.begin(), reads.end());
        since.written.insert(writes.begin(), writes.end());
        return needed ? block(UOps{UOp(Op::Barrier, dt::kVoid, {}, {}), s}) : s;
      }
    }
  }

  /// Hazards of the next turn: the body begins with what its own end leaves behind. Where the loop needs none of its own, a
  /// barrier before it will do.
  UOp placed_loop(const UOp& s, Since& since) {
    if (!divergent_ && !(since == Since{})) {
      Barriers alone(*this);
      Since nothing;
      const UOp by_itself = alone.placed_loop(s, nothing);
      if (by_itself == s) {
        Memories reads, writes;
        for (const UOp& u : toposort(s.src(1)))
          if (u.is(Op::Store) || u.is(Op::StoreAll)) touched_by(u, reads, writes);
        if (meet(reads, since.written) || meet(writes, since.read)) {
          since = nothing;
          return block(UOps{UOp(Op::Barrier, dt::kVoid, {}, {}), s});
        }
      }
    }
    const Since before = since;
    Since entry = since;
    UOp body;
    for (;;) {
      Since end = entry;
      body = placed(s.src(1), end);
      Since again = entry;
      again.join(end);
      if (again == entry) {
        since = end;
        break;
      }
      entry = again;
    }
    since.join(before);  // no turn at all
    return s.with_src(UOps{s.src(0), body});
  }

  UOp placed_if(const UOp& s, Since& since) {
    Memories reads;
    reads_of(s.src(0), reads);
    const bool parts = depends_on(s.src(0), thread_);
    UOps out;
    if (meet(reads, since.written)) out.push_back(UOp(Op::Barrier, dt::kVoid, {}, {})), since = {};
    since.read.insert(reads.begin(), reads.end());
    Since inside = since;
    UOp body;
    if (parts) {
      // Whatever the body needs is asked for before the threads part.
      Memories body_reads, body_writes;
      for (const UOp& u : toposort(s.src(1)))
        if (u.is(Op::Store) || u.is(Op::StoreAll)) touched_by(u, body_reads, body_writes);
      if (meet(body_reads, since.written) || meet(body_writes, since.read)) {
        out.push_back(UOp(Op::Barrier, dt::kVoid, {}, {}));
        inside = since = {};
      }
      const bool outer = divergent_;
      divergent_ = true;
      body = placed(s.src(1), inside);
      divergent_ = outer;
    } else {
      body = placed(s.src(1), inside);
    }
    since.join(inside);
    out.push_back(s.with_src(UOps{s.src(0), body}));
    return block(out);
  }

  Memories shared_, owned_;
  UOp thread_;
  bool divergent_ = false;
};

}  // namespace

UOp barriers_placed(const UOp& body, const UOps& shared, const UOps& rings, const UOps& owned, const UOp& thread) {
  return Barriers(shared, rings, owned, thread).run(body);
}

}  // namespace pg
