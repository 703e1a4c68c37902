#pragma once
#include <iosfwd>
#include <string>
#include <vector>

namespace pg {

struct BenchPlansOptions {
  std::vector<std::string> shapes{"320x64x64,320x3x3,p1", "640x32x32,640x3x3,p1", "1280x16x16,1280x3x3,p1",
                                  "512x128x128,512x3x3,p1", "3x64x64,64x3x3,p1"};
  bool trained = false;  // weights may change: they are transformed at each run
  int rounds = 15;
  bool json = false;
};

/// Convolutions directly and by each of the other plans there are (docs/architecture.md, "Plans"), in turns within one
/// process: times, kernel by kernel, and rounding errors beside those of the direct sum. Default schedules unless --beam or
/// the database says otherwise.
void bench_plans_command(const BenchPlansOptions&, std::ostream& out);

}  // namespace pg
