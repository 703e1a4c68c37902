#include "uops/uop.h"

#include "uops/memo.h"

namespace pg {

namespace {
using namespace op_flag;
constexpr OpInfo kOps[] = {
#define OP(name, least, most, flags) {#name, least, most, flags},
#include "uops/ops.def"
#undef OP
};
}  // namespace

const OpInfo& info(Op op) { return kOps[static_cast<int>(op)]; }

std::optional<Op> parse_op(std::string_view name) {
  for (int i = 0; i < kOpCount; ++i)
    if (name == kOps[i].name) return static_cast<Op>(i);
  return std::nullopt;
}

namespace {
constexpr const char* kKinds[] = {"loop", "unroll", "upcast", "vec", "local", "grid", "tc"};
}
const char* text(Kind k) { return kKinds[static_cast<int>(k)]; }
std::optional<Kind> parse_kind(std::string_view name) {
  for (int i = 0; i < static_cast<int>(std::size(kKinds)); ++i)
    if (name == kKinds[i]) return static_cast<Kind>(i);
  return std::nullopt;
}

// ---- walking ---------------------------------------------------------------------------------------------------------

UOps toposort(std::span<const UOp> roots) {
  UOps order;
  Memo<char> seen;
  std::vector<std::pair<const UOp*, size_t>> stack;  // into the graph, which the roots keep
  for (const UOp& root : roots) {
    if (!seen.add(root, 1)) continue;
    stack.emplace_back(&root, 0);
    while (!stack.empty()) {
      auto& [node, next] = stack.back();
      if (next == node->src().size()) {
        order.push_back(*node);
        stack.pop_back();
        continue;
      }
      const UOp& s = node->src(next++);
      if (seen.add(s, 1)) stack.emplace_back(&s, 0);
    }
  }
  return order;
}
UOps toposort(const UOp& root) { return toposort(std::span(&root, 1)); }

namespace {
/// Rebuilds bottom-up; `fixed` gives a replacement before the sources are looked at, `f` afterwards.
template <class Fixed, class F>
UOp rebuild(const UOp& root, Fixed fixed, F f) {
  Memo<UOp> done;
  std::vector<const UOp*> stack{&root};
  UOps src;
  while (!stack.empty()) {
    const UOp& u = *stack.back();
    if (done.find(u)) {
      stack.pop_back();
      continue;
    }
    if (UOp r = fixed(u)) {
      done.set(u, std::move(r));
      stack.pop_back();
      continue;
    }
    const size_t depth = stack.size();
    bool changed = false;
    for (const UOp& s : u.src())
      if (const UOp* d = done.find(s)) changed |= !(*d == s);
      else stack.push_back(&s);
    if (stack.size() > depth) continue;
    stack.pop_back();
    UOp v = u;
    if (changed) {
      src.clear();
      for (const UOp& s : u.src()) src.push_back(*done.find(s));
      v = u.with_src(src);
    }
    if (UOp r = f(v)) v = std::move(r);
    done.set(u, std::move(v));
  }
  return *done.find(root);
}
UOp keep(const UOp&) { return {}; }
}  // namespace

UOp substitute(const UOp& root, const Substitution& map) {
  if (map.empty()) return root;
  Memo<const UOp*> to;
  for (const auto& [from, target] : map) to.add(from, &target);
  auto target = [&](const UOp& u) {
    const UOp* const* t = to.find(u);
    return t ? **t : UOp();
  };
  return rebuild(root, target, keep);
}
UOp transform(const UOp& root, const std::function<UOp(const UOp&)>& f) { return rebuild(root, keep, f); }

UOps collect(const UOp& root, const std::function<bool(const UOp&)>& f) {
  UOps found;
  for (const UOp& u : toposort(root))
    if (f(u)) found.push_back(u);
  return found;
}
bool depends_on(const UOp& root, const UOp& node) {
  Memo<char> seen;
  std::vector<const UOp*> stack{&root};
  while (!stack.empty()) {
    const UOp* u = stack.back();
    stack.pop_back();
    if (*u == node) return true;
    for (const UOp& s : u->src())
      if (seen.add(s, 1)) stack.push_back(&s);
  }
  return false;
}

}  // namespace pg
