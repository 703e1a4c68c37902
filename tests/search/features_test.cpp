#include "search/features.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "search/tune.h"
#include "tests/properties/random_kernels.h"
#include "tests/properties/random_schedules.h"
#include "tests/uops/sample_kernels.h"
#include "uops/text.h"

using namespace pg;
using namespace pg::test;

namespace {
const Target kTarget{.vector_bytes = 64, .registers = 32, .cores = 4};

std::vector<float> features(const UOp& kernel, const Schedule& s) {
  return Features(kernel, kTarget).of(s, estimate_parts(s, kTarget, default_costs(kTarget)));
}
std::vector<float> features(const UOp& kernel, const char* opts) {
  const Expected<Schedule> s = Schedule(kernel, kTarget).apply(parse_opts(opts));
  REQUIRE(s);
  return features(kernel, *s);
}
float feature(const UOp& kernel, const char* opts, const std::string& name) {
  const auto& names = Features::names();
  const auto at = std::find(names.begin(), names.end(), name);
  REQUIRE(at != names.end());
  return features(kernel, opts)[static_cast<size_t>(at - names.begin())];
}
const UOp kMatmul = gemm(512, 256, 128);
}  // namespace

TEST_CASE("features: a name a column, each once, and finite numbers for whatever is legal") {
  const auto& names = Features::names();
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    RandomSource random(seed);
    const UOp k = KernelGenerator::make(random).kernel;
    const std::vector<float> row = features(k, ScheduleGenerator(k, random).next());
    REQUIRE(row.size() == names.size());
    for (size_t i = 0; i < row.size(); ++i) {
      CAPTURE(names[i]);
      CHECK(std::isfinite(row[i]));
    }
  }
}

TEST_CASE("features: axes count by what they are to the kernel") {
  const char* opts = "tile(m,8,upcast) tile(n,32,upcast) tile(n,16,vec) tile(k,4,unroll) grid(m)";
  CHECK(feature(kMatmul, opts, "innermost.extent") == 8);  // n: 256
  CHECK(feature(kMatmul, opts, "innermost.lanes") == 4);
  CHECK(feature(kMatmul, opts, "innermost.register_tile") == 5);
  CHECK(feature(kMatmul, opts, "second.register_tile") == 3);
  CHECK(feature(kMatmul, opts, "second.grid") == 1);
  CHECK(feature(kMatmul, opts, "reduced.extent") == 7);
  CHECK(feature(kMatmul, opts, "reduced.unrolled") == 2);
  CHECK(feature(kMatmul, opts, "items") == 6);  // 512 rows in eights
  CHECK(feature(kMatmul, opts, "flops") == doctest::Approx(std::log2(2.0 * 512 * 256 * 128)));
}

TEST_CASE("features: schedules one move apart differ, nearly all of them") {
  const Schedule base = *Schedule(kMatmul, kTarget).apply(heuristic(kMatmul, kTarget));
  std::set<std::vector<float>> rows = {features(kMatmul, base)};
  const std::vector<Schedule> all = moves(base, kTarget);
  for (const Schedule& s : all) rows.insert(features(kMatmul, s));
  CHECK(rows.size() > 20);
  CHECK(static_cast<double>(rows.size()) > 0.8 * static_cast<double>(all.size()));
}
