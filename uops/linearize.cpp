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
  using Buffers = std::vector<const void*>;

  void statement(const UOp& s) {
    switch (s.op()) {
      case Op::Block:
        for (const UOp& one : s.src()) statement(one);
        return;
      case Op::Memory: entries_.push_back(s); return;
      case Op::Store: stores(std::span(&s, 1)); return;
      case Op::StoreAll: stores(s.src()); return;
      case Op::If:
      case Op::For: {
        value(s.is(Op::For) ? s.src(0).src(0) : s.src(0));
        // A loop's second trip sees the first one's stores.
        if (s.is(Op::For))
          for (const UOp& u : toposort(s.src(1)))
            if (u.is(Op::Store)) forget(buffer_of(u).id());
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
      forget(buffer_of(s).id());
    }
  }

  /// Sources first, each entry once while it is known.
  void value(const UOp& root) {
    std::vector<std::pair<UOp, size_t>> stack{{root, 0}};
    while (!stack.empty()) {
      auto& [u, next] = stack.back();
      if (known_.contains(u.id()) || u.is(Op::Memory) || u.is(Op::Param) || u.is(Op::Range)) {
        stack.pop_back();
        continue;
      }
      if (next < u.src().size()) {
        UOp s = u.src(next++);
        stack.emplace_back(std::move(s), 0);
        continue;
      }
      if (is_linear_value(u)) {
        Buffers reads;
        if (u.is(Op::Load)) reads.push_back(buffer_of(u).id());
        for (const UOp& s : u.src())
          if (auto it = known_.find(s.id()); it != known_.end())
            add(reads, it->second);
          else if (s.is(Op::Index))
            if (auto i = known_.find(s.src(1).id()); i != known_.end()) add(reads, i->second);
        known_.emplace(u.id(), std::move(reads));
        scopes_.back().push_back(u.id());
        entries_.push_back(u);
      }
      stack.pop_back();
    }
  }
  static void add(Buffers& to, const Buffers& from) {
    for (const void* b : from)
      if (std::find(to.begin(), to.end(), b) == to.end()) to.push_back(b);
  }
  void forget(const void* buffer) {
    std::erase_if(known_, [&](const auto& entry) {
      return std::find(entry.second.begin(), entry.second.end(), buffer) != entry.second.end();
    });
  }

  UOps entries_;
  std::unordered_map<const void*, Buffers> known_;    // entries that hold now → the buffers that they depend on
  std::vector<std::vector<const void*>> scopes_{{}};  // what each open scope computed
};

}  // namespace

UOp linearized(const UOp& tree, const Target&) { return UOp(Op::Linear, dt::kVoid, std::string(), Linearizer().run(tree)); }

}  // namespace pg
