// The unscheduled kernel computes what its AST says: against an evaluator that shares no code with lowering.
#include <doctest/doctest.h>

#include "tests/graph/kernel_evaluator.h"
#include "tests/properties/equivalence.h"

using namespace pg;
using namespace pg::test;

namespace {

/// The evaluator's numbers are doubles: no integers that wrap, no rounding to 16 bits. It stores behind no gate.
bool is_plain(const UOp& kernel) {
  return collect(kernel,
                 [](const UOp& u) {
                   const DType t = u.dtype();
                   const bool known = t == dt::kVoid || t == dt::f32 || t == dt::kBool || t == dt::i32 || t == dt::i64;
                   return !known || (u.is(Op::Store) && u.src().size() == 3);
                 })
      .empty();
}

std::string check(const RandomKernel& k, uint64_t seed) {
  const UOps params = params_of(k.kernel);
  std::vector<Bytes> buffers = random_buffers(k.kernel, k.bindings, seed);
  std::vector<KernelEvaluator::Values> values(params.size());
  std::vector<KernelEvaluator::Values*> pointers;
  const auto elements = [&](size_t p) { return buffers[p].size() / static_cast<size_t>(params[p].dtype().element_bytes()); };
  for (size_t p = 0; p < params.size(); ++p) {
    for (size_t i = 0; i < elements(p); ++i) values[p].push_back(element(buffers[p], i, params[p].dtype()));
    pointers.push_back(&values[p]);
  }
  KernelEvaluator::Bindings variables;
  for (const VariableBinding& b : k.bindings) variables[b.name] = b.value;
  KernelEvaluator(k.kernel, pointers, variables).run();

  run(lower(Schedule(k.kernel).scheduled(), Target{.isa = "ref"}), k.bindings, buffers, {.exact = true});
  for (size_t i = 0; i < elements(0); ++i) {
    const double got = element(buffers[0], i, params[0].dtype()), want = values[0][i];
    if (std::isnan(want) || std::abs(want) > 1e9)
      continue;  // what a NaN or an overflow becomes is the interpreter's tests' business
    if (!(std::abs(got - want) <= 1e-5 * std::max(1.0, std::abs(want))))
      return describe(k, seed) + "\nelement " + std::to_string(i) + " is " + std::to_string(got) + ", not " +
             std::to_string(want);
  }
  return "";
}

}  // namespace

TEST_CASE("unscheduled kernels compute what they say") {
  int checked = 0;
  for (uint64_t seed = 1; seed <= 1500; ++seed) {
    RandomSource random(seed);
    const RandomKernel k = KernelGenerator::make(random, 3000);
    if (!is_plain(k.kernel)) continue;
    ++checked;
    CHECK(check(k, seed) == "");
  }
  CHECK(checked > 300);
}
