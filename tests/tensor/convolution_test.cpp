// Convolutions and norms against loops that are written down from their definitions.
#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "src/tensor/tensor.h"

using namespace pg;

namespace {
using Floats = std::vector<float>;

struct Problem {
  int64_t n = 1, c = 1, h = 1, w = 1, o = 1, kh = 1, kw = 1;
  Conv2d how = {};
};
/// Small integers: every order of summation gives the same bits.
Floats integers(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  Floats v(count);
  for (float& x : v) x = static_cast<float>(static_cast<int>(random() % 9) - 4);
  return v;
}
struct Operands {
  explicit Operands(const Problem& p)
      : x(integers(p.n * p.c * p.h * p.w, 1)),
        w(integers(p.o * p.c / p.how.groups * p.kh * p.kw, 2)),
        bias(integers(p.o, 3)) {}
  Floats x, w, bias;
};
Floats convolved(const Problem& p, const Operands& in) {
  const auto [top, bottom, left, right] = p.how.padding;
  const int64_t s = p.how.stride, d = p.how.dilation, cg = p.c / p.how.groups, og = p.o / p.how.groups;
  const int64_t rows = (p.h + top + bottom - d * (p.kh - 1) - 1) / s + 1,
                columns = (p.w + left + right - d * (p.kw - 1) - 1) / s + 1;
  Floats y;
  for (int64_t n = 0; n < p.n; ++n)
    for (int64_t o = 0; o < p.o; ++o)
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t q = 0; q < columns; ++q) {
          float sum = in.bias[o];
          for (int64_t c = 0; c < cg; ++c)
            for (int64_t i = 0; i < p.kh; ++i)
              for (int64_t j = 0; j < p.kw; ++j) {
                const int64_t row = r * s + i * d - top, column = q * s + j * d - left;
                if (row < 0 || row >= p.h || column < 0 || column >= p.w) continue;
                sum += in.x[((n * p.c + o / og * cg + c) * p.h + row) * p.w + column] *
                       in.w[((o * cg + c) * p.kh + i) * p.kw + j];
              }
          y.push_back(sum);
        }
  return y;
}
Tensor tensor_of(const Problem& p, const Operands& in) {
  const Tensor x = Tensor::from(std::span<const float>(in.x), {p.n, p.c, p.h, p.w});
  const Tensor w = Tensor::from(std::span<const float>(in.w), {p.o, p.c / p.how.groups, p.kh, p.kw});
  return x.conv2d(w, Tensor::from(std::span<const float>(in.bias), {p.o}), p.how);
}
void check(const Problem& p) {
  const Operands in(p);
  CHECK(tensor_of(p, in).to_floats() == convolved(p, in));
}
}  // namespace

TEST_CASE("conv2d: sizes, strides, padding on each side, dilation, groups") {
  check({.c = 3, .h = 5, .w = 7, .o = 4, .kh = 3, .kw = 3});
  check({.n = 2, .c = 3, .h = 6, .w = 5, .o = 2, .kh = 3, .kw = 2, .how = {.padding = {1, 1, 1, 1}}});
  check({.c = 2, .h = 9, .w = 8, .o = 3, .kh = 3, .kw = 3, .how = {.stride = 2, .padding = {0, 1, 0, 1}}});
  check({.c = 2, .h = 7, .w = 11, .o = 3, .kh = 3, .kw = 3, .how = {.stride = 3, .padding = {2, 0, 0, 3}}});
  check({.c = 2, .h = 10, .w = 9, .o = 2, .kh = 3, .kw = 3, .how = {.padding = {2, 2, 1, 2}, .dilation = 2}});
  check({.c = 6, .h = 5, .w = 5, .o = 4, .kh = 3, .kw = 3, .how = {.padding = {1, 1, 1, 1}, .groups = 2}});
  check({.c = 5, .h = 6, .w = 7, .o = 5, .kh = 3, .kw = 3, .how = {.stride = 2, .padding = {1, 0, 0, 1}, .groups = 5}});
  check({.c = 3, .h = 8, .w = 8, .o = 4, .kh = 4, .kw = 4, .how = {.stride = 4}});
  check({.c = 3, .h = 8, .w = 9, .o = 2, .kh = 1, .kw = 1, .how = {.stride = 5}});
  check({.c = 2, .h = 3, .w = 3, .o = 2, .kh = 3, .kw = 3});
  check({.c = 2, .h = 4, .w = 5, .o = 2, .kh = 2, .kw = 1, .how = {.stride = 2, .dilation = 3}});
}
TEST_CASE("conv2d: random problems") {
  std::mt19937 random(11);
  const auto below = [&](int64_t n) { return static_cast<int64_t>(random() % n); };
  for (int i = 0; i < 25; ++i) {
    Problem p{.n = 1 + below(2), .h = 4 + below(8), .w = 4 + below(8), .kh = 1 + below(3), .kw = 1 + below(3)};
    p.how = {
        .stride = 1 + below(3), .padding = {below(3), below(3), below(3), below(3)}, .dilation = 1, .groups = 1 + below(3)};
    if (p.kh <= 2 && p.kw <= 2) p.how.dilation = 1 + below(3);
    p.c = p.how.groups * (1 + below(3));
    p.o = p.how.groups * (1 + below(3));
    CAPTURE(i);
    check(p);
  }
}
TEST_CASE("conv1d is conv2d of one row; without a batch x has one axis less") {
  const Problem p{.n = 2,
                  .c = 4,
                  .h = 1,
                  .w = 13,
                  .o = 6,
                  .kh = 1,
                  .kw = 3,
                  .how = {.stride = 2, .padding = {0, 0, 2, 1}, .dilation = 2, .groups = 2}};
  const Operands in(p);
  const Tensor x = Tensor::from(std::span<const float>(in.x), {2, 4, 13}),
               w = Tensor::from(std::span<const float>(in.w), {6, 2, 3});
  const Tensor bias = Tensor::from(std::span<const float>(in.bias), {6});
  const Conv1d how{.stride = 2, .padding = {2, 1}, .dilation = 2, .groups = 2};
  CHECK(x.conv1d(w, bias, how).to_floats() == convolved(p, in));
  const Tensor first = x.slice(0, 0, 1).squeeze(0).conv1d(w, bias, how);
  CHECK(text(first.shape()) == "[6, 6]");
  Floats whole = convolved(p, in);
  whole.resize(whole.size() / 2);
  CHECK(first.to_floats() == whole);
}
TEST_CASE("the shape of a convolution; 16-bit floats keep their type; a batch may be symbolic") {
  const Tensor x = Tensor::empty({2, 4, 17, 9}, dt::f16), w = Tensor::empty({6, 2, 3, 5}, dt::f16);
  const Tensor y = x.conv2d(w, {}, {.stride = 2, .padding = {1, 0, 2, 2}, .groups = 2});
  CHECK(text(y.shape()) == "[2, 6, 8, 5]");
  CHECK(y.dtype() == dt::f16);
  const Dim n(variable("n", 1, 8));
  CHECK(text(Tensor::empty({n, 4, 8, 8}).conv2d(Tensor::empty({3, 4, 3, 3})).shape()) == "[n, 3, 6, 6]");
}
TEST_CASE("conv2d's gradients are the slopes") {
  const Problem p{.n = 1,
                  .c = 2,
                  .h = 5,
                  .w = 6,
                  .o = 2,
                  .kh = 3,
                  .kw = 2,
                  .how = {.stride = 2, .padding = {1, 0, 1, 0}, .dilation = 1, .groups = 1}};
  Operands in(p);
  const auto loss_of = [&](const Tensor& x, const Tensor& w) {
    const Tensor y = x.conv2d(w, {}, p.how);
    return (y * y).sum() * 0.5;
  };
  const auto x_of = [&] { return Tensor::from(std::span<const float>(in.x), {p.n, p.c, p.h, p.w}); };
  const auto w_of = [&] { return Tensor::from(std::span<const float>(in.w), {p.o, p.c, p.kh, p.kw}); };
  const Tensor x = x_of(), w = w_of();
  const std::vector<Tensor> g = gradients(loss_of(x, w), {x, w});
  const Floats by_x = g[0].to_floats(), by_w = g[1].to_floats();
  // The loss is a square in each number: the slope between -1/2 and +1/2 is exact.
  const auto slope = [&](float& v) {
    const float before = v;
    v = before + 0.5f;
    const double above = loss_of(x_of(), w_of()).item();
    v = before - 0.5f;
    const double below = loss_of(x_of(), w_of()).item();
    v = before;
    return above - below;
  };
  for (size_t i = 0; i < in.x.size(); i += 7) CHECK(slope(in.x[i]) == doctest::Approx(by_x[i]));
  for (size_t i = 0; i < in.w.size(); i += 5) CHECK(slope(in.w[i]) == doctest::Approx(by_w[i]));
}

TEST_CASE("layernorm and groupnorm") {
  const int64_t n = 2, c = 6, h = 3, w = 5, groups = 2;
  Floats x = integers(n * c * h * w, 5), weight = integers(c, 6), bias = integers(c, 7);
  const double eps = 1e-3;
  const auto standardised = [&](int64_t begin, int64_t count, int64_t i) {
    double mean = 0, variance = 0;
    for (int64_t k = 0; k < count; ++k) mean += x[begin + k] / static_cast<double>(count);
    for (int64_t k = 0; k < count; ++k)
      variance += (x[begin + k] - mean) * (x[begin + k] - mean) / static_cast<double>(count);
    return (x[i] - mean) / std::sqrt(variance + eps);
  };
  const auto tensor = [](const Floats& v, Shape s) { return Tensor::from(std::span<const float>(v), std::move(s)); };
  const Tensor t = tensor(x, {n, c, h, w});
  const Floats layer = t.reshape({n * h * w, c}).layernorm(tensor(weight, {c}), tensor(bias, {c}), eps).to_floats();
  const Floats bare = t.reshape({n * h * w, c}).layernorm({}, {}, eps).to_floats();
  const Floats group = t.groupnorm(groups, tensor(weight, {c}), tensor(bias, {c}), eps).to_floats();
  for (int64_t i = 0; i < static_cast<int64_t>(x.size()); ++i) {
    const double row = standardised(i / c * c, c, i);
    CHECK(bare[i] == doctest::Approx(row).epsilon(1e-5));
    CHECK(layer[i] == doctest::Approx(row * weight[i % c] + bias[i % c]).epsilon(1e-5));
    const int64_t channel = i / (h * w) % c, run = c / groups * h * w;
    CHECK(group[i] == doctest::Approx(standardised(i / run * run, run, i) * weight[channel] + bias[channel]).epsilon(1e-5));
  }
}
