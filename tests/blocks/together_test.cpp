// Kernels of a GPU as one launch give every bit that each gives by itself: in every order of threads and copies, interpreted
// and rendered.
#include "uops/together.h"

#include <doctest/doctest.h>

#include "tests/properties/joined.h"
#include "tests/properties/small_gpu.h"
#include "tests/renderers/cuda_host.h"
#include "tests/uops/blocks.h"

using namespace pg;
using namespace pg::test;

TEST_CASE("together: blocks of threads") {
  std::vector<JoinedSample> samples;
  UOps programs;
  std::map<std::string, int> refused;
  for (uint64_t seed = 1; samples.size() < 40; ++seed) {
    JoinedSample s = JoinedSample::make(seed, small_gpu(), seed % 2 == 0);
    if (!s.program.linear) {
      ++refused[s.program.why_not];
      continue;
    }
    CAPTURE(seed);
    CAPTURE(s.what);
    for (const BlockMode& mode : block_modes(1, seed)) {
      InterpretOptions options;
      options.threads = mode.threads, options.copies = mode.copies, options.seed = mode.seed, options.races = !s.in_place;
      std::vector<Bytes> got = s.given;
      run(s.program.linear, s.bindings, got, options);
      REQUIRE(s.difference(got) == "");
    }
    programs.push_back(s.program.linear);
    samples.push_back(std::move(s));
  }
  CHECK(refused["their blocks have different numbers of threads"] > 0);

  const CudaOnHost host(programs, small_gpu());
  if (!host.is_there()) return;
  for (size_t i = 0; i < samples.size(); ++i) {
    const JoinedSample& s = samples[i];
    CAPTURE(s.what);
    for (const HostOrder& order : kHostOrders) {
      std::vector<Bytes> got;
      const LaunchInfo launch = launch_info(programs[i]);
      for (const UOp& p : launch.params) got.push_back(s.given[static_cast<size_t>(p.arg_as<ParamArg>().slot)]);
      CHECK(host.run(i, got, s.variables(), order) == "");
      std::vector<Bytes> all = s.given;
      for (size_t b = 0; b < got.size(); ++b) all[static_cast<size_t>(launch.params[b].arg_as<ParamArg>().slot)] = got[b];
      CHECK(s.difference(all) == "");
    }
  }
}
