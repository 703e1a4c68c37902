// Values and gradients of the tensor ops against PyTorch (goldens/make_goldens.py, make_functions.py).
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "src/tensor/tensor.h"

using namespace pg;
using Json = nlohmann::json;

namespace {

using Tensors = std::vector<Tensor>;
using Case = std::function<Tensor(const Tensors& x, const Json& attrs)>;

std::vector<int> axes_of(const Json& a) { return a.value("axes", std::vector<int>{}); }
std::optional<int64_t> maybe(const Json& j) { return j.is_null() ? std::nullopt : std::optional(j.get<int64_t>()); }
Shape shape_from(const Json& extents) {
  Shape s;
  for (const int64_t n : extents) s.push_back(n);
  return s;
}
std::vector<std::pair<Dim, Dim>> pairs_of(const Json& a) {
  std::vector<std::pair<Dim, Dim>> pairs;
  for (const Json& p : a["pairs"]) pairs.emplace_back(p[0].get<int64_t>(), p[1].get<int64_t>());
  return pairs;
}
/// 0 on and below the diagonal, −∞ above.
Tensor causal_mask(int64_t n) {
  const Tensor row = Tensor::arange(n).unsqueeze(-1), column = Tensor::arange(n);
  return Tensor::where(row < column, Tensor::full({}, -std::numeric_limits<double>::infinity()), Tensor::full({}, 0));
}

Tensor cross_entropy(const Tensor& logits, const Tensor& labels) {
  const Tensor shifted = logits - logits.max({-1}, true).detach();
  const Tensor log_sum = shifted.exp().sum({-1}, true).log();
  const Tensor is_label = labels.unsqueeze(-1) == Tensor::arange(logits.shape().back());
  return -Tensor::where(is_label, shifted - log_sum, Tensor::full({}, 0)).sum({-1}).mean();
}
Tensor mlp_loss(const Tensors& x, const Json&) {
  return cross_entropy((x[0].matmul(x[1]) + x[2]).gelu().matmul(x[3]) + x[4], x[5]);
}
Tensor llama_block(const Tensors& x, const Json&) {
  const Tensor h = x[0].rmsnorm(x[1], 1e-5);
  const Tensor y = x[0] + Tensor::attention(h.matmul(x[2]), h.matmul(x[3]), h.matmul(x[4]), causal_mask(4)).matmul(x[5]);
  const Tensor f = y.rmsnorm(x[6], 1e-5);
  return y + (f.matmul(x[7]).silu() * f.matmul(x[9])).matmul(x[8]);
}
Tensor attention(const Tensors& x, const Json& a) {
  const Tensor mask = a.contains("causal") ? causal_mask(*x[0].shape()[2].number()) : x.size() > 3 ? x[3] : Tensor();
  return Tensor::attention(x[0], x[1], x[2], mask, a.value("scale", 0.0));
}

const std::map<std::string, Case>& ops() {
  // clang-format off
#define UNARY(name) {#name, [](const Tensors& x, const Json&) { return x[0].name(); }}
#define CASE(name, ...) {name, []([[maybe_unused]] const Tensors& x, [[maybe_unused]] const Json& a) { return __VA_ARGS__; }}
#define REDUCTION(name) CASE(#name, x[0].name(axes_of(a), a.value("keepdim", false)))
  static const std::map<std::string, Case> table = {
      UNARY(neg), UNARY(exp), UNARY(log), UNARY(sqrt), UNARY(rsqrt), UNARY(reciprocal), UNARY(sin), UNARY(cos), UNARY(tanh),
      UNARY(erf),
      UNARY(floor), UNARY(abs), UNARY(relu), UNARY(sigmoid), UNARY(silu), UNARY(gelu), UNARY(gelu_tanh), UNARY(logical_not),
      UNARY(square), UNARY(exp2), UNARY(expm1), UNARY(log2), UNARY(log10), UNARY(log1p), UNARY(tan), UNARY(asin), UNARY(acos),
      UNARY(atan), UNARY(sinh), UNARY(cosh), UNARY(asinh), UNARY(acosh), UNARY(atanh), UNARY(ceil), UNARY(trunc), UNARY(round),
      UNARY(frac), UNARY(sign), UNARY(leaky_relu), UNARY(elu), UNARY(softplus), UNARY(logsigmoid), UNARY(mish), UNARY(relu6),
      UNARY(hardsigmoid), UNARY(hardswish), UNARY(isnan), UNARY(isinf), UNARY(isfinite),
      CASE("pow", x[0].pow(x[1])), CASE("pow_number", x[0].pow(a["exponent"].get<double>())), CASE("atan2", x[0].atan2(x[1])),
      CASE("clamp", x[0].clamp(a["low"], a["high"])), CASE("masked_fill", x[0].masked_fill(x[1], a["value"])),
      CASE("less_equal", x[0] <= x[1]), CASE("greater", x[0] > x[1]), CASE("greater_equal", x[0] >= x[1]),
      REDUCTION(any), REDUCTION(all), REDUCTION(logsumexp),
      CASE("var", x[0].var(axes_of(a), a.value("keepdim", false), a.value("correction", 1))),
      CASE("std", x[0].std(axes_of(a), a.value("keepdim", false), a.value("correction", 1))),
      CASE("argmin", x[0].argmin(a["axis"], a.value("keepdim", false))), CASE("log_softmax", x[0].log_softmax(a["axis"])),
      CASE("slice_step", x[0].slice_step(a["axis"], maybe(a["begin"]), maybe(a["end"]), a["step"])),
      CASE("repeat", x[0].repeat(a["times"])), CASE("repeat_interleave", x[0].repeat_interleave(a["times"], a["axis"])),
      CASE("roll", x[0].roll(a["by"], a["axis"])), CASE("split", x[0].split(a["size"].get<int64_t>(), a["axis"])[a["part"]]),
      CASE("split_sizes", x[0].split(a["sizes"].get<std::vector<int64_t>>(), a["axis"])[a["part"]]),
      CASE("tril", x[0].tril(a["diagonal"])), CASE("triu", x[0].triu(a["diagonal"])),
      CASE("pad_reflect", x[0].pad_reflect(a["axis"], a["before"], a["after"])),
      CASE("pad_replicate", x[0].pad_replicate(a["axis"], a["before"], a["after"])),
      CASE("linspace", Tensor::linspace(a["first"], a["last"], a["n"])), CASE("eye", Tensor::eye(a["n"].get<int64_t>())),
      CASE("one_hot", x[0].one_hot(a["classes"].get<int64_t>())),
      CASE("add", x[0] + x[1]), CASE("sub", x[0] - x[1]), CASE("mul", x[0] * x[1]), CASE("div", x[0] / x[1]),
      CASE("maximum", x[0].maximum(x[1])), CASE("minimum", x[0].minimum(x[1])),
      CASE("less", x[0] < x[1]), CASE("equal", x[0] == x[1]), CASE("not_equal", x[0] != x[1]),
      CASE("and", x[0] & x[1]), CASE("or", x[0] | x[1]), CASE("xor", x[0] ^ x[1]),
      CASE("where", Tensor::where(x[0], x[1], x[2])), CASE("cube", x[0] * x[0] * x[0] - x[0]),
      CASE("add_scalar", x[0] + 2.5), CASE("rsub_scalar", 1.5 - x[0]), CASE("mul_scalar", x[0] * -3),
      CASE("div_scalar", x[0] / 4), CASE("rdiv_scalar", 2 / x[0]),
      CASE("cast", x[0].cast(*parse_dtype(a["to"].get<std::string>()))),
      REDUCTION(sum), REDUCTION(mean), REDUCTION(max), REDUCTION(min),
      CASE("argmax", x[0].argmax(a["axis"], a.value("keepdim", false))), CASE("softmax", x[0].softmax(a["axis"])),
      CASE("rmsnorm", x[0].rmsnorm(x[1], a["eps"])),
      CASE("reshape", x[0].reshape(shape_from(a["shape"]))), CASE("permute_reshape", x[0].transpose().reshape({-1})),
      CASE("expand", x[0].expand(shape_from(a["shape"]))), CASE("permute", x[0].permute(axes_of(a))),
      CASE("transpose", x[0].transpose(a["a"], a["b"])), CASE("pad", x[0].pad(pairs_of(a))),
      CASE("shrink", x[0].shrink(pairs_of(a))),
      CASE("slice", x[0].slice(a["axis"], a["begin"].get<int>(), a["end"].get<int>())), CASE("flip", x[0].flip(axes_of(a))),
      CASE("unsqueeze", x[0].unsqueeze(a["axis"])), CASE("squeeze", x[0].squeeze(a["axis"])),
      CASE("stack", Tensor::stack(x, a["axis"])), CASE("cat", Tensor::cat(x, a["axis"])),
      CASE("flip_pad", x[0].shrink({{1, 3}, {0, 2}}).flip({1}).pad({{0, 2}, {1, 0}})), CASE("gather", x[0].gather(x[1])),
      CASE("matmul", x[0].matmul(x[1])), CASE("matmul_nt", x[0].matmul(x[1].transpose())), {"attention", attention},
      {"mlp_loss", mlp_loss}, {"llama_block", llama_block},
  };
  // clang-format on
  return table;
}

double number(const Json& j) { return j.is_string() ? std::stod(j.get<std::string>()) : j.get<double>(); }
std::vector<double> numbers(const Json& data) {
  std::vector<double> v;
  for (const Json& j : data) v.push_back(number(j));
  return v;
}

Tensor input(const Json& j, Device& device) {
  const DType dtype = *parse_dtype(j["dtype"].get<std::string>());
  const std::vector<double> data = numbers(j["data"]);
  if (dtype.is_float())
    return Tensor::from(std::vector<float>(data.begin(), data.end()), shape_from(j["shape"]), device).cast(dtype);
  return Tensor::from(std::vector<int32_t>(data.begin(), data.end()), shape_from(j["shape"]), device).cast(dtype);
}

double tolerance(DType t) { return t == dt::bf16 ? 1e-2 : t == dt::f16 ? 1e-3 : t.is_float() ? 1e-5 : 0; }

/// Relative to the larger of the value and the tensor's typical size: sums of terms that cancel keep the terms' error.
void check_equal(const Tensor& actual, const Json& expected) {
  REQUIRE(text(actual.shape()) == text(shape_from(expected["shape"])));
  REQUIRE(text(actual.dtype()) == expected["dtype"].get<std::string>());
  std::vector<double> got;
  if (actual.dtype().is_float())
    for (const float v : actual.to_floats()) got.push_back(v);
  else
    for (const int64_t v : actual.to_ints()) got.push_back(static_cast<double>(v));
  const std::vector<double> want = numbers(expected["data"]);
  REQUIRE(got.size() == want.size());
  double size = 0, finite = 0;
  for (const double w : want)
    if (std::isfinite(w)) size += w * w, finite += 1;
  const double typical = finite > 0 ? std::sqrt(size / finite) : 0;
  for (size_t i = 0; i < want.size(); ++i) {
    CAPTURE(i);
    CAPTURE(got[i]);
    CAPTURE(want[i]);
    if (std::isfinite(want[i]))
      CHECK(std::abs(got[i] - want[i]) <= tolerance(actual.dtype()) * std::max(std::abs(want[i]), std::min(typical, 1.0)));
    else
      CHECK((std::isnan(want[i]) ? std::isnan(got[i]) : got[i] == want[i]));
  }
}

void check_case(const Json& c, Device& device) {
  const std::string op = c["op"];
  REQUIRE_MESSAGE(ops().contains(op), op);
  Tensors x, floats;
  for (const Json& j : c["inputs"]) {
    x.push_back(input(j, device));
    if (x.back().dtype() == dt::f32) floats.push_back(x.back());
  }
  const Tensor y = ops().at(op)(x, c["attrs"]);
  check_equal(y, c["expected"][0]);
  if (!c.contains("gradients")) return;
  const Tensors g = gradients((y * input(c["cotangent"], device)).sum(), floats);
  REQUIRE(g.size() == c["gradients"].size());
  for (size_t i = 0; i < g.size(); ++i) {
    CAPTURE(i);
    check_equal(g[i], c["gradients"][i]);
  }
}

/// Every `stride`-th case of a group on a device.
void check_group(const std::string& group, const char* device_name, size_t stride) {
  const std::string path = std::string(PICOGRAD_SOURCE_DIR) + "/tests/tensor/goldens/" + group + ".json";
  std::ifstream file(path);
  REQUIRE_MESSAGE(file.good(), path);
  const Json cases = Json::parse(file);
  for (size_t i = 0; i < cases.size(); i += stride) {
    const std::string name = cases[i]["name"];
    CAPTURE(name);
    try {
      check_case(cases[i], device(device_name));
    } catch (const std::exception& e) {
      FAIL_CHECK(group << ": " << name << ": " << std::string(e.what()));
    }
  }
}

constexpr const char* kGroups[] = {"elementwise", "dtypes", "reductions", "movement", "products", "functions"};

}  // namespace

TEST_CASE("values and gradients equal PyTorch's on the interpreter") {
  for (const char* group : kGroups) {
    CAPTURE(group);
    check_group(group, "REF", 1);
  }
}

TEST_CASE("values and gradients equal PyTorch's on the CPU: a sample") {
  for (const char* group : kGroups) {
    CAPTURE(group);
    check_group(group, "CPU", 9);
  }
}
