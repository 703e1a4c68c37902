#include "runtime/pool.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace pg;

TEST_CASE("every item runs exactly once, in contiguous runs, whatever the numbers") {
  for (int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    CHECK(pool.threads() == threads);
    for (int64_t n : {0, 1, 2, 3, 5, 6, 7, 8, 100, 1001}) {
      std::vector<int> seen(static_cast<size_t>(n), 0);  // not atomic: runs must not overlap
      std::atomic<int> runs{0};
      pool.run(n, [&](int64_t begin, int64_t end) {
        ++runs;
        for (int64_t i = begin; i < end; ++i) seen[static_cast<size_t>(i)]++;
      });
      CAPTURE(threads);
      CAPTURE(n);
      CHECK(std::count(seen.begin(), seen.end(), 1) == n);
      CHECK(runs <= threads);
    }
  }
}

TEST_CASE("thousands of jobs, with pauses in which the workers fall asleep") {
  ThreadPool pool(3);
  std::vector<int64_t> sums(3000, 0);
  for (int job = 0; job < 3000; ++job) {
    std::vector<int64_t> parts(16, 0);
    pool.run(16, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) parts[static_cast<size_t>(i)] = job * i;
    });
    for (int64_t p : parts) sums[static_cast<size_t>(job)] += p;
    if (job % 300 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  for (int job = 0; job < 3000; ++job) REQUIRE(sums[static_cast<size_t>(job)] == int64_t{job} * 120);
}

TEST_CASE("an exception of any worker comes out, and the pool lives on") {
  ThreadPool pool(4);
  for (int64_t bad = 0; bad < 4; ++bad)
    CHECK_THROWS_WITH_AS(pool.run(4,
                                  [&](int64_t begin, int64_t) {
                                    if (begin == bad) throw std::runtime_error("item");
                                  }),
                         "item", std::runtime_error);
  std::atomic<int> done{0};
  pool.run(4, [&](int64_t begin, int64_t end) { done += static_cast<int>(end - begin); });
  CHECK(done == 4);
}

TEST_CASE("a job inside a job and jobs from several threads run where they are") {
  ThreadPool pool(2);
  std::atomic<int> inner{0};
  pool.run(4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) pool.run(10, [&](int64_t b, int64_t e) { inner += static_cast<int>(e - b); });
  });
  CHECK(inner == 40);
  std::atomic<int> all{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&] {
      for (int i = 0; i < 200; ++i) pool.run(5, [&](int64_t b, int64_t e) { all += static_cast<int>(e - b); });
    });
  for (std::thread& c : callers) c.join();
  CHECK(all == 4 * 200 * 5);
}

TEST_CASE("pools come and go") {
  for (int i = 0; i < 50; ++i) {
    ThreadPool pool(3);
    if (i % 2) pool.run(3, [](int64_t, int64_t) {});
  }
}
