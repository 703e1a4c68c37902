#pragma once
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace pg {

struct BenchKernelOptions {
  std::string kind, shape;
  std::string layout;               // empty: the kind's first one
  std::optional<std::string> opts;  // an explicit schedule instead of cache, beam or heuristic; "": unscheduled
  std::vector<std::string> tries;   // more schedules: each is checked and timed, the fastest of all goes on
  std::vector<std::string> peers;
  int rounds = 15;
  bool cold = false;    // caches are swept before each run
  bool source = false;  // the generated code too
  bool json = false;
};

/// One kernel beside the machine's ceilings and other libraries, interleaved in one run. Throws UserError for an unknown
/// kind, a shape or a schedule that makes no sense, InternalError when a result is wrong or differs from a peer's.
void bench_kernel_command(const BenchKernelOptions&, std::ostream& out);

}  // namespace pg
