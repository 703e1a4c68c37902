#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pg {

/// Element types. The order is the promotion order within a kind (bool < ints < floats).
enum class Scalar : uint8_t {
  Void, Bool, Int8, UInt8, Int16, UInt16, Int32, UInt32, Int64, UInt64, Float16, BFloat16, Float32,
};

/// An element type with a number of SIMD lanes (1: a scalar). Text form: `f32`, `f32x16`.
struct DType {
  Scalar scalar = Scalar::Void;
  uint16_t lanes = 1;

  constexpr DType() = default;
  constexpr DType(Scalar s, int n = 1) : scalar(s), lanes(static_cast<uint16_t>(n)) {}
  friend constexpr bool operator==(DType, DType) = default;

  constexpr DType vec(int n) const { return {scalar, n}; }
  constexpr DType element() const { return {scalar, 1}; }
  constexpr bool is_float() const { return scalar >= Scalar::Float16; }
  constexpr bool is_bool() const { return scalar == Scalar::Bool; }
  constexpr bool is_int() const { return scalar >= Scalar::Int8 && scalar <= Scalar::UInt64; }
  constexpr bool is_unsigned() const {
    return scalar == Scalar::UInt8 || scalar == Scalar::UInt16 || scalar == Scalar::UInt32 || scalar == Scalar::UInt64;
  }
  /// Bytes of one element (1 for bool, 0 for void).
  int element_bytes() const;
  /// Bytes of the whole vector.
  int bytes() const { return element_bytes() * lanes; }
};

namespace dt {
inline constexpr DType kVoid{Scalar::Void}, kBool{Scalar::Bool}, i8{Scalar::Int8}, u8{Scalar::UInt8}, i16{Scalar::Int16},
    u16{Scalar::UInt16}, i32{Scalar::Int32}, u32{Scalar::UInt32}, i64{Scalar::Int64}, u64{Scalar::UInt64},
    f16{Scalar::Float16}, bf16{Scalar::BFloat16}, f32{Scalar::Float32};
/// Indices, extents and Variables are of this type.
inline constexpr DType index = i64;
}  // namespace dt

std::string text(DType);
/// Parses `f32`, `bool`, `i64x4`, …; nullopt for anything else.
std::optional<DType> parse_dtype(std::string_view);

/// The type both operands of a binary op are converted to (PyTorch's promotion table for equal-rank tensors:
/// bool < integers < floats; u8 with a signed type gives the next wider signed type; u64 with a signed one f32;
/// f16 with bf16 gives f32). Lanes must agree.
DType promote(DType a, DType b);

}  // namespace pg
