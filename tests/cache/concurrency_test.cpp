// What several processes at once, and processes killed at any moment, do to the store.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <random>
#include <thread>

#include "cache/store.h"
#include "tests/cache/rows.h"
#include "tests/cache/temporary.h"

using namespace pg;

namespace {

/// `write(i)` in a process of its own for each i, all at once; each has to come to an end without an exception.
template <class Write>
void in_processes(int writers, Write&& write) {
  std::vector<pid_t> children;
  for (int i = 0; i < writers; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      try {
        write(i);
      } catch (const std::exception& e) {
        std::fprintf(stderr, "writer %d: %s\n", i, e.what());
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
}

}  // namespace

TEST_CASE("store: eight processes write at once, from the creation of the file on") {
  TemporaryFolder folder;
  const std::string path = folder / "a.db";
  constexpr int kWriters = 8, kBatches = 25;
  in_processes(kWriters, [&](int i) {
    auto s = Store::open(path);
    const std::string kernel = "k" + std::to_string(i % 3);  // some share a kernel
    put_context(*s, kernel);
    for (int j = 0; j < kBatches; ++j) {
      const std::string schedule = "tile(n," + std::to_string(i * 1000 + j) + ")";
      s->put_measurements(
          {test_measurement(schedule, "ok", kernel), test_measurement(schedule + " grid(m)", "crash", kernel)});
      s->put_winner(test_winner(schedule, 1, kernel));
    }
  });
  auto s = Store::open(path, OpenMode::ReadWrite, true);
  CHECK(s->check().empty());
  CHECK(s->stats().kernels == 3);
  CHECK(s->stats().winners == 3);
  CHECK(s->stats().measurements == kWriters * kBatches * 2);
}

TEST_CASE("store: eight processes write, merge and prune: each row is there once, each key has its last or best winner") {
  TemporaryFolder folder;
  const std::string path = folder / "a.db";
  constexpr int kWriters = 8, kBatches = 15;
  auto other = Store::open(":memory:");
  put_context(*other, "k9");
  other->put_measurements({test_measurement("grid(k)", "ok", "k9"), test_measurement("grid(l)", "crash", "k9")});
  other->put_winner(test_winner("grid(k)", 1, "k9"));
  const Contents shared = other->contents();
  const auto key = [](int writer) {
    WinnerKey k = test_key();
    k.threads = 1 + writer;
    return k;
  };
  const auto schedule = [](int writer, int batch) { return "tile(n," + std::to_string(writer * 1000 + batch) + ")"; };
  in_processes(kWriters, [&](int i) {
    auto s = Store::open(path);
    put_context(*s);
    for (int j = 0; j < kBatches; ++j) {
      MeasurementRow m = test_measurement(schedule(i, j));
      m.key = key(i);
      s->put_measurements({m});
      WinnerRow w = test_winner(m.schedule);
      w.key = key(i);
      s->put_winner(w);
      s->merge({shared});
      if (j % 5 == 4) s->prune({});
    }
  });
  auto s = Store::open(path, OpenMode::ReadWrite, true);
  CHECK(s->check().empty());
  std::vector<std::string> expected, found;
  for (int i = 0; i < kWriters; ++i)
    for (int j = 0; j < kBatches; ++j) expected.push_back(schedule(i, j));
  for (const MeasurementRow& m : s->measurements("k1")) found.push_back(m.schedule);
  std::sort(expected.begin(), expected.end());
  std::sort(found.begin(), found.end());
  CHECK(found == expected);
  for (int i = 0; i < kWriters; ++i) CHECK(s->winner(key(i))->schedule == schedule(i, kBatches - 1));
  CHECK(s->measurements("k9").size() == 2);
  CHECK(s->winners().size() == kWriters + 1);
}

TEST_CASE("store: several threads share one store") {
  auto s = Store::open(":memory:");
  put_context(*s);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (int j = 0; j < 50; ++j) {
        s->put_measurements({test_measurement("tile(n," + std::to_string(i * 100 + j) + ")")});
        s->winner(test_key());
      }
    });
  for (auto& t : threads) t.join();
  CHECK(s->measurements("k1").size() == 200);
}

TEST_CASE("store: SIGKILL at random moments loses nothing committed") {
  TemporaryFolder folder;
  const std::string path = folder / "a.db";
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  int next = 0;        // rounds go on counting where the last one was killed
  int committed = -1;  // the last one that was reported; a measurement may be in without its winner
  int64_t total = 0;
  for (int round = 0; round < 100; ++round) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t child = fork();
    if (child == 0) {
      auto s = Store::open(path);
      put_context(*s);
      for (int i = next;; ++i) {
        s->put_measurements(
            {test_measurement("tile(n," + std::to_string(i) + ")"), test_measurement("grid(" + std::to_string(i) + ")")});
        s->put_winner(test_winner("tile(n," + std::to_string(i) + ")", 1 + i));
        if (write(ends[1], &i, sizeof i) != sizeof i) _exit(1);  // reported only after it was committed
      }
    }
    close(ends[1]);
    std::this_thread::sleep_for(std::chrono::microseconds(std::uniform_int_distribution<>(500, 20000)(random)));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    int value;
    while (read(ends[0], &value, sizeof value) == sizeof value) committed = value;
    close(ends[0]);

    auto s = Store::open(path, OpenMode::ReadWrite, true);
    CHECK(s->check().empty());
    const auto rows = s->stats().measurements;
    total = rows;
    if (committed >= 0) {
      REQUIRE(s->winner(test_key()));
      CHECK(s->winner(test_key())->median_ms >= 1 + committed);
    }
    // Each batch whole or not at all; every reported one there; the one in flight may be.
    std::vector<bool> tile, grid;
    for (const auto& m : s->measurements("k1")) {
      auto& seen = m.schedule[0] == 't' ? tile : grid;
      const auto i = static_cast<size_t>(std::stoi(m.schedule.substr(m.schedule[0] == 't' ? 7 : 5)));
      if (seen.size() <= i) seen.resize(i + 1);
      seen[i] = true;
    }
    CHECK(tile == grid);
    for (int i = 0; i <= committed; ++i) CHECK(tile.at(static_cast<size_t>(i)));
    next = static_cast<int>(tile.size());
  }
  CHECK(total > 20);
}

TEST_CASE("store: SIGKILL in a merge leaves all of it or nothing") {
  TemporaryFolder folder;
  const std::string path = folder / "a.db";
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  auto other = Store::open(":memory:");
  put_context(*other);
  Contents contents = other->contents();
  constexpr int kRows = 200;
  size_t merged = 0;
  { Store::open(path); }
  for (int round = 0; round < 40; ++round) {
    contents.measurements.clear();
    for (int i = 0; i < kRows; ++i) {
      contents.measurements.push_back(test_measurement("tile(n," + std::to_string(i) + ")"));
      contents.measurements.back().created = 1 + round;
    }
    const pid_t child = fork();
    if (child == 0) {
      Store::open(path)->merge({contents});
      _exit(0);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(std::uniform_int_distribution<>(500, 30000)(random)));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    auto s = Store::open(path, OpenMode::ReadWrite, true);
    CHECK(s->check().empty());
    const size_t rows = s->measurements("k1").size();
    CHECK((rows == merged || rows == merged + kRows));
    merged = rows;
  }
}
