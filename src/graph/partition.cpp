#include "src/graph/partition.h"

#include <algorithm>
#include <set>

#include "src/graph/alternatives.h"
#include "src/graph/index_map.h"
#include "src/graph/kernel_builder.h"
#include "src/graph/launches.h"
#include "src/graph/one_pass.h"
#include "src/graph/rewrites.h"
#include "src/graph/winograd.h"
#include "src/tensor/buffers.h"
#include "uops/kernel.h"
#include "uops/text.h"

namespace pg {

namespace {
/// The sketches with rules 3 (axes to split), 4 and 7 settled: they depend on what the kernels turn out to be.
struct Settled {
  Sketches sketches;
  std::vector<BuiltKernel> built;  // parallel to sketches.kernels
};

Settled settle(const TensorGraph& graph, Decisions decisions) {
  for (;;) {
    Settled result{materialise(graph, decisions), {}};
    const std::vector<KernelSketch>& kernels = result.sketches.kernels;
    bool again = false;
    for (const auto& [root, split] : result.sketches.wanted_splits) again |= decisions.splits.emplace(root, split).second;
    for (int k = 0; k < static_cast<int>(kernels.size()); ++k)
      if (kernels[k].shared && kernels[k].rows.empty()) again |= decisions.repeated.insert(kernels[k].root).second;
    if (again) continue;
    for (int k = 0; k < static_cast<int>(kernels.size()); ++k) {
      result.built.push_back(build_kernel(result.sketches, k));
      if (result.built.back().reads_elsewhere) again |= decisions.stored.insert(kernels[k].root.src(1)).second;
    }
    if (!again) return result;
  }
}

/// Sources before users; who reads a Buffer's old contents, or an earlier Assign's, before who overwrites them.
class Order {
 public:
  Order(const TensorGraph& graph, const Settled& settled) : graph_(graph), settled_(settled) {
    const int n = static_cast<int>(settled.built.size());
    before_.resize(n);
    for (int k = 0; k < n; ++k)
      for (const UOp& read : settled.built[k].reads)
        if (!read.is(Op::Buffer)) before_[k].insert(settled.sketches.kernel_of.at(read));
    for (int k = 0; k < n; ++k)
      if (root(k).is(Op::Assign)) order_writes(k);
  }

  /// Kernel numbers; of those that may run next, the one whose root stands first in the graph.
  std::vector<int> sorted() const {
    std::vector<int> order, missing(before_.size());
    std::vector<std::vector<int>> after(before_.size());
    std::set<std::pair<int, int>> ready;
    for (int k = 0; k < static_cast<int>(before_.size()); ++k) {
      missing[k] = static_cast<int>(before_[k].size());
      for (int b : before_[k]) after[b].push_back(k);
      if (missing[k] == 0) ready.emplace(position(k), k);
    }
    while (!ready.empty()) {
      const int k = ready.begin()->second;
      ready.erase(ready.begin());
      order.push_back(k);
      for (int a : after[k])
        if (--missing[a] == 0) ready.emplace(position(a), a);
    }
    if (order.size() != before_.size())
      throw UserError(
          "assign: a tensor is read both before and after it is written, in one computation; realize() the old values "
          "first");
    return order;
  }

  /// Of each kernel, in this order.
  std::vector<LaunchNeeds> needs(const std::vector<int>& order) const {
    std::vector<size_t> position(order.size());
    for (size_t i = 0; i < order.size(); ++i) position[order[i]] = i;
    std::vector<LaunchNeeds> all;
    for (int k : order) {
      LaunchNeeds& needs = all.emplace_back();
      for (const auto& [reduction, _] : settled_.sketches.kernels[k].reduce_ranges)
        needs.reduces = true, needs.streams |= streams(reduction);
      for (int b : before_[k]) needs.after = std::max(needs.after, position[b] + 1);
    }
    return all;
  }

 private:
  const UOp& root(int kernel) const { return settled_.sketches.kernels[kernel].root; }
  int position(int kernel) const { return graph_.position.at(root(kernel)); }

  /// An Assign stands after the Assigns below its view, and after those of the same Buffer that come first in the graph.
  void order_writes(int writer) {
    const UOp buffer = written_buffer(root(writer));
    std::set<int> earlier;
    for (int k = 0; k < static_cast<int>(before_.size()); ++k)
      if (root(k).is(Op::Assign) && written_buffer(root(k)) == buffer && position(k) < position(writer)) earlier.insert(k);
    before_[writer].insert(earlier.begin(), earlier.end());
    for (int k = 0; k < static_cast<int>(before_.size()); ++k) {
      if (k == writer || earlier.contains(k)) continue;
      for (const UOp& read : settled_.built[k].reads) {
        const bool old = read == buffer || (read.is(Op::Assign) && earlier.contains(settled_.sketches.kernel_of.at(read)));
        if (old && !reads_newer(k, writer, buffer)) before_[writer].insert(k);
      }
    }
  }
  /// Whether a kernel is itself a later writer of the Buffer.
  bool reads_newer(int kernel, int writer, const UOp& buffer) const {
    return root(kernel).is(Op::Assign) && written_buffer(root(kernel)) == buffer && position(kernel) > position(writer);
  }

  const TensorGraph& graph_;
  const Settled& settled_;
  std::vector<std::set<int>> before_;
};
}  // namespace

namespace {
void mark_constants(Plan& plan) {
  std::unordered_set<UOp> constants;
  for (PlannedKernel& k : plan.kernels) {
    const UOp& output = k.buffers[0];
    if (memory_of(output) && is_frozen(output))
      throw UserError("assign: to a tensor that freeze() promised not to write to");
    const bool intermediate =
        !memory_of(output) && std::find(plan.outputs.begin(), plan.outputs.end(), output) == plan.outputs.end();
    k.constant = intermediate && k.buffers.size() > 1 && variables_of(k.ast).empty() &&
                 std::all_of(k.buffers.begin() + 1, k.buffers.end(),
                             [&](const UOp& b) { return is_frozen(b) || constants.contains(b); });
    if (k.constant) constants.insert(output);
  }
}
}  // namespace

void PlanOptions::take(Alternative& a) const {
  if (gpu) a.by_default &= pays_on_a_gpu(a);
  const std::optional<bool> chosen = choose ? choose(a) : std::nullopt;
  a.taken = chosen.value_or(defaults && a.by_default);
}

Plan partition(const UOps& given, const PlanOptions& options) {
  Plan plan;
  TensorGraph graph(given);
  const UOps filtered = with_winograd(graph, given, options, plan.alternatives);
  if (filtered != given) graph = TensorGraph(filtered);
  const UOps rewritten = with_rewrites(graph, filtered, options, plan.alternatives);
  if (rewritten != filtered) graph = TensorGraph(rewritten);
  const OnePass passes = one_pass(graph, rewritten, [&](const UOp& sum) {
    Alternative a{"one_pass", "one_pass of " + shape_text(extents_of(sum.src(0))), sum, true};
    options.take(a);
    plan.alternatives.push_back(a);
    return a.taken;
  });
  const UOps& roots = passes.roots;
  if (roots != rewritten) graph = TensorGraph(roots);
  const Settled settled = settle(graph, {.options = options, .in_place = passes.in_place});
  const std::vector<Alternative>& offered = settled.sketches.alternatives;
  plan.alternatives.insert(plan.alternatives.end(), offered.begin(), offered.end());

  std::unordered_map<UOp, UOp> buffers;
  auto buffer_of = [&](const UOp& memory) {
    if (memory.is(Op::Buffer) || memory.is(Op::Assign)) return written_buffer(memory);
    UOp& buffer = buffers[memory];
    if (!buffer) buffer = new_virtual_buffer(memory.dtype(), extents_of(memory));
    return buffer;
  };
  const Order order(graph, settled);
  const std::vector<int> sorted = order.sorted();
  for (int k : sorted) {
    const BuiltKernel& built = settled.built[k];
    PlannedKernel planned{built.ast, {}};
    for (const UOp& memory : built.memory) planned.buffers.push_back(buffer_of(memory));
    plan.kernels.push_back(std::move(planned));
  }
  for (const UOp& root : roots) plan.outputs.push_back(buffer_of(root));
  mark_constants(plan);
  launch_together(plan, order.needs(sorted), options);
  return plan;
}

}  // namespace pg
