// Winners that come with picograd.
#include "search/pretuned.h"

#include <doctest/doctest.h>

#include <fstream>

#include "cache/exchange.h"
#include "runtime/config.h"
#include "runtime/device.h"
#include "tests/cache/random_rows.h"
#include "tests/cache/rows.h"
#include "tests/cache/temporary.h"

using namespace pg;

namespace {

/// A folder with a file for this machine: a winner, and a measurement that is not wanted.
struct Fixture {
  TemporaryFolder folder;
  Device& device = default_device();
  std::unique_ptr<Store> store = Store::open(folder / "a.db");
  Config usual = config();
  std::string file = folder / pretuned_name(device.info().id, device.info().json);

  Fixture() {
    Config c = usual;
    c.pretuned = folder.path();
    set_config(c);
    auto source = Store::open(":memory:");
    put(*source);
    std::ofstream(file) << exchange_text(source->contents());
  }
  ~Fixture() { set_config(usual); }

  void put(Store& s) {
    const KernelRow k = hashed_kernel(1);
    WinnerRow w = test_winner("grid(m)", 1, k.id);
    w.key.device = device.info().id;
    w.key.toolchain = device.toolchain().id;
    MeasurementRow m = test_measurement("grid(m)", "ok", k.id);
    m.key = w.key;
    s.put_device(w.key.device, device.info().json);
    s.put_toolchain(w.key.toolchain, device.toolchain().json);
    s.put_kernel(k);
    s.put_winner(w);
    s.put_measurements({m});
  }
};

}  // namespace

TEST_CASE("pretuned: a file is named after the device's name and id") {
  const std::string id = "0123456789abcdef0123456789abcdef";
  CHECK(pretuned_name(id, R"j({"cpu": "AMD EPYC 9B45 (rev. 2)"})j") == "amd-epyc-9b45-rev-2-0123456789ab.json");
  CHECK(pretuned_name(id, R"({"gpu": "NVIDIA H100 80GB HBM3"})") == "nvidia-h100-80gb-hbm3-0123456789ab.json");
  CHECK(pretuned_name(id, R"({"cpu": "../evil"})") == "evil-0123456789ab.json");
  CHECK(pretuned_name(id, "{}") == "device-0123456789ab.json");
}

TEST_CASE_FIXTURE(Fixture, "pretuned: winners are taken once, a user's deletion stays") {
  take_pretuned(*store, device);
  REQUIRE(store->winners().size() == 1);
  CHECK(store->stats().measurements == 0);
  store->prune({.device = device.info().id, .forgotten = hashed_kernel(1).id});
  take_pretuned(*store, device);
  CHECK(store->winners().empty());
  CHECK_FALSE(store->wants_pretuned(device.info().id));
  store = Store::open(folder / "a.db");
  take_pretuned(*store, device);
  CHECK(store->winners().empty());
}

TEST_CASE_FIXTURE(Fixture, "pretuned: not where the store has winners of the device") {
  put(*store);
  store->prune({});
  const std::string before = exchange_text(store->contents());
  take_pretuned(*store, device);
  CHECK(exchange_text(store->contents()) == before);
}

TEST_CASE_FIXTURE(Fixture, "pretuned: not into a read-only store, not where none are wanted, not another device's") {
  SUBCASE("read-only") { store = Store::open(folder / "a.db", OpenMode::ReadOnly); }
  SUBCASE("none") {
    Config c = config();
    c.pretuned = "none";
    set_config(c);
  }
  SUBCASE("no such folder") {
    Config c = config();
    c.pretuned = folder / "elsewhere";
    set_config(c);
  }
  SUBCASE("another device's") { std::filesystem::rename(file, folder / "other-0123456789ab.json"); }
  take_pretuned(*store, device);
  CHECK(store->winners().empty());
}

TEST_CASE_FIXTURE(Fixture, "pretuned: under another toolchain they are where a search starts") {
  std::ifstream in(file);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  const std::string id = device.toolchain().id;
  for (size_t at = 0; (at = text.find(id, at)) != text.npos;) text.replace(at, id.size(), "older");
  std::ofstream(file) << text;
  take_pretuned(*store, device);
  WinnerKey key = store->winners().at(0).key;
  key.toolchain = id;
  CHECK_FALSE(store->winner(key));
  CHECK(store->winners_other_toolchain(key).size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "pretuned: a damaged file stops nothing, and is taken once it is whole") {
  std::ofstream(file) << "{";
  take_pretuned(*store, device);
  CHECK(store->winners().empty());
  CHECK(store->wants_pretuned(device.info().id));
}
