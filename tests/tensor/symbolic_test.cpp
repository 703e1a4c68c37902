// The same program with a Variable and with the number it stands for.
#include <doctest/doctest.h>

#include "src/graph/realize.h"
#include "src/tensor/einsum.h"
#include "src/tensor/nn.h"
#include "src/tensor/random.h"

using namespace pg;

namespace {

const UOp n = variable("n", 1, 12), pos = variable("pos", 0, 11);

/// `program(d)` gives a tensor of known shape that depends on the extent d.
template <class F>
void check_symbolic(const UOp& v, std::initializer_list<int64_t> values, F program) {
  for (const int64_t value : values) {
    CAPTURE(value);
    const Tensor expected = program(Dim(value));
    Tensor actual = program(Dim(v));
    realize({&actual}, {{v.arg_as<VariableArg>().name, value}});
    const std::vector<float> want = expected.to_floats(), got = actual.to_floats();
    REQUIRE(got.size() == want.size());
    for (size_t i = 0; i < want.size(); ++i) CHECK(got[i] == doctest::Approx(want[i]).epsilon(1e-5));
  }
}
Device& ref() { return device("REF"); }

}  // namespace

TEST_CASE("sums and means of a part whose length is a Variable") {
  const Tensor x = Tensor::randn({3, 12}, 1, ref());
  check_symbolic(n, {1, 5, 12}, [&](const Dim& d) { return x.slice(1, 0, d).sum({1}); });
  check_symbolic(n, {1, 5, 12}, [&](const Dim& d) { return x.slice(1, 0, d).mean({1}); });
  check_symbolic(n, {1, 5, 12}, [&](const Dim& d) { return x.slice(1, 0, d).max({0, 1}); });
  check_symbolic(n, {1, 5, 12}, [&](const Dim& d) { return x.slice(1, 0, d).argmax(1).cast(dt::f32); });
}

TEST_CASE("an index expression as a value") {
  const Tensor x = Tensor::randn({4}, 2, ref());
  check_symbolic(pos, {0, 7}, [&](const Dim& d) { return x * Tensor::scalar(d * 2 + 1, dt::f32) + Tensor::arange(4); });
  check_symbolic(pos, {0, 7}, [&](const Dim& d) { return Tensor::scalar(d, dt::f32) + Tensor::arange(4); });
}

TEST_CASE("a row at a Variable position") {
  const Tensor x = Tensor::randn({12, 5}, 3, ref());
  check_symbolic(pos, {0, 4, 11}, [&](const Dim& d) { return x.slice(0, d, d + 1).squeeze(0); });
  check_symbolic(pos, {0, 4, 11}, [&](const Dim& d) { return x.gather(Tensor::scalar(d)); });
}

TEST_CASE("attention of one token over a cache of Variable length") {
  const Tensor q = Tensor::randn({2, 1, 4}, 4, ref()), k = Tensor::randn({2, 12, 4}, 5, ref()),
               v = Tensor::randn({2, 12, 4}, 6, ref());
  check_symbolic(n, {1, 6, 12}, [&](const Dim& d) { return Tensor::attention(q, k.slice(1, 0, d), v.slice(1, 0, d)); });
}

TEST_CASE("a causal mask of Variable size, and a regrouped Variable axis") {
  const Tensor x = Tensor::randn({12, 8}, 7, ref());
  check_symbolic(n, {1, 6, 12}, [&](const Dim& d) {
    const Tensor part = x.slice(0, 0, d).reshape({d, 2, 4}).transpose(0, 1);  // [2, n, 4]
    const Tensor future = Tensor::arange(d).unsqueeze(-1) < Tensor::arange(d);
    const Tensor mask = Tensor::where(future, Tensor::full({}, -1e9), Tensor::full({}, 0));
    return Tensor::attention(part, part, part, mask).transpose(0, 1).reshape({d, 8}).sum({0});
  });
}

TEST_CASE("writing at a Variable position") {
  std::vector<float> zeros(12 * 3);
  const Tensor row = Tensor::randn({1, 3}, 8, ref());
  check_symbolic(pos, {0, 4, 11}, [&](const Dim& d) {
    const Tensor cache = Tensor::from(zeros, {12, 3}, ref());
    return cache.slice(0, d, d + 1).assign(row) * 2.0;
  });
}

TEST_CASE("gradients through a Variable length") {
  const Tensor x = Tensor::randn({12, 3}, 9, ref()), w = Tensor::randn({3, 2}, 10, ref());
  check_symbolic(n, {1, 6, 12},
                 [&](const Dim& d) { return gradients(x.slice(0, 0, d).matmul(w).softmax().max({1}).sum(), {w})[0]; });
  check_symbolic(n, {1, 6, 12}, [&](const Dim& d) { return gradients(x.slice(0, 0, d).matmul(w).exp().mean(), {x})[0]; });
}

TEST_CASE("products and scans of a Variable length") {
  const Tensor x = Tensor::randn({3, 12}, 12, ref());
  check_symbolic(n, {1, 5, 12}, [&](const Dim& d) { return x.slice(1, 0, d).prod({1}); });
  check_symbolic(n, {1, 5, 12}, [&](const Dim& d) { return x.slice(1, 0, d).cumsum(1).square().sum({1}); });
  check_symbolic(n, {1, 5, 12}, [&](const Dim& d) { return x.slice(1, 0, d).cumprod(1).sum({1}); });
  check_symbolic(n, {1, 6}, [&](const Dim& d) {
    const Tensor part = x.slice(1, 0, d);
    return gradients((part.cumsum(1) * part.prod({1}, true)).sum(), {x})[0];
  });
}

TEST_CASE("reads and writes by number where a length is a Variable") {
  const Tensor x = Tensor::randn({12, 4}, 13, ref()), y = Tensor::randn({12, 4}, 14, ref());
  const Tensor ids = (Tensor::arange(48) * 5).remainder(Tensor::full({}, 4, dt::i32)).reshape({12, 4});
  check_symbolic(n, {1, 5, 12}, [&](const Dim& d) { return x.slice(0, 0, d).gather(1, ids.slice(0, 0, d)).sum({0}); });
  check_symbolic(n, {1, 5, 12}, [&](const Dim& d) {
    return x.slice(0, 0, d).scatter_add(1, ids.slice(0, 0, d), y.slice(0, 0, d)).sum({0});
  });
  check_symbolic(n, {1, 5, 12},
                 [&](const Dim& d) { return x.slice(0, 0, d).scatter(1, ids.slice(0, 0, d), y.slice(0, 0, d)).sum({0}); });
  check_symbolic(n, {4, 5, 12},
                 [&](const Dim& d) { return x.slice(0, 0, d).index_select(0, ids.slice(0, 0, 1).squeeze(0)); });
  check_symbolic(n, {1, 5}, [&](const Dim& d) {
    return gradients(x.slice(0, 0, d).gather(1, ids.slice(0, 0, d)).square().sum(), {x})[0];
  });
}

TEST_CASE("rows of a Variable number are sorted and pooled") {
  const Tensor x = Tensor::randn({12, 6}, 15, ref());
  const Tensor weight = Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {6}, ref());
  check_symbolic(n, {1, 5, 12}, [&](const Dim& d) { return (x.slice(0, 0, d).sort().first * weight).sum({0}); });
  check_symbolic(n, {1, 5, 12}, [&](const Dim& d) { return x.slice(0, 0, d).topk(2).second.cast(dt::f32).sum({0}); });
  check_symbolic(n, {1, 5, 12}, [&](const Dim& d) { return max_pool1d(x.slice(0, 0, d), {.window = 3}).sum({0}); });
  check_symbolic(n, {1, 5, 12}, [&](const Dim& d) { return x.slice(0, 0, d).unfold(1, 3, 2).sum({0, 1}); });
}

TEST_CASE("einsum, and heads that share a cache of Variable length") {
  const Tensor x = Tensor::randn({12, 4}, 16, ref()), w = Tensor::randn({4, 3}, 17, ref());
  check_symbolic(n, {1, 5, 12}, [&](const Dim& d) {
    return einsum("tk,kj,tj->j", {x.slice(0, 0, d), w, x.slice(0, 0, d).slice(1, 0, 3)});
  });
  const Tensor square = Tensor::randn({12, 12}, 18, ref());
  check_symbolic(n, {1, 5, 12}, [&](const Dim& d) { return einsum("ii->", {square.slice(0, 0, d).slice(1, 0, d)}); });
  const Tensor q = Tensor::randn({4, 2, 8}, 19, ref()), k = Tensor::randn({2, 12, 8}, 20, ref()),
               v = Tensor::randn({2, 12, 8}, 21, ref());
  check_symbolic(n, {2, 6, 12},
                 [&](const Dim& d) { return Tensor::attention(q, k.slice(1, 0, d), v.slice(1, 0, d), {}, 0, true); });
}

TEST_CASE("random numbers of a Variable number") {
  const Tensor key = random_key(13, ref());
  check_symbolic(n, {1, 5, 12}, [&](const Dim& d) { return random_uniform({2, d}, key).sum({1}); });
  check_symbolic(n, {1, 5, 12}, [&](const Dim& d) { return dropout(Tensor::full({d, 2}, 1), 0.5, key).sum({0}); });
}

TEST_CASE("a Variable without a value is an error that names it") {
  const Tensor x = Tensor::randn({12}, 11, ref());
  std::string message;
  try {
    x.slice(0, 0, n).sum().item();
  } catch (const UserError& e) {
    message = e.what();
  }
  CHECK(message.find("n") != std::string::npos);
  CHECK(message.find("Variable") != std::string::npos);
}
