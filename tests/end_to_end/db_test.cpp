// Schedules go from one database to another, and are replayed there.
#include <nlohmann/json.hpp>

#include "search/pretuned.h"
#include "tests/end_to_end/program.h"

using namespace pg;
using nlohmann::json;

namespace {

const std::vector<std::string> kTune = {"--beam", "1", "bench", "gemm", "--shapes", "64x64x64", "--rounds", "1", "--json"};

void check_replay(CommandLine& picograd, const std::string& schedule) {
  const json line = json::parse(picograd.ok(kTune).out);
  CHECK(line["search"]["measured"] == 0);
  CHECK(line["ours"]["schedule"] == schedule);
}

}  // namespace

TEST_CASE("db: a winner that was exported is replayed where it was imported, merged, or came with picograd") {
  CommandLine tuned;
  const std::string schedule = json::parse(tuned.ok(kTune).out)["ours"]["schedule"];
  const std::string file = tuned.folder / "a.json";
  tuned.ok({"db", "export", "-o", file, "--this-device"});
  CommandLine picograd;
  SUBCASE("imported") { picograd.ok({"db", "import", file}); }
  SUBCASE("merged") { picograd.ok({"db", "merge", tuned.database()}); }
  SUBCASE("came with picograd") {
    // The device's id stands in the export; its name is the file's business.
    const json devices = json::parse(file_text(file))["devices"];
    REQUIRE(devices.size() == 1);
    fs::copy_file(file, picograd.folder / pretuned_name(devices.begin().key(), devices.begin().value().dump()));
    picograd.environment["PICOGRAD_PRETUNED"] = picograd.folder.path();
  }
  check_replay(picograd, schedule);
  const json verified = json::parse(picograd.run({"db", "verify", "--json"}).out);  // a tiny kernel's time may tell anything
  CHECK(verified["run_again"] == 1);
  CHECK(verified["runs"][0]["problem"] == "");
  picograd.ok({"db", "verify", "--no-run"});
  picograd.ok({"db", "prune", "--keep-measurements", "2", "--older-toolchains"});
  check_replay(picograd, schedule);
}

TEST_CASE("db: what cannot be read or written is one error, and nothing changes") {
  CommandLine picograd;
  picograd.ok(kTune);
  const std::string file = picograd.folder / "a.json";
  picograd.ok({"db", "export", "-o", file});
  const std::string whole = file_text(file), before = picograd.ok({"db", "export"}).out;
  CHECK(before == whole);
  write_file(file, whole.substr(0, whole.size() / 2));
  check_error(picograd.run({"db", "import", file}), 1, {file, "no whole JSON text", "line"});
  check_error(picograd.run({"db", "import", picograd.folder / "none.json"}), 1, {"none.json", "No such file"});
  check_error(picograd.run({"db", "merge", file}), 1, {file, "damaged"});
  check_error(picograd.run({"db", "export", "-o", picograd.folder / "no/where"}), 1, {"cannot write", "-o"});
  check_error(picograd.run({"db", "export", "--device", "zzz"}), 1, {"no device zzz"});
  check_error(picograd.run({"db", "export", "--device", "a", "--this-device"}), 2, {"--this-device"});
  check_error(picograd.run({"db", "prune", "--keep-measurements", "-1"}), 2, {"--keep-measurements"});
  check_error(picograd.run({"db", "import"}), 2, {"files"});
  CHECK(picograd.ok({"db", "export"}).out == before);
}
