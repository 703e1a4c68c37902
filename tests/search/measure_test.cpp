#include "search/measure.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

using namespace pg;

TEST_CASE("timing: median and spread") {
  CHECK(timing(std::vector<double>{3, 1, 2}).median_ms == 2);
  CHECK(timing(std::vector<double>{1, 2, 3, 4}).median_ms == 2.5);
  const Timing t = timing(std::vector<double>{8, 9, 10, 11, 12});
  CHECK(t.spread == doctest::Approx(0.1));  // quartiles 9 and 11
  CHECK(t.samples == 5);
  CHECK(timing(std::vector<double>{7}).spread == 0);
  CHECK(timing({}).samples == 0);
  CHECK(timing(std::vector<double>{1, 1, 1, 1, 1, 1, 1000}).median_ms == 1);  // an outlier changes nothing
}

TEST_CASE("speedup: ranks of the 95 % interval of a median are the textbook's") {
  const auto interval = [](size_t n) {  // of the ratios 1..n
    std::vector<double> up, one(n, 1.0);
    for (size_t i = 1; i <= n; ++i) up.push_back(static_cast<double>(i));
    return speedup(up, one);
  };
  // Conover, Practical Nonparametric Statistics: n = 6: [1, 6], 10: [2, 9], 15: [4, 12], 20: [6, 15].
  CHECK(interval(5).low == 0);
  CHECK(std::isinf(interval(5).high));
  CHECK(interval(6).low == 1);
  CHECK(interval(6).high == 6);
  CHECK(interval(10).low == 2);
  CHECK(interval(10).high == 9);
  CHECK(interval(15).low == 4);
  CHECK(interval(15).high == 12);
  CHECK(interval(20).low == 6);
  CHECK(interval(20).high == 15);
  CHECK(interval(15).ratio == 8);
}

TEST_CASE("speedup: the interval holds the true ratio 95 times of 100, whatever the shared noise") {
  const unsigned seed = 20241;
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::normal_distribution<> noise(0, 0.02), mode(0, 0.3);
  int held = 0, false_wins = 0;
  constexpr int kTrials = 2000;
  for (int t = 0; t < kTrials; ++t) {
    std::vector<double> a, b;
    for (int i = 0; i < 15; ++i) {
      const double machine = std::exp(mode(random));  // slow modes hit both programs of a round
      a.push_back(1.05 * machine * std::exp(noise(random)));
      b.push_back(machine * std::exp(noise(random)));
    }
    const Speedup s = speedup(a, b);
    held += s.low <= 1.05 && 1.05 <= s.high;
    false_wins += speedup(b, b).low > kWinMargin;
  }
  CHECK(held >= kTrials * 0.94);
  CHECK(held < kTrials);  // an interval that always holds would be useless
  CHECK(false_wins == 0);
}

TEST_CASE("speedup: equal programs hardly ever win, 5 % faster ones do") {
  const unsigned seed = 7;
  std::mt19937 random(seed);
  std::normal_distribution<> noise(0, 0.02);
  int equal_wins = 0, faster_wins = 0;
  for (int t = 0; t < 1000; ++t) {
    std::vector<double> base, equal, faster;
    for (int i = 0; i < 15; ++i) {
      base.push_back(std::exp(noise(random)));
      equal.push_back(std::exp(noise(random)));
      faster.push_back(std::exp(noise(random)) / 1.05);
    }
    equal_wins += speedup(base, equal).low > kWinMargin;
    faster_wins += speedup(base, faster).low > kWinMargin;
  }
  CHECK(equal_wins < 10);
  CHECK(faster_wins > 850);
}
