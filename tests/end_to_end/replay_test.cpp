#include <nlohmann/json.hpp>

#include "tests/end_to_end/program.h"

using namespace pg;
using nlohmann::json;

TEST_CASE("a second run replays the winner without a candidate or a measurement") {
  CommandLine picograd;
  const std::vector<std::string> command = {"--beam",   "2",        "bench", "gemm",  "--shapes",
                                            "64x64x64", "--rounds", "3",     "--json"};
  const json first = json::parse(picograd.ok(command).out);
  CHECK(first["search"]["candidates"] > 20);
  CHECK(first["search"]["measured"] > 1);
  for (const char* key : {"kernel", "shape", "layout", "device", "threads", "precision", "peers", "ratio_to_best_peer"})
    CHECK(first.contains(key));
  CHECK(first["ours"]["gflops"] > 0);

  const json second = json::parse(picograd.ok(command).out);
  CHECK(second["search"]["candidates"] == 0);
  CHECK(second["search"]["compiled"] == 0);
  CHECK(second["search"]["measured"] == 0);
  CHECK(second["ours"]["schedule"] == first["ours"]["schedule"]);
  // Without a beam too: a winner is used wherever it is found.
  const json third = json::parse(picograd.ok({"bench", "gemm", "--shapes", "64x64x64", "--rounds", "3", "--json"}).out);
  CHECK(third["search"]["measured"] == 0);
  CHECK(third["ours"]["schedule"] == first["ours"]["schedule"]);

  const json stats = json::parse(picograd.ok({"db", "stats", "--json"}).out);
  CHECK(stats["winners"] == 1);
  CHECK(stats["path"] == picograd.database());
  const json list = json::parse(picograd.ok({"db", "list", "--json"}).out);
  REQUIRE(list["winners"].size() == 1);
  CHECK(list["winners"][0]["schedule"] == first["ours"]["schedule"]);
  CHECK(list["winners"][0]["median_ms"] <= list["winners"][0]["default_ms"]);
  const std::string id = list["winners"][0]["kernel"];
  CHECK(contains(picograd.ok({"db", "show", id.substr(0, 8)}).out, first["ours"]["schedule"]));
  picograd.ok({"db", "verify"});
}

TEST_CASE("a beam at run time times plans too, once, within its budget") {
  CommandLine picograd;
  const std::vector<std::string> command = {"llama", "-p", "This", "-n", "1", "--temp", "0", "--threads", "1"};
  picograd.environment["BEAM"] = "1";
  picograd.environment["BUDGET"] = "0.000001";
  picograd.ok(command);
  const auto plans = [&] { return json::parse(picograd.ok({"db", "stats", "--json"}).out)["plans"].get<int>(); };
  CHECK(plans() <= 1);  // the first one ends the budget
  picograd.environment["BUDGET"] = "5";
  picograd.ok(command);
  CHECK(plans() > 1);
  picograd.environment["BEAM"] = "0";
  CHECK(contains(picograd.ok(command).err, "0 measurements"));
}

TEST_CASE("command-line options override the environment") {
  CommandLine picograd;
  picograd.environment["BEAM"] = "3";
  picograd.environment["THREADS"] = "2";
  const std::string other = picograd.folder / "other.db";
  const json line = json::parse(picograd
                                    .ok({"bench", "gemm", "--shapes", "16x16x16", "--rounds", "1", "--json", "--beam", "0",
                                         "--threads", "1", "--db", other})
                                    .out);
  CHECK(line["search"]["candidates"] == 0);
  CHECK(line["threads"] == 1);
  CHECK(fs::exists(other));
  CHECK_FALSE(fs::exists(picograd.database()));
}

TEST_CASE("DEBUG shows more with each level, on stderr only") {
  CommandLine picograd;
  const std::vector<std::string> command = {"bench", "gemm",   "--shapes",         "8x8x8", "--rounds",
                                            "1",     "--opts", "tile(m,2,upcast)", "--json"};
  const auto err = [&](const char* level) {
    picograd.environment["DEBUG"] = level;
    const Outcome o = picograd.ok(command);
    CHECK(json::parse(o.out)["shape"] == "8x8x8");
    return o.err;
  };
  CHECK(err("0").empty());
  CHECK(contains(err("1"), "CPU"));
  CHECK(contains(err("3"), "tile(m,2,upcast)"));
  CHECK(contains(err("4"), "void matmul_8x8x8("));
  const std::string uops = err("5");
  for (const char* pass : {"--- scheduled", "--- nests_opened", "--- registers_expanded", "--- linearized"})
    CHECK(contains(uops, pass));
  CHECK(contains(err("6"), " -> "));
}

TEST_CASE("DEBUG=2 tells time, rates and where the schedule came from, kernel by kernel") {
  CommandLine picograd;
  picograd.environment["DEBUG"] = "2";
  const std::string err = picograd.ok({"llama", "-p", "This", "-n", "2", "--temp", "0"}).err;
  for (const char* word : {"matmul_1x128x128", " ms", "GFLOP/s", "GB/s", "heuristic"}) CHECK(contains(err, word));
}
