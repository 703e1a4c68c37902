// Leaving laziness: to host values.
#include <bit>

#include "src/tensor/buffers.h"
#include "src/tensor/executor.h"
#include "src/tensor/shape.h"
#include "uops/half.h"

namespace pg {

Tensor& Tensor::realize() {
  dtype();  // refuses an empty handle
  execute({this});
  return *this;
}

namespace {

/// The elements of a realised copy of `t` as they lie in memory.
std::vector<std::byte> host_bytes(const char* op, Tensor t) {
  const int64_t n = known_count(op, t.shape());
  if (!t.uop().is(Op::Buffer)) t.realize();
  const MemoryRef memory = memory_of(t.uop());
  if (!memory) throw InternalError(std::string(op) + ": the tensor has no memory after realize()");
  std::vector<std::byte> bytes(n * t.dtype().bytes());
  memory->device().copy_out(bytes.data(), memory->data(), bytes.size());
  return bytes;
}

template <class From, class To, class F>
std::vector<To> converted(const std::vector<std::byte>& bytes, F f) {
  const auto* from = reinterpret_cast<const From*>(bytes.data());
  std::vector<To> to(bytes.size() / sizeof(From));
  for (size_t i = 0; i < to.size(); ++i) to[i] = static_cast<To>(f(from[i]));
  return to;
}
template <class From>
std::vector<int64_t> integers(const std::vector<std::byte>& bytes) {
  return converted<From, int64_t>(bytes, [](From x) { return x; });
}

}  // namespace

std::vector<float> Tensor::to_floats() const {
  if (!dtype().is_float()) throw UserError("to_floats: the tensor is " + text(dtype()) + "; cast it or use to_ints");
  const auto bytes = host_bytes("to_floats", *this);
  switch (dtype().scalar) {
    case Scalar::Float16: return converted<uint16_t, float>(bytes, from_f16);
    case Scalar::BFloat16: return converted<uint16_t, float>(bytes, from_bf16);
    default: return converted<float, float>(bytes, [](float x) { return x; });
  }
}

std::vector<int64_t> Tensor::to_ints() const {
  if (dtype().is_float()) throw UserError("to_ints: the tensor is " + text(dtype()) + "; cast it or use to_floats");
  const auto bytes = host_bytes("to_ints", *this);
  switch (dtype().scalar) {
    case Scalar::Int8: return integers<int8_t>(bytes);
    case Scalar::Int16: return integers<int16_t>(bytes);
    case Scalar::UInt16: return integers<uint16_t>(bytes);
    case Scalar::Int32: return integers<int32_t>(bytes);
    case Scalar::UInt32: return integers<uint32_t>(bytes);
    case Scalar::Int64:
    case Scalar::UInt64: return integers<int64_t>(bytes);
    default: return integers<uint8_t>(bytes);  // u8, bool
  }
}

float Tensor::item() const {
  if (element_count(shape()).number() != 1)
    throw UserError("item: the shape " + text(shape()) + " has more than one element");
  return dtype().is_float() ? to_floats()[0] : static_cast<float>(to_ints()[0]);
}

}  // namespace pg
