#include "src/tensor/buffers.h"

#include <atomic>
#include <limits>
#include <mutex>

#include "uops/simplify.h"

namespace pg {

namespace {
struct MemoryNote final : UOp::Note {
  mutable std::mutex mutex;
  mutable MemoryRef memory;
  mutable bool frozen = false;
};
}  // namespace

UOp new_virtual_buffer(DType dtype, std::span<const UOp> extents) {
  static std::atomic<int64_t> next{1};
  return UOp(Op::Buffer, dtype, next.fetch_add(1), extents);
}

UOp new_buffer(MemoryRef memory, DType dtype, std::span<const UOp> extents) {
  UOp buffer = new_virtual_buffer(dtype, extents);
  set_memory(buffer, std::move(memory));
  return buffer;
}

MemoryRef memory_of(const UOp& buffer) {
  const auto* note = dynamic_cast<const MemoryNote*>(buffer.note());
  if (!note) return nullptr;
  std::lock_guard lock(note->mutex);
  return note->memory;
}

void set_memory(const UOp& buffer, MemoryRef memory) {
  if (!buffer.is(Op::Buffer)) throw InternalError("set_memory: not a Buffer");
  const auto& note = dynamic_cast<const MemoryNote&>(buffer.keep_note(std::make_unique<MemoryNote>()));
  std::lock_guard lock(note.mutex);
  note.memory.swap(memory);  // the old one is freed after the lock
}

void freeze_buffer(const UOp& buffer) {
  const auto& note = dynamic_cast<const MemoryNote&>(buffer.keep_note(std::make_unique<MemoryNote>()));
  std::lock_guard lock(note.mutex);
  note.frozen = true;
}

bool is_frozen(const UOp& buffer) {
  const auto* note = dynamic_cast<const MemoryNote*>(buffer.note());
  if (!note) return false;
  std::lock_guard lock(note->mutex);
  return note->frozen;
}

int64_t capacity(const UOp& buffer) {
  int64_t bytes = buffer.dtype().bytes();
  for (const UOp& extent : buffer.src()) {
    const int64_t most = bounds(extent).hi;
    if (most < 0 || most == std::numeric_limits<int64_t>::max() || __builtin_mul_overflow(bytes, most, &bytes))
      throw UserError("a buffer's extents have no usable upper bound: give its Variables limits");
  }
  return bytes;
}

}  // namespace pg
