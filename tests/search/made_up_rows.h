#pragma once
// A database whose times follow a rule that the estimate does not know.
#include <random>
#include <set>
#include <string>
#include <vector>

#include "search/keys.h"
#include "search/moves.h"
#include "tests/uops/sample_kernels.h"

namespace pg::test {

inline std::vector<Schedule> some_schedules(const UOp& kernel, const Target& target, size_t count) {
  std::mt19937 random(7);
  std::vector<Schedule> all = {*Schedule(kernel, target).apply(heuristic(kernel, target))};
  std::set<std::string> texts = {text(all[0].opts())};
  while (all.size() < count) {
    const std::vector<Schedule> next = moves(all[random() % all.size()], target);
    for (size_t i = 0; i < 20 && !next.empty(); ++i) {
      const Schedule& s = next[random() % next.size()];
      if (all.size() < count && texts.insert(text(s.opts())).second) all.push_back(s);
    }
  }
  return all;
}

inline bool is_unrolled(const Schedule& s) {
  for (const Axis& a : s.axes())
    for (const Schedule::Split& split : s.chain(a.name))
      if (a.reduce && split.kind == Kind::Unroll) return true;
  return false;
}

/// Rows of so many kernels: as long as the estimate says, but a sum that is unrolled takes a twelfth. `like`: whose they are.
inline void put_made_up_rows(Store& store, const WinnerKey& like, const Target& target, size_t kernels, size_t rows) {
  store.put_device(like.device, "{}");
  store.put_toolchain(like.toolchain, "{}");
  const UOp all[] = {gemm(96, 128, 64), gemm(48, 256, 96), gemm(128, 64, 80), gemm(72, 96, 128)};
  for (size_t k = 0; k < kernels; ++k) {
    store.put_kernel(kernel_row(all[k], {}));
    std::vector<MeasurementRow> put;
    for (const Schedule& s : some_schedules(all[k], target, rows)) {
      MeasurementRow row;
      row.key = like, row.key.kernel = kernel_row(all[k], {}).id;
      row.schedule = text(s.opts()), row.bindings = "{}", row.samples = 5, row.status = "ok", row.verified = true;
      row.median_ms = 1e-6 * estimate(s, target) / (is_unrolled(s) ? 12 : 1), row.run = "made up";
      put.push_back(row);
    }
    store.put_measurements(put);
  }
}

}  // namespace pg::test
