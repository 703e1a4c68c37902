#include "src/graph/kernel_builder.h"

#include <algorithm>

#include "src/graph/axes.h"
#include "src/graph/definitions.h"
#include "src/graph/index_map.h"
#include "uops/kernel.h"
#include "uops/simplify.h"
#include "uops/verify.h"

namespace pg {

namespace {
class Builder {
 public:
  Builder(const Sketches& sketches, int kernel) : all_(sketches), sketch_(sketches.kernels[kernel]) {}

  BuiltKernel build() {
    const UOp target = element(sketch_.root, sketch_.store_index);
    const std::vector<int> uses = sources_first();
    shared_ = shared_values(all_, sketch_, uses);
    decoded_ = decoded_values(all_, sketch_, uses);
    for (int use : uses) values_.emplace(use, value(use));

    UOps output{store(target, values_.at(sketch_.use))};
    output.insert(output.end(), sketch_.ranges.begin(), sketch_.ranges.end());
    UOps parts = defines_;
    parts.emplace_back(Op::Output, dt::kVoid, Arg{}, output);
    UOp ast(Op::Kernel, dt::kVoid, std::string("kernel"), parts);

    result_.ast = axes_named(axes_merged(axes_split(kernel_simplified(rows_loaded(ast)))));
    if (sketch_.root.is(Op::Assign)) result_.reads_elsewhere = reads_elsewhere();
    return std::move(result_);
  }

 private:
  /// Uses below the root, sources first, in the order of the expression's text.
  std::vector<int> sources_first() const {
    std::vector<int> order;
    std::vector<std::pair<int, size_t>> stack{{sketch_.use, 0}};
    std::unordered_set<int> done;
    while (!stack.empty()) {
      auto& [use, next] = stack.back();
      const std::vector<int>& sources = all_.uses[use].sources;
      if (next < sources.size()) {
        const int source = sources[next++];
        if (!done.contains(source)) stack.emplace_back(source, 0);
      } else {
        if (done.insert(use).second) order.push_back(use);
        stack.pop_back();
      }
    }
    return order;
  }

  // ---- buffers ----

  static UOps buffer_extents(const UOp& node) { return extents_of(node.is(Op::Assign) ? written_buffer(node) : node); }

  /// Axes of extent 1 are not part of a Param, but a Param has at least one axis.
  static UOps present(const UOps& values, const UOps& extents) {
    UOps kept;
    for (size_t i = 0; i < extents.size(); ++i)
      if (!is_one(extents[i])) kept.push_back(values[i]);
    return kept;
  }
  /// The Param of a node's memory; nodes that share a Buffer share it.
  UOp param(const UOp& node) {
    const bool named = node.is(Op::Buffer) || node.is(Op::Assign);
    const UOp memory = named ? written_buffer(node) : node;
    auto it = params_.find(memory);
    if (it != params_.end()) return it->second;
    UOps sizes;
    const UOps extents = buffer_extents(node);
    for (const UOp& extent : present(extents, extents)) sizes.push_back(simplify(extent));
    if (sizes.empty()) sizes.push_back(iconst(1));
    const int64_t slot = static_cast<int64_t>(params_.size());
    result_.memory.push_back(memory);
    return params_.emplace(memory, UOp(Op::Param, node.dtype(), ParamArg{slot, "P" + std::to_string(slot)}, sizes))
        .first->second;
  }
  UOp element(const UOp& node, const UOps& at) {
    UOps indices = present(at, buffer_extents(node));
    if (indices.empty()) indices.push_back(iconst(0));
    return index(param(node), indices);
  }

  // ---- values ----

  UOp value(int number) {
    const Use& use = all_.uses[number];
    if (use.loaded) {
      result_.reads.push_back(use.node);
      return load(element(use.node, use.index), use.valid);
    }
    UOp result = computed(use);
    if (std::find(sketch_.rows.begin(), sketch_.rows.end(), use.node) != sketch_.rows.end()) {
      const auto head = all_.reduction_of.find(use.node);
      return defined(head == all_.reduction_of.end() ? unique_name("E") : row_name(head->second), result, axes_of(use));
    }
    if (shared_.contains(number)) return defined(unique_name("E"), result, axes_of(use));
    if (decoded_.contains(number)) return defined(unique_name("W"), result, axes_of_memory(result));
    return result;
  }
  /// The axes that its index moves with: the kernel's in their order, then those that only definitions have.
  UOps axes_of(const Use& use) const {
    UOps moving, axes;
    for (const UOp& i : use.index)
      for (const UOp& range : free_ranges(i))
        if (std::find(moving.begin(), moving.end(), range) == moving.end()) moving.push_back(range);
    const auto take = [&](const UOps& from) {
      for (const UOp& range : from)
        if (std::find(moving.begin(), moving.end(), range) != moving.end() &&
            std::find(axes.begin(), axes.end(), range) == axes.end())
          axes.push_back(range);
    };
    take(sketch_.ranges);
    if (sketch_.reduction) take(sketch_.reduce_ranges.at(sketch_.reduction));
    take(moving);
    return axes;
  }

  UOp computed(const Use& use) {
    const UOp& node = use.node;
    UOps src;
    for (int source : use.sources) src.push_back(values_.at(source));
    switch (node.op()) {
      case Op::Const:
      case Op::Variable: return node;
      case Op::Arange: return cast(use.index[0], node.dtype());
      case Op::Pad: return use.padding ? padded(use.padding, src[0]) : src[0];
      case Op::Gather: row_numbers_.emplace_back(use.row, cast(src[0], dt::index)); return src[1];
      case Op::Bitcast: return src[0].dtype() == node.dtype() ? src[0] : node.with_src(src);
      case Op::Project: {
        const size_t component = static_cast<size_t>(node.arg_as<int64_t>());
        if (is_reduction(node.src(0))) return node.with_src(src);
        return values_.at(all_.uses[use.sources[0]].sources[component]);
      }
      case Op::ReduceAxis: return is_reduction(node) ? reduced(node, std::move(src)) : src[0];
      default: break;
    }
    if (info(node.op()).has(op_flag::Elementwise)) return node.with_src(src);
    return src[0];  // movement, Contiguous, Assign
  }

  UOp reduced(const UOp& node, UOps src) const {
    const UOps& ranges = sketch_.reduce_ranges.at(node);
    src.insert(src.end(), ranges.begin(), ranges.end());
    return UOp(Op::Reduce, node.dtype(), ReduceArg{node.arg_as<ReduceArg>().reducer, {}}, src);
  }

  /// 0 where `valid` is false: a gated load gives that itself.
  static UOp padded(const UOp& valid, const UOp& inner) {
    UOp core = inner;
    while (core.is(Op::Cast)) core = core.src(0);
    if (core.is(Op::Load) && core.src().size() == 2) return inner;
    return alu(Op::Where, valid, inner, constant(inner.dtype(), int64_t{0}));
  }

  /// Its value becomes a virtual buffer, read at its axes.
  UOp defined(const std::string& name, const UOp& value, const UOps& axes) {
    UOps src{value};
    src.insert(src.end(), axes.begin(), axes.end());
    defines_.emplace_back(Op::Define, value.dtype(), name, src);
    return load(index(defines_.back(), axes));
  }

  /// The axes of an expression in the order in which its loads index them, the near ones in memory last.
  static UOps axes_of_memory(const UOp& expression) {
    UOps axes;
    for (const UOp& read : collect(expression, [](const UOp& u) { return u.is(Op::Load); }))
      for (const UOp& i : read.src(0).src().subspan(1))
        for (const UOp& axis : free_ranges(i))
          if (std::find(axes.begin(), axes.end(), axis) == axes.end()) axes.push_back(axis);
    for (const UOp& axis : free_ranges(expression))
      if (std::find(axes.begin(), axes.end(), axis) == axes.end()) axes.push_back(axis);
    return axes;
  }

  /// The letters of the softmax and norm literature: M maximum, L sum after a maximum, S sum; E elementwise.
  std::string row_name(const UOp& reduction) {
    const std::string& reducer = reduction.arg_as<ReduceArg>().reducer;
    return unique_name(reducer == "max" ? "M" : reducer != "sum" ? "R" : names_.contains("M") ? "L" : "S");
  }
  std::string unique_name(const std::string& letter) {
    const int count = names_[letter]++;
    return count == 0 ? letter : letter + std::to_string(count);
  }

  /// Puts what the Gathers load into the indices of their tables.
  UOp rows_loaded(UOp ast) const {
    for (size_t round = 0; round <= row_numbers_.size(); ++round) {
      const UOp next = substitute(ast, row_numbers_);
      if (next == ast) break;
      ast = next;
    }
    return ast;
  }

  /// Rule 7. Row definitions read the whole row before any element is written, but not when cores share a row: not relied
  /// on.
  bool reads_elsewhere() const {
    const UOp target = result_.ast.src().back().src(0).src(0);
    for (const UOp& u : collect(result_.ast, [](const UOp& n) { return n.is(Op::Load) && n.src(0).src(0).is(Op::Param); }))
      if (u.src(0).src(0) == target.src(0) && (u.src(0) != target || !sketch_.rows.empty())) return true;
    return false;
  }

  const Sketches& all_;
  const KernelSketch& sketch_;
  std::unordered_set<int> shared_, decoded_;  // uses that are definitions beside the rows
  std::unordered_map<int, UOp> values_;
  std::unordered_map<UOp, UOp> params_;  // memory → Param
  std::unordered_map<std::string, int> names_;
  Substitution row_numbers_;
  UOps defines_;
  BuiltKernel result_;
};
}  // namespace

BuiltKernel build_kernel(const Sketches& sketches, int kernel) {
  BuiltKernel built = Builder(sketches, kernel).build();
  verify(built.ast, Stage::Kernel, "partition");
  return built;
}

}  // namespace pg
