#pragma once
#include <iosfwd>
#include <string>
#include <vector>

#include "src/cli/peers.h"
#include "uops/uop.h"

namespace pg {

struct BenchGemmOptions {
  std::vector<std::string> shapes = {"1024x1024x1024"};  // MxNxK
  std::vector<std::string> layouts = {"nn"};
  std::vector<std::string> peers;
  std::string opts;    // an explicit schedule instead of cache, beam or heuristic
  bool fixed = false;  // `opts` was given (it may be empty: unscheduled)
  int rounds = 15;
  bool json = false;
};
/// "512x4096x4096" and "nt" taken apart; UserError naming what is wrong.
GemmProblem parse_gemm(const std::string& shape, const std::string& layout);
/// The kernel AST of a GEMM, as partition makes it.
UOp gemm_kernel(const GemmProblem&);

/// Our GEMM and the peers', interleaved in one run: a line per shape and layout. Schedules as everywhere: the cache, else the
/// beam (config().beam), else the heuristic. Throws InternalError when results differ.
void bench_gemm_command(const BenchGemmOptions&, std::ostream& out);

}  // namespace pg
