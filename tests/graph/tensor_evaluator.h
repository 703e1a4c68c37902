#pragma once
// Evaluates a tensor graph node by node, each as its definition in ops.def says, and a Plan kernel by kernel; `same_values`
// compares the two. Buffers hold seeded random numbers.
#include <cmath>
#include <numeric>
#include <random>

#include "src/graph/partition.h"
#include "src/tensor/buffers.h"
#include "src/tensor/tensor.h"
#include "tests/graph/kernel_evaluator.h"
#include "uops/together.h"
#include "uops/verify.h"

namespace pg::test {

/// A Buffer without memory.
inline Tensor input(Shape shape, DType dtype = dt::f32) {
  UOps extents;
  for (const Dim& d : shape) extents.push_back(d.uop());
  return Tensor(new_virtual_buffer(dtype, extents));
}

using Values = std::vector<double>;
using Sizes = std::vector<int64_t>;

class TensorEvaluator {
 public:
  TensorEvaluator(KernelEvaluator::Bindings variables, uint32_t seed) : variables_(std::move(variables)), random_(seed) {}

  int64_t number(const UOp& u) const {
    if (const auto n = const_int(u)) return *n;
    if (u.is(Op::Variable)) return variables_.at(u.arg_as<VariableArg>().name);
    Values x;
    for (const UOp& s : u.src()) x.push_back(static_cast<double>(number(s)));
    return static_cast<int64_t>(scalar_op(u.op(), u.dtype(), x));
  }
  Sizes sizes(const UOp& node) const {
    Sizes s;
    for (const Dim& d : shape_of(node)) s.push_back(number(d.uop()));
    return s;
  }
  static int64_t count(const Sizes& s) { return std::accumulate(s.begin(), s.end(), int64_t{1}, std::multiplies<>()); }

  /// The contents of a Buffer, random on first sight.
  Values& memory(const UOp& buffer) {
    auto [it, is_new] = memory_.try_emplace(buffer);
    if (is_new) {
      it->second.resize(count(sizes(buffer)));
      for (double& v : it->second)
        v = buffer.dtype().is_float() ? std::uniform_real_distribution<>(-1, 1)(random_)
                                      : static_cast<double>(random_() % 4);
    }
    return it->second;
  }
  const KernelEvaluator::Bindings& variables() const { return variables_; }

  const Values& evaluate(const UOp& node) {
    if (auto it = known_.find(node); it != known_.end()) return it->second;
    Values v = compute(node);
    return known_[node] = std::move(v);
  }

 private:
  static Sizes position(int64_t flat, const Sizes& s) {
    Sizes at(s.size());
    for (size_t i = s.size(); i-- > 0;) at[i] = flat % s[i], flat /= s[i];
    return at;
  }
  static int64_t flat(const Sizes& at, const Sizes& s) {
    int64_t n = 0;
    for (size_t i = 0; i < s.size(); ++i) n = n * s[i] + at[i];
    return n;
  }
  /// For each element of a view its place in the source, -1: padding.
  int64_t source_place(const UOp& u, Sizes at, const Sizes& from) const {
    Sizes p(from.size());
    switch (u.op()) {
      case Op::Permute:
        for (size_t i = 0; i < at.size(); ++i) p[u.arg_as<Ints>()[i]] = at[i];
        break;
      case Op::Expand:
        for (size_t i = 0; i < at.size(); ++i) p[i] = from[i] == 1 ? 0 : at[i];
        break;
      case Op::Pad:
        for (size_t i = 0; i < at.size(); ++i) {
          p[i] = at[i] - number(u.src(1 + 2 * i));
          if (p[i] < 0 || p[i] >= from[i]) return -1;
        }
        break;
      case Op::Shrink:
        for (size_t i = 0; i < at.size(); ++i) p[i] = at[i] + number(u.src(1 + 2 * i));
        break;
      case Op::Flip:
        p = at;
        for (int64_t axis : u.arg_as<Ints>()) p[axis] = from[axis] - 1 - at[axis];
        break;
      default: throw InternalError("tensor evaluator: no movement");
    }
    return flat(p, from);
  }
  Values compute(const UOp& u) {
    if (u.is(Op::Buffer)) return memory(u);
    if (u.is(Op::Const)) return {u.dtype().is_float() ? u.arg_as<double>() : static_cast<double>(u.arg_as<int64_t>())};
    if (u.is(Op::Variable)) return {static_cast<double>(number(u))};
    const Sizes to = sizes(u);
    const int64_t n = count(to);
    Values result(n);
    if (u.is(Op::Arange)) {
      std::iota(result.begin(), result.end(), 0.0);
    } else if (u.is(Op::Reshape) || u.is(Op::Contiguous)) {
      result = evaluate(u.src(0));
    } else if (u.is(Op::Project)) {
      result = component(u.src(0), u.arg_as<int64_t>());
    } else if (u.is(Op::ReduceAxis)) {
      result = component(u, 0);
    } else if (u.is(Op::Gather)) {
      const Values ids = evaluate(u.src(1)), table = evaluate(u.src(0));
      const int64_t row = n / static_cast<int64_t>(ids.size());
      for (int64_t i = 0; i < n; ++i) result[i] = table[static_cast<int64_t>(ids[i / row]) * row + i % row];
    } else if (u.is(Op::Assign)) {
      const Values v = evaluate(u.src(1));
      UOps views;
      UOp base = u.src(0);
      for (; !base.is(Op::Buffer) && !base.is(Op::Assign); base = base.src(0)) views.push_back(base);
      result = evaluate(base);
      const Sizes view = sizes(u.src(0));
      for (int64_t i = 0; i < static_cast<int64_t>(v.size()); ++i) {
        int64_t at = i;
        for (const UOp& step : views)
          if (!step.is(Op::Reshape)) at = source_place(step, position(at, sizes(step)), sizes(step.src(0)));
        result[at] = v[i];
      }
    } else if (info(u.op()).has(op_flag::Movement)) {
      const Values x = evaluate(u.src(0));
      const Sizes from = sizes(u.src(0));
      for (int64_t i = 0; i < n; ++i) {
        const int64_t at = source_place(u, position(i, to), from);
        result[i] = at < 0 ? 0 : x[at];
      }
    } else {
      std::vector<const Values*> x;
      for (const UOp& s : u.src()) x.push_back(&evaluate(s));
      for (int64_t i = 0; i < n; ++i) {
        double in[3];
        for (size_t s = 0; s < x.size(); ++s) in[s] = x[s]->at(i);
        result[i] = scalar_op(u.op(), u.dtype(), {in, x.size()});
      }
    }
    return result;
  }
  /// Reductions straight from their meaning.
  Values component(const UOp& u, int64_t which) {
    const std::string& reducer = u.arg_as<ReduceArg>().reducer;
    const Values x = evaluate(u.src(0));
    const Sizes from = sizes(u.src(0)), to = sizes(u);
    std::vector<Values> groups(count(to));
    for (int64_t i = 0; i < static_cast<int64_t>(x.size()); ++i) {
      Sizes at = position(i, from);
      for (int64_t axis : u.arg_as<ReduceArg>().axes) at[axis] = 0;
      groups[flat(at, to)].push_back(x[i]);
    }
    Values result;
    for (const Values& g : groups) {
      const auto largest = std::max_element(g.begin(), g.end());
      if (reducer == "sum")
        result.push_back(std::accumulate(g.begin(), g.end(), 0.0));
      else if (reducer == "max")
        result.push_back(*largest);
      else if (reducer == "min")
        result.push_back(*std::min_element(g.begin(), g.end()));
      else if (reducer == "argmax")
        result.push_back(which == 0 ? *largest : static_cast<double>(largest - g.begin()));
      else
        throw InternalError("tensor evaluator: reducer " + reducer);
    }
    return result;
  }

  KernelEvaluator::Bindings variables_;
  std::mt19937 random_;
  std::unordered_map<UOp, Values> memory_, known_;
};

/// Runs the plan's kernels and compares each root with the node by node evaluation; the message says where they differ
/// first.
inline std::string difference(const UOps& roots, const Plan& plan, const KernelEvaluator::Bindings& variables,
                              uint32_t seed) {
  TensorEvaluator evaluator(variables, seed);
  std::vector<Values> expected;
  for (const UOp& root : roots) expected.push_back(evaluator.evaluate(root));
  for (const PlannedKernel& k : plan.kernels) {
    const UOps together = kernels_in(k.ast);
    const std::vector<int64_t> first = first_slots(k.ast);
    for (size_t i = together.size(); i-- > 0;) {  // backwards: none of a launch may wait for another
      std::vector<Values*> buffers;
      for (const UOp& b : k.buffers) evaluator.memory(b);
      for (int64_t slot = first[i]; slot < first[i + 1]; ++slot)
        buffers.push_back(&evaluator.memory(k.buffers[static_cast<size_t>(slot)]));
      KernelEvaluator(together[i], buffers, variables).run();
    }
  }
  for (size_t r = 0; r < roots.size(); ++r) {
    const Values& got = evaluator.memory(plan.outputs[r]);
    if (got.size() != expected[r].size()) return "root " + std::to_string(r) + ": wrong number of elements";
    for (size_t i = 0; i < got.size(); ++i)
      if (!(std::abs(got[i] - expected[r][i]) <= 1e-9 * (1 + std::abs(expected[r][i]))) && got[i] != expected[r][i])
        return "root " + std::to_string(r) + " element " + std::to_string(i) + ": " + std::to_string(got[i]) +
               " instead of " + std::to_string(expected[r][i]);
  }
  return "";
}

}  // namespace pg::test
