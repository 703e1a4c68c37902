// Blocks of threads compute what the unscheduled kernel computes: random kernels under random legal schedules of a GPU, by
// the interpreter of thread blocks and by their serial meaning.
#include <doctest/doctest.h>

#include "search/tune.h"
#include "tests/properties/equivalence.h"
#include "tests/properties/random_schedules.h"
#include "tests/properties/small_gpu.h"

using namespace pg;
using namespace pg::test;

namespace {

/// "" or what is wrong with one random kernel under a few random schedules.
std::string check(uint64_t seed, int schedules) {
  RandomSource random(seed);
  const RandomKernel k = KernelGenerator::make(random);
  std::string what = describe(k, seed);
  try {
    const Equivalence unscheduled(k, seed);
    for (int i = 0; i < schedules; ++i) {
      const Schedule s = i == 0 ? *Schedule(k.kernel, small_gpu()).apply(heuristic(k.kernel, small_gpu()))
                                : ScheduleGenerator(k.kernel, random, 48, small_gpu()).next();
      what = describe(k, seed) + "\n" + text(s.opts());
      if (const std::string wrong = unscheduled.check(s); !wrong.empty()) return what + "\nserially: " + wrong;
      if (const std::string wrong = unscheduled.check_blocks(s); !wrong.empty()) return what + "\n" + wrong;
    }
  } catch (const std::exception& e) {
    return what + "\n" + e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("random blocks of threads compute what the unscheduled kernel computes") {
  for (uint64_t seed = 1; seed <= 1500; ++seed) CHECK(check(seed, 4) == "");
}
