// Convolutions by minimal filtering: where they are offered, that they compute the same, and within what rounding error.
#include "src/graph/winograd.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "runtime/device.h"
#include "search/build.h"
#include "src/graph/convolution_3x3.h"
#include "src/graph/plan_timing.h"
#include "src/graph/plans.h"
#include "src/graph/program_cache.h"
#include "src/graph/realize.h"
#include "src/tensor/buffers.h"
#include "tests/graph/tensor_evaluator.h"

using namespace pg;
using pg::test::input;

namespace {
constexpr const char* kForms[] = {"winograd_2x3", "winograd_4x3"};

/// Plans that take this form wherever it is offered; empty: none.
PlanOptions only(const std::string& form) {
  return {.choose = [form](const Alternative& a) -> std::optional<bool> {
    return a.name.starts_with("winograd") ? std::optional(a.name == form) : std::nullopt;
  }};
}
std::vector<std::string> offered(const Tensor& y) {
  std::vector<std::string> names;
  for (const Alternative& a : partition({y.uop()}).alternatives)
    if (a.name.starts_with("winograd")) names.push_back(a.site);
  return names;
}
/// Σ over c, ky, kx of x[c, y + ky, x + kx] · w[o, c, ky, kx] without conv2d, axes in an order of its own.
Tensor by_hand(const Tensor& x, const Tensor& w) {
  const Tensor windows = x.unfold(1, 3, 1).unfold(2, 3, 1);  // [c, y, x, ky, kx]
  const Shape s = windows.shape();
  const Tensor seen = windows.permute({3, 1, 0, 4, 2}).unsqueeze(3);          // [ky, y, c, 1, kx, x]
  const Tensor weights = w.permute({2, 1, 0, 3}).unsqueeze(1).unsqueeze(-1);  // [ky, 1, c, o, kx, 1]
  return (weights * seen).sum({0, 2, 4});                                     // [y, o, x]
}
/// Runs a plan's kernels on a device; the elements of each root.
std::vector<std::vector<float>> run(const Plan& plan, Device& device) {
  std::vector<KernelRequest> requests;
  for (const PlannedKernel& k : plan.kernels) requests.push_back({k.ast, {}});
  const std::vector<ReadyKernelRef> ready = ready_kernels(requests, device);
  for (size_t i = 0; i < ready.size(); ++i) {
    for (const UOp& b : plan.kernels[i].buffers)
      if (!memory_of(b)) set_memory(b, std::make_shared<Memory>(device, static_cast<size_t>(capacity(b))));
    for (const ReadyLaunch& l : ready[i]->launches({})) {
      std::vector<void*> buffers;
      for (const size_t slot : l.slots) buffers.push_back(memory_of(plan.kernels[i].buffers[slot])->data());
      l.program->launch(buffers, l.variables, l.items);
    }
  }
  std::vector<std::vector<float>> results;
  for (const UOp& root : plan.outputs) results.push_back(Tensor(root).to_floats());
  return results;
}
std::vector<float> normal(int64_t n, std::mt19937& random, double scale) {
  std::vector<float> v(static_cast<size_t>(n));
  for (float& x : v) x = static_cast<float>(std::normal_distribution<>(0, scale)(random));
  return v;
}

/// A random convolution with its epilogue, its operands on a device, and its values in double precision.
struct Case {
  int64_t batch, channels, filters, height, width;
  std::array<int64_t, 4> padding;
  int epilogue;  // 0: none, 1: bias, activation, residual, 2: read by two
  std::vector<float> x, w, bias, residual;

  explicit Case(std::mt19937& random) {
    const auto pick = [&](int64_t lo, int64_t hi) { return std::uniform_int_distribution<int64_t>(lo, hi)(random); };
    batch = pick(1, 3), channels = pick(1, 40), filters = pick(2, 12), height = pick(3, 13), width = pick(3, 13);
    for (int64_t& side : padding) side = pick(0, 2);
    epilogue = static_cast<int>(pick(0, 2));
    x = normal(batch * channels * height * width, random, 1);
    w = normal(filters * channels * 9, random, 1 / std::sqrt(9.0 * static_cast<double>(channels)));
    bias = normal(filters, random, 1);
    residual = normal(batch * filters * rows() * columns(), random, 1);
  }
  int64_t rows() const { return height + padding[0] + padding[1] - 2; }
  int64_t columns() const { return width + padding[2] + padding[3] - 2; }

  UOps roots(Device& device) const {
    const Tensor image = Tensor::from(x, {batch, channels, height, width}, device);
    const Tensor y = image.conv2d(Tensor::from(w, {filters, channels, 3, 3}, device), {}, {.padding = padding});
    const Tensor b = Tensor::from(bias, {1, filters, 1, 1}, device);
    if (epilogue == 0) return {y.uop()};
    if (epilogue == 1) return {((y + b).relu() + Tensor::from(residual, {batch, filters, rows(), columns()}, device)).uop()};
    const Tensor shifted = y + b;
    return {(shifted * 0.5).uop(), (shifted - shifted.mean({1}, true)).uop()};
  }
  /// The roots' elements one after the other.
  std::vector<double> exact() const {
    std::vector<double> sums;
    for (int64_t n = 0; n < batch; ++n)
      for (int64_t o = 0; o < filters; ++o)
        for (int64_t r = 0; r < rows(); ++r)
          for (int64_t c = 0; c < columns(); ++c) sums.push_back(sum(n, o, r, c));
    const int64_t plane = rows() * columns();
    const auto biased = [&](size_t i) {
      return sums[i] + static_cast<double>(bias[i / static_cast<size_t>(plane) % static_cast<size_t>(filters)]);
    };
    if (epilogue == 0) return sums;
    std::vector<double> all;
    if (epilogue == 1) {
      for (size_t i = 0; i < sums.size(); ++i) all.push_back(std::max(biased(i), 0.0) + static_cast<double>(residual[i]));
      return all;
    }
    for (size_t i = 0; i < sums.size(); ++i) all.push_back(biased(i) * 0.5);
    for (size_t i = 0; i < sums.size(); ++i) {
      const size_t image = i / static_cast<size_t>(plane * filters), at = i % static_cast<size_t>(plane);
      double mean = 0;
      for (int64_t o = 0; o < filters; ++o)
        mean += biased(image * static_cast<size_t>(plane * filters) + static_cast<size_t>(o * plane) + at);
      all.push_back(biased(i) - mean / static_cast<double>(filters));
    }
    return all;
  }

 private:
  double sum(int64_t n, int64_t o, int64_t row, int64_t column) const {
    double s = 0;
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t ky = 0; ky < 3; ++ky)
        for (int64_t kx = 0; kx < 3; ++kx) {
          const int64_t y = row + ky - padding[0], at = column + kx - padding[2];
          if (y < 0 || y >= height || at < 0 || at >= width) continue;
          s += static_cast<double>(x[static_cast<size_t>(((n * channels + c) * height + y) * width + at)]) *
               static_cast<double>(w[static_cast<size_t>(((o * channels + c) * 3 + ky) * 3 + kx)]);
        }
    return s;
  }
};
/// Root mean square of the differences.
double error(const std::vector<std::vector<float>>& got, const std::vector<double>& wanted) {
  double sum = 0;
  size_t at = 0;
  for (const auto& root : got)
    for (const float v : root) sum += std::pow(static_cast<double>(v) - wanted.at(at++), 2);
  REQUIRE(at == wanted.size());
  return std::sqrt(sum / static_cast<double>(at));
}
double rms(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v * v;
  return std::sqrt(sum / static_cast<double>(values.size()));
}

void check_within_licence(Device& device, uint32_t first, uint32_t last) {
  for (uint32_t seed = first; seed < last; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const Case c(random);
    CAPTURE(c.channels);
    const UOps roots = c.roots(device);
    const std::vector<double> wanted = c.exact();
    const double direct = error(run(partition(roots, only("")), device), wanted), unit = std::ldexp(rms(wanted), -24);
    for (const char* form : kForms) {
      CAPTURE(form);
      const Plan plan = partition(roots, only(form));
      if (c.channels < 8) {
        CHECK(std::none_of(plan.alternatives.begin(), plan.alternatives.end(),
                           [&](const Alternative& a) { return a.name == form; }));
        continue;
      }
      const auto taken = std::find_if(plan.alternatives.begin(), plan.alternatives.end(),
                                      [&](const Alternative& a) { return a.name == form && a.taken; });
      REQUIRE(taken != plan.alternatives.end());
      CHECK(error(run(plan, device), wanted) <= taken->rounding * std::max(direct, unit));
    }
  }
}
}  // namespace

TEST_CASE("winograd: what is computed within the error licence, on the interpreter") {
  check_within_licence(device("REF"), 0, 12);
}
TEST_CASE("winograd: what is computed within the error licence, on the CPU") {
  if (default_device().name() == "CPU") check_within_licence(default_device(), 100, 140);
}
TEST_CASE("winograd: in exact arithmetic a plan computes the same") {
  for (uint32_t seed = 0; seed < 12; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const Case c(random);
    const Tensor x = input({c.batch, 8, c.height, c.width}), w = input({4, 8, 3, 3});
    const UOps roots{(x.conv2d(w, {}, {.padding = c.padding}).relu() + 1.0).uop()};
    const Plan plan = partition(roots, only("winograd_2x3"));  // whose constants are exact in f32
    CHECK(plan.kernels.size() >= 4);
    CHECK(test::difference(roots, plan, {}, seed) == "");
  }
}
TEST_CASE("winograd: a batch of any size") {
  const Tensor x = input({variable("n", 1, 3), 8, 6, 5}), w = input({4, 8, 3, 3});
  const UOps roots{x.conv2d(w, input({4}), {.padding = {1, 1, 1, 1}}).relu().uop()};
  const Plan plan = partition(roots, only("winograd_2x3"));
  CHECK(plan.kernels.size() == 5);
  for (const int64_t n : {1, 2, 3}) CHECK(test::difference(roots, plan, {{"n", n}}, 5) == "");
}
TEST_CASE("winograd: outputs that are no whole tiles are stored before they are read") {
  const Tensor y = input({1, 8, 7, 7}).conv2d(input({4, 8, 3, 3}), {}, {.padding = {1, 1, 1, 1}});
  CHECK(partition({y.max().uop()}, only("winograd_4x3")).kernels.size() == 5);
  const UOps roots{(y.max({3}) + 1.0).uop()};
  CHECK(test::difference(roots, partition(roots, only("winograd_2x3")), {}, 2) == "");
}
TEST_CASE("winograd: offered where windows of 3 x 3 walk by one, and nowhere else") {
  const Tensor x = input({2, 8, 9, 10}), w = input({4, 8, 3, 3});
  const std::vector<std::string> both{"winograd_2x3 f32[2x4x9x10] of 8", "winograd_4x3 f32[2x4x9x10] of 8"};
  CHECK(offered(x.conv2d(w, {}, {.padding = {1, 1, 1, 1}})) == both);
  CHECK(offered(x.cast(dt::f16).conv2d(w.cast(dt::f16), {}, {.padding = {1, 1, 1, 1}})) == both);
  CHECK(offered(x.conv2d(w)).size() == 2);
  CHECK(offered(x.conv2d(w, {}, {.stride = 2})).empty());
  CHECK(offered(x.conv2d(w, {}, {.dilation = 2})).empty());
  CHECK(offered(x.conv2d(input({4, 4, 3, 3}), {}, {.groups = 2})).empty());
  CHECK(offered(x.conv2d(input({8, 1, 3, 3}), {}, {.groups = 8})).empty());
  CHECK(offered(x.conv2d(input({4, 8, 1, 1}))).empty());
  CHECK(offered(x.conv2d(input({4, 8, 5, 5}))).empty());
  CHECK(offered(x.conv2d(input({4, 8, 3, 1}))).empty());
  CHECK(offered(input({1, 1, 9, 9}).conv2d(input({4, 1, 3, 3}))).empty());  // no sum is left over channels
  CHECK(offered(input({1, 7, 9, 9}).conv2d(input({4, 7, 3, 3}))).empty());
  CHECK(offered(input({2, 8, 9, 10}, dt::i32).conv2d(input({4, 8, 3, 3}, dt::i32))).empty());
  CHECK(offered(input({8, 20}).conv1d(input({4, 8, 3}))).empty());
  CHECK(offered(input({9, 8}).matmul(input({8, 9}))).empty());
}
TEST_CASE("winograd: a convolution is known by its indices, not by who made it") {
  const Tensor x = input({9, 8, 9}), w = input({4, 9, 3, 3});
  const UOps roots{by_hand(x, w).uop()};
  const auto found = convolution_3x3(roots[0].is(Op::ReduceAxis) ? roots[0] : roots[0].src(0));
  REQUIRE(found);
  CHECK(found->batch.empty());
  CHECK(found->filters.size() == 1);
  const Plan plan = partition(roots, only("winograd_2x3"));
  CHECK(plan.kernels.size() == 5);  // 7 rows of outputs are no whole tiles: their part of them is copied
  CHECK(test::difference(roots, plan, {}, 1) == "");
}
TEST_CASE("winograd: the epilogue is the last kernel's; who else reads finds the result in memory") {
  const Tensor x = input({1, 8, 8, 8}), w = input({4, 8, 3, 3}), bias = input({4}), residual = input({1, 4, 8, 8});
  const Tensor y = x.conv2d(w, bias, {.padding = {1, 1, 1, 1}}).silu();
  for (const char* form : kForms) {
    CHECK(partition({(y + residual).uop()}, only(form)).kernels.size() == 4);
    CHECK(partition({(y + residual).uop(), (y * residual).uop()}, only(form)).kernels.size() == 6);
  }
}
TEST_CASE("winograd: gradients of a convolution do not change") {
  const Tensor x = input({2, 8, 6, 7}), w = input({8, 8, 3, 3});
  const Tensor loss = x.conv2d(w, {}, {.padding = {1, 1, 1, 1}}).tanh().sum();
  UOps roots{loss.uop()};
  for (const Tensor& g : gradients(loss, {x, w})) roots.push_back(g.uop());
  CHECK(test::difference(roots, partition(roots, only("winograd_2x3")), {}, 7) == "");
}
TEST_CASE("winograd: not where the user allows no more rounding than that of a sum") {
  const UOps roots{input({1, 320, 64, 64}).conv2d(input({320, 320, 3, 3}), {}, {.padding = {1, 1, 1, 1}}).uop()};
  const auto names = [&](double rounding) {
    std::vector<std::string> all;
    for (const Alternative& a : partition(roots, {.rounding = rounding}).alternatives)
      all.push_back(a.name + (a.taken ? " taken" : ""));
    return all;
  };
  CHECK(names(1).empty());
  CHECK(names(1.5) == std::vector<std::string>{"winograd_2x3 taken"});
  CHECK(names(Config().rounding) == std::vector<std::string>{"winograd_2x3", "winograd_4x3 taken"});
  CHECK(partition(roots, {.defaults = false}).kernels.size() == 1);
}
TEST_CASE("winograd: small ones stay as they are") {
  const Tensor y = input({1, 16, 8, 8}).conv2d(input({16, 16, 3, 3}), {}, {.padding = {1, 1, 1, 1}});
  CHECK(offered(y).size() == 2);
  CHECK(partition({y.uop()}).kernels.size() == 1);
}
TEST_CASE("winograd: each form is timed against what there is without it") {
  const UOps roots{input({1, 16, 8, 8}).conv2d(input({16, 16, 3, 3}), {}, {.padding = {1, 1, 1, 1}}).uop()};
  PlanOptions options;
  bool first = false;  // whether the 2x3 form is known to pay
  options.choose = [&](const Alternative& a) { return std::optional(a.name == "winograd_2x3" ? first : true); };
  for (const bool pays : {false, true}) {
    first = pays;
    const std::vector<PlanTrial> trials = plan_trials(roots, options);
    REQUIRE(trials.size() == 2);
    CHECK(trials[0].alternative.name == "winograd_2x3");
    CHECK(trials[0].in_place.size() == 4);
    CHECK(trials[0].stored.size() == 1);
    CHECK(trials[0].instead_of.empty());
    CHECK(trials[1].alternative.name == "winograd_4x3");
    CHECK(trials[1].in_place.size() == 4);
    CHECK(trials[1].stored.size() == (pays ? 4 : 1));
    CHECK(trials[1].instead_of == std::vector<std::string>{trials[0].alternative.site});
  }
}
TEST_CASE("winograd: tuning times the second form when the first is known, and keeps both answers") {
  Device& cpu = default_device();
  if (cpu.name() != "CPU") return;
  const auto store = Store::open(":memory:");
  const UOps roots{input({1, 16, 8, 8}).conv2d(input({16, 16, 3, 3}), {}, {.padding = {1, 1, 1, 1}}).uop()};
  std::vector<PlanRow> rows;
  const auto tell = [&](const PlanRow& row) {
    rows.push_back(row);
    return true;
  };
  tune_plans(roots, {}, cpu, *store, tell);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].site == "winograd_2x3 f32[16x8x8] of 16");
  CHECK(rows[1].site == "winograd_4x3 f32[16x8x8] of 16");
  for (bool taken : {false, true}) {
    rows[1].in_place = taken;
    rows[0].in_place = false;
    for (const PlanRow& row : rows) store->put_plan(row);
    CHECK(partition(roots, plan_options(cpu, store.get())).kernels.size() == (taken ? 4 : 1));
  }
}
TEST_CASE("winograd: the weights of a captured graph are transformed once, if they are frozen") {
  Device& ref = device("REF");
  std::mt19937 random(1);
  const Tensor w = Tensor::from(normal(4 * 8 * 9, random, 1), {4, 8, 3, 3}, ref);
  const Tensor x = Tensor::from(normal(8 * 36, random, 1), {1, 8, 6, 6}, ref);
  const Tensor y = x.conv2d(w);
  const auto constants = [&] {
    const Plan plan = partition({y.uop()}, only("winograd_4x3"));
    return std::count_if(plan.kernels.begin(), plan.kernels.end(), [](const PlannedKernel& k) { return k.constant; });
  };
  CHECK(constants() == 0);
  freeze(w);
  CHECK(constants() == 1);
  CHECK(offered(y)[0] == "winograd_2x3 f32[4x4x4] of 8 frozen");
  for (const PlanTrial& t : plan_trials({y.uop()}, only(""))) CHECK(t.in_place.size() == 3);
}
