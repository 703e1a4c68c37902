// What the compiler makes of a scheduled kernel computes, to the bit, what the interpreter says of the same program.
#include <doctest/doctest.h>

#include "tests/properties/equivalence.h"
#include "tests/properties/random_schedules.h"
#include "tests/renderers/linear_builder.h"

using namespace pg;
using namespace pg::test;

namespace {

struct Case {
  uint64_t seed;
  RandomKernel kernel;
  std::string opts;
  UOp linear;

  std::string what() const { return describe(kernel, seed) + "\n" + opts; }
};

Case random_case(uint64_t seed, const Target& target) {
  RandomSource random(seed);
  Case c{seed, KernelGenerator::make(random), "", {}};
  Schedule s = ScheduleGenerator(c.kernel.kernel, random).next();
  if (random.one_in(4)) s = *Schedule(c.kernel.kernel).apply(heuristic(c.kernel.kernel, target));
  c.opts = text(s.opts());
  c.linear = lower(s.scheduled(), target);
  return c;
}

std::string check(const Case& c, Program& program) {
  std::vector<Bytes> want = test::random_buffers(c.kernel.kernel, c.kernel.bindings, c.seed), got = want;
  run(c.linear, c.kernel.bindings, want);
  const LaunchInfo launch = launch_info(c.linear);
  std::vector<void*> pointers;
  for (const UOp& p : launch.params) pointers.push_back(got[static_cast<size_t>(p.arg_as<ParamArg>().slot)].data());
  const Values values = values_of(c.kernel.kernel, c.kernel.bindings);
  std::vector<int64_t> variables;
  for (const UOp& v : launch.variables) variables.push_back(evaluate(v, values));
  program.launch(pointers, variables, evaluate(launch.items, values));
  for (size_t slot = 0; slot < got.size(); ++slot)
    if (const std::string wrong = test::difference(params_of(c.kernel.kernel)[slot].dtype(), got[slot], want[slot], 0);
        !wrong.empty())
      return c.what() + "\n" + wrong;
  return "";
}

/// "" or the first thing that is wrong with the cases of these seeds.
std::string check(CpuDevice& device, uint64_t from, uint64_t count) {
  std::vector<Case> cases;
  std::vector<Source> sources;
  for (uint64_t seed = from; seed < from + count; ++seed) {
    cases.push_back(random_case(seed, device.target()));
    sources.push_back(device.render(cases.back().linear));
  }
  const std::vector<Artifact> artifacts = device.compile_all(sources);
  for (size_t i = 0; i < cases.size(); ++i)
    if (const std::string wrong = check(cases[i], *device.load(artifacts[i], sources[i].launch)); !wrong.empty())
      return wrong;
  return "";
}

}  // namespace

TEST_CASE("compiled kernels compute what the interpreter computes") {
  TestCpu native("native", 2), narrow("x86-64-v3", 1);
  for (uint64_t seed = 1; seed <= 240; seed += 24) CHECK(check(*native.device, seed, 24) == "");
  for (uint64_t seed = 1001; seed <= 1048; seed += 24) CHECK(check(*narrow.device, seed, 24) == "");
}
