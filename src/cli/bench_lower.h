#pragma once
#include <iosfwd>
#include <string>

namespace pg {

struct BenchLowerOptions {
  std::string model;  // a GGUF file whose decode graph is lowered
  int rounds = 21;
  bool json = false;
};
/// How long steps 6 to 8 take — apply, lower, render — for the kernels of a llama's decode graph and a 1024³ matmul, under
/// the heuristic's schedules: a line per kernel, the median of `rounds`.
void bench_lower_command(const BenchLowerOptions&, std::ostream& out);

}  // namespace pg
