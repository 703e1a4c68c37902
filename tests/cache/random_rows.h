#pragma once
// Rows as an export has them: kernels whose ids are the hashes of their texts, and stores drawn at random from few values,
// so that they meet.
#include <random>

#include "cache/store.h"
#include "uops/text.h"

namespace pg {

inline KernelRow hashed_kernel(int64_t n, double flops = 128) {
  const UOp u = iconst(n);
  return {.id = content_id(u),
          .template_hash = "template",
          .name = "kernel_" + std::to_string(n),
          .ir = text(u),
          .shape = "m=" + std::to_string(n),
          .flops = flops,
          .bytes = 192};
}

class RandomRows {
 public:
  explicit RandomRows(unsigned seed) : random_(seed) {}

  Contents contents() {
    Contents c;
    c.devices = {{"d1", R"({"cpu":"one"})"}, {"d2", R"({"cpu":"two"})"}};
    c.toolchains = {{"t1", R"({"compiler":"one"})"}, {"t2", R"({"compiler":"two"})"}};
    if (below(2)) c.devices["d3"] = R"({"cores":)" + std::to_string(below(3)) + "}";
    // With Variables, the work is that of the bindings seen first: it may differ from store to store.
    for (int i = 0; i < kKernels; ++i) c.kernels.push_back(hashed_kernel(i, 100 + below(3)));
    for (int i = below(50); i > 0; --i) {
      const double ms = 1 + 0.5 * below(3);
      c.winners.push_back({key(), schedule(), ms, 0.1 + ms, 10 + below(2), 0.25, below(3) > 0, 1000 + below(2)});
    }
    for (int i = below(40); i > 0; --i) {
      const bool ok = below(4) > 0;
      c.measurements.push_back({.key = key(),
                                .schedule = ok ? schedule() : "grid(q)",  // what crashes wins nowhere
                                .bindings = R"({"pos": 511})",
                                .median_ms = ok ? 0.1 + below(5) : 0,
                                .spread = 0.02,
                                .samples = 9,
                                .status = ok ? "ok" : "crash",
                                .reason = ok ? "" : "because",
                                .verified = ok,
                                .run = "run" + std::to_string(below(2)),
                                .created = 1000 + below(3),
                                .lineage = lineage()});
    }
    for (int i = below(20); i > 0; --i) {
      const WinnerKey k = key();
      c.plans.push_back({"rows f32[" + std::to_string(below(4)) + "]", k.device, k.toolchain, k.threads, k.precision,
                         below(2) > 0, 1 + 0.5 * below(3), 1 + 0.5 * below(3), 0.01 * below(2), 1000 + below(2)});
    }
    return c;
  }

 private:
  static constexpr int kKernels = 3;
  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  std::string schedule() { return "tile(n," + std::to_string(2 + below(4)) + ")"; }
  /// Of one measurement stores may tell differently where it came from.
  Lineage lineage() {
    if (below(3) == 0) return {};
    if (below(2)) return {.origin = "template"};
    return {.origin = "move", .round = below(3), .parent = below(3) ? schedule() : ""};
  }
  WinnerKey key() {
    return {.kernel = hashed_kernel(below(kKernels)).id,
            .device = "d" + std::to_string(1 + below(2)),
            .toolchain = "t" + std::to_string(1 + below(2)),
            .threads = 1 + below(2),
            .precision = "fp32",
            .bucket = below(2) ? "" : "pos=512,T=64"};
  }
  std::mt19937 random_;
};

}  // namespace pg
