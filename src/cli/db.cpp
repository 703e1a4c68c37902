#include "src/cli/db.h"

#include <cstdio>
#include <ostream>

#include "src/cli/db_actions.h"
#include "uops/error.h"

namespace pg::db {

using nlohmann::json;

std::string fixed(double x, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, x);
  return text;
}

std::string key_text(const WinnerKey& k) {
  std::string out = "threads=" + std::to_string(k.threads) + " " + k.precision;
  if (!k.bucket.empty()) out += " " + k.bucket;
  return out;
}

void print(std::ostream& out, const json& j) { out << dumped(j, 2) << "\n"; }

KernelRow kernel_of(Store& store, const WinnerRow& w) {
  auto k = store.kernel(w.key.kernel);
  return k ? *k : KernelRow{.id = w.key.kernel, .name = "(missing kernel)"};
}

namespace {

double gflops(const KernelRow& k, double ms) { return ms > 0 ? k.flops / ms / 1e6 : 0; }
double gbytes(const KernelRow& k, double ms) { return ms > 0 ? k.bytes / ms / 1e6 : 0; }
/// "1.62 ms (default 3.10, 1.91x) 1325.5 GFLOP/s 7.8 GB/s"
std::string speed(const KernelRow& k, const WinnerRow& w) {
  std::string out = fixed(w.median_ms, 4) + " ms";
  if (w.default_ms > 0 && w.median_ms > 0)
    out += " (default " + fixed(w.default_ms, 4) + ", " + fixed(w.default_ms / w.median_ms, 2) + "x)";
  return out + " " + fixed(gflops(k, w.median_ms), 1) + " GFLOP/s " + fixed(gbytes(k, w.median_ms), 1) + " GB/s";
}
std::string shown(const std::string& schedule) { return schedule.empty() ? "(unscheduled)" : schedule; }

json to_json(const WinnerRow& w, const KernelRow& k) {
  json j = row_json(w);
  j.update({{"name", k.name},
            {"shape", k.shape},
            {"gflops", gflops(k, w.median_ms)},
            {"gbytes_per_second", gbytes(k, w.median_ms)}});
  return j;
}

int stats(const DbOptions& o, std::ostream& out) {
  const auto store = Store::open(o.path, OpenMode::ReadOnly, /*strict=*/true);
  const StoreStats s = store->stats();
  if (o.json) {
    print(out, {{"path", s.path},
                {"schema", s.schema},
                {"bytes", s.bytes},
                {"kernels", s.kernels},
                {"schedules", s.schedules},
                {"measurements", s.measurements},
                {"winners", s.winners},
                {"plans", s.plans},
                {"quarantined", s.quarantined},
                {"artifacts", s.artifacts}});
    return 0;
  }
  out << s.path << ": schema " << s.schema << ", " << fixed(static_cast<double>(s.bytes) / 1024, 1) << " KB\n"
      << s.kernels << " kernels, " << s.winners << " winners, " << s.plans << " plans, " << s.schedules << " schedules, " << s.measurements
      << " measurements, " << s.quarantined << " quarantined\n";
  return 0;
}

int list(const DbOptions& o, std::ostream& out) {
  const auto store = Store::open(o.path, OpenMode::ReadOnly, /*strict=*/true);
  json all = json::array();
  for (const WinnerRow& w : store->winners()) {
    const KernelRow k = kernel_of(*store, w);
    if (o.json) {
      all.push_back(to_json(w, k));
      continue;
    }
    out << k.id.substr(0, kShortId) << "  " << k.name << "  " << key_text(w.key) << "  " << speed(k, w)
        << (w.finished ? "" : "  unfinished") << "  " << shown(w.schedule) << "\n";
  }
  if (o.json) print(out, {{"winners", all}});
  return 0;
}

int show(const DbOptions& o, std::ostream& out) {
  const auto store = Store::open(o.path, OpenMode::ReadOnly, /*strict=*/true);
  const KernelRow k = find_kernel(*store, o.id);
  const auto measurements = store->measurements(k.id);
  std::vector<WinnerRow> winners;
  for (WinnerRow& w : store->winners())
    if (w.key.kernel == k.id) winners.push_back(std::move(w));
  if (o.json) {
    json j{{"kernel", json(row_json(k))}, {"winners", json::array()}, {"measurements", json::array()}};
    j["kernel"]["ir"] = k.ir;
    for (const WinnerRow& w : winners) j["winners"].push_back(to_json(w, k));
    for (const MeasurementRow& m : measurements) j["measurements"].push_back(json(row_json(m)));
    print(out, j);
    return 0;
  }
  out << k.id << "  " << k.name << "  " << k.shape << "\n" << k.ir << (k.ir.ends_with("\n") ? "" : "\n");
  for (const WinnerRow& w : winners)
    out << "winner  " << key_text(w.key) << "  " << speed(k, w) << "  " << w.candidates << " candidates in "
        << fixed(w.search_seconds, 1) << " s" << (w.finished ? "" : ", unfinished") << "\n        " << shown(w.schedule)
        << "\n";
  for (const MeasurementRow& m : measurements) {
    out << m.status << "  " << key_text(m.key) << "  ";
    if (m.median_ms > 0) out << fixed(m.median_ms, 4) << " ms ±" << fixed(100 * m.spread, 1) << "% of " << m.samples << "  ";
    out << shown(m.schedule) << (m.reason.empty() ? "" : "  (" + m.reason + ")") << "\n";
  }
  return 0;
}

}  // namespace
}  // namespace pg::db

namespace pg {

KernelRow find_kernel(Store& store, const std::string& id) {
  std::vector<KernelRow> found;
  for (KernelRow& k : store.kernels())
    if (!id.empty() && k.id.starts_with(id)) found.push_back(std::move(k));
  if (found.empty()) throw UserError("no kernel " + id + " in " + store.path() + "; `picograd db list` shows the ids");
  if (found.size() > 1)
    throw UserError(std::to_string(found.size()) + " kernels begin with " + id + ": give more digits (" + found[0].id +
                    ", " + found[1].id + (found.size() > 2 ? ", ..)" : ")"));
  return found[0];
}

int db_command(const DbOptions& o, std::ostream& out, const Reverify& reverify) {
  using Action = DbOptions::Action;
  switch (o.action) {
    case Action::Stats: return db::stats(o, out);
    case Action::List: return db::list(o, out);
    case Action::Show: return db::show(o, out);
    case Action::Export: return db::export_contents(o, out);
    case Action::Import: return db::import_files(o, out);
    case Action::Merge: return db::merge_databases(o, out);
    case Action::Verify: return db::verify(o, out, reverify);
    case Action::Prune: return db::prune(o, out);
    case Action::Migrate: return db::migrate(o, out);
  }
  return 1;
}

}  // namespace pg
