#include "runtime/cuda_staging.h"

#include <algorithm>
#include <cstring>

namespace pg {

namespace {
// Large enough that the bus never waits for a copy to be started, small enough to fill while the other one travels.
constexpr size_t kSlotBytes = 4 << 20;
constexpr size_t kAlign = 64;

std::string size_text(size_t bytes) { return std::to_string(bytes) + " bytes"; }
}  // namespace

/// False when there is no memory to pin: copies then go through the driver's own buffers, slowly.
bool CudaStaging::prepare() {
  if (tried_) return static_cast<bool>(slots_[1].memory);
  tried_ = true;
  for (Slot& s : slots_) {
    void* p = nullptr;
    if (context_->driver()->mem_host_alloc(&p, kSlotBytes, cu::kHostAllocPortable) != cu::Result::Success) return false;
    s.memory = {context_, p};
    s.done = CudaEvent(context_, cu::kEventDisableTiming);
  }
  return true;
}

void CudaStaging::start_round(Slot& s) {
  if (s.used > 0) s.done.wait();
  s.used = 0;
}

void CudaStaging::copy_in(cu::DevicePointer to, const void* host, size_t bytes) {
  if (bytes == 0) return;
  context_->make_current();
  std::lock_guard lock(mutex_);
  const auto& driver = context_->driver();
  const std::string doing = "copying " + size_text(bytes) + " to the GPU";
  if (!prepare()) {
    context_->check(driver->memcpy_htod_async(to, host, bytes, stream_), doing);
    context_->check(driver->stream_synchronize(stream_), doing);
    return;
  }
  const char* from = static_cast<const char*>(host);
  while (bytes > 0) {
    if (filling_->used >= kSlotBytes) {
      filling_->done.record(stream_);
      filling_ = &other(*filling_);
      start_round(*filling_);
    }
    const size_t n = std::min(bytes, kSlotBytes - filling_->used);
    char* const part = static_cast<char*>(filling_->memory.get()) + filling_->used;
    std::memcpy(part, from, n);
    context_->check(driver->memcpy_htod_async(to, part, n, stream_), doing);
    filling_->used = std::min(kSlotBytes, (filling_->used + n + kAlign - 1) / kAlign * kAlign);
    from += n, to += n, bytes -= n;
  }
}

void CudaStaging::copy_out(void* host, cu::DevicePointer from, size_t bytes) {
  if (bytes == 0) return;
  context_->make_current();
  std::lock_guard lock(mutex_);
  const auto& driver = context_->driver();
  const std::string doing = "copying " + size_text(bytes) + " to the host";
  if (!prepare()) {
    context_->check(driver->memcpy_dtoh_async(host, from, bytes, stream_), doing);
    context_->check(driver->stream_synchronize(stream_), doing);
    return;
  }
  // The stream is in order: what still leaves from the slots has left before anything arrives in them.
  const size_t parts = (bytes + kSlotBytes - 1) / kSlotBytes;
  const auto length = [&](size_t part) { return std::min(kSlotBytes, bytes - part * kSlotBytes); };
  const auto start = [&](size_t part) {
    Slot& s = slots_[part % 2];
    context_->check(driver->memcpy_dtoh_async(s.memory.get(), from + part * kSlotBytes, length(part), stream_), doing);
    s.done.record(stream_);
  };
  for (size_t part = 0; part < std::min<size_t>(parts, 2); ++part) start(part);
  for (size_t part = 0; part < parts; ++part) {
    const Slot& s = slots_[part % 2];
    context_->check(driver->event_synchronize(s.done.get()), doing);
    std::memcpy(static_cast<char*>(host) + part * kSlotBytes, s.memory.get(), length(part));
    if (part + 2 < parts) start(part + 2);
  }
  // All that was in the stream before is done too: both slots are empty.
  for (Slot& s : slots_) s.used = 0;
  context_->all_done();
}

}  // namespace pg
