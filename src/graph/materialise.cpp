#include "src/graph/materialise.h"

#include <algorithm>
#include <map>

#include "src/graph/alternatives.h"
#include "src/graph/costs.h"
#include "src/graph/index_map.h"
#include "uops/kernel.h"
#include "uops/simplify.h"

namespace pg {

UOp written_buffer(UOp view) {
  while (!view.is(Op::Buffer)) view = view.src(0);
  return view;
}

namespace {
bool is_movement(const UOp& node) { return info(node.op()).has(op_flag::Movement); }

Ints reduced_axes(const UOp& reduction) {
  Ints axes = reduction.arg_as<ReduceArg>().axes;
  std::sort(axes.begin(), axes.end());
  return axes;
}

class Materialiser {
 public:
  Materialiser(const TensorGraph& graph, const Decisions& decisions)
      : graph_(graph), epilogues_(graph), decisions_(decisions), costs_(graph, epilogues_, decisions.stored) {
    result_.reduction_of = epilogues_.reduction_of;
  }

  Sketches run() {
    for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node) visit(*node);
    return std::move(result_);
  }

 private:
  // ---- decisions ----

  bool must_store(const UOp& node, const std::vector<int>& uses) {
    if (graph_.kept.contains(node) || decisions_.stored.contains(node)) return true;
    if (uses.empty()) return false;
    if (auto head = epilogues_.reduction_of.find(node); head != epilogues_.reduction_of.end())
      return !(wanted_in_place(node) && put_in_place(node, uses)) && !becomes_row(node, head->second, uses) &&
             !alternative(node, uses);
    if (!info(node.op()).has(op_flag::Elementwise)) return false;
    if (wanted_in_place(node) && put_in_place(node, uses)) return false;
    const Cost& c = costs_.of(node);
    if (c.arithmetic && uses.size() > kMaxPlaces) return true;
    const bool costly = (c.arithmetic && !c.decodes) || c.reduces;
    for (int use : uses)
      if (costly && repeats_along_an_axis(result_.uses[use])) return !alternative(node, uses);
    const auto in_place = [&](int use) { return result_.uses[use].in_place; };
    shared_ = c.reduces && !decisions_.repeated.contains(node) && kernels(uses) > 1 &&
              !std::all_of(uses.begin(), uses.end(), in_place);
    return shared_;
  }

  size_t kernels(const std::vector<int>& uses) const {
    std::unordered_set<int> distinct;
    for (int use : uses) distinct.insert(result_.uses[use].kernel);
    return distinct.size();
  }

  bool repeats_along_an_axis(const Use& use) const {
    if (use.around.empty()) return false;
    std::unordered_set<UOp> has;
    for (const UOp& i : use.index)
      for (const UOp& leaf : toposort(i)) {
        if (leaf.is(Op::Variable) && is_row_number(leaf)) return false;  // depends on what the Gather's ids depend on
        if (leaf.is(Op::Range)) has.insert(leaf);
      }
    return !std::all_of(use.around.begin(), use.around.end(), [&](const UOp& range) { return has.contains(range); });
  }

  // ---- alternatives (rule 8) ----

  /// Whether somebody has decided already.
  bool wanted_in_place(const UOp& node) const {
    const auto head = epilogues_.reduction_of.find(node);
    return decisions_.in_place.contains(node) ||
           (head != epilogues_.reduction_of.end() && decisions_.in_place.contains(head->second));
  }
  bool alternative(const UOp& node, const std::vector<int>& uses) {
    if (!may_be_in_place(uses)) return false;
    std::vector<const Use*> places;
    for (int use : uses) places.push_back(&result_.uses[use]);
    const auto head = epilogues_.reduction_of.find(node);
    const UOp reduction = head == epilogues_.reduction_of.end() ? UOp() : head->second;
    if (reduction && belongs_to_a_row(reduction, places)) return put_in_place(node, uses);
    std::optional<Alternative> offer = alternative_of(node, reduction, places, result_.kernels);
    if (!offer) return false;
    decisions_.options.take(*offer);
    result_.alternatives.push_back(*offer);
    return offer->taken && put_in_place(node, uses);
  }
  /// It can be a virtual buffer over the axes of its index, whatever that is.
  bool may_be_in_place(const std::vector<int>& uses) const {
    return std::all_of(uses.begin(), uses.end(), [&](int number) {
      const Use& use = result_.uses[number];
      if (use.valid) return false;
      for (const UOp& i : use.index)
        for (const UOp& leaf : toposort(i))
          if (leaf.is(Op::Variable) && is_row_number(leaf)) return false;
      return true;
    });
  }
  bool put_in_place(const UOp& node, const std::vector<int>& uses) {
    if (!may_be_in_place(uses)) return false;
    std::map<int, std::vector<int>> by_kernel;
    for (int use : uses) by_kernel[result_.uses[use].kernel].push_back(use);
    for (const auto& [number, own] : by_kernel) {
      result_.kernels[number].rows.push_back(node);
      if (auto head = epilogues_.reduction_of.find(node); head != epilogues_.reduction_of.end())
        take_ranges(result_.kernels[number], head->second, own);
    }
    in_place_.insert(node);
    return true;
  }
  /// What the definitions of a reduction run over: axes of the kernel that fit and that none of them has, else own ones.
  void take_ranges(KernelSketch& kernel, const UOp& reduction, const std::vector<int>& uses) {
    const UOps extents = extents_of(reduction.src(0));
    UOps reduced;
    for (int64_t axis : reduced_axes(reduction))
      if (!is_one(extents[axis])) reduced.push_back(simplify(extents[axis]));
    std::vector<UOps> candidates{kernel.reduction ? kernel.reduce_ranges.at(kernel.reduction) : kernel.ranges};
    candidates.insert(candidates.end(), kernel.inner.begin(), kernel.inner.end());
    for (UOps& free : candidates) {
      std::erase_if(free, [&](const UOp& range) {
        return std::any_of(uses.begin(), uses.end(), [&](int use) {
          const UOps& index = result_.uses[use].index;
          return std::any_of(index.begin(), index.end(), [&](const UOp& i) { return depends_on(i, range); });
        });
      });
      if (!std::equal(free.begin(), free.end(), reduced.begin(), reduced.end(),
                      [](const UOp& range, const UOp& extent) { return range.src(0) == extent; }))
        continue;
      kernel.reduce_ranges[reduction] = free;
      return;
    }
    UOps own;
    for (const UOp& extent : reduced)
      own.push_back(range("d" + std::to_string(kernel.inner.size()) + "_" + std::to_string(own.size()), extent));
    kernel.inner.push_back(own);
    kernel.reduce_ranges[reduction] = std::move(own);
  }

  /// Rule 3; records the row definition.
  bool becomes_row(const UOp& head, const UOp& reduction, const std::vector<int>& uses) {
    if (uses.size() != 1) return false;
    const Use& use = result_.uses[uses[0]];
    KernelSketch& kernel = result_.kernels[use.kernel];
    // Beside a reduction of the kernel's own only what that one reads: two that stand side by side are better off alone.
    if (use.valid || (kernel.reduction && !use.in_body)) return false;
    UOps index = use.index;
    const UOps& chain = epilogues_.chain.at(reduction);
    for (size_t i = chain.size() - 1; i > 0; --i)
      if (is_movement(chain[i])) index = source_index(chain[i], index).index;

    const UOps extents = extents_of(reduction.src(0));
    const Ints axes = reduced_axes(reduction);
    UOps reduced;
    size_t rows = 0;
    for (size_t i = 0; i < extents.size(); ++i) {
      if (is_one(extents[i])) continue;
      if (std::find(axes.begin(), axes.end(), static_cast<int64_t>(i)) != axes.end())
        reduced.push_back(extents[i]);
      else if (rows < kernel.ranges.size() && index[i] == kernel.ranges[rows])
        ++rows;
      else {
        if (rows < kernel.ranges.size()) want_split(kernel, kernel.ranges[rows], index[i]);
        return false;
      }
    }
    UOps remaining(kernel.ranges.begin() + rows, kernel.ranges.end());
    if (kernel.reduction) {
      const UOps& own = kernel.reduce_ranges.at(kernel.reduction);
      remaining.insert(remaining.end(), own.begin(), own.end());
    }
    if (remaining.size() != reduced.size()) return false;
    int64_t length = 1;
    for (size_t i = 0; i < reduced.size(); ++i) {
      if (remaining[i].src(0) != simplify(reduced[i])) return false;
      length *= std::min<int64_t>(bounds(reduced[i]).hi, kLongestWholeRow + 1);
      length = std::min(length, kLongestWholeRow + 1);
    }
    if (rows == 0 && length > kLongestWholeRow) return false;
    kernel.rows.push_back(head);
    kernel.reduce_ranges.emplace(reduction, std::move(remaining));
    return true;
  }

  /// The row is the quotient of an output axis: it would be a row definition if that axis were two.
  void want_split(const KernelSketch& kernel, const UOp& range, const UOp& row) {
    if (!row.is(Op::IDiv) || row.src(0) != range) return;
    const auto extent = const_int(range.src(0)), by = const_int(row.src(1));
    if (!extent || !by || *by <= 1 || *extent % *by != 0) return;
    const UOps& index = result_.uses[kernel.use].index;
    const auto at = std::find(index.begin(), index.end(), range);
    if (at == index.end()) return;
    result_.wanted_splits.emplace_back(kernel.root, AxisSplit{static_cast<size_t>(at - index.begin()), *by});
  }

  // ---- expansion ----

  void visit(const UOp& node) {
    if (node.is(Op::Buffer)) {
      for (int use : uses_of_[node]) result_.uses[use].loaded = true;
      return;
    }
    shared_ = false;
    if (must_store(node, uses_of_[node])) {
      for (int use : uses_of_[node]) result_.uses[use].loaded = true;
      start_kernel(node);
    } else {
      for (int use : std::vector<int>(uses_of_[node])) expand(use);
    }
  }

  /// Starts the kernel of a node; its ranges walk `value`. Expands the use it begins with, unless that is visited later.
  void start_kernel(const UOp& root) {
    const int number = static_cast<int>(result_.kernels.size());
    KernelSketch kernel{.root = root};
    kernel.shared = shared_;
    UOps views;
    UOp value = root.is(Op::Assign) ? root.src(1) : root;
    if (auto it = epilogues_.reduction_of.find(root); it != epilogues_.reduction_of.end()) {
      kernel.reduction = it->second;
      const UOps extents = extents_of(it->second.src(0));
      UOps ranges;
      for (int64_t axis : reduced_axes(it->second)) new_range("r", ranges, extents[axis]);
      kernel.reduce_ranges.emplace(it->second, std::move(ranges));
      // Axes as the reduction has them: its results are stored where the views behind it put them.
      for (; !root.is(Op::Assign) && (moves_each_once(value) || value.is(Op::Contiguous)); value = value.src(0))
        views.push_back(value);
    }
    const auto split = decisions_.splits.find(root);
    UOps index;
    for (const UOp& extent : extents_of(value)) {
      if (split != decisions_.splits.end() && split->second.axis == index.size()) {
        const UOp outer = new_range("i", kernel.ranges, iconst(*const_int(extent) / split->second.by));
        const UOp inner = new_range("i", kernel.ranges, iconst(split->second.by));
        index.push_back(simplify(outer * iconst(split->second.by) + inner));
      } else {
        index.push_back(new_range("i", kernel.ranges, extent));
      }
    }
    kernel.store_index = index;
    for (auto view = views.rbegin(); view != views.rend(); ++view)
      if (!view->is(Op::Contiguous)) kernel.store_index = view_index(*view, kernel.store_index);
    if (root.is(Op::Assign))
      for (UOp view = root.src(0); !view.is(Op::Buffer); view = view.src(0))
        if (!view.is(Op::Assign)) kernel.store_index = source_index(view, kernel.store_index).index;
    result_.kernel_of.emplace(root, number);
    result_.kernels.push_back(std::move(kernel));
    const bool itself = views.empty() && !root.is(Op::Assign);
    const int use = add({.node = value, .kernel = number, .index = std::move(index)}, itself);
    result_.kernels.back().use = use;
    if (itself) expand(use);
  }

  static UOp new_range(const char* prefix, UOps& ranges, const UOp& extent) {
    if (is_one(extent)) return iconst(0);
    ranges.push_back(range(prefix + std::to_string(ranges.size()), simplify(extent)));
    return ranges.back();
  }

  /// The ranges that an index moves with.
  static UOps moving(const UOps& index) {
    UOps ranges;
    for (const UOp& i : index)
      for (const UOp& leaf : toposort(i))
        if (leaf.is(Op::Range) && std::find(ranges.begin(), ranges.end(), leaf) == ranges.end()) ranges.push_back(leaf);
    return ranges;
  }

  /// Adds the uses of the node's sources.
  void expand(int number) {
    const Use use = result_.uses[number];  // a copy: the vector grows
    const UOp& node = use.node;
    // What is computed in place is computed once for each place of its own.
    const bool here = in_place_.contains(node);
    auto read = [&](const UOp& source, UOps index, const UOp& valid) {
      const int s = add({.node = source,
                         .kernel = use.kernel,
                         .index = std::move(index),
                         .valid = valid,
                         .in_body = use.in_body,
                         .around = here ? UOps() : use.around,
                         .in_place = use.in_place || here});
      result_.uses[number].sources.push_back(s);
      return s;
    };
    if (node.is(Op::Const) || node.is(Op::Variable) || node.is(Op::Arange)) return;
    if (node.is(Op::Gather)) {
      const size_t ids = extents_of(node.src(1)).size();
      read(node.src(1), UOps(use.index.begin(), use.index.begin() + ids), use.valid);
      const UOp rows = extents_of(node.src(0))[0];
      const UOp row = row_number(use.kernel, rows);
      UOps index{is_one(rows) ? iconst(0) : row};
      index.insert(index.end(), use.index.begin() + ids, use.index.end());
      read(node.src(0), std::move(index), use.valid);
      result_.uses[number].row = row;
    } else if (is_movement(node)) {
      SourceIndex source = source_index(node, use.index);
      result_.uses[number].padding = source.valid;
      read(node.src(0), std::move(source.index), both(use.valid, source.valid));
    } else if (is_reduction(node)) {
      expand_reduction(number);
    } else if (keeps_index(node)) {
      for (const UOp& source : node.src()) read(source, use.index, use.valid);
    } else {
      throw InternalError(std::string("partition: a ") + info(node.op()).name + " in a tensor graph");
    }
  }

  void expand_reduction(int number) {
    const Use use = result_.uses[number];
    const UOps ranges = result_.kernels[use.kernel].reduce_ranges.at(use.node);
    const UOps extents = extents_of(use.node.src(0));
    UOps index = use.index;
    size_t next = 0;
    for (int64_t axis : reduced_axes(use.node)) index[axis] = is_one(extents[axis]) ? iconst(0) : ranges[next++];
    const bool own = result_.kernels[use.kernel].reduction == use.node;
    UOps around = use.around;
    if (own) around = result_.kernels[use.kernel].ranges;
    if (in_place_.contains(epilogues_.chain.at(use.node).back())) around = moving(use.index);
    for (const UOp& body : use.node.src()) {
      const int s = add({.node = body,
                         .kernel = use.kernel,
                         .index = index,
                         .in_body = own || use.in_body,
                         .around = around,
                         .in_place = use.in_place});
      result_.uses[number].sources.push_back(s);
    }
  }

  /// The use of the same node at the same index, or a new one; it waits for the visit of its node unless that is `here`
  /// already.
  int add(Use use, bool here = false) {
    std::vector<const void*> key{use.node.id(), use.valid.id()};
    for (const UOp& i : use.index) key.push_back(i.id());
    auto [it, is_new] = known_[use.kernel].emplace(std::move(key), static_cast<int>(result_.uses.size()));
    if (is_new) {
      if (!here) uses_of_[use.node].push_back(it->second);
      result_.uses.push_back(std::move(use));
    } else {
      Use& known = result_.uses[it->second];
      known.in_body |= use.in_body;
      for (const UOp& range : use.around)
        if (std::find(known.around.begin(), known.around.end(), range) == known.around.end()) known.around.push_back(range);
      known.in_place &= use.in_place;
    }
    return it->second;
  }

  /// Stands for the number that a Gather loads: numbered within the kernel, so that equal kernels stay equal.
  UOp row_number(int kernel, const UOp& rows) {
    return variable("row " + std::to_string(gathers_[kernel]++), 0, std::max<int64_t>(bounds(rows).hi - 1, 0));
  }
  static bool is_row_number(const UOp& v) { return v.arg_as<VariableArg>().name.starts_with("row "); }

  const TensorGraph& graph_;
  const Epilogues epilogues_;
  const Decisions& decisions_;
  const Costs costs_;
  std::unordered_map<UOp, std::vector<int>> uses_of_;
  std::unordered_map<int, std::map<std::vector<const void*>, int>> known_;  // kernel → uses
  std::unordered_map<int, int> gathers_;                                    // kernel → Gathers so far
  std::unordered_set<UOp> in_place_;                                        // nodes
  bool shared_ = false;                                                     // rule 4 spoke last
  Sketches result_;
};
}  // namespace

Sketches materialise(const TensorGraph& graph, const Decisions& decisions) { return Materialiser(graph, decisions).run(); }

}  // namespace pg
