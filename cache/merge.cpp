#include "cache/merge.h"

#include <tuple>

#include "cache/rows.h"

namespace pg {
namespace {

void count(MergeReport::Rows& rows, bool added) { ++(added ? rows.added : rows.present); }

/// An id is the hash of what it names; should two texts share one (another layout of the same JSON), the lesser stays.
void merge_json(Connection& db, const std::string& table, const std::map<std::string, std::string>& theirs,
                MergeReport::Rows& report) {
  Statement settle = db.prepare("update " + table + " set json = ?2 where id = ?1 and json > ?2");
  for (const auto& [id, json] : theirs) {
    count(report, insert_json(db, table, id, json));
    settle.bind(id, json).run();
  }
}

/// Shape and work of a kernel with Variables are those of the bindings that it was first tuned for, so they may differ.
void merge_kernel(Connection& db, const KernelRow& theirs, MergeReport::Rows& report) {
  count(report, insert_kernel(db, theirs));
  if (const auto stored = find_kernel(db, theirs.id); theirs < *stored)
    db.prepare("update kernel set template_hash=?2, name=?3, ir=?4, shape=?5, flops=?6, bytes=?7 where id=?1")
        .bind(theirs.id, theirs.template_hash, theirs.name, theirs.ir, theirs.shape, theirs.flops, theirs.bytes)
        .run();
}

void merge_winner(Connection& db, const WinnerRow& theirs, MergeReport& report) {
  const auto ours = find_winner(db, theirs.key);
  if (!ours) {
    write_winner(db, theirs);
    ++report.winners.added;
  } else if (better(theirs, *ours)) {
    write_winner(db, theirs);
    ++report.replaced;
  } else {
    ++(better(*ours, theirs) ? report.kept : report.winners.present);
  }
}

/// The newer one stays; should both be of one moment, the greater.
void merge_plan(Connection& db, const PlanRow& theirs, MergeReport& report) {
  const auto ours = find_plan(db, theirs);
  const auto order = [](const PlanRow& p) { return std::tie(p.created, p); };
  ++(ours ? report.plans.present : report.plans.added);
  if (!ours || order(*ours) < order(theirs)) write_plan(db, theirs);
}

}  // namespace

bool better(const WinnerRow& a, const WinnerRow& b) {
  const auto order = [](const WinnerRow& w) {
    return std::tuple(!w.finished, w.median_ms, w.schedule, w.default_ms, w.candidates, w.search_seconds, w.created);
  };
  return order(a) < order(b);
}

Contents read_contents(Connection& db) {
  Contents out;
  const auto each = [&](const std::string& sql, auto&& row) {
    Statement s = db.prepare(sql);
    while (s.step()) row(s);
  };
  const auto by_key = [](const std::string& t) {
    return " order by " + t + ".kernel, " + t + ".device, " + t + ".toolchain, " + t + ".threads, " + t + ".precision, " +
           t + ".bucket";
  };
  db.execute("savepoint contents");  // one snapshot
  each("select id, json from device", [&](const Statement& s) { out.devices.emplace(s.text(0), s.text(1)); });
  each("select id, json from toolchain", [&](const Statement& s) { out.toolchains.emplace(s.text(0), s.text(1)); });
  each(std::string("select ") + kKernelColumns + " from kernel k order by k.name, k.id",
       [&](const Statement& s) { out.kernels.push_back(read_kernel(s)); });
  each(std::string("select ") + kWinnerColumns + kWinners + by_key("w"),
       [&](const Statement& s) { out.winners.push_back(read_winner(s)); });
  each(std::string("select ") + kMeasurementColumns + kMeasurements + by_key("m") + ", s.opts, m.created, m.id",
       [&](const Statement& s) { out.measurements.push_back(read_measurement(s)); });
  out.plans = all_plans(db);
  db.execute("release contents");
  return out;
}

MergeReport merge_contents(Connection& db, const Contents& theirs) {
  MergeReport report;
  merge_json(db, "device", theirs.devices, report.devices);
  merge_json(db, "toolchain", theirs.toolchains, report.toolchains);
  for (const KernelRow& k : theirs.kernels) merge_kernel(db, k, report.kernels);
  for (const WinnerRow& w : theirs.winners) merge_winner(db, w, report);
  for (const PlanRow& p : theirs.plans) merge_plan(db, p, report);
  report.measurements.added = insert_measurements(db, theirs.measurements);
  report.measurements.present = static_cast<int64_t>(theirs.measurements.size()) - report.measurements.added;
  return report;
}

}  // namespace pg
