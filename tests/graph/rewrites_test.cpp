// Plans that are another graph of the same reductions: parts of long sums, panels of frozen matrices, epilogues by kernels
// of their own.
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
    const bool rewrites = a.name == "split" || a.name == "panels" || a.name == "separate";
    return rewrites ? std::optional(a.name == name) : std::nullopt;
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
std::pair<size_t, size_t> kernels_of(const UOps& roots, const std::string& name,
                                     const KernelEvaluator::Bindings& variables = {}) {
  const Plan with = partition(roots, taking(name)), without = partition(roots, taking(""));
  CHECK(difference(roots, with, variables, 5) == "");
  return {with.kernels.size(), without.kernels.size()};
}
std::pair<size_t, size_t> kernels(const Tensor& t, const std::string& name) { return kernels_of({t.uop()}, name); }

}  // namespace

TEST_CASE("split: offered for long reductions to few outputs, in equal parts") {
  CHECK(sites(input({1 << 16}).sum(), "split") == std::vector<std::string>{"split sum 65536 to 1"});
  CHECK(sites(input({4, 3, 30000}).max({1, 2}), "split") == std::vector<std::string>{"split max 4x3x30000 to 4"});
  CHECK(sites(input({(1 << 16) - 8}).sum(), "split").empty());   // short
  CHECK(sites(input({65, 1 << 16}).sum({1}), "split").empty());  // many
  CHECK(sites(input({65537}).sum(), "split").empty());           // a prime
  CHECK(sites(input({1 << 16}).argmax(0), "split").empty());     // two states
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
  CHECK(sites(x.matmul(input({24, 128})), "panels").empty());                // not frozen
  CHECK(sites(input({1, 24}).matmul(weight({24, 128})), "panels").empty());  // one row
  CHECK(sites(x.matmul(weight({24, 40})), "panels").empty());                // no whole panels
  CHECK(sites(x.matmul(weight({3, 24, 16})), "panels").empty());             // three dimensions
  CHECK(sites(x.matmul(weight({24, 64}, dt::f16).cast(dt::f32)), "panels").empty());
  CHECK(sites(x.matmul(weight({64, 64}).slice(0, 0, 24)), "panels").empty());  // a part
}

TEST_CASE("panels: the copy is constant, what reads it computes the same") {
  const Tensor w = weight({48, 24}), x = input({5, 24});
  CHECK(kernels(x.matmul(w.transpose()).relu(), "panels") == std::pair<size_t, size_t>(2, 1));
  CHECK(kernels(x.matmul(weight({24, 128})) + input({128}), "panels") == std::pair<size_t, size_t>(2, 1));
  CHECK(kernels(input({2, 5, 24}).matmul(weight({24, 32})), "panels") == std::pair<size_t, size_t>(2, 1));
  const Dim rows = variable("T", 1, 8);
  CHECK(kernels_of({input({rows, 24}).matmul(w.transpose()).uop()}, "panels", {{"T", 6}}) ==
        std::pair<size_t, size_t>(2, 1));
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

TEST_CASE("separate: offered for sums of products with an epilogue that computes or reorders") {
  const Tensor x = input({64, 24}), w = input({24, 96}), product = x.matmul(w);
  CHECK(sites((product + input({96})).gelu(), "separate") ==
        std::vector<std::string>{"separate f32[64x96] of 64x96x24 then Add, Mul, Mul, Erf, Add, Mul"});
  CHECK(sites((x.matmul(w).cast(dt::f16) * 0.5).cast(dt::f32), "separate") ==
        std::vector<std::string>{"separate f32[64x96] of 64x96x24 then Cast, Mul, Cast"});
  CHECK(sites(input({variable("T", 1, 64), 24}).matmul(w).relu(), "separate") ==
        std::vector<std::string>{"separate f32[Tx96] of Tx96x24 then Max"});
  const Tensor heads = input({4, 32, 16}).matmul(input({4, 16, 32}));
  CHECK(sites(heads.permute({1, 0, 2}).reshape({32, 128}), "separate") ==
        std::vector<std::string>{"separate f32[32x128] of 4x32x32x16 then Permute"});
  CHECK(sites(input({1, 8, 24, 24}).conv2d(input({8, 8, 3, 3}), input({8}), {.padding = {1, 1, 1, 1}}).silu(), "separate")
            .size() == 1);
  // Of two products side by side, the one that takes both further.
  const Tensor gated = product.silu() * x.matmul(input({24, 96}));
  CHECK(sites(gated, "separate").size() == 1);

  const Tensor counts = input({64, 24}, dt::i32).matmul(input({24, 96}, dt::i32));
  CHECK(sites(counts + counts, "separate").empty());                                  // no floats
  CHECK(sites(product, "separate").empty());                                          // no epilogue
  CHECK(sites(product.cast(dt::f16), "separate").empty());                            // casts only
  CHECK(sites(product.detach().reshape({96, 64}).contiguous(), "separate").empty());  // views only
  CHECK(sites(heads.permute({1, 0, 2}).contiguous(), "separate").empty());            // walked with strides
  CHECK(sites(product.reshape({64, 32, 3}).sum({1}).relu(), "separate").empty());     // another reduction's
  CHECK(sites(input({63, 24}).matmul(input({24, 65})).relu(), "separate").empty());   // few outputs
  CHECK(sites(input({1, 24}).matmul(input({24, 8192})).relu(), "separate").empty());  // a vector's product
  CHECK(sites(input({8192, 24}).matmul(input({24})).relu(), "separate").empty());
  CHECK(sites((x.unsqueeze(1) * w.transpose()).max({2}).exp(), "separate").empty());  // no sum
  CHECK(sites((x.unsqueeze(1) + w.transpose()).sum({2}).exp(), "separate").empty());  // not of products
}

TEST_CASE("separate: not offered for rows, nor for what attention or a convolution computes in another way") {
  const Tensor rows = input({8192, 4});
  CHECK(sites(rows.softmax().relu(), "separate").empty());
  CHECK(sites(rows.rmsnorm(input({4}), 1e-5), "separate").empty());
  CHECK(sites(rows.layernorm(input({4}), input({4}), 1e-5), "separate").empty());
  const Tensor q = input({4, 64, 32}), k = input({4, 64, 32}), v = input({4, 64, 32});
  const Tensor merged = Tensor::attention(q, k, v).permute({1, 0, 2}).reshape({64, 128});
  CHECK(sites(merged, "separate").empty());
  CHECK(sites(merged * 0.5, "separate").empty());
  CHECK(sites(Tensor::attention(q, k, v, input({4, 64, 64})), "separate").empty());
  CHECK(sites(Tensor::attention(q, input({2, 64, 32}), input({2, 64, 32}), {}, 0, true), "separate").empty());
  // Nor where a convolution is another graph.
  const Tensor image = input({1, 8, 32, 32}).conv2d(input({8, 8, 3, 3})).relu();
  CHECK(sites(image, "separate").size() == 1);
  const PlanOptions all{.choose = [](const Alternative&) { return std::optional(true); }};
  for (const Alternative& a : partition({image.uop()}, all).alternatives) CHECK(a.name.starts_with("winograd"));
  // A product behind attention is one like any other.
  CHECK(sites(merged.matmul(input({128, 128})) + input({64, 128}), "separate") ==
        std::vector<std::string>{"separate f32[64x128] of 64x128x128 then Add"});
}

TEST_CASE("separate: the sum is a kernel, its epilogue another or part of who reads it") {
  const Tensor x = input({64, 5}), w = input({5, 72}), product = x.matmul(w);
  const std::pair<size_t, size_t> apart(2, 1);
  CHECK(kernels((product + input({72})).gelu(), "separate") == apart);
  CHECK(kernels((product.cast(dt::f16) * 0.5).cast(dt::f32), "separate") == apart);
  CHECK(kernels(input({3, 32, 5}).matmul(input({3, 5, 48})).permute({1, 0, 2}).reshape({32, 144}), "separate") == apart);
  CHECK(kernels(input({1, 2, 24, 24}).conv2d(input({8, 2, 3, 3}), input({8}), {.padding = {1, 1, 1, 1}}).silu(),
                "separate") == apart);
  CHECK(kernels_of({input({variable("T", 1, 64), 5}).matmul(w).relu().uop()}, "separate", {{"T", 7}}) == apart);
  const Tensor cache = input({80, 72});
  CHECK(kernels(cache.slice(0, 3, 67).assign(product * 0.5), "separate") == apart);
  // Another product that the epilogue reads does not take it over: it is stored as it was.
  const Tensor other = x.matmul(input({5, 72}));
  CHECK(kernels(product.silu() * other, "separate") == std::pair<size_t, size_t>(3, 2));
  CHECK(kernels(product.silu() * other.tanh() + other * 0.5, "separate") == std::pair<size_t, size_t>(3, 2));
  // Computed where it is read: in a sum of rows, or at a part of the places.
  CHECK(kernels((product * 0.5).sum({1}), "separate") == std::pair<size_t, size_t>(2, 2));
  CHECK(kernels((product + input({72})).slice(1, 0, 8), "separate") == std::pair<size_t, size_t>(2, 2));
  // Nobody is made to repeat it for each of many outputs.
  CHECK(kernels(product.gelu().matmul(input({72, 3})), "separate") == std::pair<size_t, size_t>(3, 2));
  // Scores that are stored because their softmax is read by others too.
  const Tensor weights = (input({64, 5}).matmul(input({5, 64})) * 0.3).softmax();
  CHECK(kernels_of({weights.matmul(input({64, 3})).uop(), weights.uop()}, "separate") == std::pair<size_t, size_t>(3, 3));
  const Plan plan = partition({(product + input({72})).gelu().uop()}, taking("separate"));
  CHECK(capacity(plan.kernels[0].buffers[0]) == 4 * 64 * 72);
}

TEST_CASE("separate: taken beside panels, timed by itself") {
  const Tensor y = (input({64, 5}).matmul(weight({5, 128})) + input({128})).gelu();
  const PlanOptions both{.choose = [](const Alternative&) { return std::optional(true); }};
  const Plan plan = partition({y.uop()}, both);
  CHECK(plan.kernels.size() == 3);
  CHECK(plan.kernels[0].constant);
  CHECK(difference({y.uop()}, plan, {}, 5) == "");
  const std::vector<PlanTrial> trials = plan_trials({y.uop()}, {});
  REQUIRE(trials.size() == 2);
  for (const PlanTrial& t : trials) CHECK(t.instead_of.empty());
  CHECK(trials[0].alternative.name == "panels");
  CHECK(trials[1].alternative.name == "separate");
  CHECK(trials[0].stored[0].ast == trials[1].stored[0].ast);
  CHECK(trials[1].in_place.size() == 2);
  // What is known of one of them is what the other is timed with.
  const std::vector<PlanTrial> with_panels = plan_trials({y.uop()}, taking("panels"));
  REQUIRE(with_panels.size() == 2);
  REQUIRE(with_panels[1].in_place.size() == 2);
  CHECK(with_panels[1].in_place[0].ast == partition({y.uop()}, both).kernels[1].ast);
}

TEST_CASE("separate: equal layers are one kind of site") {
  const auto layer = [](const Tensor& x) {
    return x + (x.matmul(input({72, 72})).gelu().matmul(input({72, 72})) + input({72}));
  };
  const Tensor y = layer(layer(layer(input({64, 72}))));
  CHECK(sites(y, "separate").size() == 6);
  const std::vector<PlanTrial> trials = plan_trials({y.uop()}, {});
  REQUIRE(trials.size() == 2);
  for (const PlanTrial& t : trials) {
    CAPTURE(t.alternative.site);
    CHECK(t.in_place.size() == 2);
    CHECK(t.stored.size() == 1);
    for (const auto* side : {&t.in_place, &t.stored})
      for (const PlanTrial::Share& s : *side) CHECK(s.launches == 1);
  }
}
