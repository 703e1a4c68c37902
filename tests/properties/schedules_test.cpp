// A schedule changes when things are computed, never what: random kernels under random legal schedules.
#include <doctest/doctest.h>

#include "tests/properties/equivalence.h"
#include "tests/properties/random_schedules.h"

using namespace pg;
using namespace pg::test;

TEST_CASE("random schedules compute what the unscheduled kernel computes") {
  const auto next = [](const UOp& kernel, RandomSource& random, int) { return ScheduleGenerator(kernel, random).next(); };
  const auto wrong = [](const Equivalence& unscheduled, const Schedule& s) { return unscheduled.check(s); };
  for (uint64_t seed = 1; seed <= 1500; ++seed) CHECK(wrong_schedules(seed, 4, next, wrong) == "");
}
