// Values and gradients of the operators against PyTorch (goldens/make_operators.py, which says how a case reads).
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "src/graph/realize.h"
#include "src/tensor/einsum.h"
#include "src/tensor/nn.h"
#include "src/tensor/tensor.h"

using namespace pg;
using Json = nlohmann::json;

namespace {

using Tensors = std::vector<Tensor>;
using Case = std::function<Tensor(const Tensors& x, const Json& attrs)>;

// ---- inputs ----------------------------------------------------------------------------------------------------------

uint32_t hashed(uint32_t seed, uint32_t i) {
  uint32_t h = seed * 0x9E3779B1 + i * 0x85EBCA6B;
  h = (h ^ (h >> 15)) * 0x2C1B3C6D;
  h = (h ^ (h >> 12)) * 0x297A2D39;
  return h ^ (h >> 15);
}
double drawn(const Json& kind, uint32_t seed, uint32_t i) {
  const int64_t h = hashed(seed, i);
  if (kind.is_array())
    return static_cast<double>(h % (kind[1].get<int64_t>() - kind[0].get<int64_t>()) + kind[0].get<int64_t>());
  constexpr double kInf = std::numeric_limits<double>::infinity();
  constexpr double kSpecial[] = {std::numeric_limits<double>::quiet_NaN(), kInf, -kInf, 0.0, -0.0, 1.5, -1.5, 0.25};
  switch (kind.get<std::string>()[0]) {
    case 'n': return static_cast<double>(h % 41 - 20) / 10;
    case 'q': return static_cast<double>(h % 128 - 64) / 32;
    case 'd': return static_cast<double>(h % 8 * 256 + i % 256 - 1024) / 100;
    case 'p': return static_cast<double>(h % 16 + 5) / 10;
    case 'z': return h % 3 == 0 ? 0.0 : static_cast<double>(h % 41 - 20) / 10;
    case 's': return kSpecial[h % 8];
    default: throw std::runtime_error("no inputs of kind " + kind.dump());
  }
}

Shape shape_from(const Json& extents) {
  Shape s;
  for (const int64_t n : extents) s.push_back(n);
  return s;
}
Tensor input(const std::string& dtype, const Json& extents, uint32_t seed, const Json& kind, Device& device) {
  int64_t n = 1;
  for (const int64_t e : extents) n *= e;
  const Shape shape = shape_from(extents);
  const auto values = [&]<class T>(T) {
    std::vector<T> v;
    for (int64_t i = 0; i < n; ++i) v.push_back(static_cast<T>(drawn(kind, seed, static_cast<uint32_t>(i))));
    return v;
  };
  if (dtype == "f32") return Tensor::from(values(float{}), shape, device);
  if (dtype != "i64") return Tensor::from(values(int32_t{}), shape, device).cast(*parse_dtype(dtype)).contiguous();
  std::vector<int32_t> words;  // low and high halves
  for (const int64_t v : values(int64_t{}))
    words.insert(words.end(), {static_cast<int32_t>(v), static_cast<int32_t>(v >> 32)});
  auto memory = std::make_shared<Memory>(device, words.size() * 4);
  device.copy_in(memory->data(), words.data(), words.size() * 4);
  return Tensor::wrap(memory, dt::i64, shape);
}

// ---- the operators ---------------------------------------------------------------------------------------------------

std::vector<std::pair<Dim, Dim>> pairs_of(const Json& a) {
  std::vector<std::pair<Dim, Dim>> pairs;
  for (const Json& p : a["pairs"]) pairs.emplace_back(p[0].get<int64_t>(), p[1].get<int64_t>());
  return pairs;
}
Tensor maybe(const Tensors& x, size_t i) { return i < x.size() ? x[i] : Tensor(); }
std::array<int64_t, 4> around(const Json& a) {
  const auto p = a["padding"].is_array() ? a["padding"].get<std::array<int64_t, 2>>()
                                         : std::array<int64_t, 2>{a["padding"], a["padding"]};
  return {p[0], p[0], p[1], p[1]};
}
Conv1d conv1d(const Json& a) {
  return {.stride = a["stride"], .padding = {a["padding"], a["padding"]}, .dilation = a["dilation"], .groups = a["groups"]};
}
Conv2d conv2d(const Json& a) {
  return {.stride = a["stride"], .padding = around(a), .dilation = a["dilation"], .groups = a.value("groups", 1)};
}
ConvTranspose1d conv_transpose1d_of(const Json& a) {
  return {.stride = a["stride"],
          .padding = {a["padding"], a["padding"]},
          .output_padding = a["output_padding"],
          .dilation = a["dilation"],
          .groups = a["groups"]};
}
ConvTranspose2d conv_transpose2d_of(const Json& a) {
  const int64_t more = a["output_padding"];
  return {.stride = a["stride"],
          .padding = around(a),
          .output_padding = {more, more},
          .dilation = a["dilation"],
          .groups = a["groups"]};
}
Pool1d pool1d(const Json& a) {
  return {.window = a["window"],
          .stride = a["stride"],
          .padding = {a["padding"], a["padding"]},
          .dilation = a.value("dilation", 1),
          .ceil = a["ceil"],
          .count_padding = a.value("count_padding", true)};
}
Pool2d pool2d(const Json& a) {
  return {.window = a["window"].get<std::array<int64_t, 2>>(),
          .stride = a["stride"].get<std::array<int64_t, 2>>(),
          .padding = around(a),
          .ceil = a["ceil"],
          .count_padding = a.value("count_padding", true)};
}
std::vector<int64_t> sizes(const Json& a) { return a["sizes"].get<std::vector<int64_t>>(); }
Tensor resized(const Tensors& x, const Json& a) {
  return interpolate(x[0], sizes(a), a["how"] == "linear" ? Resize::Linear : Resize::Nearest, a["corners"]);
}
Tensor attention(const Tensors& x, const Json& a) {
  Tensor mask = maybe(x, 3);
  if (a.contains("eye")) mask = mask | (Tensor::arange(mask.shape()[0]).unsqueeze(-1) == Tensor::arange(mask.shape()[1]));
  return Tensor::attention(x[0], x[1], x[2], mask, a.value("scale", 0.0), a.value("causal", false));
}
template <class F>
Tensor divided(const Tensors& x, const Json& a, const F& f) {
  return f(x[0], a.contains("negate") ? -x[1] : x[1]);
}

const std::map<std::string, Case>& ops() {
  // clang-format off
#define CASE(name, ...) {name, []([[maybe_unused]] const Tensors& x, [[maybe_unused]] const Json& a) { return __VA_ARGS__; }}
#define DIVISION(name) CASE(#name, divided(x, a, [](const Tensor& n, const Tensor& d) { return n.name(d); }))
  static const std::map<std::string, Case> table = {
      DIVISION(floor_divide), DIVISION(remainder), DIVISION(fmod),
      CASE("logical_and", x[0].logical_and(x[1])), CASE("logical_or", x[0].logical_or(x[1])),
      CASE("logical_xor", x[0].logical_xor(x[1])), CASE("lerp", x[0].lerp(x[1], x[2])),
      CASE("isclose", x[0].isclose(x[1], a.value("rtol", 1e-5), a.value("atol", 1e-8))),
      CASE("shift_left", x[0] << x[1]), CASE("shift_right", x[0] >> x[1]),
      CASE("prod", x[0].prod(a["axes"].get<std::vector<int>>(), a.value("keepdim", false))),
      CASE("cumsum", x[0].cumsum(a["axis"])), CASE("cumprod", x[0].cumprod(a["axis"])),
      CASE("gather", x[0].gather(a["axis"].get<int>(), x[1])), CASE("index_select", x[0].index_select(a["axis"], x[1])),
      CASE("scatter", x[0].scatter(a["axis"], x[1], x[2])), CASE("scatter_add", x[0].scatter_add(a["axis"], x[1], x[2])),
      CASE("sort", x[0].sort(a["axis"], a["descending"]).first), CASE("argsort", x[0].argsort(a["axis"], a["descending"])),
      CASE("topk", x[0].topk(a["k"], a["axis"], a["largest"]).first),
      CASE("topk_places", x[0].topk(a["k"], a["axis"], a["largest"]).second),
      CASE("unfold", x[0].unfold(a["axis"], a["size"], a["step"])), CASE("pad_value", x[0].pad(pairs_of(a), a["value"])),
      CASE("pad_circular", x[0].pad_circular(a["axis"], a["before"], a["after"])), CASE("diagonal", x[0].diagonal(a["a"], a["b"])),
      CASE("arange", Tensor::arange(a["first"].get<double>(), a["last"].get<double>(), a["step"].get<double>())),
      CASE("conv1d", x[0].conv1d(x[1], maybe(x, 2), conv1d(a))), CASE("conv2d", x[0].conv2d(x[1], {}, conv2d(a))),
      CASE("conv_transpose1d", conv_transpose1d(x[0], x[1], maybe(x, 2), conv_transpose1d_of(a))),
      CASE("conv_transpose2d", conv_transpose2d(x[0], x[1], {}, conv_transpose2d_of(a))),
      CASE("im2col", im2col(x[0], a["window"].get<std::array<int64_t, 2>>(), conv2d(a))),
      CASE("max_pool1d", max_pool1d(x[0], pool1d(a))), CASE("avg_pool1d", avg_pool1d(x[0], pool1d(a))),
      CASE("max_pool2d", max_pool2d(x[0], pool2d(a))), CASE("avg_pool2d", avg_pool2d(x[0], pool2d(a))),
      CASE("adaptive_avg_pool", adaptive_avg_pool(x[0], sizes(a))), {"interpolate", resized},
      CASE("batch_norm", batch_norm(x[0], x[1], x[2], x[3], x[4], a["eps"])),
      CASE("batch_norm_training", batch_norm_training(x[0], x[1], x[2], a["eps"]).y),
      CASE("einsum", einsum(a["equation"].get<std::string>(), x)), {"attention", attention},
  };
#undef CASE
#undef DIVISION
  // clang-format on
  return table;
}

// ---- comparison ------------------------------------------------------------------------------------------------------

double number(const Json& j) { return j.is_string() ? std::stod(j.get<std::string>()) : j.get<double>(); }

/// Relative to the larger of the value, the tensor's typical size and a tenth, as the inputs are of size 1: sums of terms
/// that cancel keep the terms' error.
void check_equal(const Tensor& actual, const Json& expected) {
  std::vector<double> got, want;
  if (actual.dtype().is_float())
    for (const float v : actual.to_floats()) got.push_back(v);
  else
    for (const int64_t v : actual.to_ints()) got.push_back(static_cast<double>(v));
  double size = 0, finite = 0;
  for (const Json& j : expected) {
    const double w = number(j);
    want.push_back(w);
    if (std::isfinite(w)) size += w * w, finite += 1;
  }
  REQUIRE(got.size() == want.size());
  const double typical = finite > 0 ? std::sqrt(size / finite) : 0, tolerance = actual.dtype().is_float() ? 1e-5 : 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const bool close = std::isnan(want[i])   ? std::isnan(got[i])
                       : std::isinf(want[i]) ? got[i] == want[i]
                                             : std::abs(got[i] - want[i]) <=
                                                   tolerance * std::max({std::abs(want[i]), std::min(typical, 1.0), 0.1});
    CHECK_MESSAGE(close, "element " << i << ": " << got[i] << ", not " << want[i]);
  }
}

/// A case's value and its gradients, not yet computed.
struct Results {
  const Json* c;
  Tensors tensors;
};
Results results(const Json& c, Device& device) {
  Tensors x, smooth;
  for (const Json& j : c[1]) {
    x.push_back(input(j[0], j[1], j[2], j[3], device));
    if (j[0] == "f32" && j[3] != "s") smooth.push_back(x.back());
  }
  const Tensor y = ops().at(c[0])(x, c[2]);
  REQUIRE(text(y.shape()) == text(shape_from(c[3][1])));
  REQUIRE(text(y.dtype()) == c[3][0].get<std::string>());
  Results r{&c, {y}};
  if (c.size() == 4) return r;
  const Tensor cotangent = input("f32", c[3][1], c[4], "n", device);
  for (const Tensor& g : gradients((y * cotangent).sum(), smooth)) r.tensors.push_back(g);
  return r;
}
void check(const Results& r) {
  const Json& c = *r.c;
  check_equal(r.tensors[0], c[3][2]);
  for (size_t i = 1; i < r.tensors.size(); ++i) {
    CAPTURE(i);
    check_equal(r.tensors[i], c[5][i - 1]);
  }
}

/// Every `stride`-th case on a device, so many to one realize().
void check_cases(const char* device_name, size_t stride, size_t together) {
  std::ifstream file(std::string(PICOGRAD_SOURCE_DIR) + "/tests/tensor/goldens/operators.json");
  REQUIRE(file.good());
  const Json cases = Json::parse(file);
  std::vector<Results> waiting;
  const auto finish = [&] {
    std::vector<Tensor*> all;
    for (Results& r : waiting)
      for (Tensor& t : r.tensors) all.push_back(&t);
    if (!all.empty()) realize(all);
    for (const Results& r : waiting) {
      const std::string shown = r.c->dump().substr(0, 160);
      CAPTURE(shown);
      check(r);
    }
    waiting.clear();
  };
  for (size_t i = 0; i < cases.size(); i += stride) {
    const std::string shown = cases[i].dump().substr(0, 160);
    CAPTURE(shown);
    try {
      waiting.push_back(results(cases[i], device(device_name)));
      if (waiting.size() == together) finish();
    } catch (const std::exception& e) {
      FAIL_CHECK(shown << ": " << std::string(e.what()));
      waiting.clear();
    }
  }
  finish();
}

}  // namespace

TEST_CASE("operators: values and gradients equal PyTorch's on the interpreter") { check_cases("REF", 1, 1); }

TEST_CASE("operators: values and gradients equal PyTorch's on the CPU: a sample") { check_cases("CPU", 11, 90); }
