// Plans that are another graph of the same reductions: parts of long sums, panels of frozen matrices.
#include <doctest/doctest.h>

#include <algorithm>

#include "search/tune.h"
#include "src/graph/plans.h"
#include "src/graph/realize.h"
#include "src/tensor/buffers.h"
#include "tests/graph/tensor_evaluator.h"
#include "uops/kernel.h"

using namespace pg;
using namespace pg::test;

namespace {

Tensor weight(Shape shape, DType dtype = dt::f32) {
  const Tensor t = input(std::move(shape), dtype);
  freeze_buffer(t.uop());
  return t;
}
PlanOptions taking(const std::string& name) {
  return {.choose = [=](const Alternative& a) {
    return a.name == "split" || a.name == "panels" ? std::optional(a.name == name) : std::nullopt;
  }};
}
std::vector<std::string> sites(const Tensor& t, const std::string& name) {
  std::vector<std::string> all;
  for (const Alternative& a : partition({t.uop()}).alternatives) {
    if (a.name != name) continue;
    CHECK_FALSE(a.by_default);
    CHECK_FALSE(a.taken);
    all.push_back(a.site);
  }
  return all;
}
/// Kernels with it and without it; both compute what the graph says.
std::pair<size_t, size_t> kernels_of(const UOps& roots, const std::string& name, const KernelEvaluator::Bindings& variables = {}) {
  const Plan with = partition(roots, taking(name)), without = partition(roots, taking(""));
  CHECK(difference(roots, with, variables, 5) == "");
  return {with.kernels.size(), without.kernels.size()};
}
std::pair<size_t, size_t> kernels(const Tensor& t, const std::string& name) { return kernels_of({t.uop()}, name); }

}  // namespace

TEST_CASE("split: offered for long reductions to few outputs, in equal parts") {
  CHECK(sites(input({1 << 16}).sum(), "split") == std::vector<std::string>{"split sum 65536 to 1"});
  CHECK(sites(input({4, 3, 30000}).max({1, 2}), "split") == std::vector<std::string>{"split max 4x3x30000 to 4"});
  CHECK(sites(input({(1 << 16) - 8}).sum(), "split").empty());     // short
  CHECK(sites(input({65, 1 << 16}).sum({1}), "split").empty());     // many
  CHECK(sites(input({65537}).sum(), "split").empty());             // a prime
  CHECK(sites(input({1 << 16}).argmax(0), "split").empty());        // two states
  CHECK(sites(input({variable("n", 1, 1 << 17)}).sum(), "split").empty());
}

TEST_CASE("split: parts are a kernel, what joins them another, with the epilogue") {
  const Tensor x = input({1 << 16}), y = input({3, 2, 40000});
  CHECK(kernels((x * x).sum().sqrt() + 1.0, "split") == std::pair<size_t, size_t>(2, 1));
  CHECK(kernels((y * 2.0).sum({1, 2}).exp(), "split") == std::pair<size_t, size_t>(2, 1));
  CHECK(kernels(y.permute({0, 2, 1}).max({1, 2}), "split") == std::pair<size_t, size_t>(2, 1));
  CHECK(kernels_of({x.sum().uop(), x.max().uop()}, "split").first == 4);
  const Plan plan = partition({x.sum().uop()}, taking("split"));
  REQUIRE(plan.kernels.size() == 2);
  CHECK(capacity(plan.kernels[0].buffers[0]) == 16 * 4);
}

TEST_CASE("panels: offered for frozen matrices that several rows are multiplied with") {
  const Tensor x = input({5, 24});
  CHECK(sites(x.matmul(weight({48, 24}).transpose()), "panels") == std::vector<std::string>{"panels 5x48x24 by 16"});
  CHECK(sites(x.matmul(weight({24, 128})), "panels") == std::vector<std::string>{"panels 5x128x24 by 64"});
  CHECK(sites(input({2, 5, 24}).matmul(weight({24, 32})), "panels").size() == 1);
  CHECK(sites(x.matmul(input({24, 128})), "panels").empty());                 // not frozen
  CHECK(sites(input({1, 24}).matmul(weight({24, 128})), "panels").empty());   // one row
  CHECK(sites(x.matmul(weight({24, 40})), "panels").empty());                 // no whole panels
  CHECK(sites(x.matmul(weight({3, 24, 16})), "panels").empty());              // three dimensions
  CHECK(sites(x.matmul(weight({24, 64}, dt::f16).cast(dt::f32)), "panels").empty());
  CHECK(sites(x.matmul(weight({64, 64}).slice(0, 0, 24)), "panels").empty());  // a part
}

TEST_CASE("panels: the copy is constant, what reads it computes the same") {
  const Tensor w = weight({48, 24}), x = input({5, 24});
  CHECK(kernels(x.matmul(w.transpose()).relu(), "panels") == std::pair<size_t, size_t>(2, 1));
  CHECK(kernels(x.matmul(weight({24, 128})) + input({128}), "panels") == std::pair<size_t, size_t>(2, 1));
  CHECK(kernels(input({2, 5, 24}).matmul(weight({24, 32})), "panels") == std::pair<size_t, size_t>(2, 1));
  const Dim rows = variable("T", 1, 8);
  CHECK(kernels_of({input({rows, 24}).matmul(w.transpose()).uop()}, "panels", {{"T", 6}}) == std::pair<size_t, size_t>(2, 1));
  const Plan plan = partition({x.matmul(w.transpose()).uop()}, taking("panels"));
  REQUIRE(plan.kernels.size() == 2);
  CHECK(plan.kernels[0].constant);
  CHECK_FALSE(plan.kernels[1].constant);
  CHECK(capacity(plan.kernels[0].buffers[0]) == 4 * 48 * 24);
  // A trial times the product alone.
  const std::vector<PlanTrial> trials = plan_trials({x.matmul(w.transpose()).uop()}, {});
  REQUIRE(trials.size() == 1);
  CHECK(trials[0].alternative.worth > 1.01);
  REQUIRE(trials[0].in_place.size() == 1);
  CHECK(trials[0].in_place[0].ast == plan.kernels[1].ast);
}

TEST_CASE("panels: the default schedule reads a panel as it lies, for all rows") {
  const Target target{.vector_bytes = 64, .registers = 32, .cores = 1, .l2_bytes = 2 << 20};
  const auto chosen = [&](int64_t rows) {
    const Plan plan = partition({input({rows, 256}).matmul(weight({512, 256}).transpose()).uop()}, taking("panels"));
    return text(heuristic(plan.kernels.back().ast, target));
  };
  CHECK(chosen(8) == "tile(m,8,upcast) tile(n1,32,upcast) tile(n1,16,vec) tile(k,4,unroll) grid(n n1 m)");
  CHECK(chosen(48) == "tile(m,6,upcast) tile(n1,64,upcast) tile(n1,16,vec) tile(k,4,unroll) grid(n n1 m)");
}
