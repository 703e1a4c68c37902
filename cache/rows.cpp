#include "cache/rows.h"

#include <chrono>

#include "cache/content_hash.h"

namespace pg {
namespace {

WinnerKey read_key(const Statement& s) {
  return {.kernel = s.text(0),
          .device = s.text(1),
          .toolchain = s.text(2),
          .threads = static_cast<int>(s.integer(3)),
          .precision = s.text(4),
          .bucket = s.text(5)};
}

void require_references(Connection& db, const WinnerKey& k) {
  Statement s = db.prepare(
      "select exists(select 1 from kernel where id=?1), exists(select 1 from device where id=?2), "
      "exists(select 1 from toolchain where id=?3)");
  s.bind(k.kernel, k.device, k.toolchain).step();
  if (!s.integer(0)) throw InternalError("store: put_kernel must come first for kernel " + k.kernel);
  if (!s.integer(1)) throw InternalError("store: put_device must come first for device " + k.device);
  if (!s.integer(2)) throw InternalError("store: put_toolchain must come first for toolchain " + k.toolchain);
}

std::string schedule_id(Connection& db, const std::string& opts) {
  const std::string id = content_hash(opts);
  db.prepare("insert into schedule(id, opts) values (?1, ?2) on conflict(id) do nothing").bind(id, opts).run();
  return id;
}

/// The same schedule timed twice in one run is two measurements: time and sample count are part of the identity. Where it
/// came from is not: a measurement of an older schema is the same one.
std::string measurement_id(const MeasurementRow& m, int64_t created) {
  const WinnerKey& k = m.key;
  std::string identity;
  for (const std::string& part :
       {k.kernel, k.device, k.toolchain, std::to_string(k.threads), k.precision, k.bucket, m.schedule, m.bindings, m.status,
        m.run, std::to_string(m.median_ms), std::to_string(m.samples), std::to_string(created)})
    identity += std::to_string(part.size()) + ":" + part;
  return content_hash(identity);
}

}  // namespace

KernelRow read_kernel(const Statement& s, int at) {
  return {.id = s.text(at),
          .template_hash = s.text(at + 1),
          .name = s.text(at + 2),
          .ir = s.text(at + 3),
          .shape = s.text(at + 4),
          .flops = s.real(at + 5),
          .bytes = s.real(at + 6)};
}
WinnerRow read_winner(const Statement& s) {
  return {.key = read_key(s),
          .schedule = s.text(6),
          .median_ms = s.real(7),
          .default_ms = s.real(8),
          .candidates = s.integer(9),
          .search_seconds = s.real(10),
          .finished = s.integer(11) != 0,
          .created = s.integer(12)};
}
MeasurementRow read_measurement(const Statement& s) {
  MeasurementRow m{.key = read_key(s),
                   .schedule = s.text(6),
                   .bindings = s.text(7),
                   .median_ms = s.real(8),
                   .spread = s.real(9),
                   .samples = s.integer(10),
                   .status = s.text(11),
                   .reason = s.text(12),
                   .verified = s.integer(13) != 0,
                   .run = s.text(14),
                   .created = s.integer(15),
                   .lineage = {.origin = s.text(16), .round = s.integer(17)}};
  if (s.integer(18)) m.lineage.parent = s.text(19);
  return m;
}

PlanRow read_plan(const Statement& s) {
  return {.site = s.text(0),
          .device = s.text(1),
          .toolchain = s.text(2),
          .threads = static_cast<int>(s.integer(3)),
          .precision = s.text(4),
          .in_place = s.integer(5) != 0,
          .in_place_ms = s.real(6),
          .stored_ms = s.real(7),
          .spread = s.real(8),
          .created = s.integer(9)};
}

std::optional<PlanRow> find_plan(Connection& db, const PlanRow& k) {
  Statement s = db.prepare(std::string("select ") + kPlanColumns +
                           " from plan where site=?1 and device=?2 and toolchain=?3 and threads=?4 and precision=?5");
  if (!s.bind(k.site, k.device, k.toolchain, k.threads, k.precision).step()) return std::nullopt;
  return read_plan(s);
}
std::vector<PlanRow> all_plans(Connection& db) {
  Statement s = db.prepare(std::string("select ") + kPlanColumns +
                           " from plan order by site, device, toolchain, threads, precision");
  std::vector<PlanRow> out;
  while (s.step()) out.push_back(read_plan(s));
  return out;
}

std::optional<KernelRow> find_kernel(Connection& db, const std::string& id) {
  Statement s = db.prepare(std::string("select ") + kKernelColumns + " from kernel k where k.id = ?1");
  if (!s.bind(id).step()) return std::nullopt;
  return read_kernel(s);
}
std::optional<WinnerRow> find_winner(Connection& db, const WinnerKey& k) {
  Statement s =
      db.prepare(std::string("select ") + kWinnerColumns + kWinners +
                 "where w.kernel=?1 and w.device=?2 and w.toolchain=?3 and w.threads=?4 and w.precision=?5 and w.bucket=?6");
  if (!s.bind(k.kernel, k.device, k.toolchain, k.threads, k.precision, k.bucket).step()) return std::nullopt;
  return read_winner(s);
}

int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

bool insert_json(Connection& db, const std::string& table, const std::string& id, const std::string& json) {
  db.prepare("insert into " + table + "(id, json) values (?1, ?2) on conflict(id) do nothing").bind(id, json).run();
  return db.changes() > 0;
}

bool insert_kernel(Connection& db, const KernelRow& k) {
  db.prepare(
        "insert into kernel(id, template_hash, name, ir, shape, flops, bytes) values (?1,?2,?3,?4,?5,?6,?7) "
        "on conflict(id) do nothing")
      .bind(k.id, k.template_hash, k.name, k.ir, k.shape, k.flops, k.bytes)
      .run();
  return db.changes() > 0;
}

int64_t insert_measurements(Connection& db, const std::vector<MeasurementRow>& rows) {
  Statement insert = db.prepare(
      "insert into measurement(id, kernel, schedule, device, toolchain, threads, precision, bucket, bindings, median_ms, "
      "spread, samples, status, reason, verified, run, created, origin, round, parent) values "
      "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20) on conflict(id) do nothing");
  // Of two tellings of one measurement, say with and without its origin, the greater one stays.
  Statement settle = db.prepare(
      "update measurement set origin = ?2, round = ?3, parent = ?4 where id = ?1 and (origin, round, parent) < (?2, ?3, "
      "?4)");
  const int64_t now = now_ms();
  int64_t added = 0;
  for (const MeasurementRow& m : rows) {
    const WinnerKey& k = m.key;
    const int64_t created = m.created ? m.created : now;
    require_references(db, k);
    const std::string id = measurement_id(m, created);
    const std::string parent = m.lineage.parent ? schedule_id(db, *m.lineage.parent) : "";
    insert.bind(id, k.kernel, schedule_id(db, m.schedule), k.device, k.toolchain, k.threads, k.precision, k.bucket,
                m.bindings, m.median_ms, m.spread, m.samples, m.status, m.reason, m.verified, m.run, created,
                m.lineage.origin, m.lineage.round, parent);
    insert.run();
    const bool fresh = db.changes() > 0;
    added += fresh;
    if (!fresh) settle.bind(id, m.lineage.origin, m.lineage.round, parent).run();
  }
  return added;
}

void write_winner(Connection& db, const WinnerRow& w) {
  const WinnerKey& k = w.key;
  require_references(db, k);
  db.prepare(
        "insert or replace into winner(kernel, device, toolchain, threads, precision, bucket, schedule, median_ms, "
        "default_ms, candidates, search_seconds, finished, created) values (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)")
      .bind(k.kernel, k.device, k.toolchain, k.threads, k.precision, k.bucket, schedule_id(db, w.schedule), w.median_ms,
            w.default_ms, w.candidates, w.search_seconds, w.finished, w.created ? w.created : now_ms())
      .run();
}

void write_plan(Connection& db, const PlanRow& p) {
  Statement known =
      db.prepare("select exists(select 1 from device where id=?1), exists(select 1 from toolchain where id=?2)");
  known.bind(p.device, p.toolchain).step();
  if (!known.integer(0)) throw InternalError("store: put_device must come first for device " + p.device);
  if (!known.integer(1)) throw InternalError("store: put_toolchain must come first for toolchain " + p.toolchain);
  db.prepare(std::string("insert or replace into plan(") + kPlanColumns + ") values (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)")
      .bind(p.site, p.device, p.toolchain, p.threads, p.precision, p.in_place, p.in_place_ms, p.stored_ms, p.spread,
            p.created ? p.created : now_ms())
      .run();
}

}  // namespace pg
