// What a C++ compiler makes of programs rendered in CUDA C is what the interpreter makes of them, bit for bit.
#include "renderers/cuda.h"

#include <doctest/doctest.h>

#include "tests/renderers/cuda_host.h"
#include "tests/renderers/fuzzer.h"
#include "tests/renderers/sample_programs.h"
#include "tests/renderers/typed_programs.h"

using namespace pg;

namespace {

void compare(const std::vector<NamedProgram>& programs) {
  UOps linears;
  for (const NamedProgram& p : programs) linears.push_back(p.linear);
  const CudaOnHost host(linears);
  if (host.is_there()) check_programs(programs, [&](size_t i, Buffers& buffers) { return host.run(i, buffers); });
}

}  // namespace

TEST_CASE("CUDA: every op on every type, scalars and vectors") {
  std::vector<NamedProgram> cases;
  for (int lanes : {1, 4}) {
    for (DType t : kNumbers) cases.push_back({ops_on(t.vec(lanes)), message("ops", t.vec(lanes))});
    cases.push_back({logic_on(lanes), "logic " + std::to_string(lanes)});
  }
  for (DType t : {dt::f32.vec(3), dt::f32.vec(16), dt::i64.vec(2), dt::i8.vec(16)})
    cases.push_back({ops_on(t), message("ops", t)});
  compare(cases);
}

TEST_CASE("CUDA: every cast") {
  std::vector<NamedProgram> cases;
  for (int lanes : {1, 4})
    for (DType t : kNumbers) cases.push_back({casts_from(t.vec(lanes)), message("casts", t.vec(lanes))});
  compare(cases);
}

TEST_CASE("CUDA: every kind of access") {
  std::vector<NamedProgram> cases;
  for (DType t : {dt::f32, dt::i8, dt::i64, dt::f16, dt::bf16, dt::kBool})
    for (int lanes : {2, 3, 4, 8}) cases.push_back({accesses_of(t.vec(lanes)), message("accesses", t.vec(lanes))});
  compare(cases);
}

TEST_CASE("CUDA: random programs") {
  std::vector<NamedProgram> cases;
  for (unsigned seed = 1; seed <= 16; ++seed)
    cases.push_back({Fuzzer(seed, seed % 4 == 0 ? 4 : 1).program("fuzz " + std::to_string(seed)), "seed " + std::to_string(seed)});
  compare(cases);
}
