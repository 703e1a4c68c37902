#include "search/run_buffers.h"

#include <cstring>

#include "uops/error.h"
#include "uops/half.h"

namespace pg {
namespace {

/// splitmix64: any counter gives an independent value, in order of address.
struct Random {
  uint64_t state;
  uint64_t next() {
    uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// [-1, 1), never 0 and never subnormal in any float type.
  float unit() {
    const float x = static_cast<float>(next() >> 40) * 0x1p-23f - 1.0f;
    return x > -0x1p-10f && x < 0x1p-10f ? 0.5f : x;
  }
};

template <class T, class F>
void write(std::byte* at, int64_t n, F&& value) {
  for (int64_t i = 0; i < n; ++i) {
    const T v = static_cast<T>(value());
    std::memcpy(at + i * static_cast<int64_t>(sizeof(T)), &v, sizeof(T));
  }
}

}  // namespace

RunLayout layout(std::span<const BufferSpec> specs) {
  RunLayout out;
  out.bytes = kPage;
  const auto reserve = [&](size_t bytes) {
    const size_t at = out.bytes;
    out.bytes += (bytes + kPage - 1) / kPage * kPage;
    return at;
  };
  for (const BufferSpec& s : specs) {
    RunLayout::Place p;
    if (s.use != BufferUse::Output) p.initial = reserve(s.bytes());
    if (s.written()) p.result = reserve(s.bytes());
    out.places.push_back(p);
  }
  return out;
}

void fill(std::byte* at, const BufferSpec& s, uint64_t seed, size_t slot) {
  Random r{seed * 1000003 + slot};
  const auto ids = [&] { return static_cast<int64_t>(r.next() % static_cast<uint64_t>(s.limit > 0 ? s.limit : 1)); };
  const auto small = [&] { return static_cast<int64_t>(r.next() >> 60) - (s.dtype.is_unsigned() ? 0 : 8); };
  const auto integer = [&] { return s.use == BufferUse::Ids ? ids() : s.dtype.is_unsigned() ? small() & 7 : small(); };
  switch (s.dtype.scalar) {
    case Scalar::Float32: return write<float>(at, s.elements, [&] { return r.unit(); });
    case Scalar::Float16: return write<uint16_t>(at, s.elements, [&] { return to_f16(r.unit()); });
    case Scalar::BFloat16: return write<uint16_t>(at, s.elements, [&] { return to_bf16(r.unit()); });
    case Scalar::Bool: return write<uint8_t>(at, s.elements, [&] { return r.next() >> 63; });
    case Scalar::Int8:
    case Scalar::UInt8: return write<uint8_t>(at, s.elements, integer);
    case Scalar::Int16:
    case Scalar::UInt16: return write<uint16_t>(at, s.elements, integer);
    case Scalar::Int32:
    case Scalar::UInt32: return write<uint32_t>(at, s.elements, integer);
    case Scalar::Int64:
    case Scalar::UInt64: return write<uint64_t>(at, s.elements, integer);
    case Scalar::Void: break;
  }
  throw InternalError("run buffers: a buffer of type void");
}

}  // namespace pg
