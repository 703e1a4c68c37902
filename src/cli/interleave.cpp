#include "src/cli/interleave.h"

#include <algorithm>
#include <ctime>

#include "runtime/device.h"
#include "search/measure.h"

namespace pg {

namespace {

constexpr double kSampleMs = 1;   // a faster run is repeated within a sample up to this time
constexpr double kSlowMs = 1000;  // an unscheduled kernel takes seconds: once is enough to warm up
constexpr double kLongMs = 100;   // such a run finds nothing in the caches but what it uses again and again

}  // namespace

double host_ms() {
  timespec t{};
  clock_gettime(default_device().target().cores == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

double HostStopwatch::milliseconds(const Contestant& c, int repeat, bool warm) {
  if (c.before)
    c.before();
  else if (warm)
    c.run();
  const double start = host_ms();
  for (int i = 0; i < repeat; ++i) c.run();
  return (host_ms() - start) / repeat;
}

void interleave(std::vector<Contestant>& all, int rounds) {
  HostStopwatch watch;
  interleave(all, rounds, watch);
}

void interleave(std::vector<Contestant>& all, int rounds, Stopwatch& watch) {
  std::vector<char> warmed;
  double first_ms = 0;  // of a sample of the first contestant
  for (Contestant& c : all) {
    double once = watch.milliseconds(c, 1, false);
    if (once < kSlowMs && !c.before) once = watch.milliseconds(c, 1, false);
    const double sample = c.as_long_as_first ? std::clamp(first_ms, kSampleMs, kLongMs) : kSampleMs;
    const double most = c.as_long_as_first ? kLongMs / 1e-4 : 1000;
    c.repeat = c.before ? 1 : static_cast<int>(std::clamp(sample / std::max(1e-4, once), 1.0, most));
    warmed.push_back(once < kLongMs);
    if (&c == &all[0]) first_ms = once * c.repeat;
  }
  for (int r = 0; r < rounds; ++r)
    for (size_t i = 0; i < all.size(); ++i) {
      const size_t turn = r % 2 ? all.size() - 1 - i : i;
      all[turn].ms.push_back(watch.milliseconds(all[turn], all[turn].repeat, warmed[turn]));
    }
}

Share share_of(double work, std::span<const double> ms, double ceiling, std::span<const double> ceiling_ms) {
  std::vector<double> shares;
  for (size_t i = 0; i < std::min(ms.size(), ceiling_ms.size()); ++i)
    shares.push_back(work / ms[i] / (ceiling / ceiling_ms[i]));
  const Timing t = timing(shares);
  return {t.median_ms, t.spread};
}

}  // namespace pg
