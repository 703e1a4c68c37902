// Random programs: what is inlined where, and how signs nest, must not change what is computed.
#include <doctest/doctest.h>

#include "tests/renderers/fuzzer.h"

using namespace pg;

TEST_CASE("random programs compute what the interpreter computes") {
  TestCpu cpu;
  std::vector<UOp> linears;
  std::vector<Source> sources;
  for (unsigned seed = 1; seed <= 96; ++seed) {
    linears.push_back(Fuzzer(seed).program("fuzz " + std::to_string(seed)));
    sources.push_back(cpu.device->render(linears.back()));
  }
  const std::vector<Artifact> artifacts = cpu.device->compile_all(sources);
  for (size_t k = 0; k < linears.size(); ++k) {
    const unsigned seed = static_cast<unsigned>(k) + 1;
    CAPTURE(seed);
    CAPTURE(sources[k].text.substr(sources[k].text.find("INLINE void body_of")));
    Buffers expected = random_buffers(linears[k], seed), got = expected;
    run_reference(linears[k], expected);
    run_program(*cpu.device->load(artifacts[k], sources[k].launch), linears[k], got);
    CHECK(difference(linears[k], expected, got) == "");
  }
}
