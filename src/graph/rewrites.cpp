#include "src/graph/rewrites.h"

#include <algorithm>
#include <functional>
#include <map>

#include "src/graph/alternatives.h"
#include "src/graph/separate.h"
#include "src/graph/views.h"
#include "src/tensor/buffers.h"
#include "src/tensor/tensor.h"
#include "uops/simplify.h"

namespace pg {

namespace {

/// What a reduction becomes, made of it with its sources as they are by then.
using Rewrite = std::function<UOp(const UOp& reduction)>;
struct Offer {
  Alternative alternative;
  Rewrite rewrite;
};

bool is_reduced(const UOp& reduction, size_t axis) {
  const auto& axes = reduction.arg_as<ReduceArg>().axes;
  return std::find(axes.begin(), axes.end(), static_cast<int64_t>(axis)) != axes.end();
}

// ---- split -----------------------------------------------------------------------------------------------------------

constexpr int64_t kLongReduction = 64 << 10;  // elements; below, a core is done before others have begun
constexpr int64_t kFewOutputs = 64;           // more are shared out by themselves
constexpr int64_t kPart = 4 << 10, kMostParts = 256;

/// Parts of an axis: as many as divide it and are no shorter than kPart. 1: there are none.
int64_t parts_of(int64_t extent) {
  for (int64_t parts = std::min(kMostParts, extent / kPart); parts > 1; --parts)
    if (extent % parts == 0) return parts;
  return 1;
}

UOp in_parts(const UOp& reduction, size_t axis, int64_t parts) {
  Shape shape = Tensor(reduction.src(0)).shape();
  const int64_t extent = *shape[axis].number();
  shape[axis] = parts;
  shape.insert(shape.begin() + static_cast<long>(axis) + 1, Dim(extent / parts));
  const std::string& reducer = reduction.arg_as<ReduceArg>().reducer;
  std::vector<int64_t> inner;  // all that were reduced, but for the parts
  for (const int64_t a : reduction.arg_as<ReduceArg>().axes) inner.push_back(a < static_cast<int64_t>(axis) ? a : a + 1);
  const UOp each(Op::ReduceAxis, reduction.dtype(), ReduceArg{reducer, inner},
                 UOps{Tensor(reduction.src(0)).reshape(shape).uop()});
  Shape joined = Tensor(reduction).shape();
  joined[axis] = parts;
  const Tensor stored = Tensor(each).contiguous().reshape(joined);
  return UOp(Op::ReduceAxis, reduction.dtype(), ReduceArg{reducer, {static_cast<int64_t>(axis)}}, UOps{stored.uop()});
}

std::optional<Offer> split(const UOp& node) {
  const std::string& reducer = node.arg_as<ReduceArg>().reducer;
  if (reducer != "sum" && reducer != "max") return std::nullopt;
  const UOps extents = extents_of(node.src(0));
  int64_t outputs = 1, elements = 1;
  size_t longest = extents.size();
  for (size_t axis = 0; axis < extents.size(); ++axis) {
    const auto extent = const_int(extents[axis]);
    if (!extent) return std::nullopt;
    (is_reduced(node, axis) ? elements : outputs) *= *extent;
    if (is_reduced(node, axis) && (longest == extents.size() || *extent > *const_int(extents[longest]))) longest = axis;
  }
  if (elements < kLongReduction || outputs > kFewOutputs) return std::nullopt;
  const int64_t parts = parts_of(*const_int(extents[longest]));
  if (parts < 2) return std::nullopt;
  Alternative a{.name = "split",
                .site = "split " + reducer + " " + shape_text(extents) + " to " + std::to_string(outputs),
                .node = node};
  return Offer{a, [=](const UOp& now) { return in_parts(now, longest, parts); }};
}

// ---- panels ----------------------------------------------------------------------------------------------------------

constexpr double kWorthACopy = 1.05;
constexpr int64_t kWidths[] = {64, 32, 16};  // columns of a panel: whole vectors

/// W [n, k] or [k, n] by a buffer of panels.
Tensor through_panels(const Tensor& w, bool columns_first, int64_t width) {
  const int64_t n = *w.shape()[columns_first ? 0 : 1].number(), k = *w.shape()[columns_first ? 1 : 0].number();
  if (columns_first)
    return w.reshape({n / width, width, k}).permute({0, 2, 1}).contiguous().permute({0, 2, 1}).reshape({n, k});
  return w.reshape({k, n / width, width}).permute({1, 0, 2}).contiguous().permute({1, 0, 2}).reshape({k, n});
}

std::optional<Offer> panels(const UOp& node) {
  const auto& axes = node.arg_as<ReduceArg>().axes;
  const UOp& product = node.src(0);
  if (node.dtype() != dt::f32 || node.arg_as<ReduceArg>().reducer != "sum" || axes.size() != 1 || !product.is(Op::Mul))
    return std::nullopt;
  const UOps at = places(product);
  const UOp& sum = at[static_cast<size_t>(axes[0])];
  for (size_t side = 0; side < 2; ++side) {
    const View w = through_views(product.src(side), at);
    if (!w.node.is(Op::Buffer) || !is_frozen(w.node) || w.index.size() != 2) continue;
    const bool columns_first = w.index[1] == sum;
    const UOp& column = w.index[columns_first ? 0 : 1];
    if (!(w.index[columns_first ? 1 : 0] == sum) || std::find(at.begin(), at.end(), column) == at.end()) continue;
    const UOps extents = extents_of(w.node);
    const auto columns = const_int(extents[columns_first ? 0 : 1]);
    if (!columns || !const_int(extents[columns_first ? 1 : 0]) || !column.is(Op::Range) ||
        !(column.src(0) == extents[columns_first ? 0 : 1]) || !(sum.src(0) == extents[columns_first ? 1 : 0]))
      continue;
    const bool rows = std::any_of(at.begin(), at.end(), [&](const UOp& p) {
      return p.is(Op::Range) && !(p == column) && !(p == sum) && bounds(p.src(0)).hi > 1;
    });
    const auto width = std::find_if(std::begin(kWidths), std::end(kWidths), [&](int64_t n) { return *columns % n == 0; });
    if (!rows || width == std::end(kWidths)) continue;
    Alternative a{.name = "panels",
                  .site = "panels " + shape_text(extents_of(product)) + " by " + std::to_string(*width),
                  .node = node,
                  .worth = kWorthACopy};
    return Offer{a, [=, width = *width](const UOp& now) {
                   const UOp& mul = now.src(0);
                   UOps operands(mul.src().begin(), mul.src().end());
                   operands[side] = viewed(through_panels(Tensor(w.node), columns_first, width).uop(), w.passed);
                   return now.with_src(UOps{mul.with_src(operands)});
                 }};
  }
  return std::nullopt;
}

}  // namespace

UOps with_rewrites(const TensorGraph& graph, const UOps& roots, const PlanOptions& options,
                   std::vector<Alternative>& offered) {
  std::unordered_map<UOp, Rewrite> rewrites;
  for (const UOp& node : graph.nodes) {
    if (!is_reduction(node)) continue;
    for (const auto& find : {split, panels})
      if (std::optional<Offer> offer = find(node)) {
        options.take(offer->alternative);
        offered.push_back(offer->alternative);
        if (offer->alternative.taken) rewrites[node] = offer->rewrite;
      }
  }
  std::unordered_set<UOp> stored;
  for (Separation& s : separations(graph)) {
    options.take(s.alternative);
    offered.push_back(s.alternative);
    if (s.alternative.taken) stored.insert(s.stored.begin(), s.stored.end());
  }
  if (rewrites.empty() && stored.empty()) return roots;
  Rebuilt now;
  for (const UOp& node : graph.nodes) {
    UOp becomes = now.with_sources(node);
    if (const auto found = rewrites.find(node); found != rewrites.end()) becomes = found->second(becomes);
    now.set(node, stored.contains(node) ? Tensor(becomes).contiguous().uop() : becomes);
  }
  return now.of(roots);
}

}  // namespace pg
