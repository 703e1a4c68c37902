#pragma once
// How benchmarks take time: contestants in turns within one run, so that what a busy neighbour does to one of them it does
// to the next.
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace pg {

struct Contestant {
  std::string name, version;
  std::function<void()> run;
  std::function<void()> before = {};  // untimed, before every run (cold caches): nothing is repeated within a sample then
  bool as_long_as_first = false;  // its samples last as long as the first contestant's: the scheduler disturbs both alike
  int repeat = 1;
  std::vector<double> ms = {};  // of one run, a sample per round
};

/// How runs are timed.
class Stopwatch {
 public:
  virtual ~Stopwatch() = default;
  /// Milliseconds of one run, of `repeat` in a row; `warm`: one that is not timed goes before.
  virtual double milliseconds(const Contestant&, int repeat, bool warm) = 0;
};
/// Milliseconds: of the thread alone where only one works, so that what others run on its core meanwhile does not count, else
/// by the clock on the wall.
double host_ms();
/// A launch on one core is timed by the clock of its thread, on several by the clock on the wall.
class HostStopwatch final : public Stopwatch {
 public:
  double milliseconds(const Contestant&, int repeat, bool warm) override;
};

/// Round after round, each contestant once, in an order that turns round every time. What is fast runs once untimed before a
/// sample, so that it finds in the caches what it left there itself, however many contestants use the same buffers.
void interleave(std::vector<Contestant>& all, int rounds, Stopwatch&);
void interleave(std::vector<Contestant>& all, int rounds);  // by the host's

/// A quotient of two contestants' speeds, from the samples of the same rounds.
struct Share {
  double median = 0;
  double spread = 0;  // half the interquartile range / median
};
/// work / ms over ceiling / ceiling_ms: how much of the ceiling's speed is reached.
Share share_of(double work, std::span<const double> ms, double ceiling, std::span<const double> ceiling_ms);

}  // namespace pg
