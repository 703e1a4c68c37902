// Tensors from host data, from device memory, from numbers.
#include <cmath>
#include <cstdio>
#include <numbers>

#include "src/tensor/buffers.h"
#include "src/tensor/shape.h"

namespace pg {

namespace {

Tensor realised(MemoryRef memory, DType dtype, const Shape& shape) {
  UOps extents;
  for (const Dim& d : shape) extents.push_back(d.uop());
  return Tensor(new_buffer(std::move(memory), dtype, extents));
}

template <class T>
Tensor copied(std::span<const T> data, DType dtype, const Shape& shape, Device& device) {
  const int64_t n = known_count("from", shape);
  if (n != static_cast<int64_t>(data.size()))
    throw UserError("from: " + std::to_string(data.size()) + " values for the shape " + text(shape) + " of " +
                    std::to_string(n) + " elements");
  auto memory = std::make_shared<Memory>(device, data.size_bytes());
  device.copy_in(memory->data(), data.data(), data.size_bytes());
  return realised(std::move(memory), dtype, shape);
}

std::string number_text(double v) {
  char s[32];
  std::snprintf(s, sizeof s, "%g", v);
  return s;
}

/// splitmix64: number i of a seed's sequence, the same on every machine.
uint64_t random_bits(uint64_t seed, uint64_t i) {
  uint64_t z = seed * 0xd1342543de82ef95 + (i + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}
/// [0, 1) with the 24 bits that a float holds.
float uniform(uint64_t seed, uint64_t i) { return static_cast<float>(random_bits(seed, i) >> 40) * 0x1p-24f; }

}  // namespace

Tensor Tensor::from(std::span<const float> data, Shape shape, Device& device) {
  return copied(data, dt::f32, shape, device);
}
Tensor Tensor::from(std::span<const int32_t> data, Shape shape, Device& device) {
  return copied(data, dt::i32, shape, device);
}

Tensor Tensor::wrap(MemoryRef memory, DType dtype, Shape shape) {
  const int64_t bytes = known_count("wrap", shape) * dtype.bytes();
  if (!memory || static_cast<int64_t>(memory->bytes()) < bytes)
    throw UserError("wrap: " + text(shape) + " of " + text(dtype) + " needs " + std::to_string(bytes) +
                    " bytes, the memory has " + std::to_string(memory ? memory->bytes() : 0));
  return realised(std::move(memory), dtype, shape);
}

Tensor Tensor::empty(Shape shape, DType dtype, Device& device) {
  Tensor t = realised(nullptr, dtype, shape);
  set_memory(t.uop(), std::make_shared<Memory>(device, capacity(t.uop())));
  return t;
}

Tensor Tensor::full(Shape shape, double value, DType dtype) {
  if (!dtype.is_float() && !(value == std::floor(value) && std::abs(value) < 0x1p63))
    throw UserError("full: " + number_text(value) + " is not a value of " + text(dtype));
  return Tensor(constant(dtype, value)).expand(std::move(shape));
}

Tensor Tensor::arange(Dim n, DType dtype) {
  if (!dtype.is_int()) throw UserError("arange: " + text(dtype) + " is not an integer type; cast the result instead");
  if (n.number() && *n.number() < 0) throw UserError("arange: " + text(n) + " elements");
  return Tensor(UOp(Op::Arange, dtype, {}, {(n + 0).uop()}));
}

Tensor Tensor::scalar(Dim value, DType dtype) { return Tensor(value.uop()).cast(dtype); }

Tensor Tensor::rand(Shape shape, uint64_t seed, Device& device) {
  std::vector<float> data(known_count("rand", shape));
  for (size_t i = 0; i < data.size(); ++i) data[i] = uniform(seed, i);
  return from(data, std::move(shape), device);
}

/// Box-Muller: two uniform numbers make two normal ones.
Tensor Tensor::randn(Shape shape, uint64_t seed, Device& device) {
  std::vector<float> data(known_count("randn", shape));
  for (size_t i = 0; i < data.size(); i += 2) {
    const double radius = std::sqrt(-2 * std::log(1.0 - uniform(seed, i)));  // 1 − u is never 0
    const double angle = 2 * std::numbers::pi * uniform(seed, i + 1);
    data[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < data.size()) data[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
  return from(data, std::move(shape), device);
}

}  // namespace pg
