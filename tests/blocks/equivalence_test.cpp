// Blocks of threads compute what the unscheduled kernel computes: random kernels under random legal schedules of a GPU, by
// the interpreter of thread blocks and by their serial meaning.
#include <doctest/doctest.h>

#include "search/tune.h"
#include "tests/properties/equivalence.h"
#include "tests/properties/random_schedules.h"
#include "tests/properties/small_gpu.h"

using namespace pg;
using namespace pg::test;

TEST_CASE("random blocks of threads compute what the unscheduled kernel computes") {
  const auto next = [](const UOp& kernel, RandomSource& random, int i) {
    return i == 0 ? *Schedule(kernel, small_gpu()).apply(heuristic(kernel, small_gpu()))
                  : ScheduleGenerator(kernel, random, 48, small_gpu()).next();
  };
  const auto wrong = [](const Equivalence& unscheduled, const Schedule& s) {
    const std::string serially = unscheduled.check(s);
    return serially.empty() ? unscheduled.check_blocks(s) : "serially: " + serially;
  };
  for (uint64_t seed = 1; seed <= 1500; ++seed) CHECK(wrong_schedules(seed, 4, next, wrong) == "");
}
