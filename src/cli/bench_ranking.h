#pragma once
#include <iosfwd>

namespace pg {

struct BenchRankingOptions {
  bool json = false;
};
/// How good the order of candidates is that the search would try them in, by the database's own measurements: of each
/// kernel, the estimate's order and that of trees fitted to all other kernels. A line per kernel, then the means and what it
/// costs.
void bench_ranking_command(const BenchRankingOptions&, std::ostream& out);

}  // namespace pg
