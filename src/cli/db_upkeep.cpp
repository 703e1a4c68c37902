// picograd db verify|prune|migrate: whether the database is sound, and how it is kept small and up to date.
#include <filesystem>
#include <ostream>

#include "cache/database_file.h"
#include "runtime/device.h"
#include "src/cli/db_actions.h"

namespace pg::db {
namespace {

using nlohmann::json;

json to_json(const WinnerRow& w, const KernelRow& k, const Rechecked& r) {
  json j = row_json(w.key);
  j.update({{"name", k.name}, {"problem", r.problem}});
  if (r.ms > 0)
    j.update({{"median_ms", r.ms},
              {"default_ms", r.default_ms},
              {"ratio", r.over_default.ratio},
              {"low", r.over_default.low},
              {"high", r.over_default.high},
              {"slower", r.slower}});
  return j;
}
/// What the winner's Variables were when it was timed last.
std::string bindings_of(Store& store, const WinnerRow& w) {
  std::string bindings = "{}";
  for (const MeasurementRow& m : store.measurements(w.key.kernel))
    if (m.key == w.key && m.schedule == w.schedule && m.status == "ok") bindings = m.bindings;
  return bindings;
}
/// "1.91 [1.88, 1.94]"
std::string ratio(const Speedup& s) { return fixed(s.ratio, 2) + " [" + fixed(s.low, 2) + ", " + fixed(s.high, 2) + "]"; }

}  // namespace

int verify(const DbOptions& o, std::ostream& out, const Reverify& reverify) {
  const auto store = Store::open(o.path, OpenMode::ReadOnly, /*strict=*/true);
  std::vector<std::string> problems = store->check();
  const auto winners = store->winners();
  json runs = json::array();
  for (const WinnerRow& w : winners) {
    if (o.no_run || !reverify) break;
    const KernelRow k = kernel_of(*store, w);
    const Rechecked r = reverify(w, k, bindings_of(*store, w));
    if (!r.here) continue;
    runs.push_back(to_json(w, k, r));
    const std::string name = k.name + " (" + k.id.substr(0, kShortId) + ", " + key_text(w.key) + ")";
    if (!r.problem.empty()) problems.push_back("winner of " + name + ": " + r.problem);
    if (r.slower)
      problems.push_back("winner of " + name + " is slower than the default: " + ratio(r.over_default) +
                         " of its speed; `picograd db prune --winners-of " + k.id.substr(0, kShortId) +
                         "` drops it, and the next search finds another");
    if (o.json || r.ms <= 0) continue;
    out << k.id.substr(0, kShortId) << "  " << k.name << "  " << key_text(w.key) << "  " << fixed(r.ms, 4) << " ms, default "
        << fixed(r.default_ms, 4) << " ms: " << ratio(r.over_default) << "\n";
  }
  if (o.json) {
    print(out, {{"path", store->path()},
                {"ok", problems.empty()},
                {"problems", problems},
                {"winners", winners.size()},
                {"run_again", runs.size()},
                {"runs", runs}});
  } else {
    for (const std::string& p : problems) out << "problem: " << p << "\n";
    out << store->path() << ": " << (problems.empty() ? "sound" : std::to_string(problems.size()) + " problems") << ", "
        << winners.size() << " winners, " << runs.size() << " of them run again\n";
  }
  return problems.empty() ? 0 : 1;
}

int prune(const DbOptions& o, std::ostream& out) {
  // Opened as it is first: a missing database is not made, and an id that it lacks is told before anything goes.
  PruneOptions options{.keep_measurements = o.keep_measurements, .dry_run = o.dry_run};
  {
    const auto store = Store::open(o.path, OpenMode::ReadOnly, /*strict=*/true);
    if (!o.winners_of.empty()) options.forgotten = find_kernel(*store, o.winners_of).id;
  }
  if (o.older_toolchains || !o.winners_of.empty()) options.device = default_device().info().id;
  if (o.older_toolchains) options.toolchain = default_device().toolchain().id;
  const PruneReport r = Store::open(o.path, OpenMode::ReadWrite, /*strict=*/true)->prune(options);
  if (o.json) {
    print(out, {{"path", o.path},
                {"dry_run", o.dry_run},
                {"winners", r.winners},
                {"measurements", r.measurements},
                {"plans", r.plans},
                {"schedules", r.schedules},
                {"kernels", r.kernels},
                {"devices", r.devices},
                {"toolchains", r.toolchains},
                {"bytes", r.bytes}});
    return 0;
  }
  out << o.path << ": " << (o.dry_run ? "would drop " : "dropped ") << r.winners << " winners, " << r.measurements
      << " measurements, " << r.plans << " plans, " << r.schedules << " schedules, " << r.kernels << " kernels, " << r.devices << " devices, "
      << r.toolchains << " toolchains: " << r.bytes << " bytes" << (o.dry_run ? " at least" : "") << "\n";
  return 0;
}

int migrate(const DbOptions& o, std::ostream& out) {
  const Migrated m = migrate_database_file(o.path);
  if (o.json)
    print(out, {{"path", o.path}, {"from", m.from}, {"to", m.to}, {"backup", m.backup}});
  else if (m.backup.empty())
    out << o.path << ": has schema version " << m.to << " already\n";
  else
    out << o.path << ": schema version " << m.from << " -> " << m.to << "; as it was: " << m.backup << "\n";
  return 0;
}

}  // namespace pg::db
