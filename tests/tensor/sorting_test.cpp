// Long axes, special values and 64 bits, against the standard library (short ones: operators_test.cpp).
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "src/graph/realize.h"
#include "src/tensor/tensor.h"

using namespace pg;

namespace {

/// Many equal numbers, and NaNs, in rows.
std::vector<float> rows(int64_t count, int64_t n, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> v(static_cast<size_t>(count * n));
  for (float& x : v) {
    const auto r = random();
    x = r % 50 == 0 ? NAN : static_cast<float>(r % 1000) / 8 - 60;
  }
  return v;
}
bool less(float a, float b) { return std::isnan(b) ? !std::isnan(a) : a < b; }

void check_order(const char* name, int64_t count, int64_t n, bool descending, int64_t k) {
  CAPTURE(n);
  CAPTURE(k);
  const std::vector<float> v = rows(count, n, static_cast<uint64_t>(n + k));
  const Tensor x = Tensor::from(v, {count, n}, device(name));
  auto [values, places] = k == n ? x.sort(1, descending) : x.topk(k, 1, descending);
  realize({&values, &places});
  const std::vector<float> sorted = values.to_floats();
  const std::vector<int64_t> at = places.to_ints();
  for (int64_t row = 0; row < count; ++row) {
    std::vector<int64_t> expected(static_cast<size_t>(n));
    std::iota(expected.begin(), expected.end(), 0);
    const float* of_row = &v[static_cast<size_t>(row * n)];
    std::stable_sort(expected.begin(), expected.end(), [&](int64_t a, int64_t b) {
      return descending ? less(of_row[b], of_row[a]) : less(of_row[a], of_row[b]);
    });
    expected.resize(static_cast<size_t>(k));
    CHECK(std::equal(expected.begin(), expected.end(), at.begin() + row * k));
    for (int64_t i = 0; i < k; ++i) {
      const float want = of_row[expected[static_cast<size_t>(i)]], got = sorted[static_cast<size_t>(row * k + i)];
      REQUIRE((want == got || (std::isnan(want) && std::isnan(got))));
    }
  }
}

}  // namespace

TEST_CASE("sort and topk of long rows on the CPU") {
  check_order("CPU", 2, 5000, false, 5000);
  check_order("CPU", 1, 2049, true, 2049);
  check_order("CPU", 2, 3000, true, 40);
  check_order("CPU", 1, 700, false, 200);
}
TEST_CASE("sort and topk on the interpreter") {
  for (const int64_t n : {1, 2, 127, 128, 129, 256, 257}) check_order("REF", 1, n, n % 2 == 0, n);
  check_order("REF", 2, 300, false, 3);
  check_order("REF", 1, 600, true, 150);
}

TEST_CASE("integers of 64 bits are sorted by all of them") {
  std::mt19937_64 random(1);
  std::vector<int64_t> v(200);
  for (int64_t& x : v) x = static_cast<int64_t>(random()) >> (random() % 60);
  v[3] = INT64_MIN, v[90] = INT64_MAX, v[91] = -1, v[92] = int64_t{1} << 32;
  auto memory = std::make_shared<Memory>(device("REF"), v.size() * 8);
  device("REF").copy_in(memory->data(), v.data(), v.size() * 8);
  const Tensor x = Tensor::wrap(memory, dt::i64, {200});
  std::vector<int64_t> expected = v;
  std::sort(expected.begin(), expected.end());
  CHECK(x.sort().first.to_ints() == expected);
  const auto by_bits = [](int64_t a, int64_t b) { return static_cast<uint64_t>(a) > static_cast<uint64_t>(b); };
  std::sort(expected.begin(), expected.end(), by_bits);
  expected.resize(7);
  CHECK(x.bitcast(dt::u64).topk(7).first.to_ints() == expected);
}

TEST_CASE("zeros of both signs are equal, u32 is not signed, bool is 0 and 1") {
  const Tensor x = Tensor::from(std::vector<float>{0.0F, -0.0F, -1.0F, 0.0F, -0.0F}, {5}, device("REF"));
  CHECK(x.argsort().to_ints() == std::vector<int64_t>{2, 0, 1, 3, 4});
  CHECK(x.argsort(0, true).to_ints() == std::vector<int64_t>{0, 1, 3, 4, 2});
  const Tensor words = Tensor::from(std::vector<int32_t>{-1, 1, INT32_MIN, 0}, {4}, device("REF")).bitcast(dt::u32);
  CHECK(words.argsort().to_ints() == std::vector<int64_t>{3, 1, 2, 0});
  CHECK((x < 0).argsort().to_ints() == std::vector<int64_t>{0, 1, 3, 4, 2});
  CHECK(x.cast(dt::f16).sort().second.to_ints() == std::vector<int64_t>{2, 0, 1, 3, 4});
}

TEST_CASE("the gradient of a sort goes back to where each value came from") {
  const int64_t n = 300;
  std::vector<float> v(static_cast<size_t>(2 * n)), weights(static_cast<size_t>(2 * n));
  std::mt19937_64 random(5);
  std::iota(v.begin(), v.end(), 0.0F);
  std::shuffle(v.begin(), v.end(), random);
  for (float& w : weights) w = static_cast<float>(random() % 100);
  const Tensor x = Tensor::from(v, {2, n}, device("REF")), w = Tensor::from(weights, {2, n}, device("REF"));
  auto [values, places] = x.sort();
  Tensor g = gradients((values * w).sum(), {x})[0];
  realize({&places, &g});
  const std::vector<int64_t> at = places.to_ints();
  const std::vector<float> slopes = g.to_floats();
  for (int64_t row = 0; row < 2; ++row)
    for (int64_t i = 0; i < n; ++i) {
      const auto here = static_cast<size_t>(row * n + i);
      CHECK(slopes[static_cast<size_t>(row * n + at[here])] == weights[here]);
    }
}
