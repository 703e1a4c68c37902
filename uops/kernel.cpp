#include "uops/kernel.h"

#include <algorithm>
#include <cctype>
#include <unordered_set>

#include "uops/reducers.h"

namespace pg {

UOps expression_nodes(const UOp& root) {
  UOps nodes;
  std::unordered_set<const void*> seen{root.id()};
  UOps stack{root};
  while (!stack.empty()) {
    UOp u = std::move(stack.back());
    stack.pop_back();
    if (!u.is(Op::Define))
      for (const UOp& s : u.src())
        if (seen.insert(s.id()).second) stack.push_back(s);
    nodes.push_back(std::move(u));
  }
  return nodes;
}

std::vector<Definition> definitions(const UOp& kernel) {
  std::vector<Definition> all;
  for (const UOp& node : kernel.src()) {
    Definition d;
    d.node = node;
    if (node.is(Op::Output)) {
      d.store = node.src(0);
      d.value = d.store.src(1);
    } else if (node.is(Op::Define)) {
      d.value = node.src(0);
    } else {
      throw InternalError("a Kernel holds Defines and an Output, not " + std::string(info(node.op()).name));
    }
    d.ranges.assign(node.src().begin() + 1, node.src().end());
    for (const UOp& u : expression_nodes(d.value))
      if (u.is(Op::Reduce)) {
        if (d.reduce) throw InternalError("a definition holds two Reduces");
        d.reduce = u;
      }
    if (d.reduce) {
      const int states = reducer(d.reduce.arg_as<ReduceArg>().reducer).states;
      for (int i = 0; i < static_cast<int>(d.reduce.src().size()); ++i)
        (i < states ? d.bodies : d.reduce_ranges).push_back(d.reduce.src(i));
    }
    all.push_back(std::move(d));
  }
  return all;
}

bool unpacks(const Definition& d) {
  if (!d.node.is(Op::Define) || d.reduce || !d.value.dtype().is_float()) return false;
  bool any = false;
  for (const UOp& u : expression_nodes(d.value)) {
    if (!u.is(Op::Load)) continue;
    if (!u.src(0).src(0).is(Op::Param) || u.dtype().bytes() >= d.value.dtype().bytes()) return false;
    any = true;
  }
  return any;
}

bool merges_in_output(const Definition& d) {
  return d.store && d.value == d.reduce && d.bodies.size() == 1 && d.store.src().size() == 2 &&
         d.value.dtype() == d.store.src(0).dtype() && !depends_on(d.value, d.store.src(0).src(0));
}

UOps free_ranges(const UOp& expression) {
  UOps found;
  for (UOp& u : expression_nodes(expression))
    if (u.is(Op::Range)) found.push_back(std::move(u));
  std::sort(found.begin(), found.end(), [](const UOp& a, const UOp& b) {
    const auto &x = a.arg_as<RangeArg>(), &y = b.arg_as<RangeArg>();
    if (x.axis != y.axis) return x.axis < y.axis;
    if (x.tile == 0 || y.tile == 0) return x.tile == 0 && y.tile != 0;
    return x.tile > y.tile;  // outer to inner
  });
  return found;
}

UOps definition_reads(const UOp& expression) {
  UOps found;
  for (UOp& u : expression_nodes(expression))
    if (u.is(Op::Load) && u.src(0).src(0).is(Op::Define)) found.push_back(std::move(u));
  return found;
}

namespace {
/// Substitutes in an expression without looking into the definitions that it reads.
UOp substitute_outside(const UOp& expression, Substitution map) {
  for (const UOp& read : definition_reads(expression)) {
    UOps src{read.src(0).src(0)};
    for (const UOp& i : read.src(0).src().subspan(1)) src.push_back(substitute(i, map));
    map.insert(map.begin(), {read, load(read.src(0).with_src(src))});
  }
  return substitute(expression, map);
}
}  // namespace

UOp elementwise_inlined(const UOp& kernel, const std::vector<std::string>& kept_names) {
  const std::vector<Definition> all = definitions(kernel);
  const auto goes = [&](const Definition& d) {
    return d.node.is(Op::Define) && !d.reduce &&
           std::find(kept_names.begin(), kept_names.end(), d.node.arg_as<std::string>()) == kept_names.end();
  };
  if (std::none_of(all.begin(), all.end(), goes)) return kernel;
  std::vector<std::pair<UOp, UOp>> rebuilt;  // definition → its new node, or its value when it is inlined
  UOps kept;
  for (const Definition& d : all) {
    Substitution reads;
    for (const UOp& read : definition_reads(d.node.src(0)))
      for (const auto& [define, now] : rebuilt) {
        if (!(define == read.src(0).src(0))) continue;
        UOps at(read.src(0).src().begin() + 1, read.src(0).src().end());
        if (now.is(Op::Define)) {
          reads.emplace_back(read, load(index(now, at)));
        } else {
          Substitution axes;
          for (size_t i = 0; i < at.size(); ++i) axes.emplace_back(define.src(i + 1), at[i]);
          reads.emplace_back(read, substitute_outside(now, axes));
        }
      }
    UOps src(d.node.src().begin(), d.node.src().end());
    src[0] = substitute(src[0], reads);
    const bool inline_it = goes(d);
    const UOp node = inline_it ? src[0] : d.node.with_src(src);
    rebuilt.emplace_back(d.node, node);
    if (!inline_it) kept.push_back(node);
  }
  return kernel.with_src(kept);
}

UOps params_of(const UOp& root) {
  UOps found = collect(root, [](const UOp& u) { return u.is(Op::Param); });
  std::sort(found.begin(), found.end(),
            [](const UOp& a, const UOp& b) { return a.arg_as<ParamArg>().slot < b.arg_as<ParamArg>().slot; });
  return found;
}
UOps variables_of(const UOp& root) {
  UOps found = collect(root, [](const UOp& u) { return u.is(Op::Variable); });
  std::sort(found.begin(), found.end(),
            [](const UOp& a, const UOp& b) { return a.arg_as<VariableArg>().name < b.arg_as<VariableArg>().name; });
  return found;
}

std::string identifier(std::string_view name) {
  std::string s;
  for (char c : name) s += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return s.empty() || std::isdigit(static_cast<unsigned char>(s[0])) ? "k_" + s : s;
}

}  // namespace pg
