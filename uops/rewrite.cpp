#include "uops/rewrite.h"

#include <bit>
#include <unordered_set>

#include "uops/fold.h"
#include "uops/memo.h"
#include "uops/rewriter.h"
#include "uops/text.h"

namespace pg {

Pat fold(Pat p) {
  Pat f(0);
  f.what = Pat::What::Fold;
  f.src.push_back(std::move(p));
  return f;
}

Guard operator&&(Guard a, Guard b) {
  return [a = std::move(a), b = std::move(b)](const Bindings& x) { return a(x) && b(x); };
}

namespace {
/// What is still to be matched: a list on the stack of the calls, so that giving up a choice costs nothing.
struct Goal {
  const Pat* pattern;
  const UOp* node;
  const Goal* next;
};

bool admits(Pat::Only only, const UOp& u) {
  switch (only) {
    case Pat::Only::Anything: return true;
    case Pat::Only::Float: return u.dtype().is_float();
    case Pat::Only::Int: return u.dtype().is_int();
    case Pat::Only::Bool: return u.dtype().is_bool();
    case Pat::Only::Constant: return scalar_const(u) && !u.dtype().is_bool();
    case Pat::Only::IntConstant: return u.dtype().is_int() && scalar_const(u);
  }
  return false;
}
bool is_literal(const UOp& u, double value) {
  const UOp* c = scalar_const(u);
  if (!c) return false;
  if (const int64_t* i = std::get_if<int64_t>(&c->arg())) return static_cast<double>(*i) == value;
  return std::bit_cast<uint64_t>(std::get<double>(c->arg())) == std::bit_cast<uint64_t>(value);
}

bool solve(const Goal* goal, Bindings& b, const Guard& guard) {
  if (!goal) return !guard || guard(b);
  const Pat& p = *goal->pattern;
  const UOp& u = *goal->node;
  switch (p.what) {
    case Pat::What::Slot:
      if (b.node[p.slot]) return *b.node[p.slot] == u && solve(goal->next, b, guard);
      if (!admits(p.only, u)) return false;
      b.node[p.slot] = &u;
      if (solve(goal->next, b, guard)) return true;
      b.node[p.slot] = nullptr;
      return false;
    case Pat::What::Literal: return is_literal(u, p.value) && solve(goal->next, b, guard);
    case Pat::What::Fold: return false;
    case Pat::What::Node: break;
  }
  if (u.op() != p.op) return false;
  if (p.src.empty()) return solve(goal->next, b, guard);
  if (u.src().size() != p.src.size()) return false;
  Goal parts[3];
  const int n = static_cast<int>(p.src.size());
  for (int i = 0; i < n; ++i) parts[i] = {&p.src[i], &u.src(i), i + 1 < n ? &parts[i + 1] : goal->next};
  if (solve(parts, b, guard)) return true;
  if (n != 2 || !info(p.op).has(op_flag::Commutative) || u.src(0) == u.src(1)) return false;
  std::swap(parts[0].node, parts[1].node);
  return solve(parts, b, guard);
}
}  // namespace

bool match(const Pat& pattern, const UOp& u, Bindings& out, const Guard& guard) {
  out = {};
  const Goal goal{&pattern, &u, nullptr};
  return solve(&goal, out, guard);
}

UOp instantiate(const Pat& p, const Bindings& b, DType like) {
  switch (p.what) {
    case Pat::What::Slot: return b[p.slot];
    case Pat::What::Literal: return constant(like, p.value);
    case Pat::What::Fold: {
      const UOp u = instantiate(p.src[0], b, like);
      return !u || scalar_const(u) ? u : folded(u);
    }
    case Pat::What::Node: break;
  }
  // Literals take the type of a sibling that is none.
  UOps src(p.src.size());
  const bool where = p.op == Op::Where;
  for (bool literals : {false, true})
    for (size_t i = 0; i < p.src.size(); ++i) {
      if ((p.src[i].what == Pat::What::Literal) != literals) continue;
      DType t = like;
      for (size_t k = where ? 1 : 0; k < p.src.size(); ++k)
        if (p.src[k].what != Pat::What::Literal && src[k]) t = src[k].dtype();
      src[i] = instantiate(p.src[i], b, t);
      if (!src[i]) return {};
    }
  if (src.size() == 1) return alu(p.op, src[0]);
  return src.size() == 2 ? alu(p.op, src[0], src[1]) : alu(p.op, src[0], src[1], src[2]);
}

UOp Right::operator()(const UOp& node, const Bindings& b) const {
  return code ? code(node, b) : instantiate(pattern, b, node.dtype());
}

namespace {
void check(const Pat& p, const std::string& rule, uint32_t& bound, bool right) {
  if (p.what == Pat::What::Slot) {
    if (p.slot < 0 || p.slot >= Bindings::kSlots) throw InternalError("rule " + rule + ": slot out of range");
    if (!right)
      bound |= 1u << p.slot;
    else if (!(bound >> p.slot & 1))
      throw InternalError("rule " + rule + ": slot " + std::to_string(p.slot) + " is not bound");
  }
  if (p.what == Pat::What::Fold && !right) throw InternalError("rule " + rule + ": fold stands on the left");
  if (p.src.size() > 3) throw InternalError("rule " + rule + ": more than three sources");
  for (const Pat& s : p.src) check(s, rule, bound, right);
}
}  // namespace

RuleSet::RuleSet(std::vector<Rule> rules) : rules_(std::move(rules)), by_op_(kOpCount) {
  std::unordered_set<std::string> names;
  for (const Rule& r : rules_) {
    if (!names.insert(r.name).second) throw InternalError("two rules are named " + r.name);
    uint32_t bound = 0;
    check(r.from, r.name, bound, false);
    if (!r.to.code) check(r.to.pattern, r.name, bound, true);
    for (int op = 0; op < kOpCount; ++op)
      if (r.from.what != Pat::What::Node || r.from.op == static_cast<Op>(op)) by_op_[op].push_back(&r);
  }
}

UOp RuleSet::apply(const UOp& node, const Rule** applied) const {
  for (const Rule* r : by_op_[static_cast<int>(node.op())]) {
    Bindings b;
    const Goal goal{&r->from, &node, nullptr};
    if (!solve(&goal, b, r->when)) continue;
    if (UOp to = r->to(node, b); to && !(to == node)) {
      if (applied) *applied = r;
      return to;
    }
  }
  return {};
}

namespace {
bool is_kept(const UOp& u) {
  switch (u.op()) {
    case Op::Const:
    case Op::Variable:
    case Op::Buffer:
    case Op::Param:
    case Op::Lanes:
    case Op::Memory:
    case Op::Define: return true;
    default: return false;
  }
}
/// Whether source i names something instead of giving a value.
bool is_name(const UOp& u, size_t i) {
  switch (u.op()) {
    case Op::Range: return true;
    case Op::Index: return i == 0;
    case Op::For:
    case Op::Reduce:
    case Op::Output:
    case Op::Scheduled:
    case Op::Nest: return u.src(i).is(Op::Range);
    default: return false;
  }
}
}  // namespace

UOp Rewriter::rebuilt(const UOp& u) const {
  bool changed = false;
  UOps src;
  for (size_t i = 0; i < u.src().size(); ++i) {
    const UOp* s = is_name(u, i) ? nullptr : find(u.src(i));
    if (!s || *s == u.src(i)) {
      if (changed) src.push_back(u.src(i));
      continue;
    }
    if (!changed) src.assign(u.src().begin(), u.src().begin() + static_cast<long>(i));
    changed = true;
    src.push_back(*s);
  }
  return changed ? u.with_src(src) : u;
}

const UOp* Rewriter::find(const UOp& u) const {
  if (is_kept(u) || (settles_ && u.facts().has(Facts::Simplest))) return &u;
  return memo_.find(u);
}

UOp Rewriter::operator()(const UOp& root) {
  if (const UOp* r = find(root)) return *r;
  std::vector<Frame> stack{{root, root}};
  while (true) {
    Frame& f = stack.back();
    UOp result;
    if (const UOp* done = find(f.current)) {
      result = *done;
    } else {
      const UOp u = f.current;
      const size_t depth = stack.size();
      for (size_t i = 0; i < u.src().size(); ++i)
        if (!is_name(u, i) && !find(u.src(i))) stack.push_back({u.src(i), u.src(i)});
      if (stack.size() > depth) continue;
      UOp v = rebuilt(u);
      const Rule* rule = nullptr;
      if (UOp next = rules_.apply(v, &rule)) {
        step(*rule, v, next);
        f.current = std::move(next);
        continue;
      }
      if (settles_)
        v.facts().add(Facts::Simplest);
      else
        remember(v, v);
      if (!(v == u)) remember(u, v);
      result = std::move(v);
    }
    if (!(f.original == result)) remember(f.original, result);
    if (stack.size() == 1) return result;
    stack.pop_back();
  }
}

void Rewriter::step(const Rule& rule, const UOp& from, const UOp& to) {
  if (++steps_ > options_.max_steps)
    throw InternalError("rewrite: " + std::to_string(options_.max_steps) + " steps and no end; the last was " + rule.name +
                        ": " + pretty(from) + " -> " + pretty(to));
  if (options_.trace) options_.trace->push_back(rule.name + ": " + pretty(from) + " -> " + pretty(to));
}

UOp rewrite(const UOp& root, const RuleSet& rules, const RewriteOptions& options) {
  return Rewriter(rules, options, false)(root);
}

}  // namespace pg
