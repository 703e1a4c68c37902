#pragma once
#include <iosfwd>
#include <string>

namespace pg {

struct SelftestOptions {
  bool brief = false;  // every third kernel only: for tools under which all is slow
  bool list = false;   // what would run
  bool json = false;
};
/// Runs the kernels of selftest_kernels on the default device, watched (guarded_run.h) and held to a reference in double
/// precision: a line each. What fails does not keep the others from running. The exit status: 0, or that of a defect.
int selftest_command(const SelftestOptions&, std::ostream& out);

}  // namespace pg
