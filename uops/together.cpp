#include "uops/together.h"

#include <algorithm>

#include "uops/kernel.h"
#include "uops/linear.h"
#include "uops/lower.h"
#include "uops/verify.h"

namespace pg {

UOp together(std::span<const UOp> kernels) {
  std::string name;
  for (const UOp& k : kernels) {
    if (!k.is(Op::Kernel)) throw InternalError(std::string("together: ") + info(k.op()).name + " is no Kernel");
    name += (name.empty() ? "" : "+") + k.arg_as<std::string>();
  }
  return UOp(Op::Together, dt::kVoid, name, UOps(kernels.begin(), kernels.end()));
}

UOps kernels_in(const UOp& launch) {
  if (!launch.is(Op::Together)) return {launch};
  return {launch.src().begin(), launch.src().end()};
}

std::vector<int64_t> first_slots(const UOp& launch) {
  std::vector<int64_t> first{0};
  for (const UOp& k : kernels_in(launch)) {
    int64_t count = 0;
    for (const UOp& p : params_of(k)) count = std::max(count, p.arg_as<ParamArg>().slot + 1);
    first.push_back(first.back() + count);
  }
  return first;
}

namespace {
bool is_for(const UOp& entry, Kind kind) { return entry.is(Op::For) && entry.src(0).arg_as<RangeArg>().kind == kind; }

/// A Linear taken apart at its grids.
struct Parts {
  struct Phase {
    UOps before;          // what stands between the last grid and this one
    UOp range, thread;    // of the grid, and of the threads of a block; null: there are none
    UOps memories, body;  // that a block shares; all else of an item
    UOp trips() const { return range ? range.src(0) : iconst(1); }
  };
  std::vector<Phase> phases;
  std::string fault;  // why it cannot share its grids

  explicit Parts(const UOp& linear) {
    Phase next;
    for (const UOp& e : linear.src()) {
      if (is_for(e, Kind::Grid)) {
        next.range = e.src(0);
      } else if (is_for(e, Kind::Local)) {
        next.thread = e.src(0);
        const auto shared = std::stable_partition(next.body.begin(), next.body.end(),
                                                  [](const UOp& before) { return !before.is(Op::Memory); });
        next.memories.assign(shared, next.body.end());
        next.body.erase(shared, next.body.end());
      } else if (e.is(Op::End) && is_for(e.src(0), Kind::Grid)) {
        phases.push_back(std::exchange(next, {}));
      } else if (!(e.is(Op::End) && is_for(e.src(0), Kind::Local))) {
        (next.range ? next.body : next.before).push_back(e);
      }
    }
    if (phases.empty()) {
      next.body = std::exchange(next.before, {});
      phases.push_back(next);
    } else if (!next.before.empty()) {
      fault = "something follows the grids of one of the kernels";
    }
  }
};

class Joiner {
 public:
  Joiner(const UOp& together, std::span<const UOp> linears, const Target& target)
      : name_(together.arg_as<std::string>()), first_(first_slots(together)), target_(target) {
    for (size_t k = 0; k < linears.size(); ++k) kernels_.emplace_back(renamed(linears[k], k));
  }

  JoinedPrograms run() {
    if (std::string why = fault(); !why.empty()) return {{}, std::move(why)};
    size_t phases = 0;
    for (const Parts& k : kernels_) phases = std::max(phases, k.phases.size());
    for (size_t p = 0; p < phases; ++p) phase(p);
    const UOp linear(Op::Linear, dt::kVoid, name_, entries_);
    verify(linear, Stage::Linear, "together");
    if (const int64_t bytes = launch_info(linear).shared_bytes; target_.gpu && bytes > target_.shared_block_bytes)
      return {{}, std::to_string(bytes) + " bytes of shared memory are more than a block may have"};
    return {linear, ""};
  }

 private:
  /// Buffers behind those of the kernels before; memories that stand in front of the grids apart from those of the others.
  UOp renamed(const UOp& linear, size_t k) const {
    const std::string mark = "_" + std::to_string(k);
    Substitution changes;
    for (const UOp& p : params_of(linear)) {
      ParamArg arg = p.arg_as<ParamArg>();
      const bool own = arg.slot < kWorkspaceSlot;
      arg.slot += own ? first_[k] : static_cast<int64_t>(k) * kMostWorkspaces;
      arg.name += mark;
      changes.emplace_back(p, UOp(Op::Param, p.dtype(), arg, UOps(p.src().begin(), p.src().end())));
    }
    int depth = 0;
    for (const UOp& e : linear.src()) {
      if (e.is(Op::For) || e.is(Op::If)) ++depth;
      if (e.is(Op::End)) --depth;
      if (depth > 0 || !e.is(Op::Memory)) continue;
      ParamArg arg = e.arg_as<ParamArg>();
      arg.name += mark;
      changes.emplace_back(e, UOp(Op::Memory, e.dtype(), arg, UOps(e.src().begin(), e.src().end())));
    }
    return substitute(linear, changes);
  }
  static constexpr int64_t kMostWorkspaces = 1 << 10;  // of a kernel

  std::string fault() const {
    for (const Parts& k : kernels_) {
      if (!k.fault.empty()) return k.fault;
      for (const Parts::Phase& p : k.phases) {
        if (target_.gpu && !p.range) return "one of the kernels has no grid";
        if (threads(p) != threads(kernels_[0].phases[0])) return "their blocks have different numbers of threads";
      }
    }
    return "";
  }
  static int64_t threads(const Parts::Phase& p) { return p.thread ? *const_int(p.thread.src(0)) : 0; }

  /// A value, and what it is made of, as entries.
  UOp entered(const UOp& value) {
    for (const UOp& u : toposort(value))
      if (is_linear_value(u)) entries_.push_back(u);
    return value;
  }
  void open(const UOp& scope) { entries_.push_back(scope), scopes_.push_back(scope); }
  void close() {
    entries_.emplace_back(Op::End, dt::kVoid, Arg{}, UOps{scopes_.back()});
    scopes_.pop_back();
  }

  void phase(size_t number) {
    std::vector<const Parts::Phase*> all;
    for (const Parts& k : kernels_)
      if (number < k.phases.size()) all.push_back(&k.phases[number]);
    std::vector<UOp> begin{iconst(0)};  // of each kernel's items
    for (const Parts::Phase* p : all) {
      entries_.insert(entries_.end(), p->before.begin(), p->before.end());
      begin.push_back(begin.back() + p->trips());
    }
    for (const UOp& b : begin) entered(b);
    const UOp item = range("item", begin.back(), static_cast<int64_t>(number), Kind::Grid);
    open(UOp(Op::For, dt::kVoid, {}, {item}));
    UOps memories;
    for (const Parts::Phase* p : all)
      for (const UOp& m : p->memories)
        if (std::find(memories.begin(), memories.end(), m) == memories.end()) memories.push_back(m);
    entries_.insert(entries_.end(), memories.begin(), memories.end());
    UOp thread;
    if (all[0]->thread) {
      int64_t blocks = all[0]->thread.arg_as<RangeArg>().tile;  // that share a processor: what the neediest can do
      for (const Parts::Phase* p : all) blocks = std::min(blocks, p->thread.arg_as<RangeArg>().tile);
      thread = range(all[0]->thread.arg_as<RangeArg>().axis, all[0]->thread.src(0), blocks, Kind::Local);
      open(UOp(Op::For, dt::kVoid, {}, {thread}));
    }
    for (size_t k = 0; k < all.size(); ++k) {
      UOp mine;
      if (k + 1 < all.size()) mine = alu(Op::Lt, item, begin[k + 1]);
      if (k > 0) {
        const UOp not_before = alu(Op::Not, alu(Op::Lt, item, begin[k]));
        mine = mine ? alu(Op::And, mine, not_before) : not_before;
      }
      if (mine) open(UOp(Op::If, dt::kVoid, {}, {entered(mine)}));
      Substitution own;
      // It is no less than 0 in its scope: said, because divisions are cheaper then.
      if (all[k]->range) own.emplace_back(all[k]->range, k == 0 ? item : alu(Op::Max, item - begin[k], iconst(0)));
      if (all[k]->thread) own.emplace_back(all[k]->thread, thread);
      if (all[k]->range) entered(own[0].second);
      const UOp body = substitute(UOp(Op::Linear, dt::kVoid, name_, all[k]->body), own);
      entries_.insert(entries_.end(), body.src().begin(), body.src().end());
      if (mine) close();
    }
    while (!scopes_.empty()) close();
  }

  std::string name_;
  std::vector<int64_t> first_;
  Target target_;
  std::vector<Parts> kernels_;
  UOps entries_;
  UOps scopes_;
};
}  // namespace

JoinedPrograms joined(const UOp& together, std::span<const UOp> linears, const Target& target) {
  return Joiner(together, linears, target).run();
}

}  // namespace pg
