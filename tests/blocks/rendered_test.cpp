// Random kernels under random schedules of a GPU, rendered in CUDA C and run on the host, give every bit that the
// interpreter gives, in every order of threads and copies.
#include <doctest/doctest.h>

#include "search/tune.h"
#include "tests/properties/kernel_runs.h"
#include "tests/properties/random_kernels.h"
#include "tests/properties/random_schedules.h"
#include "tests/properties/small_gpu.h"
#include "tests/renderers/cuda_host.h"
#include "uops/text.h"

using namespace pg;
using namespace pg::test;

namespace {

struct Sample {
  RandomKernel kernel;
  std::string opts;
  UOp linear;
  uint64_t seed;
};

Sample sample(uint64_t seed) {
  RandomSource random(seed);
  const RandomKernel k = KernelGenerator::make(random);
  const Schedule s = seed % 4 == 0 ? *Schedule(k.kernel, small_gpu()).apply(heuristic(k.kernel, small_gpu()))
                                   : ScheduleGenerator(k.kernel, random, 48, small_gpu()).next();
  return {k, text(s.opts()), lower(s.scheduled(), small_gpu()), seed};
}

void compare(const std::vector<Sample>& samples) {
  UOps linears;
  for (const Sample& s : samples) linears.push_back(s.linear);
  const CudaOnHost host(linears, small_gpu());
  if (!host.is_there()) return;
  for (size_t i = 0; i < samples.size(); ++i) {
    const Sample& s = samples[i];
    CAPTURE(s.seed);
    CAPTURE(s.opts);
    CAPTURE(pretty(s.kernel.kernel));
    std::vector<Bytes> want = random_buffers(s.kernel.kernel, s.kernel.bindings, s.seed);
    const std::vector<Bytes> start = want;
    run(s.linear, s.kernel.bindings, want);
    const LaunchInfo launch = launch_info(s.linear);
    std::vector<int64_t> variables;
    for (const auto& [v, value] : values_of(s.linear, s.kernel.bindings)) variables.push_back(value);
    for (const HostOrder& order : kHostOrders) {
      std::vector<Bytes> got;
      for (const UOp& p : launch.params) got.push_back(start[static_cast<size_t>(p.arg_as<ParamArg>().slot)]);
      CHECK(host.run(i, got, variables, order) == "");
      for (size_t b = 0; b < got.size(); ++b) {
        const UOp& p = launch.params[b];
        CHECK(difference(p.dtype(), got[b], want[static_cast<size_t>(p.arg_as<ParamArg>().slot)], 0) == "");
      }
    }
  }
}

}  // namespace

TEST_CASE("random blocks of threads, rendered, give what the interpreter gives") {
  constexpr uint64_t kSamples = 120, kBatch = 40;  // in one unit
  for (uint64_t first = 1; first <= kSamples; first += kBatch) {
    std::vector<Sample> samples;
    for (uint64_t seed = first; seed < first + kBatch; ++seed) samples.push_back(sample(seed));
    compare(samples);
  }
}
