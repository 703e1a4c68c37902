#include "uops/transcendental.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "uops/interpret.h"
#include "uops/linear.h"

using namespace pg;

namespace {
struct Function {
  const char* name;
  UOp (*build)(const UOp&);
  double (*reference)(double);
};
const Function kFunctions[] = {
    {"exp", exp_f32, std::exp}, {"log", log_f32, std::log},    {"sin", sin_f32, std::sin},
    {"cos", cos_f32, std::cos}, {"tanh", tanh_f32, std::tanh}, {"erf", erf_f32, std::erf},
};

/// What a C compiler may make of it: every product that is added becomes one Fma.
UOp contracted(const UOp& u) {
  const auto f32_product = [](const UOp& v) { return v.is(Op::Mul) && v.dtype().is_float(); };
  const auto minus = [](const UOp& v) { return alu(Op::Neg, v); };
  return transform(u, [&](const UOp& v) -> UOp {
    if (v.is(Op::Add) && f32_product(v.src(0))) return alu(Op::Fma, v.src(0).src(0), v.src(0).src(1), v.src(1));
    if (v.is(Op::Add) && f32_product(v.src(1))) return alu(Op::Fma, v.src(1).src(0), v.src(1).src(1), v.src(0));
    if (v.is(Op::Sub) && f32_product(v.src(0))) return alu(Op::Fma, v.src(0).src(0), v.src(0).src(1), minus(v.src(1)));
    if (v.is(Op::Sub) && f32_product(v.src(1))) return alu(Op::Fma, minus(v.src(1).src(0)), v.src(1).src(1), v.src(0));
    return {};
  });
}

/// f of every x, sixteen at a time.
std::vector<float> results(const Function& f, std::vector<float> x, bool contract, bool exact = false) {
  constexpr int kLanes = 16;
  const size_t n = x.size();
  x.resize((n + kLanes - 1) / kLanes * kLanes);
  std::vector<float> y(x.size());
  const auto param = [&](int64_t slot, const char* name) {
    return UOp(Op::Param, dt::f32, ParamArg{slot, name}, {iconst(static_cast<int64_t>(x.size()))});
  };
  const UOp r = range("i", iconst(static_cast<int64_t>(x.size()) / kLanes)), start = r * iconst(kLanes);
  const auto at = [&](const UOp& p) { return UOp(Op::Index, dt::f32.vec(kLanes), {}, {p, start}); };
  UOp value = f.build(load(at(param(1, "x"))));
  if (contract) value = contracted(value);
  const UOp loop(Op::For, dt::kVoid, {}, {r});
  UOps entries{loop};
  for (const UOp& u : toposort(value))
    if (is_linear_value(u)) entries.push_back(u);
  entries.push_back(store(at(param(0, "y")), value));
  entries.push_back(UOp(Op::End, dt::kVoid, {}, {loop}));
  const std::vector<HostBuffer> buffers{{y.data(), static_cast<int64_t>(y.size())},
                                        {x.data(), static_cast<int64_t>(x.size())}};
  interpret(UOp(Op::Linear, dt::kVoid, std::string("f"), entries), buffers, {}, {.exact = exact});
  y.resize(n);
  return y;
}

/// In units of the last place that f32 has at the true value.
double ulps(float got, double want) {
  constexpr double kWrong = 1e30;
  if (std::isnan(want) || std::isnan(got)) return std::isnan(want) && std::isnan(got) ? 0 : kWrong;
  if (std::isinf(got)) return got == static_cast<float>(want) ? 0 : kWrong;
  if (std::isinf(want)) return kWrong;
  const int exponent = want == 0 ? -126 : std::clamp(std::ilogb(want), -126, 127);
  return std::fabs(got - want) / std::ldexp(1.0, exponent - 23);
}

void check(const Function& f, const std::vector<float>& x, double limit) {
  for (const bool contract : {false, true}) {
    const std::vector<float> y = results(f, x, contract);
    double worst = 0;
    size_t at = 0;
    for (size_t i = 0; i < x.size(); ++i)
      if (const double e = ulps(y[i], f.reference(x[i])); e > worst) worst = e, at = i;
    const std::string name = f.name;
    CAPTURE(name);
    CAPTURE(contract);
    CAPTURE(x[at]);
    CAPTURE(y[at]);
    CAPTURE(f.reference(x[at]));
    CHECK(worst <= limit);
  }
}
}  // namespace

TEST_CASE("transcendental: at most 2 ulp from end to end of f32") {
  // An odd stride meets every pattern of low bits. The signs are taken in turns.
  std::vector<float> x;
  for (uint64_t bits = 0; bits <= 0xffffffff; bits += 4093) x.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  for (const Function& f : kFunctions) check(f, x, 2.0);
}

TEST_CASE("transcendental: at most 2 ulp where the results are not trivial") {
  const auto between = [](float lo, float hi) {
    std::vector<float> x;
    const int n = 1 << 18;
    for (int i = 0; i <= n; ++i) x.push_back(lo + (hi - lo) * (static_cast<float>(i) / n));
    return x;
  };
  check(kFunctions[0], between(-104.5f, 89), 2.0);
  check(kFunctions[0], between(-1, 1), 2.0);
  check(kFunctions[1], between(0.25f, 4), 2.0);
  for (int i : {2, 3}) {
    check(kFunctions[i], between(-10, 10), 2.0);
    check(kFunctions[i], between(-140000, 140000), 2.0);
  }
  for (int i : {4, 5}) check(kFunctions[i], between(-10, 10), 2.0);
}

TEST_CASE("transcendental: sin and cos next to the multiples of π/2") {
  std::vector<float> x;
  for (int exponent = 0; exponent < 127; ++exponent)
    for (int j = 0; j < 300; ++j) {
      const double near = std::round(std::ldexp(1 + j / 300.0, exponent) / M_PI_2) * M_PI_2;
      const float f = static_cast<float>(near);
      x.insert(x.end(), {f, std::nextafter(f, 0.0f), -std::nextafter(f, 2 * f)});
    }
  // the f32s that come nearest to a multiple of π/2, small, middle and huge (Muller et al., Handbook, chapter 11)
  for (float f : {0x1.6480c4p+29f, 0x1.6ac5b2p+32f, 0x1.f22fb4p+23f, 0x1.921fb6p+0f, 131072.0f, 131071.99f, 65536.0f})
    x.push_back(f);
  for (int i : {2, 3}) check(kFunctions[i], x, 2.0);
}

TEST_CASE("transcendental: special values, with their signs") {
  constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
  const float kMax = std::numeric_limits<float>::max(), kTiny = std::numeric_limits<float>::denorm_min();
  const std::vector<float> x{0.0f,  -0.0f, kInf,   -kInf,     kNan,       -kNan, kMax,
                             -kMax, kTiny, -kTiny, 0x1p-126f, -0x1p-126f, 1,     -1};
  for (const Function& f : kFunctions) {
    const std::vector<float> y = results(f, x, false);
    for (size_t i = 0; i < x.size(); ++i) {
      const std::string name = f.name;
      CAPTURE(name);
      CAPTURE(x[i]);
      const float want = static_cast<float>(f.reference(x[i]));
      CHECK(ulps(y[i], f.reference(x[i])) <= 2.0);
      if (std::isnan(want)) continue;
      CHECK(std::signbit(y[i]) == std::signbit(want));
      if (want == 0 || std::isinf(want) || std::fabs(want) == 1) CHECK(y[i] == want);
    }
  }
}

TEST_CASE("transcendental: subnormal results of exp are rounded once") {
  std::vector<float> x;
  for (float v = -104.0f; v < -87.0f; v += 0x1p-12f) x.push_back(v);
  check(kFunctions[0], x, 1.0);
}

TEST_CASE("transcendental: scalar and vector programs agree, and evaluation in double stays close") {
  const UOp x = constant(dt::f32, 0.7);
  for (const Function& f : kFunctions) {
    const UOp v = f.build(x);
    CHECK(v.dtype() == dt::f32);
    const std::vector<float> y = results(f, {0.7f}, false), exact = results(f, {0.7f}, false, true);
    CHECK(std::fabs(exact[0] - y[0]) <= 2e-7f);
    CHECK(ulps(exact[0], f.reference(0.7f)) <= 1.0);
    for (const UOp& u : toposort(v))
      CHECK_FALSE(((u.op() >= Op::Exp && u.op() <= Op::Erf) || u.is(Op::IDiv) || u.is(Op::Mod)));
  }
}
