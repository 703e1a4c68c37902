// Which alternatives are offered, taken, timed, kept and found again.
#include "src/graph/plans.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "search/schedule.h"
#include "src/graph/plan_timing.h"
#include "src/tensor/buffers.h"
#include "src/tensor/tensor.h"
#include "tests/graph/tensor_evaluator.h"
#include "uops/kernel.h"
#include "uops/lower.h"

using namespace pg;
using pg::test::input;

namespace {
/// Of a token: norm, two projections side by side.
UOps gated() {
  const Tensor x = input({1, 32}).rmsnorm(input({32}), 1e-5);
  return {(x.matmul(input({48, 32}).transpose()).silu() * x.matmul(input({48, 32}).transpose())).uop()};
}
std::vector<std::string> sites(const Plan& plan) {
  std::vector<std::string> all;
  for (const Alternative& a : plan.alternatives) all.push_back(a.site + (a.taken ? "" : " (not taken)"));
  return all;
}
}  // namespace

TEST_CASE("sites are named by shapes; rules take what costs nothing") {
  const Plan plan = partition(gated());
  CHECK(plan.kernels.size() == 1);
  CHECK(sites(plan) == std::vector<std::string>{"side_by_side f32[1x48x1] of 1x48x32 in 48|32", "rows f32[1x32] in 48|32"});
  const Plan stored = partition(gated(), {.defaults = false});
  CHECK(stored.kernels.size() == 3);
  const Tensor x = input({5, 32}).rmsnorm(input({32}), 1e-5);
  const Plan many = partition({x.matmul(input({48, 32}).transpose()).uop()});
  CHECK(many.kernels.size() == 2);
  CHECK(sites(many) == std::vector<std::string>{"repeated f32[5x32] in 5x48|32 (not taken)"});
}
TEST_CASE("a long row, or what takes a long sum, is not computed on every core") {
  const int64_t n = 1 << 17;
  const Plan row = partition({input({1, n}).exp().matmul(input({8, n}).transpose()).uop()});
  CHECK(row.kernels.size() == 2);
  CHECK(sites(row) == std::vector<std::string>{"split sum 1x8x131072 to 8 (not taken)",
                                               "rows f32[1x131072] in 8|131072 (not taken)"});
  const Tensor x = input({1, 32}), far = input({n});
  const Plan sum = partition({(x * (far * far).sum().reshape({1, 1})).matmul(input({8, 32}).transpose()).uop()});
  REQUIRE(sum.kernels.size() == 2);
  CHECK(definitions(sum.kernels[1].ast).size() == 2);  // the row, but not the sum in it
}
TEST_CASE("attention whose weights somebody else reads is no single pass") {
  const Tensor q = input({4, 8}), k = input({6, 8}), v = input({6, 8});
  const Tensor weights = q.matmul(k.transpose()).softmax();
  CHECK(partition({weights.matmul(v).uop()}).kernels.size() == 1);
  const UOps both{weights.matmul(v).uop(), weights.uop()};
  const Plan plan = partition(both);
  CHECK(std::none_of(plan.alternatives.begin(), plan.alternatives.end(),
                     [](const Alternative& a) { return a.name == "one_pass" && a.taken; }));
  CHECK(test::difference(both, plan, {}, 3) == "");
}
TEST_CASE("attention takes no memory that grows with the square of the tokens") {
  const auto private_bytes = [](int64_t tokens) {
    const Tensor q = input({2, tokens, 40}), k = input({2, tokens, 40}), v = input({2, tokens, 40});
    const Plan plan = partition({Tensor::attention(q, k, v).uop()});
    REQUIRE(plan.kernels.size() == 1);
    const Target target{.cores = 1};
    const UOp& ast = plan.kernels[0].ast;
    const UOp linear = lower(Schedule(ast, target).apply(heuristic(ast, target))->scheduled(), target);
    int64_t bytes = 0;
    for (const UOp& u : collect(linear, [](const UOp& n) { return n.is(Op::Memory); })) bytes += capacity(u);
    return bytes;
  };
  const int64_t once = private_bytes(4096), twice = private_bytes(8192);
  CHECK(once > 0);
  CHECK(once < 4096 * 4096 * 4 / 32);  // a head's scores
  CHECK(twice <= 2 * once);
}
TEST_CASE("a trial has the kernels that differ, for one site") {
  UOps roots;
  for (int layer = 0; layer < 3; ++layer) roots.push_back(gated()[0]);
  const std::vector<PlanTrial> trials = plan_trials(roots, {});
  REQUIRE(trials.size() == 2);
  for (const PlanTrial& t : trials) {
    CAPTURE(t.alternative.site);
    CHECK(t.in_place.size() == 1);
    CHECK(t.stored.size() == 2);
    for (const auto* side : {&t.in_place, &t.stored})
      for (const PlanTrial::Share& s : *side) CHECK(s.launches == 1);
  }
}
TEST_CASE("what was measured is kept, taken, and not measured again") {
  Device& cpu = default_device();
  if (cpu.name() != "CPU") return;
  auto store = Store::open(":memory:");
  const UOps roots = gated();
  std::vector<PlanRow> told;
  const auto tell = [&](const PlanRow& row) {
    told.push_back(row);
    return true;
  };
  tune_plans(roots, {}, cpu, *store, tell);
  REQUIRE(told.size() == 2);
  for (const PlanRow& row : told) {
    CHECK(row.in_place_ms > 0);
    CHECK(row.stored_ms > 0);
  }
  REQUIRE(store->plans().size() == 2);
  tune_plans(roots, {}, cpu, *store, tell);
  CHECK(told.size() == 2);

  // Whatever it was: another answer in the database gives another plan.
  for (PlanRow row : store->plans()) {
    row.in_place = false;
    store->put_plan(row);
  }
  CHECK(partition(roots, plan_options(cpu, store.get())).kernels.size() == 3);
  PlanRow other = store->plans()[0];
  other.threads += 1, other.in_place = true;
  store->put_plan(other);
  CHECK(partition(roots, plan_options(cpu, store.get())).kernels.size() == 3);
}
