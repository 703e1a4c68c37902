// The cost model's order, on pairs whose order is beyond doubt.
#include <doctest/doctest.h>

#include <cmath>

#include "search/moves.h"
#include "tests/properties/random_kernels.h"
#include "tests/properties/random_schedules.h"
#include "tests/uops/sample_kernels.h"
#include "uops/text.h"

using namespace pg;
using namespace pg::test;

namespace {
double cost(const UOp& kernel, const char* opts, int cores = 1) {
  return estimate(*Schedule(kernel).apply(parse_opts(opts)), Target{.vector_bytes = 64, .registers = 32, .cores = cores});
}
const UOp kMatmul = gemm(512, 512, 512);
}  // namespace

TEST_CASE("estimate: lanes, register blocks and cores pay") {
  CHECK(cost(kMatmul, "tile(n,16,vec)") < cost(kMatmul, "") / 4);
  CHECK(cost(kMatmul, "tile(m,8,upcast) tile(n,32,upcast) tile(n,16,vec)") < cost(kMatmul, "tile(n,16,vec)") / 2);
  CHECK(cost(kMatmul, "grid(m)", 8) < cost(kMatmul, "grid(m)", 1) / 4);
  CHECK(cost(kMatmul, "", 8) == doctest::Approx(cost(kMatmul, "", 1)));  // without a grid one core works
}
TEST_CASE("estimate: gathers, spills and tails cost") {
  CHECK(cost(kMatmul, "tile(n,16,vec)") < cost(kMatmul, "tile(m,16,vec)"));
  CHECK(cost(kMatmul, "tile(m,8,upcast) tile(n,32,upcast) tile(n,16,vec)") <
        cost(kMatmul, "tile(m,32,upcast) tile(n,64,upcast) tile(n,16,vec)"));
  const char* two_vectors = "tile(n,32,upcast) tile(n,16,vec)";  // 17 columns take them both
  CHECK(cost(gemm(512, 17, 512), two_vectors) > 0.75 * cost(gemm(512, 32, 512), two_vectors));
}
TEST_CASE("estimate: one more item than cores is as long as twice as many") {
  const UOp rows = gemm(9, 512, 512), more = gemm(16, 512, 512);
  CHECK(cost(rows, "tile(n,16,vec) grid(m)", 8) == doctest::Approx(cost(more, "tile(n,16,vec) grid(m)", 8)).epsilon(0.05));
}
TEST_CASE("estimate: finite and positive for whatever is legal") {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    RandomSource random(seed);
    const UOp k = KernelGenerator::make(random).kernel;
    const double e = estimate(ScheduleGenerator(k, random).next(), Target{});
    CHECK(std::isfinite(e));
    CHECK(e > 0);
  }
}
