// The beam's steps, its seeds and their ranking.
#include "search/moves.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "search/tune.h"
#include "tests/properties/random_kernels.h"
#include "tests/properties/random_schedules.h"
#include "tests/uops/sample_kernels.h"
#include "uops/text.h"

using namespace pg;
using namespace pg::test;

namespace {
const Target kTarget{.vector_bytes = 64, .registers = 32, .cores = 2};

Schedule with(const UOp& kernel, const char* opts) { return *Schedule(kernel).apply(parse_opts(opts)); }
/// All legal, all different, none of them where it started.
void check_moves(const Schedule& s, const std::vector<Schedule>& found) {
  std::set<std::string> seen = {text(s.opts())};
  for (const Schedule& next : found) {
    CAPTURE(text(next.opts()));
    CHECK(seen.insert(text(next.opts())).second);
    const Expected<Schedule> again = Schedule(s.kernel()).apply(next.opts());
    REQUIRE_MESSAGE(again, again.reason());
    CHECK(text(again->opts()) == text(next.opts()));
  }
}
bool leads_to(const Schedule& s, const char* opts) {
  const std::vector<Schedule> found = moves(s, kTarget);
  const std::string want = text(with(s.kernel(), opts).opts());
  return std::any_of(found.begin(), found.end(), [&](const Schedule& n) { return text(n.opts()) == want; });
}
}  // namespace

TEST_CASE("moves: legal, different, and away from the start") {
  for (const UOp& k : {gemm(64, 100, 33), softmax(8, 100), total(iconst(1000)), gather(8, 64, 100),
                       convolution(3, 4, 10, 10), gemm(iconst(8), variable("n", 1, 64), iconst(32))}) {
    CAPTURE(pretty(k));
    check_moves(Schedule(k), moves(Schedule(k), kTarget));
    const Schedule s = *Schedule(k).apply(heuristic(k, kTarget));
    check_moves(s, moves(s, kTarget));
  }
}
TEST_CASE("moves: from random schedules of random kernels") {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    RandomSource random(seed);
    const UOp k = KernelGenerator::make(random).kernel;
    const Schedule s = ScheduleGenerator(k, random).next();
    check_moves(s, moves(s, kTarget));
  }
}
TEST_CASE("moves: each kind of step is there") {
  const UOp k = gemm(64, 256, 256);
  const Schedule s = with(k, "tile(m,4,upcast) tile(n,32,upcast) tile(n,16,vec) grid(n m)");
  CHECK(leads_to(s, "tile(m,6,upcast) tile(n,32,upcast) tile(n,16,vec) grid(n m)"));  // another row count
  CHECK(leads_to(s, "tile(n,32,upcast) tile(n,16,vec) grid(n m)"));                   // none
  CHECK(leads_to(s, "tile(m,4,upcast) tile(n,48,upcast) tile(n,16,vec) grid(n m)"));  // more vectors
  CHECK(leads_to(s, "tile(m,4,upcast) tile(n,8,vec) grid(n m)"));                     // narrower ones
  CHECK(leads_to(s, "tile(m,4,upcast) tile(k,16,vec) grid(n m)"));                    // along another axis
  CHECK(leads_to(s, "tile(m,4,upcast) tile(n,32,upcast) tile(n,16,vec) tile(k,4,unroll) grid(n m)"));
  CHECK(leads_to(s, "tile(m,4,upcast) tile(n,128) tile(n,32,upcast) tile(n,16,vec) grid(n m)"));  // a cache tile
  CHECK(leads_to(s, "tile(m,4,upcast) tile(n,32,upcast) tile(n,16,vec) grid(m)"));
  const Schedule tiled = with(k, "tile(m,4,upcast) tile(n,128) tile(n,16,vec) tile(k,64) grid(m)");
  CHECK(leads_to(tiled, "tile(m,4,upcast) tile(n,16,vec) tile(k,64) grid(m)"));  // the tile gone
  CHECK(leads_to(tiled, "tile(m,4,upcast) tile(n,128) tile(n,16,vec) tile(k,64) grid(m) order(n k n:128 k:64)"));
}
TEST_CASE("templates: legal, different, within the register file, none the heuristic's own") {
  for (const UOp& k : {gemm(1024, 1024, 1024), softmax(64, 1000), gemm(7, 100, 3, true, true)}) {
    const Schedule base = *Schedule(k).apply(heuristic(k, kTarget));
    const std::vector<Schedule> found = templates(k, kTarget);
    CHECK(found.size() > 2);
    check_moves(base, found);
    for (const Schedule& s : found) CHECK(register_pressure(s, kTarget) <= kTarget.registers + 2);
  }
}
TEST_CASE("templates: of few rows by a matrix whose rows lie along the sum, packed panels are among them") {
  const UOp k = gemm(128, 2048, 2048, false, true);
  const Target target{.vector_bytes = 64, .registers = 32, .cores = 1};
  const auto found = templates(k, target);
  check_moves(*Schedule(k).apply(heuristic(k, target)), found);
  const auto has = [&](const std::string& opts) {
    return std::any_of(found.begin(), found.end(), [&](const Schedule& s) { return text(s.opts()) == opts; });
  };
  CHECK(
      has("tile(m,14,upcast) tile(n,32,upcast) tile(n,16,vec) tile(k,512) tile(k,4,unroll) order(n k m k:512) stage(B,k)"));
  CHECK(has("tile(m,6,upcast) tile(n,4,upcast) tile(k,16,vec) grid(m n)"));
  for (const Schedule& s : found) CHECK(register_pressure(s, target) <= target.registers + 2);
}
