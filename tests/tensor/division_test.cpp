// Whole quotients and remainders where C leaves them undefined or rounding interferes (the rest: operators_test.cpp).
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>

#include "src/graph/realize.h"
#include "src/tensor/tensor.h"

using namespace pg;

namespace {
using Numbers = std::vector<int64_t>;
constexpr const char* kDevices[] = {"REF", "CPU"};
}  // namespace

TEST_CASE("a divisor of 0 gives 0 and leaves all; the least number by -1 wraps") {
  for (const char* name : kDevices) {
    CAPTURE(name);
    const Tensor a = Tensor::from(std::vector<int32_t>{7, -7, 0, INT32_MIN, INT32_MIN}, {5}, device(name));
    const Tensor b = Tensor::from(std::vector<int32_t>{0, 0, 0, -1, 3}, {5}, device(name));
    Tensor q = a.floor_divide(b), r = a.remainder(b), c = a.fmod(b), wide = a.cast(dt::i64).floor_divide(b),
           u = a.bitcast(dt::u32).floor_divide(b.bitcast(dt::u32));
    realize({&q, &r, &c, &wide, &u});
    CHECK(q.to_ints() == Numbers{0, 0, 0, INT32_MIN, -715827883});
    CHECK(r.to_ints() == Numbers{7, -7, 0, 0, 1});
    CHECK(c.to_ints() == Numbers{7, -7, 0, 0, -2});
    CHECK(wide.to_ints() == Numbers{0, 0, 0, int64_t{1} << 31, -715827883});
    CHECK(u.to_ints() == Numbers{0, 0, 0, 0, 715827882});
  }
}

TEST_CASE("remainders of floats are exact where the quotient is rounded up") {
  std::vector<float> a, b;
  uint32_t state = 1;
  for (int i = 0; i < 2000; ++i) {
    state = state * 1664525 + 1013904223;
    b.push_back(static_cast<float>(static_cast<double>(state >> 8) / 8388608 - 1));
    state = state * 1664525 + 1013904223;
    a.push_back(b.back() * static_cast<float>(state >> 16));  // near a multiple
  }
  for (const char* name : kDevices) {
    CAPTURE(name);
    const Tensor x = Tensor::from(a, {2000}, device(name)), y = Tensor::from(b, {2000}, device(name));
    Tensor c = x.fmod(y), r = x.remainder(y), q = x.floor_divide(y);
    realize({&c, &r, &q});
    const std::vector<float> of_c = c.to_floats(), of_r = r.to_floats(), of_q = q.to_floats();
    for (size_t i = 0; i < a.size(); ++i) {
      const float exact = std::fmod(a[i], b[i]);
      CHECK(of_c[i] == exact);
      CHECK(of_r[i] == (exact != 0 && (exact < 0) != (b[i] < 0) ? exact + b[i] : exact));
      CHECK(of_q[i] == std::floor(static_cast<double>(a[i]) / b[i]));
    }
  }
}

TEST_CASE("bool counts as 0 and 1, and unsigned numbers have no sign") {
  const Tensor a = Tensor::from(std::vector<int32_t>{5, 6, 255}, {3}, device("REF"));
  CHECK((0 < a.cast(dt::f32)).remainder(0 < a.cast(dt::f32)).dtype() == dt::i64);
  CHECK(a.cast(dt::u8).fmod(a.cast(dt::u8) - 1).to_ints() == Numbers{1, 1, 1});
  CHECK(a.cast(dt::u8).remainder(a.cast(dt::i8)).dtype() == dt::i16);
  CHECK(a.cast(dt::u8).remainder(a.cast(dt::i8)).to_ints() == Numbers{0, 0, 0});
}
