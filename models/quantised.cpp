#include "models/quantised.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "src/tensor/shape.h"
#include "uops/half.h"

namespace pg {

namespace {

/// `count` bits of small numbers from `first` on, which is less than 32: nothing is to be brought into range, as >> does.
Tensor bits(const Tensor& x, const Tensor& first, int count) {
  const Shape shape = broadcast_shape("bits", x.shape(), first.shape());
  const UOp moved = alu(Op::Shr, x.expand(shape).uop(), first.cast(x.dtype()).expand(shape).uop());
  return Tensor(moved) & Tensor::full({}, (1 << count) - 1, x.dtype());
}
Tensor bits(const Tensor& x, int first, int count) { return (x >> first) & Tensor::full({}, (1 << count) - 1, x.dtype()); }

/// The blocks of an array: [outer.., blocks].
class Blocks {
 public:
  Blocks(const ByteView& view, Packing packing, const std::vector<int64_t>& shape)
      : view_(view), bytes_(info(packing).bytes), outer_(shape.begin(), shape.end()) {
    outer_.back() = shape.back() / info(packing).elements;
  }
  /// Bytes [begin, end) of each block as elements of a dtype, in this shape: [outer.., blocks, shape..].
  Tensor part(DType t, int64_t begin, int64_t end, const std::vector<int64_t>& shape) {
    const int64_t size = t.bytes();
    Shape whole = outer_, inner = outer_;
    whole.emplace_back(bytes_ / size);
    inner.insert(inner.end(), shape.begin(), shape.end());
    const auto known = std::find_if(views_.begin(), views_.end(), [&](const Tensor& v) { return v.dtype() == t; });
    const Tensor view = known == views_.end() ? views_.emplace_back(view_(t, whole)) : *known;
    return view.slice(-1, begin / size, end / size).reshape(inner);
  }
  /// Bytes, each as wide as the floats that are made of it: processors shift no bytes, and halves of one are widened once.
  Tensor packed_bits(int64_t begin, int64_t end, const std::vector<int64_t>& shape) {
    return part(dt::u8, begin, end, shape).cast(dt::i32);
  }
  /// An f16 of each block as f32, broadcast over `rank` further axes.
  Tensor scale(int64_t at, int rank) {
    return part(dt::f16, at, at + 2, std::vector<int64_t>(static_cast<size_t>(rank), 1)).cast(dt::f32);
  }

 private:
  const ByteView& view_;
  int64_t bytes_;
  Shape outer_;
  std::vector<Tensor> views_;  // one of each dtype
};

/// 0, step, .. along an axis that `behind` others follow.
Tensor counted(int64_t n, int64_t step, int behind) {
  Shape shape{n};
  shape.insert(shape.end(), static_cast<size_t>(behind), Dim(1));
  return (Tensor::arange(n, dt::i64) * static_cast<double>(step)).reshape(shape);
}

Tensor q8_0(Blocks& b) { return b.part(dt::i8, 2, 34, {32}).cast(dt::f32) * b.scale(0, 1); }

Tensor q4_0(Blocks& b) {
  const Tensor q = bits(b.packed_bits(2, 18, {1, 16}), counted(2, 4, 1), 4);  // [.., 2, 16]
  return (q - 8).cast(dt::f32) * b.scale(0, 2);
}

Tensor q4_k(Blocks& b) {
  // Scales 0-3 are bytes 0-3, minima 0-3 bytes 4-7, six bits of each; of 4-7 the low nibbles of both are bytes 8-11, and
  // their two high bits lie above the six of the others.
  const Tensor s = b.packed_bits(4, 8, {1, 4}), t = b.packed_bits(8, 12, {1, 4}), both = b.packed_bits(12, 16, {1, 4});
  const auto of_32 = [&](const Tensor& six, int nibble) {
    const Tensor late = bits(both, nibble, 4) | (bits(six, 6, 2) << 4);
    const Tensor all = Tensor::where(counted(2, 1, 1) < 1, bits(six, 0, 6), late).cast(dt::f32);  // [.., 2, 4]
    Shape shape = all.shape();
    shape.erase(shape.end() - 2, shape.end());
    shape.insert(shape.end(), {4, 2, 1});
    return all.reshape(shape);
  };
  const Tensor q = bits(b.packed_bits(16, 144, {4, 1, 32}), counted(2, 4, 1), 4);  // [.., 4, 2, 32]
  return q.cast(dt::f32) * (of_32(s, 0) * b.scale(0, 3)) + of_32(t, 4) * b.scale(2, 3).neg();
}

Tensor q6_k(Blocks& b) {
  // Numbers are [2, high: 2, low: 2, 32]. A byte of low bits holds two nibbles, for both values of `high`; one of high bits
  // a pair of them for each of the four.
  const Tensor nibble = bits(b.packed_bits(0, 128, {2, 1, 2, 32}), counted(2, 4, 2), 4);
  const Tensor pair = bits(b.packed_bits(128, 192, {2, 1, 1, 32}), counted(2, 4, 2) + counted(2, 2, 1), 2);
  const Tensor q = (nibble | (pair << 4)) - 32;
  Shape grouped = q.shape();
  grouped.back() = 2;
  grouped.emplace_back(16);
  const Tensor scales = b.part(dt::i8, 192, 208, {2, 2, 2, 2, 1}).cast(dt::f32) * b.scale(208, 5);
  return q.reshape(grouped).cast(dt::f32) * scales;
}

template <class T>
void put(std::vector<std::byte>& out, size_t at, T value) {
  std::memcpy(out.data() + at, &value, sizeof value);
}

/// The number of greatest magnitude, with its sign; the first of equal ones.
float extreme(std::span<const float> x) {
  return *std::max_element(x.begin(), x.end(), [](float a, float b) { return std::abs(a) < std::abs(b); });
}

void pack_q8_0(std::span<const float> x, std::vector<std::byte>& out, size_t at) {
  const float d = std::abs(extreme(x)) / 127, inverse = d ? 1 / d : 0;
  put(out, at, to_f16(d));
  for (size_t i = 0; i < x.size(); ++i) put(out, at + 2 + i, static_cast<int8_t>(std::round(x[i] * inverse)));
}

void pack_q4_0(std::span<const float> x, std::vector<std::byte>& out, size_t at) {
  const float d = extreme(x) / -8, inverse = d ? 1 / d : 0;
  put(out, at, to_f16(d));
  const auto nibble = [&](float v) { return static_cast<uint8_t>(std::min(15.0f, std::trunc(v * inverse + 8.5f))); };
  for (size_t i = 0; i < 16; ++i) put(out, at + 2 + i, static_cast<uint8_t>(nibble(x[i]) | nibble(x[i + 16]) << 4));
}

}  // namespace

Tensor decoded(const ByteView& view, Packing packing, const std::vector<int64_t>& shape) {
  packed_bytes(packing, shape);
  const Shape whole(shape.begin(), shape.end());
  Blocks blocks(view, packing, shape);
  switch (packing) {
    case Packing::F32: return view(dt::f32, whole);
    case Packing::F16: return view(dt::f16, whole);
    case Packing::BF16: return view(dt::bf16, whole);
    case Packing::Q8_0: return q8_0(blocks).reshape(whole);
    case Packing::Q4_0: return q4_0(blocks).reshape(whole);
    case Packing::Q4_K: return q4_k(blocks).reshape(whole);
    case Packing::Q6_K: return q6_k(blocks).reshape(whole);
  }
  throw InternalError("decoded: no such packing");
}
Tensor decoded(const MemoryRef& memory, Packing packing, const std::vector<int64_t>& shape) {
  return decoded([&](DType t, Shape s) { return Tensor::wrap(memory, t, std::move(s)); }, packing, shape);
}

std::vector<std::byte> packed(std::span<const float> x, Packing packing) {
  const PackingInfo& p = info(packing);
  if (!p.packs) throw UserError(std::string(p.name) + " is read, not made; use Q8_0 or Q4_0");
  std::vector<std::byte> out(static_cast<size_t>(packed_bytes(packing, {static_cast<int64_t>(x.size())})));
  const auto elements = static_cast<size_t>(p.elements), bytes = static_cast<size_t>(p.bytes);
  for (size_t i = 0; i * elements < x.size(); ++i) {
    const std::span<const float> block = x.subspan(i * elements, elements);
    switch (packing) {
      case Packing::F32: put(out, i * bytes, block[0]); break;
      case Packing::F16: put(out, i * bytes, to_f16(block[0])); break;
      case Packing::BF16: put(out, i * bytes, to_bf16(block[0])); break;
      case Packing::Q8_0: pack_q8_0(block, out, i * bytes); break;
      case Packing::Q4_0: pack_q4_0(block, out, i * bytes); break;
      case Packing::Q4_K:
      case Packing::Q6_K: break;
    }
  }
  return out;
}

}  // namespace pg
