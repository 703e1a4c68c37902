#include "src/cli/interleave.h"

#include <algorithm>
#include <chrono>

#include "search/measure.h"

namespace pg {

namespace {

constexpr double kSampleMs = 1;   // a faster run is repeated within a sample up to this time
constexpr double kSlowMs = 1000;  // an unscheduled kernel takes seconds: once is enough to warm up

double milliseconds(const Contestant& c, int repeat) {
  if (c.before) c.before();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < repeat; ++i) c.run();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count() / repeat;
}

}  // namespace

void interleave(std::vector<Contestant>& all, int rounds) {
  for (Contestant& c : all) {
    const bool once = milliseconds(c, 1) > kSlowMs || c.before;
    c.repeat = once ? 1 : std::clamp(static_cast<int>(kSampleMs / std::max(1e-4, milliseconds(c, 1))), 1, 1000);
  }
  for (int r = 0; r < rounds; ++r)
    for (size_t i = 0; i < all.size(); ++i) {
      Contestant& c = all[r % 2 ? all.size() - 1 - i : i];
      c.ms.push_back(milliseconds(c, c.repeat));
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
