#include "models/sampler.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/models/errors.h"

namespace pg {
namespace {

using namespace tests;

std::vector<double> frequencies(const std::vector<float>& logits, SamplerOptions options, int draws = 200000) {
  Sampler s(options);
  std::vector<double> out(logits.size());
  for (int i = 0; i < draws; i++) out[s.choose(logits)] += 1.0 / draws;
  return out;
}
/// Logits whose softmax at temperature 1 is p.
std::vector<float> logits_of(const std::vector<double>& p) {
  std::vector<float> out;
  for (double x : p) out.push_back(static_cast<float>(std::log(x)));
  return out;
}
void check_close(const std::vector<double>& got, const std::vector<double>& wanted) {
  REQUIRE(got.size() == wanted.size());
  for (size_t i = 0; i < got.size(); i++) {
    // Five standard deviations of a frequency over 200000 draws; 1e-9: the frequencies are sums of roundings.
    CHECK(std::abs(got[i] - wanted[i]) <= 5 * std::sqrt(wanted[i] * (1 - wanted[i]) / 200000) + 1e-9);
  }
}
constexpr SamplerOptions plain(double temperature = 1, int top_k = 0, double top_p = 1, uint64_t seed = 42) {
  return {temperature, top_k, top_p, seed};
}

TEST_CASE("sampler: temperature 0 takes the best, of equal ones the first") {
  Sampler s(plain(0));
  CHECK(s.choose(std::vector<float>{1, 3, 2, 3}) == 1);
  CHECK(s.choose(std::vector<float>{-INFINITY, NAN, -5}) == 2);
}

TEST_CASE("sampler: frequencies are the softmax of logits / temperature") {
  std::vector<double> p = {0.5, 0.25, 0.125, 0.125};
  check_close(frequencies(logits_of(p), plain()), p);
  // Temperature 1/2 squares the probabilities.
  double norm = 0.25 + 0.0625 + 2 * 0.015625;
  check_close(frequencies(logits_of(p), plain(0.5)), {0.25 / norm, 0.0625 / norm, 0.015625 / norm, 0.015625 / norm});
}

TEST_CASE("sampler: top-k and top-p cut the tail and renormalise") {
  std::vector<double> p = {0.1, 0.4, 0.3, 0.2};
  check_close(frequencies(logits_of(p), plain(1, 2)), {0, 4.0 / 7, 3.0 / 7, 0});
  check_close(frequencies(logits_of(p), plain(1, 0, 0.75)), {0, 4.0 / 9, 3.0 / 9, 2.0 / 9});
  check_close(frequencies(logits_of(p), plain(1, 0, 0.65)), {0, 4.0 / 7, 3.0 / 7, 0});
  check_close(frequencies(logits_of(p), plain(1, 0, 1e-9)), {0, 1, 0, 0});
  // Top-p looks at what top-k has left: of 4/7 and 3/7 the first alone reaches 0.55.
  check_close(frequencies(logits_of(p), plain(1, 2, 0.55)), {0, 1, 0, 0});
}

TEST_CASE("sampler: a seed gives the same choices everywhere, another seed others") {
  std::vector<float> logits(50);
  for (int i = 0; i < 50; i++) logits[i] = static_cast<float>(i % 7);
  auto run = [&](uint64_t seed) {
    Sampler s(plain(1, 0, 1, seed));
    std::vector<int32_t> out;
    for (int i = 0; i < 8; i++) out.push_back(s.choose(logits));
    return out;
  };
  CHECK(run(1) == run(1));
  CHECK(run(1) != run(2));
  // Computed by another program (splitmix64, inverse of the cumulative softmax).
  CHECK(run(1) == std::vector<int32_t>{10, 26, 40, 40, 27, 20, 6, 47});
}

TEST_CASE("sampler: options out of range and logits without a number") {
  CHECK(contains(user_error([] { Sampler{plain(-1)}; }), "--temp -1"));
  CHECK(contains(user_error([] { Sampler{plain(std::numeric_limits<double>::quiet_NaN())}; }), "--temp"));
  CHECK(contains(user_error([] { Sampler{plain(1, -2)}; }), "--top-k -2"));
  CHECK(contains(user_error([] { Sampler{plain(1, 0, 0)}; }), "--top-p 0"));
  CHECK(contains(user_error([] { Sampler{plain(1, 0, 1.5)}; }), "--top-p 1.5"));
  CHECK_THROWS_AS(Sampler(plain()).choose(std::vector<float>{NAN, -INFINITY}), InternalError);
}

}  // namespace
}  // namespace pg
