// Tensors from host data, from device memory, from numbers.
#include <cmath>
#include <cstdio>

#include "src/tensor/buffers.h"
#include "src/tensor/random.h"
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

Tensor Tensor::arange(double begin, double end, double step, DType dtype) {
  const double count = std::ceil((end - begin) / step);
  if (!(count >= 0 && count < 0x1p53))  // a step of 0 as well
    throw UserError("arange: from " + number_text(begin) + " to " + number_text(end) + " by steps of " + number_text(step));
  const Tensor i = arange(Dim(static_cast<int64_t>(count)), dt::i64);
  return ((dtype.is_float() ? i.cast(dt::f32) : i) * step + begin).cast(dtype);
}

Tensor Tensor::scalar(Dim value, DType dtype) { return Tensor(value.uop()).cast(dtype); }

Tensor Tensor::rand(Shape shape, uint64_t seed, Device& device) {
  known_count("rand", shape);
  return random_uniform(std::move(shape), random_key(seed, device)).realize();
}
Tensor Tensor::randn(Shape shape, uint64_t seed, Device& device) {
  known_count("randn", shape);
  return random_normal(std::move(shape), random_key(seed, device)).realize();
}

}  // namespace pg
