#include "cache/prune.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/cache/rows.h"
#include "tests/cache/temporary.h"

using namespace pg;

namespace {

MeasurementRow timed(const std::string& schedule, double ms, const std::string& toolchain = "t1") {
  MeasurementRow m = test_measurement(schedule);
  m.median_ms = ms;
  m.key.toolchain = toolchain;
  return m;
}
std::string schedules(Store& s) {
  std::string out;
  for (const MeasurementRow& m : s.measurements("k1")) out += m.schedule.substr(0, 1);
  std::sort(out.begin(), out.end());
  return out;
}

struct Fixture {
  TemporaryFolder folder;
  std::string path = folder / "a.db";
  std::unique_ptr<Store> store = Store::open(path);
  Fixture() {
    put_context(*store);
    store->put_measurements({timed("a", 1), timed("b", 2), timed("c", 3), timed("d", 4), timed("w", 5),
                             test_measurement("q", "crash"), test_measurement("s", "slow"), timed("o", 1, "t2")});
    store->put_winner(test_winner("w"));
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "prune: without wishes, only what nothing refers to goes") {
  Connection(path, Connection::Access::Create).execute("insert into schedule(id, opts) values ('x', 'left over')");
  const PruneReport r = store->prune({});
  CHECK(r.schedules == 1);
  CHECK(r.measurements + r.winners + r.kernels + r.devices + r.toolchains == 0);
  CHECK(schedules(*store) == "abcdoqsw");
}

TEST_CASE_FIXTURE(Fixture, "prune: the fastest of each key stay, with the winner's and the quarantined") {
  const PruneReport r = store->prune({.keep_measurements = 2});
  CHECK(r.measurements == 3);  // c, d, s
  CHECK(r.schedules == 3);
  CHECK(schedules(*store) == "aboqw");
  CHECK(store->winner(test_key())->schedule == "w");
  CHECK(store->quarantined(test_key()).size() == 1);
  CHECK(store->check().empty());
  CHECK(store->prune({.keep_measurements = 0}).measurements == 3);
  CHECK(schedules(*store) == "qw");
}

TEST_CASE_FIXTURE(Fixture, "prune: a schedule that another was made from stays while the other does") {
  MeasurementRow child = test_measurement("r", "crash");
  child.lineage = {.origin = "move", .round = 1, .parent = "c"};
  store->put_measurements({child});
  CHECK(store->prune({.keep_measurements = 2}).schedules == 2);  // d, s
  CHECK(store->check().empty());
  for (const MeasurementRow& m : store->measurements("k1"))
    if (m.schedule == "r") CHECK(m.lineage == child.lineage);
  Connection(path, Connection::Access::Create).execute("update measurement set parent = 'gone' where parent <> ''");
  REQUIRE(store->check().size() == 1);
  CHECK(store->check()[0].ends_with("has a parent that is missing"));
}

TEST_CASE_FIXTURE(Fixture, "prune: other toolchains' rows of the device go, this one's and other devices' never") {
  store->put_device("d2", "{}");
  WinnerRow old = test_winner("old"), elsewhere = test_winner("elsewhere");
  old.key.toolchain = elsewhere.key.toolchain = "t2";
  elsewhere.key.device = "d2";
  store->put_winner(old);
  store->put_winner(elsewhere);
  const PruneReport r = store->prune({.device = "d1", .toolchain = "t1"});
  CHECK(r.winners == 1);
  CHECK(r.measurements == 1);
  CHECK(r.toolchains == 0);  // the other device's winner needs it
  CHECK(store->winner(test_key()));
  CHECK(store->winner(elsewhere.key));
  CHECK_FALSE(store->winner(old.key));
  CHECK(schedules(*store) == "abcdqsw");
  CHECK(store->prune({.device = "d2", .toolchain = "t1"}).toolchains == 1);
}

TEST_CASE_FIXTURE(Fixture, "prune: a kernel's winners on a device are forgotten, its measurements stay") {
  CHECK(store->prune({.device = "d2", .forgotten = "k1"}).winners == 0);
  CHECK(store->prune({.device = "d1", .forgotten = "k1"}).winners == 1);
  CHECK(store->winners().empty());
  CHECK(store->measurements("k1").size() == 8);
}

TEST_CASE_FIXTURE(Fixture, "prune: a dry run changes nothing and counts the same") {
  const PruneOptions options{.keep_measurements = 1, .device = "d1", .toolchain = "t1"};
  PruneOptions dry = options;
  dry.dry_run = true;
  const PruneReport would = store->prune(dry);
  CHECK(schedules(*store) == "abcdoqsw");
  const PruneReport did = store->prune(options);
  CHECK(would.measurements == did.measurements);
  CHECK(would.schedules == did.schedules);
  CHECK(would.toolchains == did.toolchains);
}

TEST_CASE_FIXTURE(Fixture, "prune: a search that has only begun keeps its kernel") {
  put_context(*store, "k2");
  CHECK(store->prune({.keep_measurements = 0}).kernels == 0);
  store->put_winner(test_winner("w", 1, "k2"));
}

TEST_CASE_FIXTURE(Fixture, "prune: the space is given back") {
  std::vector<MeasurementRow> many;
  for (int i = 0; i < 3000; ++i) many.push_back(timed("tile(n," + std::to_string(i) + ")", 10 + i));
  store->put_measurements(many);
  PruneOptions options{.keep_measurements = 4, .dry_run = true};
  CHECK(store->prune(options).bytes > 100000);
  options.dry_run = false;
  store.reset();  // folds the log into the file
  const auto before = std::filesystem::file_size(path);
  store = Store::open(path);
  const PruneReport r = store->prune(options);
  store.reset();
  CHECK(std::filesystem::file_size(path) == before - static_cast<uintmax_t>(r.bytes));
  CHECK(r.bytes > 300000);
}
