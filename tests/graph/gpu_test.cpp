// Tensors on a CUDA device, from the Tensor API to the driver, against REF.
#include <cmath>
#include <functional>

#include "src/graph/realize.h"
#include "src/tensor/buffers.h"
#include "tests/graph/interpreted_gpu.h"

using namespace pg;
using namespace pg::test;

namespace {

InterpretedGpu& gpu() { return InterpretedGpu::get(); }
Device& ref() { return device("REF"); }

using Results = std::vector<Tensor>;
using Build = std::function<Results(Device&)>;

/// Floats within a tolerance, all else exactly.
void check_same(const Tensor& got, const Tensor& wanted) {
  REQUIRE(text(got.shape()) == text(wanted.shape()));
  REQUIRE(got.dtype() == wanted.dtype());
  if (!got.dtype().is_float()) {
    CHECK(got.to_ints() == wanted.to_ints());
    return;
  }
  const std::vector<float> a = got.to_floats(), b = wanted.to_floats();
  const double tolerance = got.dtype() == dt::f32 ? 2e-5 : 1e-2;
  for (size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i);
    CAPTURE(a[i]);
    CAPTURE(b[i]);
    REQUIRE(std::abs(a[i] - b[i]) <= tolerance * (1 + std::abs(b[i])));
  }
}
/// Eagerly, and as a captured graph that is replayed twice.
void check_same(const Build& build) {
  Results got = build(gpu()), wanted = build(ref());
  std::vector<Tensor*> got_handles, wanted_handles;
  for (Tensor& t : got) got_handles.push_back(&t);
  for (Tensor& t : wanted) wanted_handles.push_back(&t);
  realize(got_handles);
  realize(wanted_handles);
  Graph graph(build(gpu()));
  for (int i = 0; i < 2; ++i) graph.replay();
  for (size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CHECK(&memory_of(got[i].uop())->device() == &gpu());
    check_same(got[i], wanted[i]);
    check_same(graph.outputs()[i], wanted[i]);
  }
  CHECK(gpu().errors() == "");
}

Tensor random(Shape shape, uint64_t seed, Device& d) { return Tensor::randn(std::move(shape), seed, d); }
Tensor ids(std::vector<int32_t> values, Device& d) {
  const auto n = static_cast<int64_t>(values.size());
  return Tensor::from(values, {n}, d);
}

}  // namespace

TEST_CASE("on a GPU: products with their epilogues") {
  check_same([](Device& d) -> Results {
    const Tensor x = random({20, 48}, 1, d), w = random({48, 72}, 2, d), bias = random({72}, 3, d);
    return {(x.matmul(w) + bias).gelu(), x.slice(0, 0, 1).matmul(w).relu() + bias, x.matmul(x.transpose()).sum({0})};
  });
}
TEST_CASE("on a GPU: rows") {
  check_same([](Device& d) -> Results {
    const Tensor x = random({6, 100}, 4, d), w = random({100}, 5, d), b = random({100}, 6, d);
    return {x.softmax(), x.layernorm(w, b, 1e-5), x.rmsnorm(w, 1e-5), x.argmax(1), x.max({0}), x.sum()};
  });
}
TEST_CASE("on a GPU: a sum in two phases") {
  check_same([](Device& d) -> Results { return {random({20000}, 7, d).sum(), random({3, 9000}, 8, d).max({1})}; });
}
TEST_CASE("on a GPU: products of one vector are one launch; one each where their blocks cannot be of one size") {
  for (const auto& [columns, launches] : {std::pair<int64_t, int>{64, 1}, {2, 2}}) {
    CAPTURE(columns);
    const auto products = [columns = columns](Device& d) {
      Tensor x = random({1, 256}, 1, d);
      x.realize();
      return Results{x.matmul(random({96, 256}, 2, d).transpose()), x.matmul(random({columns, 256}, 3, d).transpose())};
    };
    Results r = products(gpu());
    gpu().calls("cuLaunchKernel");
    realize({&r[0], &r[1]});
    CHECK(gpu().calls("cuLaunchKernel") == launches);
    CHECK(Graph(products(gpu())).kernel_count() == 1);
    check_same(products);
  }
}
TEST_CASE("on a GPU: convolutions") {
  check_same([](Device& d) -> Results {
    const Tensor x = random({1, 4, 9, 9}, 9, d), w = random({8, 4, 3, 3}, 10, d), bias = random({8}, 11, d);
    return {x.conv2d(w, bias, {.padding = {1, 1, 1, 1}}).relu(), x.conv2d(w, {}, {.stride = 2}),
            x.groupnorm(2, random({4}, 12, d), random({4}, 13, d), 1e-5)};
  });
}
TEST_CASE("on a GPU: attention, with a mask") {
  check_same([](Device& d) -> Results {
    const Tensor q = random({2, 5, 16}, 14, d), k = random({2, 7, 16}, 15, d), v = random({2, 7, 16}, 16, d);
    const Tensor late = Tensor::arange(5).reshape({5, 1}) + 2.0 < Tensor::arange(7).reshape({1, 7});
    const Tensor mask = Tensor::where(late, Tensor::full({5, 7}, -1e9), Tensor::zeros({5, 7}));
    return {Tensor::attention(q, k, v), Tensor::attention(q, k, v, mask)};
  });
}
TEST_CASE("on a GPU: rows of an embedding by ids, integers, bools") {
  check_same([](Device& d) -> Results {
    const Tensor table = random({11, 24}, 17, d), at = ids({3, 0, 10, 3, 7}, d);
    return {table.gather(at),          at * at + Tensor::arange(5),    at.sum(),       (at < 4.0).logical_not(),
            table.argmax(0) * 2 - 1.0, at.cast(dt::i64) * (1LL << 33), at.cast(dt::u8)};
  });
}
TEST_CASE("on a GPU: half floats") {
  check_same([](Device& d) -> Results {
    Results all;
    for (DType t : {dt::f16, dt::bf16}) {
      const Tensor x = random({8, 32}, 18, d).cast(t).contiguous(), w = random({40, 32}, 19, d).cast(t).contiguous();
      all.push_back(x * 2.0 + 1.0);
      all.push_back(x.cast(dt::f32).matmul(w.cast(dt::f32).transpose()));
      all.push_back(x.softmax());
    }
    return all;
  });
}
TEST_CASE("on a GPU: movement") {
  check_same([](Device& d) -> Results {
    const Tensor x = random({3, 5}, 20, d), y = random({3, 2}, 21, d);
    return {Tensor::cat({x, y}, 1), x.pad({{1, 2}, {0, 3}}), x.flip({0, 1}).transpose().contiguous(),
            x.expand({4, 3, 5}).permute({1, 2, 0}) * 3.0};
  });
}
TEST_CASE("on a GPU: gradients") {
  check_same([](Device& d) -> Results {
    const Tensor x = random({6, 10}, 22, d), w = random({10, 4}, 23, d);
    return gradients(x.matmul(w).tanh().sum(), {x, w});
  });
}
TEST_CASE("on a GPU: tensors of two devices do not meet") {
  Tensor both = random({4}, 1, gpu()) + random({4}, 2, ref());
  CHECK_THROWS_WITH_AS(both.realize(), doctest::Contains("tensors on"), UserError);
}
