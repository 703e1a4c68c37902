#pragma once
#include <iosfwd>
#include <string>

namespace pg {

struct BenchSearchOptions {
  std::string kind = "gemm", shape = "256x256x256", layout;
  double seconds = 20;  // of one search; 0: until its beam ends
  int beam = 4;
  int rounds = 15;  // of the final
  std::string vs;   // tinygrad, or nobody
  std::string python = "python3";
  bool json = false;
};
/// What each part of a search is worth: the kernel is searched for with all of them, and again without one of them, each
/// time in a database of its own, which holds what config().db measured of other kernels; then the winners run in turns with
/// the first one's. A line per search: the speed of its winner in units of the whole search's, with a 95 % interval, when it
/// had found it, and how its best time fell. `vs`: and one for another search on the same kernel, where it can be imported by
/// `python`.
void bench_search_command(const BenchSearchOptions&, std::ostream& out);

}  // namespace pg
