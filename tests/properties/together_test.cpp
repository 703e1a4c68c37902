// Kernels as one launch give every bit that each gives by itself: interpreted, with a look out for races, and compiled.
#include "uops/together.h"

#include <doctest/doctest.h>

#include "tests/properties/joined.h"
#include "tests/renderers/linear_runs.h"
#include "tests/uops/sample_kernels.h"

using namespace pg;
using namespace pg::test;

TEST_CASE("together: buffers are numbered on from kernel to kernel; a kernel by itself is as it was") {
  const UOp a = gemm(4, 8, 16), b = relu(iconst(32));
  const UOp both = together(UOps{a, b});
  CHECK(kernels_in(both) == UOps{a, b});
  CHECK(first_slots(both) == std::vector<int64_t>{0, 3, 5});
  CHECK(kernels_in(a) == UOps{a});
  CHECK(first_slots(a) == std::vector<int64_t>{0, 3});
  CHECK(parse(text(both)) == both);
  CHECK_THROWS_AS(together(UOps{a, iconst(1)}), InternalError);
}
TEST_CASE("together: the items of one launch are those of its kernels, in turn") {
  const UOp rows = variable("rows", 1, 64), a = gemm(rows, iconst(8), iconst(16)), b = relu(iconst(32));
  const auto program = [](const UOp& kernel, const char* opts) {
    return lower(Schedule(kernel).apply(parse_opts(opts))->scheduled(), {});
  };
  const UOps linears{program(a, "tile(m,4,loop) grid(m)"), program(b, "tile(i,8,vec) grid(i)")};
  const JoinedPrograms joint = joined(together(UOps{a, b}), linears, {});
  REQUIRE(joint.linear);
  const LaunchInfo launch = launch_info(joint.linear);
  CHECK(launch.phases.size() == 1);
  CHECK(evaluate(launch.items, launch.variables, std::vector<int64_t>{9}) == 3 + 4);
  CHECK(launch.params.size() == 5);
}
TEST_CASE("together: random kernels under random schedules, interpreted") {
  int phases = 0, alone = 0;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    CAPTURE(seed);
    const JoinedSample s = JoinedSample::make(seed, {.isa = "ref"}, seed % 8 == 0);
    CAPTURE(s.what);
    CHECK(s.program.why_not == "");
    REQUIRE(s.program.linear);
    const LaunchInfo launch = launch_info(s.program.linear);
    phases += launch.phases.size() > 1;
    for (const UOp& l : s.linears)
      alone += std::none_of(l.src().begin(), l.src().end(),
                            [](const UOp& e) { return e.is(Op::For) && e.src(0).arg_as<RangeArg>().kind == Kind::Grid; });
    std::vector<Bytes> got = s.given;
    InterpretOptions options;
    options.races = !s.in_place;
    run(s.program.linear, s.bindings, got, options);
    REQUIRE(s.difference(got) == "");
  }
  CHECK(phases >= 20);
  CHECK(alone >= 50);
}
TEST_CASE("together: random kernels under random schedules, compiled, by two threads") {
  constexpr uint64_t kSamples = 160, kBatch = 16;
  TestCpu cpu("native", 2);
  if (!cpu.device->compiler().clang) {
    MESSAGE("skipped: " << cpu.device->compiler().missing);
    return;
  }
  for (uint64_t first = 1001; first <= 1000 + kSamples; first += kBatch) {
    std::vector<JoinedSample> samples;
    std::vector<Source> sources;
    for (uint64_t seed = first; seed < first + kBatch; ++seed) {
      samples.push_back(JoinedSample::make(seed, cpu.device->target(), seed % 4 == 0));
      REQUIRE(samples.back().program.linear);
      sources.push_back(cpu.device->render(samples.back().program.linear));
    }
    const std::vector<Artifact> artifacts = cpu.device->compile_all(sources);
    for (size_t i = 0; i < samples.size(); ++i) {
      const JoinedSample& s = samples[i];
      CAPTURE(first + i);
      CAPTURE(s.what);
      std::vector<Bytes> got = s.given;
      std::vector<void*> pointers;
      const LaunchInfo& launch = sources[i].launch;
      for (const UOp& p : launch.params) pointers.push_back(got[static_cast<size_t>(p.arg_as<ParamArg>().slot)].data());
      cpu.device->load(artifacts[i], launch)
          ->launch(pointers, s.variables(), evaluate(launch.items, launch.variables, s.variables()));
      REQUIRE(s.difference(got) == "");
    }
  }
}
