// Pass 6: the tree becomes a list. A value is computed once per scope, until a store to a buffer that it reads.
#include <algorithm>
#include <unordered_map>

#include "uops/linear.h"
#include "uops/passes.h"

namespace pg {

namespace {

const UOp& buffer_of(const UOp& access) { return access.src(0).src(0); }

class Linearizer {
 public:
  UOps run(const UOp& tree) {
    statement(tree);
    return std::move(entries_);
  }

 private:
  using Buffers = uint64_t;  // a bit per buffer

  void statement(const UOp& s) {
    switch (s.op()) {
      case Op::Block:
        for (const UOp& one : s.src()) statement(one);
        return;
      case Op::Memory: entries_.push_back(s); return;
      case Op::Store: stores(std::span(&s, 1)); return;
      case Op::Prefetch:
        value(s.src(0).src(1));
        entries_.push_back(s);
        return;
      case Op::StoreAll: stores(s.src()); return;
      case Op::CopyAsync:
        for (const UOp& at : s.src().first(2)) value(at.src(1));
        if (s.src().size() == 3) value(s.src(2));
        entries_.push_back(s);
        return;
      case Op::CopyCommit: entries_.push_back(s); return;
      case Op::Barrier:
      case Op::CopyWait:
        entries_.push_back(s);
        forget_loads();  // other threads may have written
        return;
      case Op::If:
      case Op::For: {
        value(s.is(Op::For) ? s.src(0).src(0) : s.src(0));
        // A loop's second trip sees the first one's stores.
        if (s.is(Op::For))
          for (const UOp& u : toposort(s.src(1))) {
            if (u.is(Op::Store) || u.is(Op::CopyAsync)) forget(buffer_of(u));
            if (u.is(Op::Barrier) || u.is(Op::CopyWait)) forget_loads();
          }
        const UOp open(s.op(), dt::kVoid, {}, {s.src(0)});
        entries_.push_back(open);
        scopes_.emplace_back();
        statement(s.src(1));
        for (const void* v : scopes_.back()) known_.erase(v);
        scopes_.pop_back();
        entries_.push_back(UOp(Op::End, dt::kVoid, {}, {open}));
        return;
      }
      default: throw InternalError(std::string("linearize: ") + info(s.op()).name + " is no statement");
    }
  }

  void stores(std::span<const UOp> all) {
    for (const UOp& s : all) {
      value(s.src(1));
      value(s.src(0).src(1));
      if (s.src().size() == 3) value(s.src(2));
    }
    for (const UOp& s : all) {
      entries_.push_back(s);
      forget(buffer_of(s));
    }
  }

  /// Sources first, each entry once while it is known. (The tree keeps its nodes alive: addresses will do.)
  void value(const UOp& root) {
    stack_.assign(1, {&root, 0});
    while (!stack_.empty()) {
      auto& [u, next] = stack_.back();
      if (u->is(Op::Memory) || u->is(Op::Param) || u->is(Op::Range) || known_.contains(u->id())) {
        stack_.pop_back();
        continue;
      }
      if (next < u->src().size()) {
        const UOp* source = &u->src(next++);
        stack_.emplace_back(source, 0);
        continue;
      }
      if (is_linear_value(*u)) {
        Buffers reads = u->is(Op::Load) ? bit(buffer_of(*u)) : 0;
        for (const UOp& s : u->src())
          if (auto it = known_.find((s.is(Op::Index) ? s.src(1) : s).id()); it != known_.end()) reads |= it->second;
        known_.emplace(u->id(), reads);
        scopes_.back().push_back(u->id());
        entries_.push_back(*u);
      }
      stack_.pop_back();
    }
  }
  Buffers bit(const UOp& buffer) {
    const auto at = std::find(buffers_.begin(), buffers_.end(), buffer.id());
    const auto number = static_cast<size_t>(at - buffers_.begin());
    if (at == buffers_.end()) buffers_.push_back(buffer.id());
    return Buffers{1} << std::min<size_t>(number, 63);  // beyond 63 they share a bit: forgotten too often, never too seldom
  }
  void forget(const UOp& buffer) {
    const Buffers gone = bit(buffer);
    std::erase_if(known_, [&](const auto& entry) { return (entry.second & gone) != 0; });
  }

  void forget_loads() {
    std::erase_if(known_, [](const auto& entry) { return entry.second != 0; });
  }

  UOps entries_;
  std::unordered_map<const void*, Buffers> known_;    // entries that hold now → the buffers that they depend on
  std::vector<std::vector<const void*>> scopes_{{}};  // what each open scope computed
  std::vector<const void*> buffers_;                  // by bit
  std::vector<std::pair<const UOp*, size_t>> stack_;  // of `value`
};

}  // namespace

UOp linearized(const UOp& tree, const Target&) { return UOp(Op::Linear, dt::kVoid, std::string(), Linearizer().run(tree)); }

}  // namespace pg
