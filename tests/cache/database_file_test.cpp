#include "cache/database_file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fstream>
#include <functional>
#include <sstream>

#include "cache/content_hash.h"
#include "cache/schema.h"
#include "tests/cache/rows.h"
#include "tests/cache/temporary.h"

using namespace pg;
namespace fs = std::filesystem;

namespace {

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}
void write(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }
int count_set_aside(const fs::path& folder) {
  int n = 0;
  for (const auto& e : fs::directory_iterator(folder)) n += e.path().string().find(".corrupt-") != std::string::npos;
  return n;
}
void make_tuned(const std::string& path, int rows = 1) {
  auto s = Store::open(path);
  put_context(*s);
  for (int i = 0; i < rows; ++i) s->put_measurements({test_measurement("tile(n," + std::to_string(i) + ")")});
  s->put_winner(test_winner("grid(m)"));
}

/// A database as version 1 of the schema had it, by hand. `killed`: the process ends at once, so that its log stays.
void make_version_one(const std::string& path, bool killed = false) {
  Connection db(path, Connection::Access::Create);
  db.execute("pragma journal_mode = wal");
  migrate(db, migrations().first(1));
  const std::string opts = content_hash("grid(m)");
  db.execute(("insert into device values ('d1', '{}'); insert into toolchain values ('t1', '{}');"
              "insert into kernel values ('k1', 'template', 'matmul', 'm=4', '%0 = Const i64 [4]', 128, 192);"
              "insert into schedule values ('" +
              opts +
              "', 'grid(m)');"
              "insert into winner values ('k1', 'd1', 't1', 2, 'fp32', '', '" +
              opts +
              "', 1.5, 3, 40, 0.5, 1, 1000);"
              "insert into measurement values ('m1', 'k1', '" +
              opts +
              "', 'd1', 't1', 2, 'fp32', '', '{}', 1.5, 0.02, 9, "
              "'ok', '', 1, 'run1', 1000)")
                 .c_str());
  if (killed) _exit(0);
}

/// Runs `body` in a child without root's power to ignore permissions; what it throws or returns comes back as text.
std::string unprivileged(const std::function<std::string()>& body) {
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    std::string said;
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(2);
    try {
      said = body();
    } catch (const UserError& e) {
      said = std::string("UserError: ") + e.what();
    } catch (const std::exception& e) {
      said = std::string("other error: ") + e.what();
    }
    if (::write(pipe_ends[1], said.data(), said.size()) < 0) _exit(3);
    _exit(0);
  }
  close(pipe_ends[1]);
  std::string out;
  char buffer[4096];
  for (ssize_t n; (n = ::read(pipe_ends[0], buffer, sizeof buffer)) > 0;) out.append(buffer, static_cast<size_t>(n));
  close(pipe_ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  return out;
}
/// What a read-only store can still do, as one line.
std::string look(const std::string& path) {
  auto s = Store::open(path);
  std::string out = s->writable() ? "writable" : "read-only";
  const auto w = s->winner(test_key());
  out += w ? " winner=" + w->schedule : " no winner";
  try {
    s->put_winner(test_winner("grid(n)"));
    out += " written";
  } catch (const UserError& e) {
    out += std::string(" refused: ") + e.what();
  }
  return out;
}

}  // namespace

TEST_CASE("database file: parents are made, private to the user") {
  TemporaryFolder folder;
  const std::string path = folder / "x/y/a.db";
  Store::open(path);
  struct stat s;
  for (const char* part : {"x", "x/y"}) {
    REQUIRE(stat((folder / part).c_str(), &s) == 0);
    CHECK((s.st_mode & 0777) == 0700);
  }
  REQUIRE(stat(path.c_str(), &s) == 0);
  CHECK((s.st_mode & 0777) == 0600);
}

TEST_CASE("database file: an older schema is read as it is, from a copy") {
  TemporaryFolder folder;
  const std::string path = folder / "a.db";
  make_version_one(path);
  const std::string before = read(path);
  auto s = Store::open(path, OpenMode::ReadOnly, true);
  CHECK(s->winner(test_key())->schedule == "grid(m)");
  CHECK(s->stats().schema == 1);
  CHECK(s->stats().measurements == 1);
  CHECK_FALSE(s->writable());
  CHECK(read(path) == before);
}

TEST_CASE("database file: migrate brings an older schema up, behind a copy of the file") {
  TemporaryFolder folder;
  const std::string path = folder / "a.db", backup = path + ".v1";
  SUBCASE("closed") { make_version_one(path); }
  SUBCASE("with a log that a killed process left") {
    const pid_t child = fork();
    if (child == 0) {
      make_version_one(path, /*killed=*/true);
      _exit(1);
    }
    waitpid(child, nullptr, 0);
    REQUIRE(fs::exists(path + "-wal"));
  }
  const Migrated m = migrate_database_file(path);
  CHECK(m.from == 1);
  CHECK(m.to == kSchemaVersion);
  CHECK(m.backup == backup);
  for (const std::string& file : {path, backup}) {
    auto s = Store::open(file, OpenMode::ReadOnly, true);
    CHECK(s->winner(test_key())->schedule == "grid(m)");
    REQUIRE(s->measurements("k1").size() == 1);
    CHECK(s->measurements("k1")[0].lineage == Lineage{});
    CHECK(s->stats().schema == (file == path ? kSchemaVersion : 1));
    CHECK(s->check().empty());
  }
  CHECK(migrate_database_file(path).backup.empty());  // nothing left to do
  struct stat mode;
  REQUIRE(stat(backup.c_str(), &mode) == 0);
  CHECK((mode.st_mode & 0777) == 0600);

  fs::remove(path);
  fs::remove(path + "-wal");
  fs::remove(path + "-shm");
  make_version_one(path);  // an earlier copy is not touched
  CHECK(migrate_database_file(path).backup == backup + "-2");
}

TEST_CASE("database file: migrate takes picograd's version 0 too") {
  TemporaryFolder folder;
  const std::string path = folder / "a.db";
  Connection(path, Connection::Access::Create)
      .execute(("pragma application_id = " + std::to_string(kApplicationId)).c_str());
  CHECK(migrate_database_file(path).from == 0);
  CHECK(fs::exists(path + ".v0"));
}

TEST_CASE("database file: what migrate cannot bring up stays as it is") {
  TemporaryFolder folder;
  const std::string path = folder / "a.db";
  const auto refused = [&](const char* says) {
    const std::string before = read(path);
    CHECK_THROWS_WITH_AS(migrate_database_file(path), doctest::Contains(says), UserError);
    CHECK(read(path) == before);
    CHECK_FALSE(fs::exists(path + ".v1"));
  };
  refused("there is no database at");
  write(path, std::string(5000, 'x'));
  refused("damaged");
  fs::remove(path);
  make_version_one(path);
  SUBCASE("newer") {
    Connection(path, Connection::Access::Create).execute("pragma user_version = 99");
    refused("schema version 99");
  }
  SUBCASE("read-only") {
    chmod(folder.path().c_str(), 0755);
    chmod(path.c_str(), 0444);
    const std::string said = unprivileged([&] { return migrate_database_file(path).backup; });
    INFO(said);
    CHECK(said.starts_with("UserError: cannot write " + path));
    CHECK_FALSE(fs::exists(path + ".v1"));
  }
}

TEST_CASE("database file: an empty file is a new database") {
  TemporaryFolder folder;
  write(folder / "a.db", "");
  auto s = Store::open(folder / "a.db", OpenMode::ReadWrite, true);
  CHECK(s->writable());
  CHECK(s->winners().empty());
  put_context(*s);
  CHECK(Store::open(folder / "a.db")->kernel("k1"));
  CHECK(count_set_aside(folder.path()) == 0);

  write(folder / "b.db", "");
  auto r = Store::open(folder / "b.db", OpenMode::ReadOnly);
  CHECK(!r->writable());
  CHECK(r->winners().empty());
}

TEST_CASE("database file: odd characters in the path") {
  TemporaryFolder folder;
  for (const char* name : {"a b.db", "q?mode=ro.db", "hash#1.db", "per%20cent.db", "ünï.db"}) {
    CAPTURE(name);
    make_tuned(folder / name);
    CHECK(fs::exists(folder / name));
    CHECK(Store::open(folder / name, OpenMode::ReadOnly)->winner(test_key()));
  }
}

TEST_CASE("database file: damage is set aside with a warning, and the run goes on") {
  TemporaryFolder folder;
  const std::string path = folder / "a.db";
  make_tuned(path, 300);
  const std::string good = read(path);
  REQUIRE(good.size() > 40000);
  std::string zeroed_middle = good, flipped = good;
  std::fill(zeroed_middle.begin() + 8192, zeroed_middle.end() - 8192, '\0');
  for (size_t i = 4096 + 100; i < flipped.size(); i += 997) flipped[i] = static_cast<char>(flipped[i] ^ 0x55);
  const std::pair<const char*, std::string> cases[] = {
      {"not a database at all",
       "hello, this is no database; it is a text that is longer than SQLite's header of one hundred bytes......"},
      {"short garbage", "x"},
      {"truncated", good.substr(0, good.size() / 2)},
      {"truncated inside the first page", good.substr(0, 1000)},
      {"zeroed pages", zeroed_middle},
      {"flipped bytes", flipped},
  };
  int expected = 0;
  for (const auto& [what, bytes] : cases) {
    INFO(std::string(what));
    fs::remove(path + "-wal");
    fs::remove(path + "-shm");
    write(path, bytes);
    CHECK_THROWS_AS(Store::open(path, OpenMode::ReadWrite, true), UserError);  // the db commands
    CHECK(read(path) == bytes);
    auto s = Store::open(path);
    CHECK(s->writable());
    CHECK(s->winners().empty());
    CHECK(s->check().empty());
    put_context(*s);
    CHECK(count_set_aside(folder.path()) >= ++expected);
  }
}

TEST_CASE("database file: damage in a read-only database is an error, never a silent loss") {
  TemporaryFolder folder;
  const std::string path = folder / "a.db";
  write(path, std::string(5000, 'x'));
  CHECK_THROWS_WITH_AS(Store::open(path, OpenMode::ReadOnly), doctest::Contains("damaged"), UserError);
}

TEST_CASE("database file: eight processes that find the same damage set it aside once") {
  TemporaryFolder folder;
  const std::string path = folder / "a.db";
  write(path, std::string(5000, 'x'));
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      if (freopen("/dev/null", "w", stderr) == nullptr) _exit(2);
      try {
        auto s = Store::open(path);
        put_context(*s, "k" + std::to_string(i));
        s->put_winner(test_winner("grid(m)", 1, "k" + std::to_string(i)));
      } catch (const std::exception&) {
        _exit(1);
      }
      _exit(0);
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(status == 0);
  }
  CHECK(count_set_aside(folder.path()) == 1);
  CHECK(Store::open(path)->winners().size() == 8);
}

TEST_CASE("database file: a missing one that may not be made") {
  TemporaryFolder folder;
  CHECK_THROWS_WITH_AS(Store::open(folder / "none.db", OpenMode::ReadOnly), doctest::Contains("there is no database at"),
                       UserError);
  CHECK_THROWS_WITH_AS(Store::open(folder.path().string()), doctest::Contains("is a folder"), UserError);
  CHECK_THROWS_WITH_AS(Store::open(""), doctest::Contains("PICOGRAD_DB"), UserError);
  write(folder / "file", "x");
  CHECK_THROWS_WITH_AS(Store::open(folder / "file/sub/a.db"), doctest::Contains("PICOGRAD_DB"), UserError);
}

TEST_CASE("database file: without permission it is read, or the error names the remedy") {
  TemporaryFolder folder;
  const std::string path = folder / "d/a.db";
  make_tuned(path);
  const auto chmod_all = [&](mode_t directory, mode_t file) {
    for (const auto& e : fs::directory_iterator(folder / "d")) chmod(e.path().c_str(), file);
    chmod((folder / "d").c_str(), directory);
  };
  chmod(folder.path().c_str(), 0755);
  const std::string expected = "read-only winner=grid(m) refused: database " + path + " is read-only";
  const auto starts = [](const std::string& text, const std::string& with) {
    INFO(text);
    CHECK(text.substr(0, with.size()) == with);
  };
  SUBCASE("read-only folder and file, no log") {
    chmod_all(0555, 0444);
    starts(unprivileged([&] { return look(path); }), expected);
  }
  SUBCASE("read-only file in a writable folder") {
    chmod_all(0777, 0444);
    starts(unprivileged([&] { return look(path); }), expected);
  }
  SUBCASE("writable file in a read-only folder") {
    chmod_all(0555, 0666);
    starts(unprivileged([&] { return look(path); }), expected);
  }
  SUBCASE("read-only folder while another process writes: its log is read too") {
    auto writer = Store::open(path);
    writer->put_winner(test_winner("grid(newest)"));
    chmod_all(0555, 0444);
    starts(unprivileged([&] { return look(path); }), "read-only winner=grid(newest) refused");
  }
  SUBCASE("read-only folder, a log left by a killed process: read too") {
    const pid_t child = fork();
    if (child == 0) {
      auto s = Store::open(path);
      s->put_winner(test_winner("grid(log)"));
      _exit(0);  // no destructors: the log stays
    }
    waitpid(child, nullptr, 0);
    REQUIRE(fs::exists(path + "-wal"));
    SUBCASE("with its index") {}
    SUBCASE("without its index") { fs::remove(path + "-shm"); }
    chmod_all(0555, 0444);
    const std::string said = unprivileged([&] { return look(path); });
    INFO(said);
    const bool read_it = said.find("read-only winner=grid(log)") == 0;
    const bool refused = said.find("UserError: database " + path + " has a write-ahead log that cannot be read here") == 0;
    CHECK((read_it || refused));  // never the old winner
  }
  SUBCASE("unreadable file") {
    chmod_all(0777, 0000);
    starts(unprivileged([&] { return look(path); }), "UserError: cannot read the database " + path);
  }
  SUBCASE("missing file in a read-only folder") {
    chmod_all(0555, 0444);
    const std::string said = unprivileged([&] { return look(folder / "d/new.db"); });
    starts(said, "UserError: cannot create the database " + (folder / "d/new.db"));
    CHECK(said.find("PICOGRAD_DB or --db") != std::string::npos);
    starts(unprivileged([&] { return look(folder / "d/e/new.db"); }), "UserError: cannot create the folder");
  }
  SUBCASE("empty read-only file") {
    write(folder / "d/empty.db", "");
    chmod_all(0555, 0444);
    starts(unprivileged([&] { return look(folder / "d/empty.db"); }), "read-only no winner refused");
  }
  chmod_all(0755, 0644);
}
