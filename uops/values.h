#pragma once
// What every elementwise op means on one lane: the one definition behind `interpret` and `evaluate`.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "uops/dtype.h"
#include "uops/half.h"
#include "uops/uop.h"

namespace pg {

/// One lane: integers and bool in `i`, wrapped to their dtype (u64 by its bits); floats in `f`.
union Cell {
  int64_t i;
  double f;
};
inline Cell cell(int64_t i) { return {.i = i}; }
inline Cell cell(bool b) { return {.i = b}; }
inline Cell cell(double f) { return {.f = f}; }

/// The value as the dtype holds it; `exact` leaves floats as they are. The 16-bit floats are reached by way of f32, as the
/// legalised program does it.
inline Cell settled(Scalar t, Cell v, bool exact) {
  switch (t) {
    case Scalar::Bool: return cell(v.i != 0);
    case Scalar::Int8: return cell(int64_t{static_cast<int8_t>(v.i)});
    case Scalar::UInt8: return cell(int64_t{static_cast<uint8_t>(v.i)});
    case Scalar::Int16: return cell(int64_t{static_cast<int16_t>(v.i)});
    case Scalar::UInt16: return cell(int64_t{static_cast<uint16_t>(v.i)});
    case Scalar::Int32: return cell(int64_t{static_cast<int32_t>(v.i)});
    case Scalar::UInt32: return cell(int64_t{static_cast<uint32_t>(v.i)});
    case Scalar::Float32: return exact ? v : cell(double{static_cast<float>(v.f)});
    case Scalar::Float16: return exact ? v : cell(double{from_f16(to_f16(static_cast<float>(v.f)))});
    case Scalar::BFloat16: return exact ? v : cell(double{from_bf16(to_bf16(static_cast<float>(v.f)))});
    default: return v;
  }
}

/// Undefined in C outside the target's range; here what x86 gives (the smallest value).
inline int64_t truncated(double x, Scalar to) {
  if (to == Scalar::UInt64 && x >= 0x1p63 && x < 0x1p64) return static_cast<int64_t>(static_cast<uint64_t>(x));
  if (to == Scalar::Int64 || to == Scalar::UInt64 || to == Scalar::UInt32)
    return x >= -0x1p63 && x < 0x1p63 ? static_cast<int64_t>(x) : std::numeric_limits<int64_t>::min();
  return x > -0x1p31 - 1 && x < 0x1p31 ? static_cast<int64_t>(x) : std::numeric_limits<int32_t>::min();
}

inline Cell cast_value(Cell v, Scalar from, Scalar to, bool exact) {
  const bool float_from = from >= Scalar::Float16, float_to = to >= Scalar::Float16;
  if (float_from && to == Scalar::Bool) return cell(v.f != 0);
  if (float_from && !float_to) return settled(to, cell(truncated(v.f, to)), exact);
  if (!float_from && float_to) {
    // i64 → double → f32 would round twice
    const bool u64 = from == Scalar::UInt64;
    if (exact) return cell(u64 ? static_cast<double>(static_cast<uint64_t>(v.i)) : static_cast<double>(v.i));
    v = cell(double{u64 ? static_cast<float>(static_cast<uint64_t>(v.i)) : static_cast<float>(v.i)});
  }
  return settled(to, v, exact);
}

inline uint64_t bits_of(Cell v, Scalar t) {
  switch (t) {
    case Scalar::Float32: return std::bit_cast<uint32_t>(static_cast<float>(v.f));
    case Scalar::Float16: return to_f16(static_cast<float>(v.f));
    case Scalar::BFloat16: return to_bf16(static_cast<float>(v.f));
    default: return static_cast<uint64_t>(v.i);
  }
}
inline Cell from_bits(uint64_t bits, Scalar t) {
  switch (t) {
    case Scalar::Float32: return cell(double{std::bit_cast<float>(static_cast<uint32_t>(bits))});
    case Scalar::Float16: return cell(double{from_f16(static_cast<uint16_t>(bits))});
    case Scalar::BFloat16: return cell(double{from_bf16(static_cast<uint16_t>(bits))});
    default: return settled(t, cell(static_cast<int64_t>(bits)), false);
  }
}

[[gnu::always_inline]] inline double compute_float(Op op, double a, double b, double c, bool exact) {
  switch (op) {
    case Op::Neg: return -a;
    case Op::Exp: return std::exp(a);
    case Op::Log: return std::log(a);
    case Op::Sin: return std::sin(a);
    case Op::Cos: return std::cos(a);
    case Op::Tanh: return std::tanh(a);
    case Op::Erf: return std::erf(a);
    case Op::Sqrt: return std::sqrt(a);
    case Op::Recip: return 1 / a;
    case Op::Floor: return std::floor(a);
    case Op::Add: return a + b;
    case Op::Sub: return a - b;
    case Op::Mul: return a * b;
    case Op::Div: return a / b;
    case Op::Max: return a > b || a != a ? a : b;  // a NaN on either side wins
    case Op::Min: return a < b || a != a ? a : b;
    case Op::Fma:
      return exact ? std::fma(a, b, c)
                   : double{std::fma(static_cast<float>(a), static_cast<float>(b), static_cast<float>(c))};
    default: throw InternalError(std::string(info(op).name) + " is not an op on floats");
  }
}

[[gnu::always_inline]] inline int64_t compute_int(Op op, Scalar t, int64_t a, int64_t b) {
  const bool u64 = t == Scalar::UInt64;
  const uint64_t ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
  switch (op) {
    case Op::Neg: return static_cast<int64_t>(0 - ua);
    case Op::Not: return t == Scalar::Bool ? !a : ~a;
    case Op::Add: return static_cast<int64_t>(ua + ub);
    case Op::Sub: return static_cast<int64_t>(ua - ub);
    case Op::Mul: return static_cast<int64_t>(ua * ub);
    case Op::IDiv:
    case Op::Mod: {
      if (b == 0) throw InternalError("division by zero");
      if (u64) return static_cast<int64_t>(op == Op::IDiv ? ua / ub : ua % ub);
      // Indices mostly: a division of 32 bits takes a fraction of one of 64, and of a power of two none.
      if (b > 0 && (b & (b - 1)) == 0) return op == Op::IDiv ? a >> std::countr_zero(ub) : a & (b - 1);
      if (((ua | ub) >> 32) == 0) {
        const uint32_t short_a = static_cast<uint32_t>(ua), short_b = static_cast<uint32_t>(ub);
        return op == Op::IDiv ? short_a / short_b : short_a % short_b;
      }
      if (b == -1) return op == Op::IDiv ? static_cast<int64_t>(0 - ua) : 0;  // the one quotient that can overflow
      const int64_t rest = a % b;
      const bool down = rest != 0 && (a < 0) != (b < 0);
      return op == Op::IDiv ? a / b - down : down ? rest + b : rest;
    }
    case Op::Max: return (u64 ? ua > ub : a > b) ? a : b;
    case Op::Min: return (u64 ? ua < ub : a < b) ? a : b;
    case Op::And: return a & b;
    case Op::Or: return a | b;
    case Op::Xor: return a ^ b;
    case Op::Shl:
    case Op::Shr:
      if (b < 0 || b >= 8 * DType(t).element_bytes()) throw InternalError("a shift by " + std::to_string(b) + " bits");
      return op == Op::Shl ? static_cast<int64_t>(ua << b) : u64 ? static_cast<int64_t>(ua >> b) : a >> b;
    default: throw InternalError(std::string(info(op).name) + " is not an op on integers");
  }
}

inline bool compare(Op op, Scalar t, Cell a, Cell b) {
  if (t >= Scalar::Float16) return op == Op::Lt ? a.f < b.f : op == Op::Eq ? a.f == b.f : a.f != b.f;
  if (op == Op::Lt) return t == Scalar::UInt64 ? static_cast<uint64_t>(a.i) < static_cast<uint64_t>(b.i) : a.i < b.i;
  return op == Op::Eq ? a.i == b.i : a.i != b.i;
}

/// The elementwise op on one lane; `in` is the type of the first source. Throws InternalError without the node.
[[gnu::always_inline]] inline Cell compute(Op op, Scalar in, Scalar out, Cell a, Cell b, Cell c, bool exact) {
  switch (op) {
    case Op::Where: return a.i ? b : c;
    case Op::Cast: return cast_value(a, in, out, exact);
    case Op::Bitcast: return from_bits(bits_of(a, in), out);
    case Op::Lt:
    case Op::Eq:
    case Op::Ne: return cell(compare(op, in, a, b));
    default: break;
  }
  if (out >= Scalar::Float16) return settled(out, cell(compute_float(op, a.f, b.f, c.f, exact)), exact);
  return settled(out, cell(compute_int(op, out, a.i, b.i)), exact);
}

}  // namespace pg
