#include "cache/store.h"

#include <doctest/doctest.h>

#include "cache/content_hash.h"
#include "cache/sqlite.h"
#include "tests/cache/rows.h"
#include "tests/cache/temporary.h"
#include "uops/error.h"

using namespace pg;

TEST_CASE("store: what is put is there after reopening") {
  TemporaryFolder folder;
  const std::string path = folder / "a.db";
  {
    auto s = Store::open(path);
    CHECK(s->writable());
    CHECK(s->path() == path);
    put_context(*s);
    s->put_measurements({test_measurement("tile(n,32,upcast)"), test_measurement("tile(n,7)", "slow")});
    s->put_winner(test_winner("tile(n,32,upcast) grid(m n)"));
  }
  auto s = Store::open(path);
  const auto k = s->kernel("k1");
  REQUIRE(k);
  CHECK(k->name == "matmul_k1");
  CHECK(k->ir == "%0 = Const i64 [4]");
  CHECK(k->shape == "m=4 n=4");
  CHECK(k->template_hash == "template");
  CHECK(k->flops == 128);
  CHECK(k->bytes == 192);
  CHECK(!s->kernel("k2"));

  const auto w = s->winner(test_key());
  REQUIRE(w);
  CHECK(w->schedule == "tile(n,32,upcast) grid(m n)");
  CHECK(w->median_ms == 1.5);
  CHECK(w->default_ms == 3);
  CHECK(w->candidates == 40);
  CHECK(w->search_seconds == 0.5);
  CHECK(w->finished);
  CHECK(w->key.threads == 2);

  const auto m = s->measurements("k1");
  REQUIRE(m.size() == 2);
  const auto& ok = m[0].status == "ok" ? m[0] : m[1];
  CHECK(ok.schedule == "tile(n,32,upcast)");
  CHECK(ok.bindings == R"({"pos": 511})");
  CHECK(ok.spread == 0.02);
  CHECK(ok.samples == 9);
  CHECK(ok.verified);
  CHECK(ok.run == "run1");
  CHECK(s->check().empty());
}

TEST_CASE("store: every part of the key tells winners apart") {
  auto s = Store::open(":memory:");
  put_context(*s);
  s->put_device("d2", "{}");
  put_context(*s, "k2");
  s->put_winner(test_winner("grid(m)"));
  const auto other = [](auto change) {
    WinnerKey k = test_key();
    change(k);
    return k;
  };
  CHECK(s->winner(test_key()));
  CHECK(!s->winner(other([](WinnerKey& k) { k.kernel = "k2"; })));
  CHECK(!s->winner(other([](WinnerKey& k) { k.device = "d2"; })));
  CHECK(!s->winner(other([](WinnerKey& k) { k.toolchain = "t2"; })));
  CHECK(!s->winner(other([](WinnerKey& k) { k.threads = 1; })));
  CHECK(!s->winner(other([](WinnerKey& k) { k.precision = "tf32"; })));
  CHECK(!s->winner(other([](WinnerKey& k) { k.bucket = "pos=512"; })));
}

TEST_CASE("store: a new winner replaces the old one of its key") {
  auto s = Store::open(":memory:");
  put_context(*s);
  s->put_winner(test_winner("grid(m)", 2));
  s->put_winner(test_winner("grid(n)", 1));
  CHECK(s->winner(test_key())->schedule == "grid(n)");
  CHECK(s->winners().size() == 1);
  CHECK(s->stats().winners == 1);
}

TEST_CASE("store: winners of another toolchain, newest first") {
  auto s = Store::open(":memory:");
  put_context(*s);
  s->put_toolchain("t3", "{}");
  WinnerRow w = test_winner("grid(m)");
  s->put_winner(w);
  for (const char* toolchain : {"t2", "t3"}) {
    usleep(3000);  // times are milliseconds
    w.key.toolchain = toolchain;
    w.schedule = std::string("grid(") + toolchain + ")";
    s->put_winner(w);
  }
  const auto rows = s->winners_other_toolchain(test_key());
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].schedule == "grid(t3)");
  CHECK(rows[1].schedule == "grid(t2)");
}

TEST_CASE("store: winners of a template come with their shape, the key's own left out") {
  auto s = Store::open(":memory:");
  put_context(*s, "k1");
  put_context(*s, "k2");
  put_context(*s, "k3", "another template");
  for (const char* k : {"k1", "k2", "k3"}) s->put_winner(test_winner(std::string("grid(") + k + ")", 1, k));
  WinnerRow bucket = test_winner("grid(bucket)");
  bucket.key.bucket = "pos=512";
  bucket.key.threads = 1;
  s->put_winner(bucket);
  const auto rows = s->winners_of_template("template", test_key("k1"));
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].first.schedule == "grid(k2)");  // the key's thread count first
  CHECK(rows[0].second.id == "k2");
  CHECK(rows[0].second.shape == "m=4 n=4");
  CHECK(rows[1].first.schedule == "grid(bucket)");
}

TEST_CASE("store: crashed, hung, wrong and uncompilable schedules are quarantined") {
  auto s = Store::open(":memory:");
  put_context(*s);
  s->put_measurements({test_measurement("a"), test_measurement("b", "slow"), test_measurement("c", "crash"),
                       test_measurement("d", "timeout"), test_measurement("e", "wrong"),
                       test_measurement("f", "compile_error")});
  const auto names = [&](const WinnerKey& k) {
    std::string out;
    for (const auto& [schedule, reason] : s->quarantined(k)) out += schedule;
    return out;
  };
  CHECK(names(test_key()) == "cdef");
  CHECK(s->quarantined(test_key())[0].second == "crash: because");
  CHECK(s->stats().quarantined == 4);
  WinnerKey k = test_key();
  k.threads = 1;  // may not hang there
  CHECK(names(k) == "cef");
  k.toolchain = "t2";  // another compiler may do better
  CHECK(names(k) == "");
}

TEST_CASE("store: order of calls is checked") {
  auto s = Store::open(":memory:");
  CHECK_THROWS_WITH_AS(s->put_winner(test_winner("a")), doctest::Contains("put_kernel must come first"), InternalError);
  put_context(*s);
  WinnerRow w = test_winner("a");
  w.key.device = "unknown";
  CHECK_THROWS_WITH_AS(s->put_winner(w), doctest::Contains("put_device must come first"), InternalError);
  CHECK_THROWS_AS(s->put_measurements({test_measurement("a"), test_measurement("b", "no such status")}), InternalError);
  CHECK(s->measurements("k1").empty());  // one transaction: the first row went with the second
  s->put_winner(test_winner("a"));       // and the connection is still usable
}

TEST_CASE("store: numbers, text and NULs come back as they were") {
  auto s = Store::open(":memory:");
  put_context(*s);
  MeasurementRow m = test_measurement(std::string("a'\"\0b\n", 6), "crash");
  m.reason = "Ünïcode; drop table kernel; --";
  m.median_ms = 0.1 + 0.2;
  m.samples = int64_t{1} << 40;
  s->put_measurements({m});
  const auto back = s->measurements("k1").at(0);
  CHECK(back.schedule == m.schedule);
  CHECK(back.reason == m.reason);
  CHECK(back.median_ms == m.median_ms);
  CHECK(back.samples == m.samples);
}

TEST_CASE("store: check names broken invariants") {
  TemporaryFolder folder;
  const std::string path = folder / "a.db";
  auto s = Store::open(path);
  put_context(*s);
  s->put_winner(test_winner("grid(m)"));
  CHECK(s->check().empty());
  s->put_measurements({test_measurement("grid(m)", "wrong")});
  REQUIRE(s->check().size() == 1);
  CHECK(s->check()[0].find("quarantined (wrong): grid(m)") != std::string::npos);
  Connection raw(path, Connection::Access::Create);
  raw.execute("update schedule set opts = 'grid(n)'");
  raw.execute("update winner set median_ms = -1");
  raw.execute("delete from device");
  std::string all;
  for (const auto& p : s->check()) all += p + "\n";
  CHECK(all.find("not the hash of its opts: grid(n)") != std::string::npos);
  CHECK(all.find("winner of kernel k1 has no time") != std::string::npos);
  CHECK(all.find("refers to a missing row of device") != std::string::npos);
}

TEST_CASE("store: of two processes that bring winners for a device, one does") {
  auto s = Store::open(":memory:"), other = Store::open(":memory:");
  put_context(*other);
  other->put_winner(test_winner("grid(m)", 2));
  const Contents first = other->contents();
  other->put_winner(test_winner("grid(n)", 1));
  CHECK(s->wants_pretuned("d1"));
  s->put_pretuned("d1", first);
  s->put_pretuned("d1", other->contents());
  CHECK(s->winner(test_key())->schedule == "grid(m)");
  CHECK_FALSE(s->wants_pretuned("d1"));
  CHECK(s->wants_pretuned("d2"));
}

TEST_CASE("store: stats count") {
  TemporaryFolder folder;
  auto s = Store::open(folder / "a.db");
  put_context(*s);
  s->put_measurements({test_measurement("a"), test_measurement("a"), test_measurement("b", "crash")});
  const StoreStats st = s->stats();
  CHECK(st.kernels == 1);
  CHECK(st.schedules == 2);
  CHECK(st.quarantined == 1);
  CHECK(st.winners == 0);
  CHECK(st.schema == kSchemaVersion);
  CHECK(st.bytes > 4096);
  CHECK(st.path == folder / "a.db");
}

TEST_CASE("content_hash is 32 hex digits and does not change between versions") {
  CHECK(content_hash("") == "99aa06d3014798d86001c324468d497f");  // XXH3-128 of nothing, from xxHash's specification
  CHECK(content_hash("a") != content_hash("b"));
}
