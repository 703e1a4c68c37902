#pragma once
// What tests of the search begin with: the runner of this build, a store of their own or the process's.
#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "runtime/config.h"
#include "search/keys.h"
#include "search/tune.h"
#include "tests/cache/temporary.h"

namespace pg::test {

inline void use_built_runner() {
  Config c = config();
  if (!c.runner.empty()) return;
  c.runner = PICOGRAD_BINARY_DIR "/picograd-runner";
  set_config(c);
}

/// The store of best_schedule, which is opened once in a process.
inline Store& process_store() {
  static TemporaryFolder folder;
  Config c = config();
  c.db = folder / "default.db";
  set_config(c);
  REQUIRE(default_store());
  return *default_store();
}

/// A store of its own.
struct TuneFixture {
  TuneFixture() {
    use_built_runner();
    store = Store::open(folder / "tune.db");
  }
  TuneResult tuned(const UOp& kernel, Device& device, double seconds, int beam = 1) {
    TuneOptions options;
    options.beam = beam;
    options.budget_seconds = seconds;
    return tune(kernel, {}, device, *store, options);
  }
  std::vector<MeasurementRow> rows(const UOp& kernel, Device& device) {
    return store->measurements(winner_key(kernel, {}, device).kernel);
  }
  TemporaryFolder folder;
  std::unique_ptr<Store> store;
};

}  // namespace pg::test
