#include "src/graph/alternatives.h"

#include <algorithm>
#include <map>
#include <set>

#include "src/graph/index_map.h"
#include "uops/simplify.h"
#include "uops/text.h"

namespace pg {

namespace {
bool moves_with(const Use& use, const UOp& range) {
  return std::any_of(use.index.begin(), use.index.end(), [&](const UOp& i) { return depends_on(i, range); });
}
bool moves_with_any(const Use& use, const UOps& ranges) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const UOp& r) { return moves_with(use, r); });
}
bool moves_with_all(const Use& use, const UOps& ranges) {
  return std::all_of(ranges.begin(), ranges.end(), [&](const UOp& r) { return moves_with(use, r); });
}

}  // namespace

bool streams(const UOp& reduction) {
  UOps axes;
  for (const UOp& extent : extents_of(reduction.src(0)))
    axes.push_back(is_one(extent) ? iconst(0) : range("s" + std::to_string(axes.size()), extent));
  std::vector<std::pair<UOp, UOps>> operands{{reduction.src(0), axes}};
  std::map<const void*, std::vector<UOps>> seen;  // a value that is used twice at each step has exponentially many uses
  while (!operands.empty()) {
    auto [node, index] = operands.back();
    operands.pop_back();
    std::vector<UOps>& before = seen[node.id()];
    if (std::find(before.begin(), before.end(), index) != before.end()) continue;
    before.push_back(index);
    if (info(node.op()).has(op_flag::Movement)) {
      operands.emplace_back(node.src(0), source_index(node, index).index);
    } else if (info(node.op()).has(op_flag::Elementwise)) {
      for (const UOp& s : node.src()) operands.emplace_back(s, index);
    } else if (!node.is(Op::Const) && !node.is(Op::Arange)) {
      if (std::all_of(axes.begin(), axes.end(), [&](const UOp& axis) {
            return !axis.is(Op::Range) ||
                   std::any_of(index.begin(), index.end(), [&](const UOp& i) { return depends_on(i, axis); });
          }))
        return true;
    }
  }
  return false;
}

bool at_most(const UOp& node, int64_t most) {
  int64_t n = 1;
  for (const UOp& extent : extents_of(node)) {
    const int64_t hi = bounds(extent).hi;
    if (hi > most) return false;
    n *= std::max<int64_t>(hi, 1);
    if (n > most) return false;
  }
  return true;
}

namespace {
/// More of them are better computed by a kernel of their own, for which the schedule is better.
constexpr int64_t kFewQueries = 16 << 10;

const KernelSketch& kernel_of(const Use& use, const std::vector<KernelSketch>& kernels) { return kernels[use.kernel]; }

std::optional<Alternative> of_elementwise(const UOp& node, const std::vector<const Use*>& uses,
                                          const std::vector<KernelSketch>& kernels) {
  // A row that every output reads: a normalised vector in front of a matrix. It is computed once a core.
  const bool row = std::all_of(uses.begin(), uses.end(),
                               [&](const Use* u) { return !moves_with_any(*u, kernel_of(*u, kernels).ranges); });
  if (row) return Alternative{"rows", "", node, at_most(node, kLongestWholeRow)};
  // What is computed once for each block of rows, as the queries of an attention are.
  const bool outside = std::all_of(uses.begin(), uses.end(), [&](const Use* u) {
    const KernelSketch& k = kernel_of(*u, kernels);
    return k.reduction && !moves_with_any(*u, k.reduce_ranges.at(k.reduction));
  });
  if (outside) return Alternative{"queries", "", node, at_most(node, kFewQueries)};
  return Alternative{"repeated", "", node, false};
}

std::optional<Alternative> of_reduction(const UOp& node, const UOp& reduction, const std::vector<const Use*>& uses,
                                        const std::vector<KernelSketch>& kernels) {
  constexpr size_t kMostPlaces = 2;
  const KernelSketch& kernel = kernel_of(*uses[0], kernels);
  const bool one_kernel =
      std::all_of(uses.begin(), uses.end(), [&](const Use* u) { return u->kernel == uses[0]->kernel && !u->in_body; });
  if (!one_kernel || uses.size() > kMostPlaces) return std::nullopt;
  // Each output reads elements of its own: nothing is computed more than once for each place.
  if (!std::all_of(uses.begin(), uses.end(), [&](const Use* u) { return moves_with_all(*u, kernel.ranges); }))
    return std::nullopt;
  const bool beside = static_cast<bool>(kernel.reduction);
  return Alternative{beside ? "side_by_side" : "places", "", node,
                     streams(reduction) && (!beside || streams(kernel.reduction))};
}
}  // namespace

bool pays_on_a_gpu(const Alternative& a) {
  if (a.name == "rows") return a.readers == 1;
  return a.name == "one_pass" || a.name == "queries" || a.name == "side_by_side" || a.name == "together";
}

bool belongs_to_a_row(const UOp& reduction, const std::vector<const Use*>& uses) {
  return at_most(reduction.src(0), kLongestWholeRow) && std::all_of(uses.begin(), uses.end(), [](const Use* u) {
           return u->in_place &&
                  std::all_of(u->index.begin(), u->index.end(), [](const UOp& i) { return const_int(i).has_value(); });
         });
}

std::string shape_text(const UOps& extents) {
  std::string s;
  for (const UOp& extent : extents) s += (s.empty() ? "" : "x") + pretty(simplify(extent));
  s.erase(std::remove(s.begin(), s.end(), ' '), s.end());
  return s;
}

std::optional<Alternative> alternative_of(const UOp& node, const UOp& reduction, const std::vector<const Use*>& uses,
                                          const std::vector<KernelSketch>& kernels) {
  auto a = reduction ? of_reduction(node, reduction, uses, kernels) : of_elementwise(node, uses, kernels);
  if (!a) return a;
  a->site = a->name + " " + text(node.dtype()) + "[" + shape_text(extents_of(node)) + "]";
  if (reduction) a->site += " of " + shape_text(extents_of(reduction.src(0)));
  std::set<std::string> readers;
  for (const Use* u : uses) {
    const KernelSketch& k = kernel_of(*u, kernels);
    const auto extents = [](const UOps& ranges) {
      UOps all;
      for (const UOp& r : ranges) all.push_back(r.src(0));
      return shape_text(all);
    };
    readers.insert(extents(k.ranges) + (k.reduction ? "|" + extents(k.reduce_ranges.at(k.reduction)) : ""));
  }
  std::set<int> kernel_numbers;
  for (const Use* u : uses) kernel_numbers.insert(u->kernel);
  a->readers = kernel_numbers.size();
  for (const std::string& r : readers) a->site += (r == *readers.begin() ? " in " : ", ") + r;
  return a;
}

}  // namespace pg
