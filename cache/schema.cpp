#include "cache/schema.h"

#include "cache/store.h"

namespace pg {
namespace {

// Ids are content hashes in hex. Times are milliseconds since 1970. A measurement never changes; a winner is replaced.
constexpr Migration kMigrations[] = {
    {1, R"sql(
create table device    (id text primary key, json text not null) without rowid;
create table toolchain (id text primary key, json text not null) without rowid;
create table kernel (
  id text primary key, template_hash text not null, name text not null, shape text not null,
  ir text not null, flops real not null, bytes real not null) without rowid;
create index kernel_template on kernel(template_hash);

-- The kernels that a sub-graph may be cut into (plan.kernels: JSON list of kernel ids), and the cut that was chosen.
create table graph (id text primary key, name text not null, json text not null) without rowid;
create table plan (
  id text primary key, graph text not null references graph(id), alternative text not null, kernels text not null,
  chosen integer not null default 0) without rowid;
create index plan_graph on plan(graph);

create table schedule (id text primary key, opts text not null) without rowid;
create table measurement (
  id text primary key,
  kernel text not null references kernel(id), schedule text not null references schedule(id),
  device text not null references device(id), toolchain text not null references toolchain(id),
  threads integer not null, precision text not null, bucket text not null, bindings text not null,
  median_ms real not null, spread real not null, samples integer not null,
  status text not null check (status in ('ok', 'slow', 'wrong', 'crash', 'timeout', 'compile_error')),
  reason text not null, verified integer not null, run text not null, created integer not null) without rowid;
create index measurement_kernel on measurement(kernel, created);
create index measurement_refused on measurement(kernel, device) where status not in ('ok', 'slow');
create table winner (
  kernel text not null references kernel(id), device text not null references device(id),
  toolchain text not null references toolchain(id), threads integer not null, precision text not null, bucket text not null,
  schedule text not null references schedule(id), median_ms real not null, default_ms real not null,
  candidates integer not null, search_seconds real not null, finished integer not null, created integer not null,
  primary key (kernel, device, toolchain, threads, precision, bucket)) without rowid;
create table artifact (
  id text primary key, toolchain text not null references toolchain(id), name text not null, binary blob not null,
  created integer not null);
)sql"},
    {2, R"sql(
-- Devices that were given the winners that come with picograd: once, whatever becomes of them.
create table pretuned (device text primary key, created integer not null) without rowid;
)sql"},
    {3, R"sql(
-- How a measured schedule came to be, and of a move the id of the schedule that was changed. '': not recorded.
alter table measurement add column origin text not null default ''
  check (origin in ('', 'default', 'earlier', 'neighbour', 'template', 'move'));
alter table measurement add column round integer not null default 0;
alter table measurement add column parent text not null default '';
)sql"},
    {4, R"sql(
-- What was measured of an alternative of plans: whether nodes at such a site are computed in place or materialised. The
-- tables of the first version were never written to.
drop index plan_graph;
drop table plan;
drop table graph;
create table plan (
  site text not null,
  device text not null references device(id), toolchain text not null references toolchain(id),
  threads integer not null, precision text not null,
  in_place integer not null, in_place_ms real not null, stored_ms real not null, spread real not null,
  created integer not null,
  primary key (site, device, toolchain, threads, precision)) without rowid;
)sql"},
};

}  // namespace

std::span<const Migration> migrations() {
  static_assert(std::size(kMigrations) == kSchemaVersion && kMigrations[kSchemaVersion - 1].to == kSchemaVersion);
  return kMigrations;
}

int schema_version(Connection& db, int newest) {
  db.execute("savepoint version");  // one snapshot: another process may be migrating
  const int version = static_cast<int>(db.integer("pragma user_version"));
  const int64_t application = db.integer("pragma application_id");
  const bool empty = version == 0 && application == 0 && db.integer("select count(*) from sqlite_master") == 0;
  db.execute("release version");
  if (!empty && application != kApplicationId)
    throw UserError("database " + db.path() + " belongs to another program; set PICOGRAD_DB or --db to another path");
  if (version > newest)
    throw UserError("database " + db.path() + " has schema version " + std::to_string(version) +
                    ", this picograd knows versions up to " + std::to_string(newest) +
                    "; use a newer picograd, or set PICOGRAD_DB or --db to another path");
  return version;
}

void migrate(Connection& db, std::span<const Migration> rows) {
  const int newest = rows.back().to;
  if (schema_version(db, newest) == newest) return;
  Transaction transaction(db);
  const int version = schema_version(db, newest);  // again: another process may have been faster
  for (const Migration& m : rows)
    if (m.to > version)
      with_context("migrating " + db.path() + " to schema version " + std::to_string(m.to), [&] { db.execute(m.sql); });
  db.execute(("pragma user_version = " + std::to_string(newest)).c_str());
  db.execute(("pragma application_id = " + std::to_string(kApplicationId)).c_str());
  transaction.commit();
}

}  // namespace pg
