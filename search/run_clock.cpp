#include "search/run_clock.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "runtime/cuda_graph.h"
#include "runtime/cuda_timer.h"
#include "search/model_device.h"

namespace pg {

namespace {

class WallClock final : public RunClock {
 public:
  double ms(const RunCall& c, int64_t repeats) override {
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    for (int64_t k = 0; k < repeats; ++k) c.program->launch(c.buffers, c.variables, c.items);
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count() / static_cast<double>(repeats);
  }
};

/// Runs once, for what it writes, and says what the model says, give or take one part in two hundred.
class ModelClock final : public RunClock {
 public:
  double ms(const RunCall& c, int64_t) override {
    c.program->launch(c.buffers, c.variables, c.items);
    return said(c);
  }
  double cold_ms(const RunCall& c, int64_t, std::span<const std::vector<void*>>) override { return said(c); }

 private:
  double said(const RunCall& c) { return *model_ms(*c.program) * (1 + 0.005 * noise_(random_)); }
  std::mt19937_64 random_{1};
  std::normal_distribution<double> noise_;
};

// Launches in a sample of 50 us from which on the host may not keep up with the GPU, and they become one graph.
constexpr int64_t kShort = 3;
constexpr int64_t kMostInGraph = 256;

class CudaClock final : public RunClock {
 public:
  explicit CudaClock(CudaDevice& device) : device_(device), timer_(device) {}
  double ms(const RunCall& c, int64_t repeats) override { return timed(c, repeats, {}); }
  double cold_ms(const RunCall& c, int64_t repeats, std::span<const std::vector<void*>> sets) override {
    return timed(c, repeats, sets);
  }

 private:
  double timed(const RunCall& c, int64_t repeats, std::span<const std::vector<void*>> sets) {
    const auto buffers = [&](int64_t k) {
      return sets.empty() ? c.buffers : std::span<void* const>(sets[static_cast<size_t>(k) % sets.size()]);
    };
    if (repeats >= kShort) {
      std::vector<Launch> launches;
      repeats = std::min(repeats, kMostInGraph);
      for (int64_t k = 0; k < repeats; ++k)
        launches.push_back(
            {c.program, {buffers(k).begin(), buffers(k).end()}, {c.variables.begin(), c.variables.end()}, c.items});
      CudaGraph graph(device_);
      graph.replay(launches);  // uploads it
      return timer_.ms([&] { graph.replay(); }) / static_cast<double>(repeats);
    }
    const double ms = timer_.ms([&] {
      for (int64_t k = 0; k < repeats; ++k) c.program->enqueue(buffers(k), c.variables, c.items);
    });
    return ms / static_cast<double>(repeats);
  }

  CudaDevice& device_;
  CudaTimer timer_;
};

}  // namespace

std::unique_ptr<RunClock> run_clock(Device& device) {
  if (auto* cuda = dynamic_cast<CudaDevice*>(&device)) return std::make_unique<CudaClock>(*cuda);
  if (dynamic_cast<ModelDevice*>(&device)) return std::make_unique<ModelClock>();
  return std::make_unique<WallClock>();
}

}  // namespace pg
