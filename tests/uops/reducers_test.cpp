#include "uops/reducers.h"

#include <doctest/doctest.h>

#include <cmath>

#include "random_expressions.h"

using namespace pg;
using namespace pg::test;

namespace {
using State = std::vector<double>;

std::vector<DType> types_of(const Reducer& r) {
  if (std::string_view(r.name) == "argmax") return {dt::f32, dt::i64};
  return std::vector<DType>(static_cast<size_t>(r.states), dt::f32);
}
UOps constants(const State& s, const std::vector<DType>& types) {
  UOps u;
  for (size_t i = 0; i < s.size(); ++i) u.push_back(types[i].is_float() ? constant(types[i], s[i]) : constant(types[i], static_cast<int64_t>(s[i])));
  return u;
}
State values(const UOps& u) {
  State s;
  for (const UOp& x : u) {  // in double: a reference, so that reassociation shows its meaning and not its rounding
    const Number n = evaluate_number(x, [](const UOp&) { return std::nullopt; }, true);
    s.push_back(std::holds_alternative<double>(n) ? std::get<double>(n) : static_cast<double>(std::get<int64_t>(n)));
  }
  return s;
}
bool close(const State& a, const State& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) != std::isnan(b[i])) return false;
    if (std::isnan(a[i]) || a[i] == b[i]) continue;
    if (!(std::fabs(a[i] - b[i]) <= 1e-5 * (1 + std::fabs(a[i]) + std::fabs(b[i])))) return false;
  }
  return true;
}
/// A state that some elements reduce to.
State random_state(const Reducer& r, Random& random) {
  const auto real = [&] { return static_cast<double>(random(-64, 64)) / 8; };
  const std::string_view name = r.name;
  if (name == "argmax") return {static_cast<double>(random(-3, 3)), static_cast<double>(random(0, 9))};
  if (name == "welford") return {static_cast<double>(random(1, 6)), real(), std::fabs(real())};
  if (name == "online_softmax") return {real(), 1 + std::fabs(real()), real()};
  return {real()};
}
}  // namespace

TEST_CASE("combine is associative and the identity is neutral") {
  const uint64_t seed = 11;
  INFO("seed " << seed);
  Random random(seed);
  for (const Reducer& r : reducers()) {
    CAPTURE(r.name);
    const auto types = types_of(r);
    const UOps neutral = r.identity(types);
    REQUIRE(neutral.size() == static_cast<size_t>(r.states));
    for (int k = 0; k < 300; ++k) {
      const UOps a = constants(random_state(r, random), types), b = constants(random_state(r, random), types),
                 c = constants(random_state(r, random), types);
      CHECK(close(values(r.combine(r.combine(a, b), c)), values(r.combine(a, r.combine(b, c)))));
      CHECK(close(values(r.combine(a, neutral)), values(a)));
      CHECK(close(values(r.combine(neutral, a)), values(a)));
    }
    CHECK(close(values(r.combine(neutral, neutral)), values(neutral)));
  }
}

TEST_CASE("identities of integers are their types' limits") {
  const std::vector<DType> i8{dt::i8}, u8{dt::u8}, i64{dt::i64}, flag{dt::kBool};
  CHECK(const_int(reducer("max").identity(i8)[0]) == -128);
  CHECK(const_int(reducer("min").identity(i8)[0]) == 127);
  CHECK(const_int(reducer("max").identity(u8)[0]) == 0);
  CHECK(const_int(reducer("min").identity(u8)[0]) == 255);
  CHECK(const_int(reducer("max").identity(i64)[0]) == std::numeric_limits<int64_t>::min());
  CHECK(const_int(reducer("min").identity(flag)[0]) == 1);
  CHECK_THROWS_WITH_AS(reducer("median"), "no reducer is named median", InternalError);
}

TEST_CASE("argmax: the first of equal ones; a NaN wins") {
  const auto types = types_of(reducer("argmax"));
  auto combined = [&](State a, State b) { return values(reducer("argmax").combine(constants(a, types), constants(b, types))); };
  CHECK(combined({2, 5}, {2, 3}) == State{2, 3});
  CHECK(combined({2, 3}, {2, 5}) == State{2, 3});
  CHECK(combined({1, 0}, {2, 5}) == State{2, 5});
  CHECK(combined({NAN, 7}, {2, 5})[1] == 7);
  CHECK(combined({2, 5}, {NAN, 7})[1] == 7);
  CHECK(combined({NAN, 7}, {NAN, 4})[1] == 4);
}

TEST_CASE("welford and online_softmax give what two passes give") {
  const State x{1.5, -2, 0.25, 8, 3};
  double mean = 0, m2 = 0, top = 8, sum = 0;
  for (double v : x) mean += v / 5;
  for (double v : x) m2 += (v - mean) * (v - mean), sum += std::exp(v - top);
  auto folded = [&](const char* name, auto lift) {
    const auto types = types_of(reducer(name));
    UOps state = reducer(name).identity(types);
    for (double v : x) state = reducer(name).combine(state, constants(lift(v), types));
    return values(state);
  };
  CHECK(close(folded("welford", [](double v) { return State{1, v, 0}; }), {5, mean, m2}));
  CHECK(close(folded("online_softmax", [](double v) { return State{v, 1, 2}; }), {top, sum, 2 * sum}));
}
