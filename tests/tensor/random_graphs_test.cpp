// Random tensor graphs computed by realize() against the definition of each node. Values are small integers in f32, so that
// every order of summation gives the same bits.
#include <doctest/doctest.h>

#include <random>

#include "src/tensor/shape.h"
#include "tests/tensor/naive.h"

using namespace pg;

namespace {

constexpr int64_t kMostElements = 600;

class RandomGraph {
 public:
  RandomGraph(uint64_t seed, Device& device) : random_(seed), device_(device) {}

  Tensor build(int steps) {
    std::vector<Tensor> pool{input(), input()};
    for (int i = 0; i < steps; ++i) {
      const Tensor y = step(pool[below(pool.size())], pool[below(pool.size())]);
      if (known_count("random", y.shape()) <= kMostElements) pool.push_back(y);
    }
    return pool.back();
  }

 private:
  int64_t below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }
  bool chance(int one_in) { return below(one_in) == 0; }
  int64_t extent(const Tensor& x, int axis) { return *x.shape()[axis].number(); }

  Tensor input() {
    Shape shape;
    for (int64_t rank = below(4); rank > 0; --rank) shape.push_back(1 + below(5));
    std::vector<float> data(known_count("random", shape));
    for (float& v : data) v = static_cast<float>(below(9) - 4);
    return Tensor::from(data, shape, device_);
  }
  /// Keeps products and sums small enough to be exact.
  static Tensor clipped(const Tensor& x) { return x.maximum(Tensor::full({}, -9)).minimum(Tensor::full({}, 9)); }

  /// A random tensor that broadcasts with x.
  Tensor partner(const Tensor& x, const Tensor& candidate) {
    try {
      broadcast_shape("random", x.shape(), candidate.shape());
      return candidate;
    } catch (const UserError&) {
      return x.rank() && chance(2) ? x.sum({static_cast<int>(below(x.rank()))}, true) : x.flip({0});
    }
  }

  Tensor step(const Tensor& x, const Tensor& other) {
    if (x.rank() == 0) return chance(2) ? x.expand({1 + below(4)}) : x + 1.0;
    const int axis = static_cast<int>(below(x.rank()));
    const int64_t n = extent(x, axis);
    switch (below(16)) {
      case 0: return clipped(x + partner(x, other));
      case 1: return clipped(x * partner(x, other));
      case 2: return Tensor::where(x < partner(x, other), x, Tensor::full({}, 2));
      case 3: return clipped(x.sum({axis}, chance(2)));
      case 4: return chance(2) ? x.max({axis}, chance(2)) : x.min({axis}, chance(2));
      case 5: return x.argmax(axis, chance(2)).cast(dt::f32);
      case 6: return x.transpose(axis, static_cast<int>(below(x.rank())));
      case 7: return x.flip({axis});
      case 8: {
        std::vector<std::pair<Dim, Dim>> around(x.rank(), {0, 0});
        around[axis] = {below(3), below(3)};
        return x.pad(around);
      }
      case 9: {
        const int64_t begin = below(n);
        return x.slice(axis, begin, begin + 1 + below(n - begin));
      }
      case 10: return x.reshape({-1});
      case 11: {
        Shape shape = x.shape();
        std::swap(shape.front(), shape.back());
        return x.reshape(shape);
      }
      case 12: return x.unsqueeze(axis).expand(with_repeats(x.shape(), axis, 1 + below(3)));
      case 13: return Tensor::cat({x, x.flip({axis}), x}, axis);
      case 14:
        return x.gather((Tensor::arange(extent(x, 0)) * 2 + 1).minimum(Tensor::full({}, double(extent(x, 0) - 1), dt::i32)));
      default:
        return chance(2) ? x.contiguous() : clipped(x.matmul(x.transpose(-1, 0).reshape({extent(x, x.rank() - 1), -1})));
    }
  }
  static Shape with_repeats(Shape shape, int axis, int64_t n) {
    shape.insert(shape.begin() + axis, Dim(n));
    return shape;
  }

  std::mt19937_64 random_;
  Device& device_;
};

std::vector<double> numbers(const Tensor& t) {
  const std::vector<float> v = t.to_floats();
  return std::vector<double>(v.begin(), v.end());
}

void check_random_graphs(const char* device_name, uint64_t first_seed, int graphs, int steps) {
  for (int i = 0; i < graphs; ++i) {
    const uint64_t seed = first_seed + i;
    CAPTURE(seed);
    const Tensor t = RandomGraph(seed, device(device_name)).build(steps);
    naive::Evaluation evaluate;
    const std::vector<double> expected = evaluate(t.uop());
    try {
      CHECK(numbers(t) == expected);
    } catch (const std::exception& e) {
      FAIL_CHECK("seed " << seed << ": " << e.what());
    }
  }
}

}  // namespace

TEST_CASE("random graphs on the interpreter") {
  check_random_graphs("REF", 1000, 1500, 5);
  check_random_graphs("REF", 200000, 3000, 16);
}

TEST_CASE("random graphs on the CPU: a sample") { check_random_graphs("CPU", 3000, 12, 8); }

// What random graphs have found once.
namespace {
void check_graph(const Tensor& t) {
  naive::Evaluation evaluate;
  CHECK(numbers(t) == evaluate(t.uop()));
}
Tensor counted(Shape shape) {
  return (Tensor::from(std::vector<float>{1}, {1}, device("REF")) * Tensor::arange(element_count(shape)))
      .reshape(shape)
      .realize();
}
}  // namespace

TEST_CASE("a part of a middle axis keeps the stride of the whole") { check_graph(counted({3, 5, 3}).slice(1, 0, 2)); }

TEST_CASE("a sum of what does not depend on its axis counts every step") {
  const Tensor x = counted({3}) + 1;
  check_graph(x.reshape({3, 1}).expand({3, 4}).sum({1}));
  check_graph(x.reshape({3, 1}).expand({3, 70}).sum({1}));
  check_graph(gradients((Tensor::full({4, 3}, 1) + x).sum(), {x})[0]);
}

TEST_CASE("a load in the padding of a tail touches nothing") {
  const Tensor x = counted({3, 1}).pad({{0, 0}, {2, 0}}).reshape({-1});
  check_graph(Tensor::cat({x, x.flip({0}), x}).flip({0}));
}

TEST_CASE("assigns into views, one after the other") {
  std::vector<float> data(24);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>(i);
  const auto fresh = [&] { return Tensor::from(data, {4, 6}, device("REF")); };
  const auto check = [&](const Tensor& t) {
    naive::Evaluation evaluate;
    const std::vector<double> expected = evaluate(t.uop());  // before realize() writes
    CHECK(numbers(t) == expected);
  };
  check(fresh().slice(0, 1, 3).assign(Tensor::full({2, 6}, -1)));
  check(fresh().transpose().slice(0, 2, 4).assign(Tensor::arange(4)));
  check(fresh().flip({1}).slice(1, 0, 2).assign(Tensor::arange(8).reshape({4, 2})));
  check(fresh().reshape({24}).slice(0, 5, 9).assign(Tensor::full({}, 7)));
  const Tensor once = fresh().slice(1, 0, 3).assign(Tensor::full({}, -1));
  const Tensor twice = once.slice(1, 2, 5).assign(Tensor::full({}, -2));
  check(twice);
  const Tensor x = fresh();
  check((x.slice(0, 0, 1).assign(Tensor::full({}, 100)) + 1).sum({0}));
}
