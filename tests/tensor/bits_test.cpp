// Bitcasts and shifts, on the interpreter and through the compiler.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>

#include "src/tensor/tensor.h"

using namespace pg;

namespace {
using Numbers = std::vector<int64_t>;
constexpr const char* kDevices[] = {"REF", "CPU"};
}  // namespace

TEST_CASE("a bitcast keeps the bits") {
  for (const char* name : kDevices) {
    CAPTURE(name);
    const std::vector<float> v{1.0F, -0.0F, 0.1F, -3.5e-20F, INFINITY};
    const Tensor x = Tensor::from(std::span(v), {5}, device(name)), bits = x.bitcast(dt::u32);
    CHECK(bits.dtype() == dt::u32);
    Numbers expected;
    for (const float f : v) expected.push_back(std::bit_cast<uint32_t>(f));
    CHECK(bits.to_ints() == expected);
    CHECK((bits ^ Tensor::full({}, 0x80000000, dt::u32)).bitcast(dt::f32).to_floats()[2] == -0.1F);
    CHECK(x.cast(dt::f16).bitcast(dt::i16).to_ints() == Numbers{0x3c00, -0x8000, 0x2e66, -0x8000, 0x7c00});
    CHECK(x.cast(dt::bf16).bitcast(dt::u16).to_ints()[0] == 0x3f80);
    CHECK((x < 0).bitcast(dt::u8).to_ints() == Numbers{0, 0, 0, 1, 0});
  }
}

TEST_CASE("a bitcast to the same type is the tensor, and no gradient flows through another") {
  const Tensor x = Tensor::empty({3});
  CHECK(x.bitcast(dt::f32).uop() == x.uop());
  CHECK(gradients((x * x.bitcast(dt::i32).bitcast(dt::f32)).sum(), {x})[0].uop() != x.uop());
  const Tensor two = Tensor::from(std::vector<float>{2, 5}, {2}, device("REF"));
  CHECK(gradients((two * two.bitcast(dt::i32).bitcast(dt::f32)).sum(), {two})[0].to_floats() == std::vector<float>{2, 5});
}

TEST_CASE("shifts by a number and by a tensor") {
  for (const char* name : kDevices) {
    CAPTURE(name);
    const Tensor x = Tensor::from(std::vector<int32_t>{5, -7, 1 << 30, -2147483647 - 1}, {4}, device(name));
    CHECK((x << 1).to_ints() == Numbers{10, -14, -2147483648, 0});
    CHECK((x >> 1).to_ints() == Numbers{2, -4, 1 << 29, -(1 << 30)});
    CHECK((x.bitcast(dt::u32) >> 28).to_ints() == Numbers{0, 15, 4, 8});
    CHECK((x.bitcast(dt::u32) << 31).to_ints() == Numbers{2147483648, 2147483648, 0, 0});
    const Tensor by = Tensor::from(std::vector<int32_t>{2, 31, 32, -1}, {4}, device(name));
    CHECK((x << by).to_ints() == Numbers{20, -2147483648, 0, 0});
    CHECK((x >> by).to_ints() == Numbers{1, -1, 0, -1});
    CHECK((x.bitcast(dt::u32) >> by.bitcast(dt::u32)).to_ints() == Numbers{1, 1, 0, 0});
    CHECK((x.cast(dt::i64) << 33).to_ints() == Numbers{5LL << 33, -7LL * (1LL << 33), INT64_MIN, 0});
    CHECK((x.cast(dt::i8) << by.cast(dt::i16)).dtype() == dt::i16);
    CHECK((x.unsqueeze(1) >> by).shape().size() == 2);
  }
}

TEST_CASE("a rotation of u32 is two shifts") {
  const Tensor x = Tensor::from(std::vector<int32_t>{1, -2147483647, 0x12345678}, {3}, device("CPU")).bitcast(dt::u32);
  CHECK(((x << 13) | (x >> 19)).to_ints() == Numbers{1 << 13, 0x3000, 0x8acf0246});
}
