#pragma once
#include <iosfwd>
#include <string>

namespace pg {

struct BenchCompileOptions {
  std::string model;  // a GGUF file whose decode graph is compiled
  int count = 64;     // kernels, spread evenly over all candidates
  int batch = 6;      // kernels handed over at once; a search's worker takes as many
  int tries = 3;      // of each batch
  int rounds = 25;    // samples of the matmul under either route
  bool json = false;
};
/// What step 9 costs: a line per route to Clang, with the kernels that one core compiles in a second where nothing is
/// cached (of each batch the fastest of `tries`), and the time of each stage. The kernels are a fixed list: matmuls and the decode graph of a llama, under the
/// heuristic's schedules and the templates that a search starts from. Then the speed of what the routes make: a 1024³
/// matmul.
void bench_compile_command(const BenchCompileOptions&, std::ostream& out);

}  // namespace pg
