#include "uops/verify.h"

#include <algorithm>
#include <bitset>
#include <initializer_list>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "uops/kernel.h"
#include "uops/linear.h"
#include "uops/memo.h"
#include "uops/text.h"
#include "uops/typing.h"

namespace pg {

namespace {
using Ops = std::bitset<kOpCount>;

Ops with(Ops set, std::initializer_list<Op> more) {
  for (Op op : more) set.set(static_cast<size_t>(op));
  return set;
}
Ops flagged(uint32_t flags) {
  Ops set;
  for (int op = 0; op < kOpCount; ++op)
    if (info(static_cast<Op>(op)).has(flags)) set.set(static_cast<size_t>(op));
  return set;
}

const Ops& allowed(Stage stage) {
  static const Ops values = with(flagged(op_flag::Elementwise), {Op::Const, Op::Variable});
  static const Ops memory = with(values, {Op::Param, Op::Range, Op::Index, Op::Load, Op::Store});
  static const Ops threads = with({}, {Op::Barrier, Op::CopyAsync, Op::CopyCommit, Op::CopyWait, Op::LaneXor});
  static const Ops kernel = with(memory, {Op::Reduce, Op::Project, Op::Define, Op::Output, Op::Kernel});
  static const Ops tree =
      with(memory, {Op::Memory, Op::Broadcast, Op::Block, Op::For, Op::If, Op::StoreAll, Op::Prefetch}) | threads;
  static const Ops vectors =
      with(memory, {Op::Memory, Op::Prefetch, Op::Lanes, Op::Broadcast, Op::Stack, Op::Shuffle, Op::For, Op::If}) | threads;
  static const Ops by_stage[] = {
      with(values | flagged(op_flag::Movement),
           {Op::Buffer, Op::Project, Op::ReduceAxis, Op::Arange, Op::Gather, Op::Contiguous, Op::Assign}),
      kernel,
      with(kernel, {Op::Scheduled, Op::Nest, Op::Directive}),
      with(tree, {Op::Reduce, Op::Project}),
      with(vectors, {Op::Block, Op::StoreAll}),
      with(vectors, {Op::End, Op::Linear}),
  };
  return by_stage[static_cast<int>(stage)];
}
const char* name(Stage stage) {
  static constexpr const char* names[] = {"tensor", "kernel", "scheduled", "nests", "expanded", "linear"};
  return names[static_cast<int>(stage)];
}

bool is_register(const UOp& range) {
  const Kind k = range.arg_as<RangeArg>().kind;
  return k == Kind::Unroll || k == Kind::Upcast || k == Kind::Vec;
}

/// Ranges that an expression leaves free, as bits in the order in which the Ranges are met. Beyond kMostRanges they go
/// unchecked.
constexpr size_t kMostRanges = 256;
using Free = std::bitset<kMostRanges>;

class Verifier {
 public:
  Verifier(Stage stage, std::string_view pass) : stage_(stage), pass_(pass), allowed_(allowed(stage)) {}

  void run(const UOp& root) {
    constexpr std::pair<Stage, Op> roots[] = {
        {Stage::Kernel, Op::Kernel}, {Stage::Scheduled, Op::Scheduled}, {Stage::Linear, Op::Linear}};
    for (const auto& [stage, op] : roots)
      if (stage_ == stage && !root.is(op)) fail(root, std::string("the root is no ") + info(op).name);
    for (const UOp& u : toposort(root)) node(u);
    switch (stage_) {
      case Stage::Tensor: return;
      case Stage::Kernel: return kernel(root);
      case Stage::Scheduled: return scheduled(root);
      case Stage::Nests:
      case Stage::Expanded: return statement(root, {});
      case Stage::Linear: return linear(root);
    }
  }

 private:
  [[noreturn]] void fail(const UOp& u, const std::string& what) const {
    throw InternalError("after " + pass_ + " (" + name(stage_) + " stage): " + info(u.op()).name + " " + text(u.dtype()) +
                        ": " + what + "\n  in " + pretty(u));
  }

  // ---- every node ----
  void node(const UOp& u) {
    if (!allowed_.test(static_cast<size_t>(u.op()))) fail(u, "the op has no place in this stage");
    if (!u.facts().has(Facts::Typed)) {
      if (const std::string fault = typing_fault(u); !fault.empty()) fail(u, fault);
      u.facts().add(Facts::Typed);
    }
    if (stage_ == Stage::Tensor) return;
    if (u.is(Op::Index)) indices(u);
    if (stage_ < Stage::Expanded && u.dtype().lanes > 1 && !u.is(Op::Memory) && (stage_ < Stage::Nests || u.is(Op::Index)))
      fail(u, "vectors come with registers_expanded");
    if (u.is(Op::Range) && (stage_ == Stage::Expanded || stage_ == Stage::Linear) && is_register(u))
      fail(u, "a register range is left");
    free_.set(u, free_below(u));
  }
  void indices(const UOp& u) {
    const UOp& buffer = u.src(0);
    const size_t given = u.src().size() - 1;
    const size_t dimensions = buffer.src().size() - (buffer.is(Op::Define) ? 1 : 0);
    const bool lane = buffer.is(Op::Memory) && buffer.dtype().lanes > 1 && u.dtype().lanes == 1;
    const bool flat = given == 1 && !buffer.is(Op::Define), full = given == dimensions + (lane ? 1 : 0);
    if (stage_ >= Stage::Expanded ? !flat : stage_ == Stage::Nests ? !flat && !full : !full)
      fail(u, std::to_string(given) + " indices for " + std::to_string(dimensions) + " dimensions");
  }

  Free bit(const UOp& range) {
    const auto [it, fresh] = numbers_.try_emplace(range.id(), numbers_.size());
    Free f;
    if (it->second < kMostRanges) f.set(it->second);
    return f;
  }
  Free free_below(const UOp& u) {
    Free f;
    if (u.is(Op::Range)) return bit(u) | *free_.find(u.src(0));
    for (const UOp& s : u.src()) f |= *free_.find(s);
    if (u.is(Op::Reduce) || u.is(Op::Define) || u.is(Op::Output))
      for (const UOp& r : u.src())
        if (r.is(Op::Range)) f &= ~bit(r);
    return f;
  }
  /// Register ranges need no loop in Nests: they are opened by registers_expanded.
  void check_open(const UOp& u, const UOp& where, const Free& open) {
    const Free missing = *free_.find(u) & ~open;
    if (missing.none()) return;
    for (const UOp& r : collect(u, [](const UOp& x) { return x.is(Op::Range); })) {
      const auto it = numbers_.find(r.id());
      if (it->second < kMostRanges && missing.test(it->second) && !(stage_ == Stage::Nests && is_register(r)))
        fail(where, "the range " + pretty(r) + " is not open here");
    }
  }

  // ---- Kernel, Scheduled ----
  void kernel(const UOp& root) {
    std::unordered_map<std::string, UOp> axes;
    for (const UOp& r : collect(root, [](const UOp& u) { return u.is(Op::Range); })) {
      const auto& arg = r.arg_as<RangeArg>();
      if (arg.tile != 0 || arg.kind != Kind::Loop) fail(r, "an axis of a kernel is not split yet");
      if (const_int(r.src(0)) == 1) fail(r, "an axis of extent 1");
      if (!axes.emplace(arg.axis, r).second) fail(root, "two axes are named " + arg.axis);
    }
    std::unordered_set<const void*> known;
    for (const UOp& d : root.src()) {
      for (const UOp& u : collect(d, [](const UOp& x) { return x.is(Op::Define); }))
        if (!(u == d) && !known.contains(u.id())) fail(d, "it reads a definition that does not stand before it");
      known.insert(d.id());
      check_open(d, d, {});
    }
    params(root);
    definitions(root);  // at most one Reduce each
  }
  void params(const UOp& root) {
    std::unordered_map<int64_t, UOp> slots;
    for (const UOp& p : params_of(root))
      if (!slots.emplace(p.arg_as<ParamArg>().slot, p).second)
        fail(p, "two Params of slot " + std::to_string(p.arg_as<ParamArg>().slot));
  }
  void scheduled(const UOp& root) {
    kernel(root.src(0));
    UOps ranges;
    for (const UOp& s : root.src().subspan(1)) {
      if (s.is(Op::Range)) ranges.push_back(s);
      if (s.is(Op::Nest)) split_ranges(UOps(s.src().begin(), s.src().end()), s);
    }
    split_ranges(ranges, root);
  }
  void split_ranges(const UOps& ranges, const UOp& root) {
    std::unordered_set<const void*> seen;
    for (const UOp& r : ranges) {
      if (!seen.insert(r.id()).second) fail(root, "the range " + pretty(r) + " stands twice");
      if (is_register(r) && !const_int(r.src(0))) fail(r, "a register range has constant trips");
    }
  }

  // ---- Nests, Expanded ----
  void statement(const UOp& s, const Free& open) {
    switch (s.op()) {
      case Op::Block:
        for (const UOp& one : s.src()) statement(one, open);
        return;
      case Op::For:
      case Op::If:
        if (s.src().size() != 2) fail(s, "the body is missing");
        if (s.is(Op::For)) {
          check_open(s.src(0).src(0), s, open);
          if (is_register(s.src(0)) && !(stage_ == Stage::Nests && s.src(0).arg_as<RangeArg>().kind == Kind::Unroll))
            fail(s, "a For over a register range");
          return statement(s.src(1), open | bit(s.src(0)));
        }
        check_open(s.src(0), s, open);
        return statement(s.src(1), open);
      case Op::Prefetch:
      case Op::CopyAsync:
      case Op::Store:
      case Op::StoreAll: return check_open(s, s, open);
      case Op::Barrier:
      case Op::CopyCommit:
      case Op::CopyWait:
      case Op::Memory: return;
      default: fail(s, "no statement");
    }
  }

  // ---- Linear ----
  void linear(const UOp& root) {
    Memo<int> bound;  // value → number of the scope that bound it
    std::vector<UOp> scopes;
    std::vector<std::vector<UOp>> values{{}};
    Free open, threads;
    bool blocks = false;  // this grid has its threads
    const auto is_threads = [](const UOp& s) { return s.is(Op::For) && s.src(0).arg_as<RangeArg>().kind == Kind::Local; };
    auto use = [&](const UOp& entry, const UOp& s, auto&& self) -> void {
      if (s.is(Op::Index)) {
        self(entry, s.src(1), self);
        if (s.src(0).is(Op::Memory)) self(entry, s.src(0), self);
      } else if (is_linear_value(s) || s.is(Op::Memory)) {
        const int* scope = bound.find(s);
        if (!scope || *scope < 0) fail(entry, "it uses " + pretty(s) + ", which has no value here");
      }
    };
    for (const UOp& e : root.src()) {
      const bool opens = e.is(Op::For) || e.is(Op::If);
      const bool binds = e.is(Op::Memory) || is_linear_value(e);
      if (!opens && !binds && !e.is(Op::End) && !e.is(Op::Store) && !e.is(Op::Prefetch) && !is_block_statement(e))
        fail(e, "no entry of a Linear");
      if (opens && e.src().size() != 1) fail(e, "a For or If of a Linear has no body");
      if ((is_block_statement(e) || e.is(Op::LaneXor)) && std::none_of(scopes.begin(), scopes.end(), is_threads))
        fail(e, "only the threads of a block do this");
      if (e.is(Op::Barrier) || e.is(Op::CopyCommit) || e.is(Op::CopyWait) || e.is(Op::LaneXor))
        for (const UOp& s : scopes)
          if ((*free_.find(s.is(Op::If) ? s.src(0) : s.src(0).src(0)) & threads).any())
            fail(e, "all threads of the block must come here, and " + pretty(s) + " tells them apart");
      if (e.is(Op::End)) {
        if (scopes.empty() || !(scopes.back() == e.src(0))) fail(e, "it closes what is not the innermost scope");
        if (e.src(0).is(Op::For)) open &= ~bit(e.src(0).src(0));
        for (const UOp& v : values.back()) bound.set(v, -1);
        values.pop_back();
        scopes.pop_back();
        continue;
      }
      const UOp& checked = e.is(Op::For) ? e.src(0).src(0) : e;
      check_open(checked, e, open);
      if (e.is(Op::For))
        use(e, checked, use);
      else if (!e.is(Op::Memory))
        for (const UOp& s : e.src()) use(e, s, use);
      if (opens) {
        if (e.is(Op::For)) {
          const Kind kind = e.src(0).arg_as<RangeArg>().kind;
          if (kind == Kind::Grid && std::any_of(scopes.begin(), scopes.end(), [](const UOp& s) { return s.is(Op::For); }))
            fail(e, "a grid inside a loop");
          if (kind == Kind::Local && std::any_of(scopes.begin(), scopes.end(), [](const UOp& s) {
                return !s.is(Op::For) || s.src(0).arg_as<RangeArg>().kind != Kind::Grid;
              }))
            fail(e, "threads inside a loop");
          if (kind != Kind::Grid && kind != Kind::Loop && kind != Kind::Local)
            fail(e, "a loop of kind " + std::string(text(kind)));
          open |= bit(e.src(0));
          if (kind == Kind::Grid) blocks = false;
          if (kind == Kind::Local && std::exchange(blocks, true)) fail(e, "a second For over the threads of a block");
          if (kind == Kind::Local) threads = bit(e.src(0));
        }
        scopes.push_back(e);
        values.emplace_back();
      } else if (binds) {
        const int* scope = bound.find(e);
        if (scope && *scope >= 0) continue;  // bound again: it lives as long as its first binding
        bound.set(e, static_cast<int>(scopes.size()));
        values.back().push_back(e);
      }
    }
    if (!scopes.empty()) fail(scopes.back(), "the scope is not closed");
    params(root);
  }

  Stage stage_;
  std::string pass_;
  const Ops& allowed_;
  Memo<Free> free_;
  std::unordered_map<const void*, size_t> numbers_;
};
}  // namespace

void verify(const UOp& root, Stage stage, std::string_view pass) { Verifier(stage, pass).run(root); }

}  // namespace pg
