// Random chains of the operators that are made of others: the interpreter and the compiled kernels give the same numbers, in
// every bit where they are whole. Values are small whole numbers in f32, so that every order of summation gives the same.
#include <doctest/doctest.h>

#include <random>

#include "src/graph/realize.h"
#include "src/tensor/einsum.h"
#include "src/tensor/nn.h"
#include "src/tensor/random.h"
#include "src/tensor/shape.h"

using namespace pg;

namespace {

constexpr int64_t kMostElements = 400;

class RandomOperators {
 public:
  RandomOperators(uint64_t seed, Device& device) : random_(seed), device_(device) {}

  /// A tensor and its gradient at the first input.
  std::vector<Tensor> build(int steps) {
    const Tensor first = input();
    std::vector<Tensor> pool{first, first, input()};
    for (int i = 0; i < steps; ++i) {
      const Tensor y = step(pool[static_cast<size_t>(below(static_cast<int64_t>(pool.size())))]);
      if (y.rank() > 0 && y.rank() < 5 && known_count("random", y.shape()) <= kMostElements) pool.push_back(y);
    }
    Tensor loss = Tensor::full({}, 0);
    for (const Tensor& t : pool) loss = loss + (t * t).sum();
    return {pool.back(), pool[pool.size() / 2], gradients(loss, {first})[0]};
  }

 private:
  int64_t below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }
  bool chance(int one_in) { return below(one_in) == 0; }

  Tensor input() {
    Shape shape;
    for (int64_t rank = 1 + below(3); rank > 0; --rank) shape.push_back(1 + below(6));
    std::vector<float> data(static_cast<size_t>(known_count("random", shape)));
    for (float& v : data) v = static_cast<float>(below(9) - 4);
    return Tensor::from(data, shape, device_);
  }
  /// Ids below n of this shape, the same on every device.
  Tensor ids(Shape shape, int64_t n) {
    std::vector<int32_t> data(static_cast<size_t>(known_count("random", shape)));
    for (int32_t& v : data) v = static_cast<int32_t>(below(n));
    return Tensor::from(data, shape, device_);
  }
  static Tensor clipped(const Tensor& x) { return x.clamp(-9, 9); }
  /// -9 .. 9 as integers.
  static Tensor whole(const Tensor& x) { return clipped(x).cast(dt::i32); }

  Tensor step(const Tensor& x) {
    const int axis = static_cast<int>(below(x.rank()));
    const int64_t n = *x.shape()[static_cast<size_t>(axis)].number();
    switch (below(22)) {
      case 0: return clipped(x.cumsum(axis));
      case 1: return clipped(x.cumprod(axis));
      case 2: return clipped(x.prod({axis}, chance(2)));
      case 3: return x.sort(axis, chance(2)).first;
      case 4: return x.argsort(axis, chance(2)).cast(dt::f32);
      case 5: return x.topk(1 + below(n), axis, chance(2)).first;
      case 6: {
        Shape shape = x.shape();
        shape[static_cast<size_t>(axis)] = 1 + below(5);
        return x.gather(axis, ids(shape, n));
      }
      case 7: return clipped(x.scatter_add(axis, ids(x.shape(), n), x.flip({axis})));
      case 8: return x.scatter(axis, ids(x.shape(), n), clipped(x + 1));
      case 9: return x.index_select(axis, ids({1 + below(6)}, n));
      case 10: return x.unfold(axis, 1 + below(n), 1 + below(3));
      case 11: return x.pad_circular(axis, below(n + 1), below(n + 1));
      case 12: {
        std::vector<std::pair<Dim, Dim>> around(x.shape().size(), {0, 0});
        around[static_cast<size_t>(axis)] = {below(3), below(3)};
        return x.pad(std::move(around), static_cast<double>(below(5) - 2));
      }
      case 13: {
        const int64_t last = *x.shape().back().number(), window = 1 + below(last);
        return max_pool1d(
            x, {.window = window, .stride = 1 + below(3), .padding = {window / 2, window / 2}, .ceil = chance(2)});
      }
      case 14: return clipped(x.rank() == 1 ? einsum("i,j->ij", {x, x.flip({0})}) : einsum("...i,...i->...", {x, x}));
      case 15: return clipped(x.rank() >= 2 ? einsum("...ij,...kj->...ik", {x, x}) : einsum("i,i->i", {x, x}));
      case 16: return whole(x).remainder(whole(x.flip({axis}))).cast(dt::f32) + x;
      case 17: return whole(x).floor_divide(Tensor::full({}, static_cast<double>(below(7) - 3), dt::i32)).cast(dt::f32);
      case 18: return (whole(x) << 2).bitcast(dt::u32).bitcast(dt::i32).cast(dt::f32) + x;
      case 19: return clipped(x.cast(dt::i32).cumsum(axis).cast(dt::f32) + x);
      case 20: return interpolate(x, {1 + below(6)}, Resize::Nearest);
      default: return x.masked_fill(bernoulli(x.shape(), 0.5, random_key(random_(), device_)), 1);
    }
  }

  std::mt19937_64 random_;
  Device& device_;
};

/// All graphs of a device in one computation, which compiles their kernels together.
std::vector<std::vector<float>> computed(const char* name, uint64_t first_seed, int graphs, int steps) {
  std::vector<Tensor> all;
  for (int i = 0; i < graphs; ++i)
    for (const Tensor& t : RandomOperators(first_seed + static_cast<uint64_t>(i), device(name)).build(steps))
      all.push_back(t);
  std::vector<Tensor*> wanted;
  for (Tensor& t : all) wanted.push_back(&t);
  realize(wanted);
  std::vector<std::vector<float>> values;
  for (const Tensor& t : all) values.push_back(t.to_floats());
  return values;
}

}  // namespace

TEST_CASE("random operators: compiled kernels and the interpreter agree") {
  constexpr uint64_t kFirst = 500;
  constexpr int kGraphs = 40;
  const auto expected = computed("REF", kFirst, kGraphs, 4), actual = computed("CPU", kFirst, kGraphs, 4);
  REQUIRE(expected.size() == actual.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i / 3 + kFirst);
    REQUIRE(expected[i].size() == actual[i].size());
    for (size_t j = 0; j < expected[i].size(); ++j) CHECK(actual[i][j] == doctest::Approx(expected[i][j]).epsilon(1e-6));
  }
}
