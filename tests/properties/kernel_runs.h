#pragma once
// Runs of a lowered kernel on random buffers, and how two results compare.
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "tests/properties/random_values.h"
#include "uops/evaluate.h"
#include "uops/half.h"
#include "uops/interpret.h"
#include "uops/kernel.h"
#include "uops/lower.h"

namespace pg::test {

using Bytes = std::vector<unsigned char>;

/// One per Param, by slot: floats and signed integers in [-3, 3], unsigned ones in [0, 3], ids in [0, 5); the output holds
/// noise that no result looks like.
inline std::vector<Bytes> random_buffers(const UOp& kernel, const Bindings64& bindings, uint64_t seed) {
  RandomSource random(seed);
  const Values values = values_of(kernel, bindings);
  std::vector<Bytes> all;
  for (const UOp& p : params_of(kernel)) {
    const DType t = p.dtype();
    int64_t n = 1;
    for (const UOp& e : p.src()) n *= evaluate(e, values);
    Bytes& bytes = all.emplace_back(static_cast<size_t>(n * t.element_bytes()));
    const bool ids = p.arg_as<ParamArg>().name.starts_with("ids");
    for (int64_t i = 0; i < n; ++i) {
      const int64_t x = t.is_bool()       ? random.below(2)
                        : ids             ? random.below(5)
                        : t.is_unsigned() ? random.below(4)
                                          : random.between(-3, 3);
      unsigned char* at = bytes.data() + i * t.element_bytes();
      const auto put = [&](auto v) { std::memcpy(at, &v, sizeof v); };
      if (t == dt::f32)
        put(static_cast<float>(x));
      else if (t == dt::f16)
        put(to_f16(static_cast<float>(x)));
      else if (t == dt::bf16)
        put(to_bf16(static_cast<float>(x)));
      else
        std::memcpy(at, &x, static_cast<size_t>(t.element_bytes()));  // little-endian
    }
  }
  return all;
}

inline void run(const UOp& linear, const Bindings64& bindings, std::vector<Bytes>& buffers,
                const InterpretOptions& options = {}) {
  const LaunchInfo launch = launch_info(linear);
  std::vector<HostBuffer> host;
  for (const UOp& p : launch.params) {
    Bytes& b = buffers[static_cast<size_t>(p.arg_as<ParamArg>().slot)];
    host.push_back({b.data(), static_cast<int64_t>(b.size()) / p.dtype().element_bytes()});
  }
  std::vector<int64_t> variables;
  for (const auto& [v, value] : values_of(linear, bindings)) variables.push_back(value);
  interpret(linear, host, variables, options);
}

inline double element(const Bytes& bytes, size_t i, DType t) {
  const unsigned char* at = bytes.data() + i * static_cast<size_t>(t.element_bytes());
  const auto as = [&]<class T>(T v) {
    std::memcpy(&v, at, sizeof v);
    return v;
  };
  if (t == dt::f32) return as(float());
  if (t == dt::f16) return from_f16(as(uint16_t()));
  if (t == dt::bf16) return from_bf16(as(uint16_t()));
  if (t == dt::i32) return as(int32_t());
  if (t == dt::i16) return as(int16_t());
  if (t == dt::i8) return as(int8_t());
  if (t == dt::i64) return static_cast<double>(as(int64_t()));
  uint64_t bits = 0;
  std::memcpy(&bits, at, static_cast<size_t>(t.element_bytes()));
  return static_cast<double>(bits);
}

/// "element 3 is 1, not 2"; "" when both agree: integers in every bit, floats up to `relative` (NaNs are all alike).
inline std::string difference(DType t, const Bytes& got, const Bytes& want, double relative) {
  const size_t size = static_cast<size_t>(t.element_bytes());
  for (size_t i = 0; i * size < want.size(); ++i) {
    if (std::memcmp(got.data() + i * size, want.data() + i * size, size) == 0) continue;
    const double x = element(got, i, t), y = element(want, i, t);
    if (t.is_float()) {
      if (x == y || (std::isnan(x) && std::isnan(y))) continue;
      if (std::abs(x - y) <= relative * std::max(1.0, std::abs(y))) continue;
    }
    return "element " + std::to_string(i) + " is " + std::to_string(x) + ", not " + std::to_string(y);
  }
  return "";
}

}  // namespace pg::test
