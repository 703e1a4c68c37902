#include "cache/prune.h"

namespace pg {
namespace {

/// Rows dropped.
template <class... Args>
int64_t drop(Connection& db, const std::string& sql, const Args&... args) {
  db.prepare("delete from " + sql).bind(args...).run();
  return db.changes();
}

/// Beside the fastest: the winners' measurements, and those that tell a search what not to try again.
int64_t drop_slower_measurements(Connection& db, int64_t keep) {
  return drop(db,
              "measurement where id in (select id from (select id, row_number() over (partition by kernel, device, "
              "toolchain, threads, precision, bucket order by status <> 'ok', median_ms, created desc, id) as place "
              "from measurement where status in ('ok', 'slow')) where place > ?1) "
              "and not exists (select 1 from winner w where w.kernel = measurement.kernel and w.device = measurement.device "
              "and w.toolchain = measurement.toolchain and w.threads = measurement.threads and w.precision = "
              "measurement.precision and w.bucket = measurement.bucket and w.schedule = measurement.schedule)",
              keep);
}

/// What nothing refers to any more. Only what something referred to before: a search that has begun puts its device,
/// toolchain and kernel first, and its first measurement later.
void drop_unused(Connection& db, PruneReport& report) {
  const auto unused = [](const std::string& table) {
    return table + " where id in used and id not in (select " + table + " from winner) and id not in (select " + table +
           " from measurement)";
  };
  const auto unplanned = [](const std::string& table) { return " and id not in (select " + table + " from plan)"; };
  report.schedules =
      drop(db,
           "schedule where id not in (select schedule from winner) and id not in (select schedule from measurement) "
           "and id not in (select parent from measurement)");
  report.kernels = drop(db, unused("kernel"));
  report.devices = drop(db, unused("device") + unplanned("device"));
  report.toolchains = drop(db, unused("toolchain") + unplanned("toolchain") + " and id not in (select toolchain from artifact)");
}

}  // namespace

PruneReport prune_database(Connection& db, const PruneOptions& options) {
  PruneReport report;
  const auto bytes = [&](const char* pages) { return db.integer(pages) * db.integer("pragma page_size"); };
  db.execute("create temp table if not exists used(id text primary key) without rowid");
  const int64_t before = bytes("pragma page_count");
  {
    Transaction transaction(db);
    db.execute("delete from used");
    db.execute("insert or ignore into used select device from plan union select toolchain from plan");
    for (const std::string column : {"kernel", "device", "toolchain"})
      db.execute(
          ("insert or ignore into used select " + column + " from winner union select " + column + " from measurement")
              .c_str());
    if (!options.forgotten.empty())
      report.winners += drop(db, "winner where device = ?1 and kernel = ?2", options.device, options.forgotten);
    if (!options.toolchain.empty()) {
      report.winners += drop(db, "winner where device = ?1 and toolchain <> ?2", options.device, options.toolchain);
      report.measurements +=
          drop(db, "measurement where device = ?1 and toolchain <> ?2", options.device, options.toolchain);
      report.plans += drop(db, "plan where device = ?1 and toolchain <> ?2", options.device, options.toolchain);
    }
    if (options.keep_measurements) report.measurements += drop_slower_measurements(db, *options.keep_measurements);
    drop_unused(db, report);
    if (options.dry_run) {
      report.bytes = bytes("pragma freelist_count");
      return report;
    }
    transaction.commit();
  }
  db.execute("vacuum");
  db.execute("pragma wal_checkpoint(truncate)");
  report.bytes = before - bytes("pragma page_count");
  return report;
}

}  // namespace pg
