// The operators that gather, sort, scan and draw, on a CUDA device whose kernels run in the interpreter, against REF.
#include <cmath>
#include <functional>

#include "src/graph/realize.h"
#include "src/tensor/einsum.h"
#include "src/tensor/nn.h"
#include "src/tensor/random.h"
#include "tests/graph/interpreted_gpu.h"

using namespace pg;
using namespace pg::test;

namespace {

using Results = std::vector<Tensor>;
using Build = std::function<Results(Device&)>;

void check_same(const Build& build) {
  Results got = build(InterpretedGpu::get()), wanted = build(device("REF"));
  for (Results* results : {&got, &wanted}) {
    std::vector<Tensor*> handles;
    for (Tensor& t : *results) handles.push_back(&t);
    realize(handles);
  }
  for (size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    if (!got[i].dtype().is_float()) {
      CHECK(got[i].to_ints() == wanted[i].to_ints());
      continue;
    }
    const std::vector<float> a = got[i].to_floats(), b = wanted[i].to_floats();
    REQUIRE(a.size() == b.size());
    for (size_t j = 0; j < a.size(); ++j) CHECK(std::abs(a[j] - b[j]) <= 2e-5 * (1 + std::abs(b[j])));
  }
  CHECK(InterpretedGpu::get().errors() == "");
}
/// Whole numbers, of which some are equal.
Tensor numbers(Shape shape, Device& d) {
  int64_t n = 1;
  for (const Dim& e : shape) n *= *e.number();
  std::vector<float> v;
  for (int64_t i = 0; i < n; ++i) v.push_back(static_cast<float>(i * 37 % 101 - 50));
  return Tensor::from(v, std::move(shape), d);
}
Tensor ids(Shape shape, int64_t below, Device& d) {
  return numbers(std::move(shape), d).cast(dt::i32).remainder(Tensor::full({}, static_cast<double>(below), dt::i32));
}

}  // namespace

TEST_CASE("on a GPU: sorts and the first of them") {
  check_same([](Device& d) -> Results {
    const auto [values, places] = numbers({3, 40}, d).sort();
    const auto [first, at] = numbers({300}, d).topk(4);
    return {values, places, first, at, numbers({260}, d).argsort(0, true)};
  });
}

TEST_CASE("on a GPU: scans, with their gradients") {
  check_same([](Device& d) -> Results {
    const Tensor x = numbers({2, 100}, d) * 0.02;
    return {x.cumsum(1), (x + 1).cumprod(1), x.prod({0}), gradients((x.cumsum(1) * x).sum(), {x})[0],
            gradients((x.prod({0}) * 2).sum(), {x})[0]};
  });
}

TEST_CASE("on a GPU: reads and writes by number") {
  check_same([](Device& d) -> Results {
    const Tensor x = numbers({6, 5}, d), at = ids({4, 5}, 6, d);
    return {x.gather(0, at), x.scatter(0, at, numbers({4, 5}, d) + 1), x.scatter_add(0, at, numbers({4, 5}, d)),
            gradients(x.gather(0, at).square().sum(), {x})[0]};
  });
}

TEST_CASE("on a GPU: random numbers, quotients, shifts") {
  check_same([](Device& d) -> Results {
    const Tensor key = random_key(5, d), i = numbers({60}, d).cast(dt::i32), by = ids({60}, 7, d) - 3;
    return {random_bits({50}, key),
            random_normal({50}, key),
            random_int({50}, -4, 9, key),
            dropout(numbers({50}, d), 0.5, key),
            i.floor_divide(by),
            i.remainder(by),
            i.fmod(by),
            i << 3,
            i >> by,
            i.bitcast(dt::u32) >> 30};
  });
}

TEST_CASE("on a GPU: the random numbers of a CPU, bit for bit") {
  const auto drawn = [](Device& d) { return random_normal({200}, random_key(5, d)).to_floats(); };
  CHECK(drawn(InterpretedGpu::get()) == drawn(device("CPU")));
}

TEST_CASE("on a GPU: windows and layers") {
  check_same([](Device& d) -> Results {
    const Tensor x = numbers({1, 2, 7, 6}, d) * 0.1, w = numbers({2, 3, 3, 2}, d) * 0.1;
    const Pool2d pool{.window = {3, 2}, .stride = {2, 2}, .padding = {1, 1, 0, 0}};
    const Tensor q = numbers({4, 3, 8}, d) * 0.02, k = numbers({2, 5, 8}, d) * 0.02;
    return {max_pool2d(x, pool),
            avg_pool2d(x, pool),
            conv_transpose2d(x, w, {}, {.stride = 2}),
            interpolate(x, {9, 4}, Resize::Linear),
            gradients(max_pool2d(x, pool).square().sum(), {x})[0],
            einsum("nchw,cokl->nohkwl", {x, w}),
            Tensor::attention(q, k, k, {}, 0, true)};
  });
}
