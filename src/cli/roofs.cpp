#include "src/cli/roofs.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <functional>
#include <set>

#include "runtime/config.h"
#include "src/cli/ceilings.h"
#include "uops/error.h"

namespace pg {

namespace {

constexpr double kSecondsEach = 0.3;
constexpr int kFewest = 5;  // runs, however long one takes
constexpr size_t kLeastSwept = size_t{64} << 20, kMostSwept = size_t{1} << 30;

/// On one thread by the clock of that thread: what others run on its core meanwhile does not count.
double now(int threads) {
  timespec t{};
  clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}
/// A ceiling is what was reached once: the fastest of many runs.
double fastest_seconds(int threads, const std::function<void()>& run) {
  run();
  double best = 0;
  const double start = now(threads);
  for (int i = 0; i < kFewest || now(threads) - start < kSecondsEach; ++i) {
    const double begin = now(threads);
    run();
    const double took = now(threads) - begin;
    best = best == 0 ? took : std::min(best, took);
  }
  return best;
}

Roof measured(int threads, std::span<const std::byte> memory) {
  Config c = config();
  c.threads = threads;
  CpuDevice device(c);
  Ceilings ceilings(device, {memory});
  Roof roof{.threads = threads};
  roof.flops = ceilings.peak_flops() / fastest_seconds(threads, [&] { ceilings.peak(); });
  roof.bytes = ceilings.read_bytes() / fastest_seconds(threads, [&] { ceilings.read(); });
  return roof;
}

}  // namespace

void measure_roofs(Report& report, Device& device) {
  const auto* cpu = dynamic_cast<CpuDevice*>(&device);
  std::set<int> threads;
  for (const Search& s : report.searches)
    if (s.winner && s.key.threads >= 1 && cpu && s.key.threads <= cpu->cpu().cores) threads.insert(s.key.threads);
  report.no_roofs =
      cpu ? "there is no winner to compare them with" : "they are known of a CPU only, not of " + device.name();
  if (threads.empty()) return;
  try {
    // More than the last cache holds, which other programs of the machine share.
    const auto bytes = std::clamp(static_cast<size_t>(cpu->cpu().l3_bytes) * 3 / 2, kLeastSwept, kMostSwept);
    const Memory memory(device, bytes);
    std::memset(memory.data(), 0, bytes);
    for (const int n : threads) {
      Roof roof = measured(n, {static_cast<const std::byte*>(memory.data()), bytes});
      if (!report.roofs.empty()) {  // what fewer threads reached, more of them can
        roof.flops = std::max(roof.flops, report.roofs.back().flops);
        roof.bytes = std::max(roof.bytes, report.roofs.back().bytes);
      }
      report.roofs.push_back(roof);
    }
  } catch (const UserError& e) {  // without a compiler or so much memory the rest of the page is still worth having
    report.roofs.clear();
    report.no_roofs = e.what();
  }
}

}  // namespace pg
