#include "cache/schema.h"

#include <doctest/doctest.h>

#include <vector>

#include "cache/store.h"
#include "tests/cache/rows.h"
#include "tests/cache/temporary.h"

using namespace pg;

namespace {
std::string mark(int version) {
  return "pragma application_id = " + std::to_string(kApplicationId) + "; pragma user_version = " + std::to_string(version);
}
}  // namespace

TEST_CASE("schema: the rows are numbered without gaps") {
  int expected = 0;
  for (const Migration& m : migrations()) CHECK(m.to == ++expected);
  CHECK(expected == kSchemaVersion);
}

TEST_CASE("schema: every table of the design is there") {
  TemporaryFolder folder;
  auto s = Store::open(folder / "a.db");
  Connection db(folder / "a.db", Connection::Access::ReadOnly);
  for (const char* table :
       {"device", "toolchain", "kernel", "plan", "schedule", "measurement", "winner", "artifact"}) {
    CAPTURE(table);
    CHECK(db.integer("select count(*) from sqlite_master where type = 'table' and name = '" + std::string(table) + "'") ==
          1);
  }
  CHECK(db.integer("pragma user_version") == kSchemaVersion);
  Statement mode = db.prepare("pragma journal_mode");
  REQUIRE(mode.step());
  CHECK(mode.text(0) == "wal");
}

TEST_CASE("schema: version 0 of picograd becomes the newest") {
  TemporaryFolder folder;
  Connection(folder / "a.db", Connection::Access::Create).execute(mark(0).c_str());
  auto s = Store::open(folder / "a.db");
  CHECK(s->stats().schema == kSchemaVersion);
  put_context(*s);
}

TEST_CASE("schema: an older database is migrated step by step and keeps its rows") {
  TemporaryFolder folder;
  Connection db(folder / "a.db", Connection::Access::Create);
  const std::vector<Migration> old = {{1, "create table t(a integer); insert into t values (7)"}};
  migrate(db, old);
  CHECK(db.integer("pragma user_version") == 1);
  std::vector<Migration> rows = old;
  rows.push_back({2, "alter table t add column b integer not null default 5"});
  rows.push_back({3, "update t set b = b + a"});
  migrate(db, rows);
  CHECK(db.integer("pragma user_version") == 3);
  CHECK(db.integer("select b from t where a = 7") == 12);
  migrate(db, rows);  // nothing left to do
  CHECK(db.integer("select b from t where a = 7") == 12);
}

TEST_CASE("schema: measurements of version 2 are the same ones, and learn where they came from") {
  TemporaryFolder folder;
  const std::string path = folder / "a.db";
  MeasurementRow m = test_measurement("tile(n,4)");
  m.lineage = {.origin = "move", .round = 1, .parent = "tile(n,2)"};
  auto s = Store::open(path);
  put_context(*s);
  s->put_measurements({m});
  const Contents told = s->contents();
  s.reset();
  Connection(path, Connection::Access::Create).execute(kBackToVersionTwo.c_str());
  CHECK(Store::open(path, OpenMode::ReadOnly)->measurements("k1")[0].lineage == Lineage{});
  s = Store::open(path);
  REQUIRE(s->measurements("k1").size() == 1);
  CHECK(s->measurements("k1")[0].lineage == Lineage{});
  CHECK(s->merge({told})[0].measurements.added == 0);
  REQUIRE(s->measurements("k1").size() == 1);
  CHECK(s->measurements("k1")[0].lineage == m.lineage);
  CHECK(s->check().empty());
}

TEST_CASE("schema: a migration that fails changes nothing") {
  TemporaryFolder folder;
  Connection db(folder / "a.db", Connection::Access::Create);
  std::vector<Migration> rows = {{1, "create table t(a integer)"}};
  migrate(db, rows);
  rows.push_back({2, "create table u(a integer)"});
  rows.push_back({3, "alter table missing add column b"});
  CHECK_THROWS_WITH_AS(migrate(db, rows), doctest::Contains("to schema version 3"), InternalError);
  CHECK(db.integer("pragma user_version") == 1);
  CHECK(db.integer("select count(*) from sqlite_master where name = 'u'") == 0);
}

TEST_CASE("schema: a newer database is refused, naming both versions") {
  TemporaryFolder folder;
  const std::string path = folder / "a.db";
  { Store::open(path); }
  Connection(path, Connection::Access::Create).execute("pragma user_version = 99");
  const std::string both = "schema version 99, this picograd knows versions up to " + std::to_string(kSchemaVersion);
  CHECK_THROWS_WITH_AS(Store::open(path), doctest::Contains(both.c_str()), UserError);
  CHECK_THROWS_WITH_AS(Store::open(path, OpenMode::ReadOnly), doctest::Contains(both.c_str()), UserError);
  CHECK(std::filesystem::exists(path));  // and left alone
}

TEST_CASE("schema: another program's database is refused and left alone") {
  TemporaryFolder folder;
  const std::string path = folder / "a.db";
  Connection(path, Connection::Access::Create).execute("create table bookmarks(url text)");
  CHECK_THROWS_WITH_AS(Store::open(path), doctest::Contains("belongs to another program"), UserError);
  CHECK(Connection(path, Connection::Access::ReadOnly).integer("select count(*) from sqlite_master") == 1);
}
