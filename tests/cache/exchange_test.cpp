#include "cache/exchange.h"

#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "cache/content_hash.h"
#include "tests/cache/random_rows.h"
#include "tests/cache/temporary.h"

using namespace pg;
using nlohmann::json;

namespace {

/// Stands for the search's parser.
void check_schedule(const std::string& opts) {
  if (!opts.empty() && !opts.ends_with(")")) throw UserError("'" + opts + "' is no opt");
}
Contents parsed(const std::string& text) { return parse_exchange(text, "a.json", check_schedule); }

Contents sample() {
  Contents c;
  c.devices["d1"] = R"({"cpu":"test"})";
  c.toolchains["t1"] = R"({"codegen":4})";
  c.kernels = {hashed_kernel(1), hashed_kernel(2)};
  const WinnerKey key{.kernel = c.kernels[0].id, .device = "d1", .toolchain = "t1", .threads = 2, .bucket = "pos=512"};
  c.winners = {{key, "tile(n,4)", 0.1 + 0.2, 3, 40, 0.5, true, 1000}};
  c.measurements = {
      {.key = key, .schedule = "", .bindings = "{}", .median_ms = 1, .samples = 9, .status = "ok", .created = 1}};
  return c;
}
/// The text of a sample that was changed.
template <class F>
std::string changed(F&& change) {
  json j = json::parse(exchange_text(sample()));
  change(j);
  return j.dump();
}

}  // namespace

TEST_CASE("exchange: export, import, export is the same text") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  RandomRows rows(seed);
  for (int round = 0; round < 30; ++round) {
    auto s = Store::open(":memory:"), t = Store::open(":memory:");
    s->merge({rows.contents()});
    const std::string once = exchange_text(s->contents());
    t->merge({parsed(once)});
    CHECK(exchange_text(t->contents()) == once);
    CHECK(exchange_text(parsed(once)) == once);
  }
}

TEST_CASE("exchange: rows come back with every bit, and any text") {
  Contents c = sample();
  c.measurements[0].reason = "Ünïcode, \"quotes\"\n\ttabs \x01";
  const Contents back = parsed(exchange_text(c));
  CHECK(back.kernels == c.kernels);
  CHECK(back.winners[0].median_ms == 0.1 + 0.2);
  CHECK(back.winners[0].key == c.winners[0].key);
  CHECK(back.measurements[0].reason == c.measurements[0].reason);
  CHECK(back.devices == c.devices);
  c.measurements[0].reason = "cut in a character: \xc3";  // compilers' words: replaced once, then stable
  const std::string once = exchange_text(c);
  CHECK(exchange_text(parsed(once)) == once);
}

TEST_CASE("exchange: how a schedule came to be comes back, the unscheduled kernel as a parent too") {
  Contents c = sample();
  for (const auto& parent : {std::optional<std::string>(""), std::optional<std::string>("tile(n,2)"), {}}) {
    c.measurements[0].lineage = {.origin = "move", .round = 3, .parent = parent};
    auto s = Store::open(":memory:");
    s->merge({parsed(exchange_text(c))});
    CHECK(s->measurements(c.kernels[0].id)[0].lineage == c.measurements[0].lineage);
    CHECK(s->contents().measurements[0].lineage == c.measurements[0].lineage);
  }
}

TEST_CASE("exchange: version 1 told no origins") {
  const Contents c = parsed(changed([](json& j) {
    j["version"] = 1;
    j.erase("plans");
    for (const char* field : {"origin", "round", "parent"}) j["measurements"][0].erase(field);
  }));
  REQUIRE(c.measurements.size() == 1);
  CHECK(c.measurements[0].lineage == Lineage{});
}

TEST_CASE("exchange: version 2 told no plans, version 3 does") {
  CHECK(parsed(changed([](json& j) { j["version"] = 2, j.erase("plans"); })).plans.empty());
  Contents c = sample();
  c.plans.push_back({"rows f32[1x32] in 48|32", "d1", "t1", 2, "fp32", true, 0.1 + 0.2, 0.5, 0.01, 1000});
  CHECK(parsed(exchange_text(c)).plans == c.plans);
  c.plans[0].device = "d9";
  CHECK_THROWS_WITH_AS(parsed(exchange_text(c)), doctest::Contains("plans[0].device: the file has no device d9"), UserError);
}

TEST_CASE("exchange: a winner is one line, a line of a kernel too") {
  const std::string text = exchange_text(sample());
  CHECK(text.starts_with(
      "{\n\"format\": \"picograd schedules\",\n\"version\": 3,\n\"devices\": {\n\"d1\": {\"cpu\":\"test\"}\n}"));
  CHECK(text.find("\n  \"%0 = Const i64 [1]\"") != text.npos);
  CHECK(text.find("\"schedule\":\"tile(n,4)\",\"median_ms\":0.30000000000000004,") != text.npos);
}

TEST_CASE("exchange: one device's rows and what they refer to, with and without measurements") {
  Contents c = sample();
  c.devices["d2"] = "{}";
  c.toolchains["t2"] = "{}";
  c.winners.push_back(c.winners[0]);
  c.winners[1].key.device = "d2";
  c.winners[1].key.kernel = c.kernels[1].id;
  c.measurements[0].key.toolchain = "t2";
  CHECK(selected(c, "", false).kernels.size() == 2);
  const Contents one = selected(c, "d1", false);
  CHECK(one.devices.size() == 1);
  CHECK(one.toolchains.size() == 2);
  CHECK(one.winners.size() == 1);
  CHECK(one.kernels == std::vector<KernelRow>{c.kernels[0]});
  const Contents winners = selected(c, "d1", true);
  CHECK(winners.measurements.empty());
  CHECK(winners.toolchains.size() == 1);
  CHECK(selected(c, "d3", false).kernels.empty());
}

TEST_CASE("exchange: what is no export is refused, naming file and place") {
  const std::string good = exchange_text(sample());
  const auto refused = [](const std::string& text, const std::string& says) {
    CAPTURE(says);
    CHECK_THROWS_WITH_AS(parsed(text), doctest::Contains(says.c_str()), UserError);
    CHECK_THROWS_WITH_AS(parsed(text), doctest::Contains("a.json: "), UserError);
  };
  for (size_t bytes = 0; bytes + 2 < good.size(); bytes += 37) refused(good.substr(0, bytes), "no whole JSON text");
  refused(std::string(100, '\xff'), "no whole JSON text");
  refused("[]", "should be an object");
  refused("{}", "no export of picograd's");
  refused(R"({"format": "bookmarks", "version": 1})", "no export of picograd's");

  struct Case {
    const char* says;
    void (*change)(json&);
  };
  const Case cases[] = {
      {"version: 4 is newer than this picograd", [](json& j) { j["version"] = 4; }},
      {"version: should be a whole number", [](json& j) { j["version"] = "1"; }},
      {"winners: is missing", [](json& j) { j.erase("winners"); }},
      {"winners: should be a list", [](json& j) { j["winners"] = json::object(); }},
      {"winners[0]: should be an object", [](json& j) { j["winners"][0] = 7; }},
      {"graphs: is unknown", [](json& j) { j["graphs"] = 1; }},
      {"winners[0].clock: is unknown", [](json& j) { j["winners"][0]["clock"] = 1; }},
      {"winners[0].threads: should be a whole number", [](json& j) { j["winners"][0]["threads"] = "two"; }},
      {"winners[0].threads: should be 1 or more", [](json& j) { j["winners"][0]["threads"] = 0; }},
      {"winners[0].threads: should be 2147483647 or less", [](json& j) { j["winners"][0]["threads"] = 1LL << 40; }},
      {"winners[0].precision: is empty", [](json& j) { j["winners"][0]["precision"] = ""; }},
      {"winners[0].bucket: should be like", [](json& j) { j["winners"][0]["bucket"] = "pos"; }},
      {"winners[0].bucket: should be like", [](json& j) { j["winners"][0]["bucket"] = "pos=x"; }},
      {"winners[0].kernel: the file has no kernel", [](json& j) { j["winners"][0]["kernel"] = "other"; }},
      {"winners[0].device: the file has no device", [](json& j) { j["devices"].erase("d1"); }},
      {"winners[0].schedule: is no schedule: 'tile(n' is no opt", [](json& j) { j["winners"][0]["schedule"] = "tile(n"; }},
      {"winners[0].median_ms: should be more than 0", [](json& j) { j["winners"][0]["median_ms"] = 0; }},
      {"winners[0].median_ms: should be a number", [](json& j) { j["winners"][0]["median_ms"] = nullptr; }},
      {"winners[0].default_ms: should be 0 or more", [](json& j) { j["winners"][0]["default_ms"] = -1; }},
      {"winners[0].finished: should be true or false", [](json& j) { j["winners"][0]["finished"] = 1; }},
      {"measurements[0].status: 'odd' is unknown", [](json& j) { j["measurements"][0]["status"] = "odd"; }},
      {"measurements[0].created: should be 1 or more", [](json& j) { j["measurements"][0]["created"] = 0; }},
      {"measurements[0].origin: 'egg' is unknown", [](json& j) { j["measurements"][0]["origin"] = "egg"; }},
      {"measurements[0].round: should be 0 or more", [](json& j) { j["measurements"][0]["round"] = -1; }},
      {"measurements[0].parent: is missing", [](json& j) { j["measurements"][0].erase("parent"); }},
      {"measurements[0].parent: should be a text", [](json& j) { j["measurements"][0]["parent"] = 1; }},
      {"measurements[0].parent: is no schedule", [](json& j) { j["measurements"][0]["parent"] = "tile(n"; }},
      {"measurements[0].origin: is unknown; a newer", [](json& j) { j["version"] = 1; }},
      {"devices.d1: should be an object", [](json& j) { j["devices"]["d1"] = "x"; }},
      {"devices: should be an object", [](json& j) { j["devices"] = json::array(); }},
      {"kernels[0].ir: is no kernel", [](json& j) { j["kernels"][0]["ir"] = {"%0 = Fly i64 [4]"}; }},
      {"kernels[0].ir: should be a list of lines", [](json& j) { j["kernels"][0]["ir"] = {1}; }},
      {"is not the hash of its text", [](json& j) { j["kernels"][0]["ir"] = {"%0 = Const i64 [3]"}; }},
      {"kernels[1].name: should be a text", [](json& j) { j["kernels"][1]["name"] = 1; }},
  };
  for (const Case& c : cases) refused(changed(c.change), c.says);
  CHECK_NOTHROW(parsed(changed([](json&) {})));
}

TEST_CASE("exchange: a file that is missing, or a folder") {
  TemporaryFolder folder;
  CHECK_THROWS_WITH_AS(read_exchange(folder / "none.json", check_schedule), doctest::Contains("No such file"), UserError);
  CHECK_THROWS_WITH_AS(read_exchange(folder.path(), check_schedule), doctest::Contains(folder.path().c_str()), UserError);
  std::ofstream(folder / "empty.json");
  CHECK_THROWS_WITH_AS(read_exchange(folder / "empty.json", check_schedule), doctest::Contains("no whole JSON"), UserError);
  std::ofstream(folder / "a.json") << exchange_text(sample());
  CHECK(read_exchange(folder / "a.json", check_schedule).winners.size() == 1);
}
