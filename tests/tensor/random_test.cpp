// The generator against its published numbers, and what is made of it.
#include "src/tensor/random.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "src/graph/realize.h"

using namespace pg;

namespace {

using Numbers = std::vector<int64_t>;
Device& ref() { return device("REF"); }
Tensor words(std::vector<uint32_t> v) {
  std::vector<int32_t> bits(v.size());
  std::memcpy(bits.data(), v.data(), v.size() * 4);
  return Tensor::from(bits, {static_cast<int64_t>(v.size())}, ref()).bitcast(dt::u32);
}

}  // namespace

TEST_CASE("threefry: the known answers of Random123 (kat_vectors, threefry2x32 20)") {
  struct Known {
    uint32_t counter[2], key[2], result[2];
  };
  constexpr Known kKnown[] = {
      {{0, 0}, {0, 0}, {0x6b200159, 0x99ba4efe}},
      {{0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}, {0x1cb996fc, 0xbb002be7}},
      {{0x243f6a88, 0x85a308d3}, {0x13198a2e, 0x03707344}, {0xc4923a9c, 0x483df7a0}},
  };
  for (const Known& k : kKnown) {
    const auto [a, b] = threefry(words({k.key[0], k.key[1]}), words({k.counter[0]}), words({k.counter[1]}));
    CHECK(a.to_ints() == Numbers{k.result[0]});
    CHECK(b.to_ints() == Numbers{k.result[1]});
  }
}

TEST_CASE("the numbers are those of the counter, whatever the shape and the device") {
  const auto bits = [](const char* name, Shape shape) { return random_bits(shape, random_key(42, device(name))).to_ints(); };
  const Numbers expected = bits("REF", {6, 10});
  CHECK(bits("REF", {60}) == expected);
  CHECK(bits("CPU", {60}) == expected);
  CHECK(bits("CPU", {3, 4, 5}) == expected);
  const Tensor key = random_key(42, ref());
  const auto [a, b] = threefry(key, words({59}), words({0}));
  CHECK(a.to_ints()[0] == expected[59]);
}

TEST_CASE("floats too; normal ones to the accuracy of log and cos, which the interpreter computes in double precision") {
  for (const uint64_t seed : {uint64_t{1}, uint64_t{7} << 40}) {
    CHECK(Tensor::rand({300}, seed, device("CPU")).to_floats() == Tensor::rand({300}, seed, ref()).to_floats());
    const std::vector<float> ours = Tensor::randn({300}, seed, device("CPU")).to_floats();
    const std::vector<float> theirs = Tensor::randn({300}, seed, ref()).to_floats();
    for (size_t i = 0; i < ours.size(); ++i) CHECK(std::abs(ours[i] - theirs[i]) < 2e-6);
  }
  CHECK(Tensor::rand({8}, 1, ref()).to_floats() != Tensor::rand({8}, 2, ref()).to_floats());
  CHECK(Tensor::rand({8}, 1, ref()).to_floats() != Tensor::rand({8}, uint64_t{1} << 32, ref()).to_floats());
}

TEST_CASE("moments and ranges of a hundred thousand numbers") {
  constexpr int64_t kCount = 100000;
  const auto moments = [](const std::vector<float>& v) {
    double sum = 0, squares = 0;
    for (const float x : v) sum += x, squares += double{x} * x;
    const double n = static_cast<double>(v.size()), mean = sum / n;
    return std::pair(mean, squares / n - mean * mean);
  };
  const std::vector<float> uniform = Tensor::rand({kCount}, 3).to_floats();
  const auto [mean, variance] = moments(uniform);
  CHECK(std::abs(mean - 0.5) < 0.004);  // four standard errors
  CHECK(std::abs(variance - 1.0 / 12) < 0.001);
  for (const float x : uniform) REQUIRE((x >= 0 && x < 1));
  const auto [normal_mean, normal_variance] = moments(Tensor::randn({kCount}, 4).to_floats());
  CHECK(std::abs(normal_mean) < 0.013);
  CHECK(std::abs(normal_variance - 1) < 0.018);
  const Tensor key = random_key(5);
  std::vector<int64_t> count(7);
  for (const int64_t i : random_int({kCount}, -3, 4, key).to_ints()) {
    REQUIRE((i >= -3 && i < 4));
    ++count[static_cast<size_t>(i + 3)];
  }
  for (const int64_t n : count) CHECK(std::abs(static_cast<double>(n) - kCount / 7.0) < 4 * std::sqrt(kCount / 7.0));
  CHECK(std::abs(bernoulli({kCount}, 0.3, key).cast(dt::f32).mean().item() - 0.3) < 0.006);
  CHECK(bernoulli({100}, 0, key).any().to_ints()[0] == 0);
  CHECK(bernoulli({100}, 1, key).all().to_ints()[0] == 1);
}

TEST_CASE("random_int reaches the ends of its type") {
  const Numbers v = random_int({1000}, -(int64_t{1} << 31), int64_t{1} << 31, random_key(1, ref())).to_ints();
  int64_t least = 0, most = 0;
  for (const int64_t x : v) least = std::min(least, x), most = std::max(most, x);
  CHECK(least < -2000000000);
  CHECK(most > 2000000000);
}

TEST_CASE("dropout scales what it keeps, and its gradient drops the same") {
  const Tensor key = random_key(9, ref()),
               x = Tensor::full({4, 50}, 3) + Tensor::from(std::vector<float>(200), {4, 50}, ref());
  const Tensor y = dropout(x, 0.25, key), g = gradients((y * 2).sum(), {x})[0];
  const std::vector<float> values = y.to_floats(), slopes = g.to_floats();
  int dropped = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    CHECK((values[i] == 0 || values[i] == 4));
    CHECK(slopes[i] == (values[i] == 0 ? 0 : doctest::Approx(2 / 0.75)));
    dropped += values[i] == 0;
  }
  CHECK(dropped > 25);
  CHECK(dropped < 75);
  CHECK(dropout(x, 0, key).to_floats() == x.to_floats());
}

TEST_CASE("keys: folded in numbers, and a captured graph with another key") {
  Tensor key = random_key(11, ref());
  const Tensor first = fold_in(key, 1), second = fold_in(key, 2);
  CHECK(first.to_ints() != second.to_ints());
  CHECK(fold_in(key, Tensor::scalar(2)).to_ints() == second.to_ints());
  CHECK(random_bits({4}, first).to_ints() != random_bits({4}, second).to_ints());

  Graph graph({random_bits({5}, key)}, {});
  graph.replay();
  const Numbers before = graph.outputs()[0].to_ints();
  Tensor next = key.assign(fold_in(key, 1).contiguous());
  next.realize();
  graph.replay();
  CHECK(graph.outputs()[0].to_ints() != before);
  CHECK(graph.outputs()[0].to_ints() == random_bits({5}, fold_in(random_key(11, ref()), 1)).to_ints());
}
