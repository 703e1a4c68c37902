// Random graphs of reductions, products, norms, views and writes, several roots, values used many times: the plan equals the
// node by node evaluation, every kernel verifies, and planning the same graph again gives the same kernels.
#include <doctest/doctest.h>

#include <map>
#include <optional>

#include "src/graph/partition.h"
#include "src/tensor/buffers.h"
#include "tests/graph/tensor_evaluator.h"

using namespace pg;

namespace {
class RandomGraph {
 public:
  explicit RandomGraph(uint32_t seed) : random_(seed), rows_(pick(0, 3) == 0 ? Dim(variable("T", 1, 5)) : Dim(pick(1, 4))) {
    for (int i = 0; i < 3; ++i) values_.push_back(input({rows_, 6}));
    for (int step = pick(3, 14); step > 0; --step) values_.push_back(next());
  }
  UOps roots() {
    UOps roots{values_.back().uop()};
    for (int i = pick(0, 2); i > 0; --i) roots.push_back(any().uop());
    return roots;
  }

 private:
  int pick(int lo, int hi) { return std::uniform_int_distribution<>(lo, hi)(random_); }
  const Tensor& any() { return values_[pick(0, static_cast<int>(values_.size()) - 1)]; }
  static Tensor input(const Shape& shape) {
    UOps extents;
    for (const Dim& d : shape) extents.push_back(d.uop());
    return Tensor(new_virtual_buffer(dt::f32, extents));
  }
  /// Every value is [rows, 6].
  Tensor next() {
    const Tensor x = any(), y = any();
    switch (pick(0, 18)) {
      case 0: return x + y;
      case 1: return x * y;
      case 2: return (x * 0.5).tanh();
      case 3: return x.matmul(input({6, 6})) * 0.3;
      case 4: return (x.matmul(input({6, 4})) + input({4})).gelu().matmul(input({4, 6})) * 0.2;
      case 5: return x.softmax();
      case 6: return x.rmsnorm(input({6}), 1e-3);
      case 7: return x - x.mean({-1}, true);
      case 8: return x - x.max({0}, true);
      case 9: return y + x.sum({0}, true) * 0.1;
      case 10: return x.flip({1});
      case 11: return x.reshape({rows_, 2, 3}).permute({0, 2, 1}).reshape({rows_, 6});
      case 12: return Tensor::cat({x.slice(1, 2, 6), y.slice(1, 0, 2)}, 1);
      case 13: return x.matmul(y.transpose()).softmax().matmul(y);
      case 14: {
        const Tensor cache = input({8, 6});
        return cache.slice(0, 1, Dim(iconst(1) + rows_.uop())).assign(x).slice(0, 0, rows_) + y;
      }
      case 15: {
        const Tensor p = x.matmul(input({6, 6})) * 0.3;
        return p + p.flip({1}) * 0.5;
      }
      case 16: return Tensor::attention((x * 0.5).tanh(), y, y);
      case 17: return many(x) + y;
      default: return Tensor::where(x < y, x, y * 0.5);
    }
  }
  /// Of a product with thousands of results, and what computes or reorders these, some or the largest.
  Tensor many(const Tensor& x) {
    const int64_t n = 342;
    const Tensor product = x.matmul(input({6, 6 * n}));
    Tensor wide;
    switch (pick(0, 3)) {
      case 0: wide = (product + input({6 * n})).gelu(); break;
      case 1: wide = product.silu() * (x.matmul(input({6, 6 * n})) + 0.5).tanh(); break;
      case 2: wide = product.reshape({rows_, 6, n}).permute({0, 2, 1}).reshape({rows_, 6 * n}); break;
      default: wide = product.exp().sin() - product;
    }
    switch (pick(0, 2)) {
      case 0: return wide.reshape({rows_, 6, n}).max({2});
      case 1: return wide.reshape({rows_, n, 6}).slice(1, n / 2, n / 2 + 1).squeeze(1);
      default: return wide.contiguous().reshape({rows_, n, 6}).flip({1}).slice(1, 0, 1).squeeze(1);
    }
  }
  std::mt19937 random_;
  Dim rows_;
  std::vector<Tensor> values_;
};
}  // namespace

TEST_CASE("random graphs") {
  for (uint32_t seed = 0; seed < 400; ++seed) {
    CAPTURE(seed);
    const UOps roots = RandomGraph(seed).roots();
    const Plan plan = partition(roots), again = partition(roots);
    REQUIRE(test::difference(roots, plan, {{"T", 1 + seed % 5}}, seed) == "");
    REQUIRE(plan.kernels.size() == again.kernels.size());
    for (size_t i = 0; i < plan.kernels.size(); ++i) REQUIRE(plan.kernels[i].ast == again.kernels[i].ast);
  }
}
TEST_CASE("whatever alternatives are taken, a plan computes the same") {
  std::map<std::string, int> taken;
  for (uint32_t seed = 0; seed < 400; ++seed) {
    CAPTURE(seed);
    const UOps roots = RandomGraph(seed).roots();
    std::mt19937 random(seed);
    PlanOptions options;
    options.choose = [&](const Alternative&) { return std::optional(random() % 2 == 0); };
    const Plan plan = partition(roots, options);
    for (const Alternative& a : plan.alternatives) taken[a.name] += a.taken;
    REQUIRE(test::difference(roots, plan, {{"T", 1 + seed % 5}}, seed) == "");
  }
  for (const char* name : {"one_pass", "rows", "side_by_side", "places", "queries", "repeated", "separate", "together"}) {
    CAPTURE(name);
    CHECK(taken[name] > 0);
  }
}
TEST_CASE("the same graph over other buffers has the same kernels") {
  for (uint32_t seed = 400; seed < 500; ++seed) {
    CAPTURE(seed);
    const Plan a = partition(RandomGraph(seed).roots()), b = partition(RandomGraph(seed).roots());
    REQUIRE(a.kernels.size() == b.kernels.size());
    for (size_t i = 0; i < a.kernels.size(); ++i) REQUIRE(a.kernels[i].ast == b.kernels[i].ast);
  }
}
