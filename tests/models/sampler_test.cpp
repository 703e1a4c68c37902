#include "models/sampler.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/random.h"
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
  return {.temperature = temperature, .top_k = top_k, .top_p = top_p, .seed = seed};
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

TEST_CASE("sampler: min-p cuts what is unlikely beside the likeliest, behind temperature, top-k and top-p") {
  std::vector<double> p = {0.1, 0.4, 0.3, 0.2};
  auto with = [](double min_p, double temperature = 1, int top_k = 0, double top_p = 1) {
    SamplerOptions o = plain(temperature, top_k, top_p);
    o.min_p = min_p;
    return o;
  };
  check_close(frequencies(logits_of(p), with(0.45)), {0, 4.0 / 9, 3.0 / 9, 2.0 / 9});
  check_close(frequencies(logits_of(p), with(0.55)), {0, 4.0 / 7, 3.0 / 7, 0});
  check_close(frequencies(logits_of(p), with(1)), {0, 1, 0, 0});
  // At temperature 1/2 the second is 9/16 as likely as the first.
  check_close(frequencies(logits_of(p), with(0.6, 0.5)), {0, 1, 0, 0});
  check_close(frequencies(logits_of(p), with(0.5, 0.5)), {0, 16.0 / 25, 9.0 / 25, 0});
  check_close(frequencies(logits_of(p), with(0.45, 1, 2)), {0, 4.0 / 7, 3.0 / 7, 0});
  check_close(frequencies(logits_of(p), with(0.1, 1, 0, 0.65)), {0, 4.0 / 7, 3.0 / 7, 0});
}

TEST_CASE("sampler: recent tokens are penalised once, whatever the sign of their logits, and forgotten again") {
  SamplerOptions o = plain(0);
  o.repeat_penalty = 2;
  o.repeat_last = 2;
  Sampler s(o);
  const std::vector<float> logits = {-1, 4, 3, 1.5};
  CHECK(s.choose(logits) == 1);
  s.note(1);
  s.note(1);
  CHECK(s.choose(logits) == 2);  // 4 counts as 2
  s.note(2);
  CHECK(s.choose(logits) == 1);  // 2, 1.5 and 1.5: the window holds 1 and 2
  s.note(0);
  CHECK(s.choose(logits) == 1);  // 1 has left the window
  s.forget();
  Sampler negative(o);
  negative.note(0);
  CHECK(negative.choose(std::vector<float>{-1, -1.5}) == 1);  // -1 counts as -2
  // Above temperature 0 as the softmax of what the penalty made of the logits.
  o.temperature = 1;
  o.repeat_last = -1;
  Sampler drawn(o);
  drawn.note(0);
  std::vector<double> got(2);
  for (int i = 0; i < 200000; i++) got[drawn.choose(std::vector<float>{2, 0})] += 1.0 / 200000;
  check_close(got, {std::exp(1) / (std::exp(1) + 1), 1 / (std::exp(1) + 1)});
}

TEST_CASE("sampler: all options together, against the definition") {
  const uint64_t seed = 3;
  MESSAGE("seed " << seed);
  uint64_t n = 0;
  auto uniform = [&] { return static_cast<double>(random_bits(seed, n++) >> 11) * 0x1p-53; };
  for (int round = 0; round < 300; round++) {
    std::vector<float> logits(30);
    for (float& l : logits) l = static_cast<float>(uniform() * 8 - 4);
    SamplerOptions o;
    o.repeat_penalty = 0.5 + uniform();
    o.repeat_last = static_cast<int>(uniform() * 8) - 1;
    o.temperature = 0.2 + uniform();
    o.top_k = static_cast<int>(uniform() * 12);
    o.top_p = 0.5 + uniform() / 2;
    o.min_p = uniform() / 4;
    o.seed = 1000 + static_cast<uint64_t>(round);
    Sampler s(o);
    std::vector<int32_t> noted;
    for (int i = 0; i < 12; i++) {
      noted.push_back(static_cast<int32_t>(uniform() * 30));
      s.note(noted.back());
    }
    // Every set of tokens that may come out, from the options' definitions.
    std::vector<double> x(logits.begin(), logits.end());
    std::vector<int32_t> recent = noted;
    if (o.repeat_last >= 0 && recent.size() > static_cast<size_t>(o.repeat_last))
      recent.erase(recent.begin(), recent.end() - o.repeat_last);
    std::ranges::sort(recent);
    recent.erase(std::unique(recent.begin(), recent.end()), recent.end());
    for (int32_t t : recent) {
      const auto penalty = static_cast<float>(o.repeat_penalty);
      x[t] = logits[t] > 0 ? logits[t] / penalty : logits[t] * penalty;
    }
    std::vector<int32_t> order(30);
    for (int i = 0; i < 30; i++) order[i] = i;
    std::ranges::stable_sort(order, [&](int a, int b) { return x[a] > x[b]; });
    if (o.top_k > 0) order.resize(std::min<size_t>(o.top_k, 30));
    std::vector<double> p;
    for (int32_t t : order) p.push_back(std::exp(x[t] / o.temperature));
    double sum = 0, before = 0;
    for (double v : p) sum += v;
    std::vector<std::pair<int32_t, double>> kept;
    for (size_t i = 0; i < p.size(); i++) {
      if (before < o.top_p * sum && p[i] >= o.min_p * p[0]) kept.emplace_back(order[i], p[i]);
      before += p[i];
    }
    double all = 0;
    for (const auto& [t, v] : kept) all += v;
    for (uint64_t i = 0; i < 20; i++) {
      double at = static_cast<double>(random_bits(o.seed, i) >> 11) * 0x1p-53 * all;
      size_t wanted = 0;
      while (wanted + 1 < kept.size() && (at -= kept[wanted].second) >= 0) wanted++;
      INFO("round " << round << " choice " << i);
      REQUIRE(s.choose(logits) == kept[wanted].first);
    }
  }
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
  auto refused = [](auto member, auto value) {
    SamplerOptions o;
    o.*member = value;
    return user_error([&] { Sampler{o}; });
  };
  CHECK(contains(refused(&SamplerOptions::min_p, -0.1), "--min-p -0.1"));
  CHECK(contains(refused(&SamplerOptions::min_p, 1.1), "--min-p 1.1"));
  CHECK(contains(refused(&SamplerOptions::repeat_penalty, 0.0), "--repeat-penalty 0"));
  CHECK(contains(refused(&SamplerOptions::repeat_penalty, INFINITY), "--repeat-penalty inf"));
  CHECK(contains(refused(&SamplerOptions::repeat_last, -2), "--repeat-last-n -2"));
  CHECK_THROWS_AS(Sampler(plain()).choose(std::vector<float>{NAN, -INFINITY}), InternalError);
}

}  // namespace
}  // namespace pg
