#pragma once
#include <iosfwd>

namespace pg {

struct BenchNoiseOptions {
  int trials = 200;
  double gain = 3;  // percent
  double ms = 0.5;  // of one run
  bool json = false;
};
/// How far a search's verdicts are to be trusted on this machine, as it is now: of so many finals between a program and itself
/// how many have a winner, and of so many against one that is faster by `gain` percent how many it wins. CPU only.
void bench_noise_command(const BenchNoiseOptions&, std::ostream& out);

}  // namespace pg
