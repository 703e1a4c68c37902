// What a GPU computes in one kernel, under its own rules and default schedules: counts of kernels, memory, and values, by
// the interpreter of thread blocks against the evaluation node by node.
#include <doctest/doctest.h>

#include "runtime/config.h"
#include "runtime/cuda_device.h"
#include "search/schedule.h"
#include "search/tune.h"
#include "src/graph/partition.h"
#include "src/tensor/buffers.h"
#include "tests/graph/tensor_evaluator.h"
#include "tests/search/block_target.h"
#include "uops/interpret.h"
#include "uops/lower.h"
#include "uops/text.h"
#include "uops/together.h"

using namespace pg;
using pg::test::input;

namespace {

Plan plan_of(const UOps& roots) { return partition(roots, {.gpu = true}); }
size_t kernels(const Tensor& t) { return plan_of({t.uop()}).kernels.size(); }

UOp lowered(const UOp& launch, const Target& target) {
  UOps linears;
  for (const UOp& kernel : kernels_in(launch)) {
    const Opts opts = heuristic(kernel, target);
    const Expected<Schedule> s = Schedule(kernel, target).apply(opts);
    if (!s) throw InternalError(text(opts) + ": " + s.reason());
    linears.push_back(lower(s->scheduled(), target));
  }
  if (linears.size() == 1) return linears[0];
  const JoinedPrograms program = joined(launch, linears, target);
  if (!program.linear) throw InternalError(program.why_not);
  return program.linear;
}

/// Runs a plan's kernels under default schedules of a GPU; where a root first differs from its evaluation.
std::string difference_on_blocks(const UOps& roots, const test::KernelEvaluator::Bindings& variables, uint32_t seed) {
  const Target target = test::gpu_target();
  test::TensorEvaluator evaluator(variables, seed);
  std::vector<test::Values> expected;
  for (const UOp& root : roots) expected.push_back(evaluator.evaluate(root));
  const Plan plan = plan_of(roots);
  for (const PlannedKernel& k : plan.kernels) {
    const UOp linear = lowered(k.ast, target);
    const LaunchInfo launch = launch_info(linear);
    std::vector<std::vector<float>> memory;
    std::vector<HostBuffer> buffers;
    for (const UOp& p : launch.params) {
      const test::Values& v = evaluator.memory(k.buffers[static_cast<size_t>(p.arg_as<ParamArg>().slot)]);
      memory.emplace_back(v.begin(), v.end());
    }
    for (std::vector<float>& m : memory) buffers.push_back({m.data(), static_cast<int64_t>(m.size())});
    std::vector<int64_t> values;
    for (const UOp& v : launch.variables) values.push_back(variables.at(v.arg_as<VariableArg>().name));
    InterpretOptions options;
    options.threads = seed % 2 ? InterpretOptions::Order::Random : InterpretOptions::Order::Reverse, options.seed = seed;
    interpret(linear, buffers, values, options);
    for (size_t i = 0; i < launch.params.size(); ++i) {
      test::Values& v = evaluator.memory(k.buffers[static_cast<size_t>(launch.params[i].arg_as<ParamArg>().slot)]);
      v.assign(memory[i].begin(), memory[i].end());
    }
  }
  for (size_t r = 0; r < roots.size(); ++r) {
    const test::Values& got = evaluator.memory(plan.outputs[r]);
    for (size_t i = 0; i < got.size(); ++i)
      if (!(std::abs(got[i] - expected[r][i]) <= 2e-5 * (1 + std::abs(expected[r][i]))))
        return "root " + std::to_string(r) + " element " + std::to_string(i) + ": " + std::to_string(got[i]) +
               " instead of " + std::to_string(expected[r][i]);
  }
  return "";
}

}  // namespace

TEST_CASE("kernels of a GPU: rows, attention, an epilogue are one kernel; a gated product two, of a token one") {
  const Tensor x = input({5, 64});
  CHECK(kernels(x.softmax()) == 1);
  CHECK(kernels(x.layernorm(input({64}), input({64}), 1e-5)) == 1);
  CHECK(kernels(x.rmsnorm(input({64}), 1e-5)) == 1);
  CHECK(kernels(Tensor::attention(input({4, 9, 16}), input({2, 9, 16}), input({2, 9, 16}), {}, 0, true)) == 1);
  CHECK(kernels((x.matmul(input({64, 32})) + input({32})).gelu()) == 1);
  const auto swiglu = [](const Tensor& t) {
    return t.matmul(input({48, 64}).transpose()).silu() * t.matmul(input({48, 64}).transpose());
  };
  CHECK(kernels(swiglu(x)) == 2);
  CHECK(kernels(swiglu(input({1, 64}))) == 1);
  CHECK(kernels(swiglu(input({1, 64}).rmsnorm(input({64}), 1e-5))) == 1);
}
TEST_CASE("rules of a GPU: a row that several kernels would each compute is materialised, those are one launch") {
  const Tensor x = input({1, 64}).rmsnorm(input({64}), 1e-5);
  const UOps one{x.matmul(input({48, 64}).transpose()).uop()}, two{one[0], x.matmul(input({32, 64}).transpose()).uop()};
  CHECK(plan_of(one).kernels.size() == 1);
  CHECK(plan_of(two).kernels.size() == 2);
  CHECK(kernels_in(plan_of(two).kernels[1].ast).size() == 2);
  CHECK(difference_on_blocks(two, {}, 1) == "");
  CHECK(partition(two).kernels.size() == 2);  // a CPU's
  for (const Alternative& a : plan_of(two).alternatives)
    if (a.name == "rows") CHECK(a.readers == 2);
}
TEST_CASE("attention on a GPU takes no memory that grows with the tokens") {
  const auto memory = [](int64_t tokens) {
    const Tensor q = input({2, tokens, 40}), k = input({2, tokens, 40}), v = input({2, tokens, 40});
    const Plan plan = plan_of({Tensor::attention(q, k, v).uop()});
    REQUIRE(plan.kernels.size() == 1);
    const UOp linear = lowered(plan.kernels[0].ast, test::gpu_target());
    CHECK(launch_info(linear).workspaces.empty());
    int64_t bytes = 0;
    for (const UOp& u : collect(linear, [](const UOp& n) { return n.is(Op::Memory); })) bytes += capacity(u);
    return bytes;
  };
  CHECK(memory(8192) > 0);
  CHECK(memory(8192) < 99 << 10);  // the shared memory of the smallest
  CHECK(memory(16384) == memory(8192));
}
TEST_CASE("random attentions on a GPU: causal, masked, grouped, of any size, with a position") {
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto pick = [&](int lo, int hi) { return std::uniform_int_distribution<>(lo, hi)(random); };
    const int64_t groups = pick(1, 2), each = pick(1, 3), depth = pick(1, 24), columns = pick(0, 2) ? depth : pick(2, 20);
    const int64_t rows = pick(0, 2) ? pick(2, 40) : 1, most = pick(rows == 1 ? 2 : static_cast<int>(rows), 70);
    const Dim pos = pick(0, 1) ? Dim(variable("pos", 0, most - 1)) + Dim(1) : Dim(most);
    const bool causal = pick(0, 1) && pos.number() && rows > 1, masked = !causal && pick(0, 1);
    const auto cache = [&](int64_t width) { return input({groups, most, width}).slice(1, 0, pos); };
    const Tensor out = Tensor::attention(input({groups * each, rows, depth}), cache(depth), cache(columns),
                                         masked ? input({rows, most}).slice(1, 0, pos) : Tensor(), 0, causal);
    const Plan plan = plan_of({out.uop()});
    CHECK(plan.kernels.size() == 1);
    CAPTURE(pretty(plan.kernels[0].ast));
    CHECK(difference_on_blocks({out.uop()}, {{"pos", pick(0, static_cast<int>(most) - 1)}}, seed) == "");
  }
}
TEST_CASE("a token's attention on a GPU: keys in parts of several blocks, at any position") {
  for (const int64_t pos : {0, 1, 127, 128, 300, 699}) {
    CAPTURE(pos);
    const Dim seen = Dim(variable("pos", 0, 699)) + Dim(1);
    const auto cache = [&] { return input({2, 700, 12}).slice(1, 0, seen); };
    const Tensor out = Tensor::attention(input({6, 1, 12}), cache(), cache());
    const Plan plan = plan_of({out.uop()});
    REQUIRE(plan.kernels.size() == 1);
    CHECK(launch_info(lowered(plan.kernels[0].ast, test::gpu_target())).phases.size() == 2);
    CHECK(difference_on_blocks({out.uop()}, {{"pos", pos}}, static_cast<uint32_t>(pos)) == "");
  }
}
TEST_CASE("random rows, and rows in front of matrices, on a GPU") {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto pick = [&](int lo, int hi) { return std::uniform_int_distribution<>(lo, hi)(random); };
    const int64_t rows = pick(1, 600), width = pick(0, 1) ? 128 * pick(1, 3) : pick(2, 300);
    const Tensor x = input({rows, width});
    CHECK(difference_on_blocks({pick(0, 1) ? x.softmax().uop() : x.layernorm(input({width}), input({width}), 1e-5).uop()},
                               {}, seed) == "");
    const int64_t n = pick(2, 90), k = pick(0, 1) ? 4 * pick(2, 40) : pick(2, 150);
    const auto matrix = [&, transposed = pick(0, 1)] { return transposed ? input({n, k}).transpose() : input({k, n}); };
    Tensor y = input({1, k});
    if (pick(0, 2)) y = y.rmsnorm(input({k}), 1e-5);
    y = pick(0, 2) ? y.matmul(matrix()).silu() * y.matmul(matrix()) : y.matmul(matrix()) + input({1, n});
    CHECK(plan_of({y.uop()}).kernels.size() == 1);
    CHECK(difference_on_blocks({y.uop()}, {}, seed) == "");
  }
}
TEST_CASE("gpu: attention, rows and rows in front of matrices give what the interpreter gives") {
  if (const DeviceReport first = cuda_reports(config())[0]; !first.found) {
    MESSAGE("skipped: " << first.what);
    return;
  }
  const auto results = [](Device& d) {
    uint64_t seed = 0;
    const auto random = [&](Shape shape) { return Tensor::randn(std::move(shape), ++seed, d); };
    const auto attention = [&](int64_t heads, int64_t groups, int64_t rows, int64_t keys, int64_t width, bool causal) {
      return Tensor::attention(random({heads, rows, width}), random({groups, keys, width}), random({groups, keys, width}),
                               {}, 0, causal);
    };
    const Tensor token = random({1, 256}).rmsnorm(random({256}), 1e-5);
    std::vector<Tensor> all{
        attention(4, 2, 130, 130, 64, true),
        attention(2, 2, 70, 77, 40, false),
        attention(8, 2, 1, 700, 64, false),
        attention(3, 3, 1, 333, 128, false),
        random({600, 512}).softmax(),
        random({5, 3000}).layernorm(random({3000}), random({3000}), 1e-5),
        token.matmul(random({300, 256}).transpose()).silu() * token.matmul(random({300, 256}).transpose())};
    std::vector<std::vector<float>> values;
    for (Tensor& t : all) values.push_back(t.to_floats());
    return values;
  };
  const auto got = results(device("CUDA")), wanted = results(device("REF"));
  for (size_t r = 0; r < got.size(); ++r)
    for (size_t i = 0; i < got[r].size(); ++i) {
      CAPTURE(r);
      CAPTURE(i);
      REQUIRE(std::abs(got[r][i] - wanted[r][i]) <= 2e-5 * (1 + std::abs(wanted[r][i])));
    }
}
