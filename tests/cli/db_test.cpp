#include "src/cli/db.h"

#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cache/sqlite.h"
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
  std::string text(Action action, const std::string& id = "", const Reverify& reverify = {}, int expected = 0) {
    std::ostringstream out;
    const int status = db_command({.action = action, .path = path, .id = id}, out, reverify);
    CHECK(status == expected);
    return out.str();
  }
  json document(Action action, const std::string& id = "", const Reverify& reverify = {}, int expected = 0) {
    std::ostringstream out;
    const int status = db_command({.action = action, .path = path, .id = id, .json = true}, out, reverify);
    CHECK(status == expected);
    return json::parse(out.str());
  }
};
bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "db stats") {
  CHECK(contains(text(Action::Stats), "2 kernels, 1 winners, 2 schedules, 2 measurements, 1 quarantined"));
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
  CHECK(contains(text(Action::Verify), "sound, 1 winners\n"));
  int asked = 0;
  const Reverify fine = [&](const WinnerRow& w, const KernelRow& k) {
    asked += w.schedule == "grid(m)" && k.name == "matmul_abc111";
    return std::string();
  };
  CHECK(contains(text(Action::Verify, "", fine), "each run again"));
  CHECK(asked == 1);
  const Reverify wrong = [](const WinnerRow&, const KernelRow&) { return std::string("element 3 is 1, not 2"); };
  CHECK(contains(text(Action::Verify, "", wrong, 1),
                 "problem: winner of matmul_abc111 (abc111, threads=2 fp32): element 3 is 1, not 2"));
  const json j = document(Action::Verify, "", wrong, 1);
  CHECK(j["ok"] == false);
  CHECK(j["problems"].size() == 1);
  CHECK(j["run_again"] == 1);
  Connection(path, Connection::Access::Create).execute("update winner set median_ms = -1");
  CHECK(contains(text(Action::Verify, "", {}, 1), "has no time"));
}

TEST_CASE_FIXTURE(Fixture, "db commands refuse what they cannot read and change nothing") {
  path = folder / "none.db";
  CHECK_THROWS_WITH_AS(text(Action::Stats), doctest::Contains("there is no database"), UserError);
  path = folder / "broken.db";
  std::ofstream(path) << std::string(5000, 'x');
  CHECK_THROWS_WITH_AS(text(Action::Stats), doctest::Contains("damaged"), UserError);
  CHECK(std::filesystem::file_size(path) == 5000);
  path = folder / "a.db";
  Connection(path, Connection::Access::Create).execute("pragma user_version = 9");
  CHECK_THROWS_WITH_AS(text(Action::Stats), doctest::Contains("schema version 9"), UserError);
}
