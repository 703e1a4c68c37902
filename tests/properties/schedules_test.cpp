// A schedule changes when things are computed, never what: random kernels under random legal schedules.
#include <doctest/doctest.h>

#include "tests/properties/equivalence.h"
#include "tests/properties/random_schedules.h"

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
      const Schedule s = ScheduleGenerator(k.kernel, random).next();
      what = describe(k, seed) + "\n" + text(s.opts());
      if (const std::string wrong = unscheduled.check(s); !wrong.empty()) return what + "\n" + wrong;
    }
  } catch (const std::exception& e) {
    return what + "\n" + e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("random schedules compute what the unscheduled kernel computes") {
  for (uint64_t seed = 1; seed <= 1500; ++seed) CHECK(check(seed, 4) == "");
}
