#include "src/cli/db.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cache/sqlite.h"
#include "runtime/device.h"
#include "tests/cache/random_rows.h"
#include "tests/cache/rows.h"
#include "tests/cache/temporary.h"

using namespace pg;
using nlohmann::json;
using Action = DbOptions::Action;

namespace {

struct Fixture {
  TemporaryFolder folder;
  std::string path = folder / "a.db";
  Fixture() {
    auto s = Store::open(path);
    put_context(*s, "abc111");
    put_context(*s, "abc222");
    s->put_measurements({test_measurement("grid(m)", "ok", "abc111"), test_measurement("tile(n,3)", "crash", "abc111")});
    s->put_winner(test_winner("grid(m)", 1.5, "abc111"));
  }
  std::string run(DbOptions o, const Reverify& reverify = {}, int expected = 0) {
    if (o.path.empty()) o.path = path;
    std::ostringstream out;
    const int status = db_command(o, out, reverify);
    CHECK(status == expected);
    return out.str();
  }
  std::string text(Action action, const std::string& id = "", const Reverify& reverify = {}, int expected = 0) {
    return run({.action = action, .id = id}, reverify, expected);
  }
  json document(Action action, const std::string& id = "", const Reverify& reverify = {}, int expected = 0) {
    return json::parse(run({.action = action, .json = true, .id = id}, reverify, expected));
  }
};
/// A database of its own, with rows as an export has them.
struct Shared : Fixture {
  explicit Shared(const std::string& name) { path = folder / ("of/" + name); }
  Store& store() { return *(open_ = Store::open(path)); }
  void fill(double ms) {
    const KernelRow k = hashed_kernel(1);
    Store& s = store();
    s.put_device("d1", "{}");
    s.put_toolchain("t1", "{}");
    s.put_kernel(k);
    s.put_measurements({test_measurement("tile(n," + std::to_string(2 + static_cast<int>(ms)) + ")", "ok", k.id)});
    s.put_winner(test_winner("grid(m)", ms, k.id));
  }

 private:
  std::unique_ptr<Store> open_;
};
bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "db stats") {
  CHECK(contains(text(Action::Stats), "2 kernels, 1 winners, 0 plans, 2 schedules, 2 measurements, 1 quarantined"));
  const json j = document(Action::Stats);
  CHECK(j["kernels"] == 2);
  CHECK(j["schema"] == kSchemaVersion);
  CHECK(j["path"] == path);
}

TEST_CASE_FIXTURE(Fixture, "db list") {
  const std::string line = text(Action::List);
  CHECK(contains(line, "abc111  matmul_abc111  threads=2 fp32  1.5000 ms (default 3.0000, 2.00x)"));
  CHECK(contains(line, "  grid(m)\n"));
  const json j = document(Action::List);
  REQUIRE(j["winners"].size() == 1);
  CHECK(j["winners"][0]["schedule"] == "grid(m)");
  CHECK(j["winners"][0]["gflops"] == doctest::Approx(128 / 1.5 / 1e6));
  CHECK(j["winners"][0]["finished"] == true);
}

TEST_CASE_FIXTURE(Fixture, "db show") {
  const std::string out = text(Action::Show, "abc1");
  CHECK(contains(out, "%0 = Const i64 [4]\n"));
  CHECK(contains(out, "winner  threads=2 fp32  1.5000 ms"));
  CHECK(contains(out, "crash  threads=2 fp32  tile(n,3)  (because)"));
  const json j = document(Action::Show, "abc111");
  CHECK(j["kernel"]["ir"] == "%0 = Const i64 [4]");
  CHECK(j["measurements"].size() == 2);
  CHECK(j["winners"].size() == 1);
  CHECK_THROWS_WITH_AS(text(Action::Show, "abc"), doctest::Contains("2 kernels begin with abc"), UserError);
  CHECK_THROWS_WITH_AS(text(Action::Show, "zzz"), doctest::Contains("no kernel zzz"), UserError);
  CHECK_THROWS_AS(text(Action::Show, ""), UserError);
}

TEST_CASE_FIXTURE(Fixture, "db verify") {
  CHECK(contains(text(Action::Verify), "sound, 1 winners, 0 of them run again\n"));
  int asked = 0;
  const Reverify fine = [&](const WinnerRow& w, const KernelRow& k, const std::string&) {
    asked += w.schedule == "grid(m)" && k.name == "matmul_abc111";
    return Rechecked{.here = true, .ms = 1.5, .default_ms = 3, .over_default = {2, 1.9, 2.1}};
  };
  const std::string out = text(Action::Verify, "", fine);
  CHECK(contains(out, "abc111  matmul_abc111  threads=2 fp32  1.5000 ms, default 3.0000 ms: 2.00 [1.90, 2.10]\n"));
  CHECK(contains(out, "1 of them run again"));
  CHECK(asked == 1);
  CHECK(contains(run({.action = Action::Verify, .no_run = true}, fine), "0 of them run again"));
  CHECK(asked == 1);
  const Reverify elsewhere = [](const WinnerRow&, const KernelRow&, const std::string&) { return Rechecked{}; };
  CHECK(document(Action::Verify, "", elsewhere)["run_again"] == 0);

  const Reverify wrong = [](const WinnerRow&, const KernelRow&, const std::string&) {
    return Rechecked{.here = true, .problem = "element 3 is 1, not 2"};
  };
  CHECK(contains(text(Action::Verify, "", wrong, 1),
                 "problem: winner of matmul_abc111 (abc111, threads=2 fp32): element 3 is 1, not 2"));
  json j = document(Action::Verify, "", wrong, 1);
  CHECK(j["ok"] == false);
  CHECK(j["problems"].size() == 1);
  CHECK(j["run_again"] == 1);

  const Reverify slower = [](const WinnerRow&, const KernelRow&, const std::string&) {
    return Rechecked{.here = true, .ms = 2, .default_ms = 1.8, .over_default = {0.9, 0.88, 0.92}, .slower = true};
  };
  CHECK(
      contains(text(Action::Verify, "", slower, 1),
               "problem: winner of matmul_abc111 (abc111, threads=2 fp32) is slower than the default: 0.90 [0.88, 0.92] of "
               "its speed; `picograd db prune --winners-of abc111` drops it"));
  j = document(Action::Verify, "", slower, 1);
  CHECK(j["runs"][0]["slower"] == true);
  CHECK(j["runs"][0]["ratio"] == 0.9);

  Connection(path, Connection::Access::Create).execute("update winner set median_ms = -1");
  CHECK(contains(text(Action::Verify, "", {}, 1), "has no time"));
}

TEST_CASE("db export, import: the rows of a database in another one") {
  Shared from("a.db"), to("b.db");
  from.fill(1);
  const std::string file = from.folder / "a.json";
  CHECK(contains(from.run({.action = Action::Export, .output = file}), "1 kernels, 1 winners, 1 measurements"));
  CHECK(
      contains(to.run({.action = Action::Import, .files = {file}}),
               "kernels 1 added, 0 already there; winners 1 added, 0 already there; measurements 1 added, 0 already there"));
  CHECK(to.run({.action = Action::Export}) == from.run({.action = Action::Export}));
  const json again = json::parse(to.run({.action = Action::Import, .json = true, .files = {file, file}}));
  REQUIRE(again["files"].size() == 2);
  CHECK(again["files"][1]["file"] == file);
  CHECK(again["files"][1]["winners"] == json{{"added", 0}, {"present", 1}, {"replaced", 0}, {"kept", 0}});
  CHECK(to.run({.action = Action::Export}) == from.run({.action = Action::Export}));
}

TEST_CASE("db export: one device's rows, winners only, a place that cannot be written") {
  Shared from("a.db");
  from.fill(1);
  from.store().put_device("d2", "{}");
  const auto exported = [&](DbOptions o) {
    o.action = Action::Export;
    return json::parse(from.run(o));
  };
  CHECK(exported({})["devices"].size() == 2);
  CHECK(exported({.device = "d1"})["winners"].size() == 1);
  CHECK(exported({.device = "d1"})["devices"].size() == 1);
  CHECK(exported({.device = "d2"})["winners"].empty());
  CHECK(exported({.this_device = true})["winners"].empty());
  CHECK(exported({.winners_only = true})["measurements"].empty());
  CHECK_THROWS_WITH_AS(exported({.device = "d"}), doctest::Contains("2 devices begin with d"), UserError);
  CHECK_THROWS_WITH_AS(exported({.device = "x"}), doctest::Contains("no device x in"), UserError);
  CHECK_THROWS_WITH_AS(exported({.output = from.folder / "none/a.json"}), doctest::Contains("cannot write"), UserError);
  std::ofstream(from.folder / "a.json") << "before";
  std::filesystem::create_directory(from.folder / "a.json.part");
  CHECK_THROWS_AS(exported({.output = from.folder / "a.json"}), UserError);
  CHECK(std::filesystem::file_size(from.folder / "a.json") == 6);
}

TEST_CASE("db export: a pipe is written to, and not replaced by a file") {
  Shared from("a.db");
  from.fill(1);
  const std::string pipe = from.folder / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  from.run({.action = Action::Export, .output = pipe});
  CHECK(std::filesystem::is_fifo(pipe));
  char first = 0;
  CHECK(read(reader, &first, 1) == 1);
  CHECK(first == '{');
  close(reader);
}

TEST_CASE("db import: one bad file, and nothing of any is taken") {
  Shared from("a.db"), to("b.db");
  from.fill(1);
  const std::string good = from.folder / "a.json", bad = from.folder / "bad.json";
  from.run({.action = Action::Export, .output = good});
  std::ofstream(bad) << R"({"format": "picograd schedules", "version": 9})";
  const DbOptions both{.action = Action::Import, .files = {good, bad}};
  CHECK_THROWS_WITH_AS(to.run(both), doctest::Contains((bad + ": version: 9 is newer").c_str()), UserError);
  CHECK_FALSE(std::filesystem::exists(to.path));
  json j = json::parse(from.run({.action = Action::Export}));
  j["winners"][0]["schedule"] = "tile(n";
  std::ofstream(bad, std::ios::trunc) << j;
  CHECK_THROWS_WITH_AS(to.run(both), doctest::Contains("winners[0].schedule: is no schedule"), UserError);
  CHECK_FALSE(std::filesystem::exists(to.path));
}

TEST_CASE("db merge: other databases' rows, whatever their schema; the others stay as they are") {
  Shared a("a.db"), b("b.db"), to("c.db");
  a.fill(1);
  b.fill(2);
  CHECK(contains(to.run({.action = Action::Merge, .files = {a.path, b.path}}),
                 "b.db: kernels 0 added, 1 already there; winners 0 added"));
  CHECK(contains(to.run({.action = Action::Merge, .files = {b.path}}), "1 kept because the other one was not"));
  CHECK(contains(b.run({.action = Action::Merge, .files = {a.path}}), "1 replaced because the other one was better"));
  CHECK(b.run({.action = Action::Export}) == to.run({.action = Action::Export}));
  CHECK(contains(b.run({.action = Action::Merge, .files = {b.path}}), "winners 0 added, 1 already there; "));

  Connection(a.path, Connection::Access::Create).execute(kBackToVersionOne.c_str());
  Shared older("d.db");
  older.run({.action = Action::Merge, .files = {a.path}});
  CHECK(older.store().winners().size() == 1);
  CHECK(Connection(a.path, Connection::Access::ReadOnly).integer("pragma user_version") == 1);
  Connection(a.path, Connection::Access::Create).execute("pragma user_version = 9");
  const std::string before = to.run({.action = Action::Export});
  CHECK_THROWS_WITH_AS(to.run({.action = Action::Merge, .files = {b.path, a.path}}), doctest::Contains("schema version 9"),
                       UserError);
  CHECK_THROWS_WITH_AS(to.run({.action = Action::Merge, .files = {a.folder / "x"}}),
                       doctest::Contains("there is no database"), UserError);
  CHECK(to.run({.action = Action::Export}) == before);
}

TEST_CASE_FIXTURE(Fixture, "db prune") {
  const Device& here = default_device();
  {
    auto s = Store::open(path);
    s->put_device(here.info().id, here.info().json);
    s->put_toolchain(here.toolchain().id, here.toolchain().json);
    WinnerRow w = test_winner("grid(m)", 1.5, "abc222");
    w.key.device = here.info().id;
    s->put_winner(w);  // of another toolchain
    w.key.toolchain = here.toolchain().id;
    s->put_winner(w);
    s->put_measurements({test_measurement("tile(n,5)", "ok", "abc111")});
  }
  CHECK(contains(run({.action = Action::Prune, .keep_measurements = 0, .older_toolchains = true, .dry_run = true}),
                 "would drop 1 winners, 1 measurements, 0 plans, 1 schedules, 0 kernels"));
  const json j = json::parse(run({.action = Action::Prune, .json = true, .keep_measurements = 0, .older_toolchains = true}));
  CHECK(j["winners"] == 1);
  CHECK(j["measurements"] == 1);
  CHECK(document(Action::List)["winners"].size() == 2);
  CHECK_THROWS_WITH_AS(run({.action = Action::Prune, .winners_of = "zzz"}), doctest::Contains("no kernel zzz"), UserError);
  CHECK(contains(run({.action = Action::Prune, .winners_of = "abc2"}), "dropped 1 winners"));
  CHECK(document(Action::List)["winners"].size() == 1);
  path = folder / "none.db";
  CHECK_THROWS_WITH_AS(text(Action::Prune), doctest::Contains("there is no database"), UserError);
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE_FIXTURE(Fixture, "db migrate") {
  CHECK(contains(text(Action::Migrate), "has schema version " + std::to_string(kSchemaVersion) + " already"));
  Connection(path, Connection::Access::Create).execute(kBackToVersionOne.c_str());
  CHECK(document(Action::Stats)["schema"] == 1);
  CHECK(contains(text(Action::Migrate),
                 "schema version 1 -> " + std::to_string(kSchemaVersion) + "; as it was: " + path + ".v1\n"));
  CHECK(document(Action::Stats)["schema"] == kSchemaVersion);
  CHECK(document(Action::Migrate)["backup"] == "");
  CHECK(document(Action::List)["winners"].size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "db commands refuse what they cannot read and change nothing") {
  path = folder / "none.db";
  for (Action a : {Action::Stats, Action::List, Action::Export, Action::Verify, Action::Prune, Action::Migrate}) {
    CHECK_THROWS_WITH_AS(text(a), doctest::Contains("there is no database"), UserError);
    CHECK_FALSE(std::filesystem::exists(path));
  }
  path = folder / "broken.db";
  std::ofstream(path) << std::string(5000, 'x');
  for (Action a : {Action::Stats, Action::Export, Action::Import, Action::Merge, Action::Prune, Action::Migrate})
    CHECK_THROWS_WITH_AS(text(a), doctest::Contains("damaged"), UserError);
  CHECK(std::filesystem::file_size(path) == 5000);
  path = folder / "a.db";
  Connection(path, Connection::Access::Create).execute("pragma user_version = 9");
  for (Action a : {Action::Stats, Action::Export, Action::Import, Action::Merge, Action::Prune, Action::Migrate})
    CHECK_THROWS_WITH_AS(text(a), doctest::Contains("schema version 9"), UserError);
}
