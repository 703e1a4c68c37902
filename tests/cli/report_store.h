#pragma once
// A database made by hand for the tests of reports.
#include <string>

#include "cache/sqlite.h"
#include "src/cli/report.h"
#include "tests/cache/rows.h"
#include "tests/cache/temporary.h"

namespace pg {

inline const std::string kHostileName = "<script>alert(\"1\")</script>&amp;\x01\xff";
inline const std::string kHostileReason =
    "a.c:1: error: 'x' <b>&</b> ]]> | `y` http://example.com\n  \xc3(\xed\xa0\x80\xf5 \"<!--";

struct ReportStore {
  TemporaryFolder folder;
  std::string path = folder / "a.db";
  std::unique_ptr<Store> store = Store::open(path);
  int64_t moment = 0;

  static ReportSubject subject() {
    return {{"d1", R"({"cpu": "test <&>", "cores": 2})"}, {"t1", R"({"compiler": "one"})"}, "CPU", "2026-01-02 03:04 UTC"};
  }
  static MeasurementRow timed(const std::string& schedule, double ms, const std::string& kernel = "k1") {
    MeasurementRow m = test_measurement(schedule, "ok", kernel);
    m.median_ms = ms;
    return m;
  }
  static MeasurementRow refused(const std::string& schedule, const std::string& status, const std::string& reason,
                                const std::string& kernel = "k1") {
    MeasurementRow m = test_measurement(schedule, status, kernel);
    m.reason = reason;
    return m;
  }
  /// As a move of round `round` made it.
  static MeasurementRow moved(MeasurementRow m, const std::string& parent, int64_t round) {
    m.lineage = {.origin = "move", .round = round, .parent = parent};
    return m;
  }
  static MeasurementRow seed(MeasurementRow m, const char* origin) {
    m.lineage = {.origin = origin};
    return m;
  }
  /// As a round of the beam stores them; the store's clock is replaced, whose steps are too long for a test.
  void put_batch(const std::vector<MeasurementRow>& rows) {
    store->put_measurements(rows);
    Connection(path, Connection::Access::Create)
        .execute(("update measurement set created = " + std::to_string(++moment) + " where created > 1000000").c_str());
  }
  void put_kernel(const std::string& id, const std::string& name, double flops = 2e6, double bytes = 1e5) {
    store->put_kernel({id, "template", name, "%0 = Const i64 [4]", "m=4 n=4", flops, bytes});
  }
  Report report(const std::string& kernel = "") { return gather(*store, subject(), kernel); }

  /// k1: every status; k2: two thousand measurements; k3: a winner that was brought in; k4: no winner; k5: of another
  /// device; k6: nothing; k7: computes nothing.
  void fill() {
    put_context(*store);
    store->put_device("d2", "{}");
    for (const char* id : {"k2", "k3", "k4", "k5", "k6"}) put_kernel(id, std::string("kernel_") + id);
    put_kernel("k7", kHostileName, 0);
    const std::string standard = "tile(m,4) grid(m n)";
    put_batch({seed(timed(standard, 3), "default")});
    put_batch({moved(timed("tile(m,8) grid(m n)", 2), standard, 1), moved(timed("tile(m,2) grid(m n)", 2.5), standard, 1),
               moved(refused("a()", "slow", "the first run took 9.5 ms"), standard, 1),
               refused("b()", "slow", "the first run took 7.25 ms"), refused("c() <i>", "wrong", "element 3 is 1, not 2"),
               refused("d()", "crash", "signal 11"), refused("e()", "timeout", "no answer within 2 s"),
               refused("f()", "compile_error", kHostileReason)});
    put_batch({moved(timed("tile(m,8) tile(n,16,vec) grid(m n)", 1), "tile(m,8) grid(m n)", 2)});
    put_batch({timed("tile(m,4) grid(m n)", 3.1), timed("tile(m,8) tile(n,16,vec) grid(m n)", 1.1)});
    WinnerRow w = test_winner("tile(m,8) tile(n,16,vec) grid(m n)", 1.1);
    w.default_ms = 3.1;
    store->put_winner(w);
    put_batch({timed("", 5, "k2")});
    for (int batch = 0; batch < 10; ++batch) {
      std::vector<MeasurementRow> rows;
      for (int i = 0; i < 200; ++i)
        rows.push_back(i % 5 ? timed("tile(m," + std::to_string(i) + ") tile(n," + std::to_string(batch) + ")",
                                     4.0 - batch * 0.2 + i * 0.01, "k2")
                             : refused("x(" + std::to_string(batch * 200 + i) + ")", "compile_error", "spills", "k2"));
      put_batch(rows);
    }
    store->put_winner(test_winner("tile(m,1) tile(n,9)", 2.2, "k2"));
    store->put_winner(test_winner("grid(m)", 2.9, "k3"));
    put_batch({timed("grid(m)", 4, "k4")});
    WinnerRow foreign = test_winner("grid(m)", 1, "k5");
    foreign.key.device = "d2";
    store->put_winner(foreign);
    store->put_winner(test_winner("grid(m)", 2.99, "k7"));
  }
};

}  // namespace pg
