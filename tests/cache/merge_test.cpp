#include "cache/merge.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "cache/exchange.h"
#include "tests/cache/random_rows.h"
#include "tests/cache/rows.h"
#include "tests/cache/temporary.h"

using namespace pg;

namespace {

/// A store that holds the union of these.
std::unique_ptr<Store> united(const std::vector<Contents>& all) {
  auto s = Store::open(":memory:");
  s->merge(all);
  return s;
}
std::string text_of(Store& s) { return exchange_text(s.contents()); }

/// Contents of a store with one winner.
Contents with_winner(const WinnerRow& w) {
  auto s = Store::open(":memory:");
  put_context(*s);
  s->put_winner(w);
  return s->contents();
}

}  // namespace

TEST_CASE("merge: whatever the order, and however often, the result is the same") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  RandomRows rows(seed);
  for (int round = 0; round < 12; ++round) {
    CAPTURE(round);
    std::vector<Contents> all = {rows.contents(), rows.contents(), rows.contents()};
    std::vector<int> order = {0, 1, 2};
    const std::string expected = text_of(*united(all));
    do {
      auto s = Store::open(":memory:");
      for (int i : order) s->merge({all[static_cast<size_t>(i)]});
      CHECK(text_of(*s) == expected);
      CHECK(s->check().empty());
      const MergeReport again = s->merge({all[0]})[0];
      CHECK(again.winners.added + again.replaced + again.measurements.added + again.kernels.added == 0);
      CHECK(text_of(*s) == expected);
    } while (std::next_permutation(order.begin(), order.end()));
    // Of what was united before: (a b) (b c) is a b c.
    CHECK(text_of(*united({united({all[0], all[1]})->contents(), united({all[1], all[2]})->contents()})) == expected);
  }
}

TEST_CASE("merge: the finished winner stays, then the faster, and the report says so") {
  WinnerRow ours = test_winner("grid(m)", 2), theirs = test_winner("grid(n)", 1);
  auto s = Store::open(":memory:");
  put_context(*s);
  s->put_winner(ours);
  SUBCASE("faster") {
    const MergeReport r = s->merge({with_winner(theirs)})[0];
    CHECK(r.replaced == 1);
    CHECK(r.winners.added + r.winners.present + r.kept == 0);
    CHECK(s->winner(test_key())->schedule == "grid(n)");
  }
  SUBCASE("faster, but unfinished") {
    theirs.finished = false;
    CHECK(s->merge({with_winner(theirs)})[0].kept == 1);
    CHECK(s->winner(test_key())->schedule == "grid(m)");
  }
  SUBCASE("slower") {
    theirs.median_ms = 3;
    CHECK(s->merge({with_winner(theirs)})[0].kept == 1);
    CHECK(s->winner(test_key())->schedule == "grid(m)");
  }
  SUBCASE("the same") {
    const MergeReport r = s->merge({s->contents()})[0];
    CHECK(r.winners.present == 1);
    CHECK(r.kernels.present == 1);
    CHECK(r.devices.present == 1);
  }
  SUBCASE("of another key") {
    theirs.key.threads = 7;
    CHECK(s->merge({with_winner(theirs)})[0].winners.added == 1);
    CHECK(s->winners().size() == 2);
  }
}

TEST_CASE("merge: measurements are united, the same one is there once") {
  auto a = Store::open(":memory:"), b = Store::open(":memory:");
  for (Store* s : {a.get(), b.get()}) put_context(*s);
  a->put_measurements({test_measurement("grid(m)"), test_measurement("grid(n)", "crash")});
  b->put_measurements({test_measurement("tile(n,3)")});
  const MergeReport r = b->merge({a->contents(), a->contents()})[0];
  CHECK(r.measurements.added == 2);
  CHECK(b->measurements("k1").size() == 3);
  CHECK(b->quarantined(test_key()).size() == 1);
}

TEST_CASE("merge: the same measurement told with its origin and without is one, with its origin") {
  MeasurementRow plain = test_measurement("tile(n,3)"), told = plain;
  plain.created = told.created = 1000;
  told.lineage = {.origin = "move", .round = 2, .parent = "tile(n,2)"};
  for (const bool first : {true, false}) {
    auto s = Store::open(":memory:");
    put_context(*s);
    s->put_measurements({first ? plain : told});
    s->put_measurements({first ? told : plain});
    REQUIRE(s->measurements("k1").size() == 1);
    CHECK(s->measurements("k1")[0].lineage == told.lineage);
    CHECK(s->check().empty());
  }
}

TEST_CASE("merge: a failure on the way changes nothing") {
  TemporaryFolder folder;
  auto s = Store::open(folder / "a.db");
  put_context(*s);
  const std::string before = text_of(*s);
  Contents broken = with_winner(test_winner("grid(m)"));
  broken.winners[0].key.kernel = "unknown";
  CHECK_THROWS_AS(s->merge({with_winner(test_winner("grid(m)")), broken}), InternalError);
  CHECK(text_of(*s) == before);
}

TEST_CASE("merge: a full disk is one error that names the remedy, and changes nothing") {
  TemporaryFolder folder;
  const std::string path = folder / "a.db";
  Contents many = with_winner(test_winner("grid(m)"));
  for (int i = 0; i < 2000; ++i) {
    many.measurements.push_back(test_measurement("tile(n," + std::to_string(i) + ")"));
    many.measurements.back().created = 1;
  }
  auto s = Store::open(path);
  put_context(*s);
  const std::string before = text_of(*s);
  {
    Connection full(path, Connection::Access::Create);
    full.execute(("pragma max_page_count = " + std::to_string(full.integer("pragma page_count") + 5)).c_str());
    const auto merged = [&] {
      Transaction transaction(full);
      merge_contents(full, many);
      transaction.commit();
    };
    CHECK_THROWS_WITH_AS(merged(), doctest::Contains("make room, or set PICOGRAD_DB"), UserError);
    CHECK_FALSE(full.in_transaction());
  }
  CHECK(text_of(*s) == before);
  CHECK(s->check().empty());
  CHECK(s->merge({many})[0].measurements.added == 2000);
}
