// The machine, its context and its memory.
#include "tests/runtime/fake_cuda_state.h"

using namespace fake;

namespace fake {
Driver* d = new Driver;
thread_local uintptr_t current = 0;
}  // namespace fake

namespace {
bool is_pinned(const void* p) {
  auto it = d->pinned.upper_bound(static_cast<char*>(const_cast<void*>(p)));
  return it != d->pinned.begin() && static_cast<const char*>(p) < std::prev(it)->first + std::prev(it)->second;
}
bool is_device(DevicePointer p, size_t bytes) {
  auto it = d->blocks.upper_bound(p);
  return it != d->blocks.begin() && p + bytes <= std::prev(it)->first + std::prev(it)->second.bytes;
}
}  // namespace

extern "C" {

FakeCuda* fake_cuda() { return &d->fake; }
void fake_cuda_reset() {
  for (const auto& [p, block] : d->blocks) std::free(block.memory);
  for (const auto& [p, size] : d->pinned) std::free(p);
  delete d;
  d = new Driver;
  current = 0;
}

Result cuInit(unsigned) {
  ENTER(false);
  return d->fake.init != Result::Success ? d->fake.init : d->fake.devices == 0 ? Result::NoDevice : Result::Success;
}
Result cuDriverGetVersion(int* version) {
  ENTER(false);
  *version = d->fake.driver_version;
  return Result::Success;
}
Result cuGetErrorName(Result r, const char** name) {
  *name = r == Result::IllegalAddress     ? "CUDA_ERROR_ILLEGAL_ADDRESS"
          : r == Result::OutOfMemory      ? "CUDA_ERROR_OUT_OF_MEMORY"
          : r == Result::InvalidImage     ? "CUDA_ERROR_INVALID_IMAGE"
          : r == Result::InvalidValue     ? "CUDA_ERROR_INVALID_VALUE"
          : r == Result::EccUncorrectable ? "CUDA_ERROR_ECC_UNCORRECTABLE"
                                          : "CUDA_ERROR_OTHER";
  return Result::Success;
}
Result cuGetErrorString(Result r, const char** words) {
  *words = r == Result::IllegalAddress ? "an illegal memory access was encountered" : "words of the driver";
  return Result::Success;
}
Result cuDeviceGetCount(int* count) {
  ENTER(false);
  *count = d->fake.devices;
  return Result::Success;
}
Result cuDeviceGet(DeviceId* id, int ordinal) {
  ENTER(false);
  if (ordinal >= d->fake.devices) return Result::InvalidDevice;
  *id = ordinal;
  return Result::Success;
}
Result cuDeviceGetName(char* name, int length, DeviceId) {
  ENTER(false);
  std::strncpy(name, "Fake GPU", static_cast<size_t>(length));
  return Result::Success;
}
Result cuDeviceTotalMem_v2(size_t* bytes, DeviceId) {
  ENTER(false);
  *bytes = d->fake.memory;
  return Result::Success;
}
Result cuDeviceGetAttribute(int* value, DeviceAttribute a, DeviceId) {
  ENTER(false);
  using A = DeviceAttribute;
  const std::map<A, int> values = {{A::MaxThreadsPerBlock, 1024},
                                   {A::WarpSize, 32},
                                   {A::ClockRate, 1980000},
                                   {A::MultiprocessorCount, 132},
                                   {A::MemoryClockRate, 2619000},
                                   {A::GlobalMemoryBusWidth, 5120},
                                   {A::L2CacheSize, 50 << 20},
                                   {A::MaxThreadsPerMultiprocessor, 2048},
                                   {A::ComputeCapabilityMajor, d->fake.major},
                                   {A::ComputeCapabilityMinor, d->fake.minor},
                                   {A::MaxSharedMemoryPerMultiprocessor, 233472},
                                   {A::MaxRegistersPerMultiprocessor, 65536},
                                   {A::MaxSharedMemoryPerBlockOptin, 232448}};
  const auto it = values.find(a);
  if (it == values.end()) return Result::InvalidValue;
  *value = it->second;
  return Result::Success;
}

Result cuDevicePrimaryCtxRetain(Context* context, DeviceId) {
  ENTER(false);
  if (d->fake.retain != Result::Success) return d->fake.retain;
  if (d->context == 0) d->context = d->next_context++;
  if (d->broken) d->sticky = Result::EccUncorrectable;
  ++d->fake.contexts;
  *context = reinterpret_cast<Context>(d->context);
  return Result::Success;
}
Result cuDevicePrimaryCtxRelease_v2(DeviceId) {
  ENTER(false);
  if (--d->fake.contexts < 0) misuse("the primary context was released too often");
  return Result::Success;
}
Result cuDevicePrimaryCtxReset_v2(DeviceId) {
  ENTER(false);
  ++d->fake.resets;
  for (const auto& [p, block] : d->blocks) std::free(block.memory);
  for (const auto& [p, size] : d->pinned) std::free(p);
  d->blocks.clear();
  d->pinned.clear();
  d->pinned_bytes = d->fake.allocated = d->fake.objects = 0;
  d->live.clear();
  d->queue.clear();
  d->sticky = Result::Success;
  d->context = 0;
  return Result::Success;
}
Result cuCtxSetCurrent(Context context) {
  ENTER(false);
  if (d->sticky != Result::Success) return d->sticky;
  const auto c = reinterpret_cast<uintptr_t>(context);
  if (c && c != d->context) misuse("a dead context was made current");
  current = c;
  return Result::Success;
}

Result cuMemAlloc_v2(DevicePointer* p, size_t bytes) {
  ENTER(true);
  if (bytes > d->fake.memory || d->fake.allocated > d->fake.memory - bytes) return Result::OutOfMemory;
  void* memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  *p = reinterpret_cast<uintptr_t>(memory) | kFakeDeviceBit;
  d->blocks[*p] = {bytes, memory};
  d->fake.allocated += bytes;
  return Result::Success;
}
Result cuMemFree_v2(DevicePointer p) {
  ENTER(true);
  run_all();  // as the driver: it waits
  const auto it = d->blocks.find(p);
  if (it == d->blocks.end()) return misuse("cuMemFree_v2: not a live block"), Result::InvalidValue;
  d->fake.allocated -= it->second.bytes;
  std::free(it->second.memory);
  d->blocks.erase(it);
  return Result::Success;
}
Result cuMemGetInfo_v2(size_t* free, size_t* total) {
  ENTER(true);
  *total = d->fake.memory;
  *free = d->fake.memory - d->fake.allocated;
  return Result::Success;
}
Result cuMemHostAlloc(void** p, size_t bytes, unsigned) {
  ENTER(true);
  if (d->pinned_bytes + bytes > d->fake.pinned) return Result::OutOfMemory;
  *p = std::malloc(bytes);
  d->pinned[static_cast<char*>(*p)] = bytes;
  d->pinned_bytes += bytes;
  ++d->fake.objects;
  return Result::Success;
}
Result cuMemFreeHost(void* p) {
  ENTER(true);
  const auto it = d->pinned.find(static_cast<char*>(p));
  if (it == d->pinned.end()) return misuse("cuMemFreeHost: not a live buffer"), Result::InvalidValue;
  d->pinned_bytes -= it->second;
  d->pinned.erase(it);
  std::free(p);
  --d->fake.objects;
  return Result::Success;
}
Result cuMemcpyHtoDAsync_v2(DevicePointer to, const void* from, size_t bytes, Stream stream) {
  ENTER(true);
  LIVE(stream, "stream");
  if (!is_device(to, bytes)) return Result::InvalidValue;
  if (is_pinned(from)) {
    push({[=] { std::memcpy(host(to), from, bytes); }});
  } else {  // the driver takes a copy at once
    const std::string copy(static_cast<const char*>(from), bytes);
    push({[=] { std::memcpy(host(to), copy.data(), bytes); }});
  }
  return Result::Success;
}
Result cuMemcpyDtoHAsync_v2(void* to, DevicePointer from, size_t bytes, Stream stream) {
  ENTER(true);
  LIVE(stream, "stream");
  if (!is_device(from, bytes)) return Result::InvalidValue;
  push({[=] { std::memcpy(to, host(from), bytes); }});
  return Result::Success;
}
Result cuMemcpyDtoDAsync_v2(DevicePointer to, DevicePointer from, size_t bytes, Stream stream) {
  ENTER(true);
  LIVE(stream, "stream");
  if (!is_device(to, bytes) || !is_device(from, bytes)) return Result::InvalidValue;
  push({[=] {
    std::memcpy(host(to), host(from), bytes);
    d->clock += d->fake.copy_ms;
  }});
  return Result::Success;
}
Result cuMemsetD8Async(DevicePointer p, unsigned char value, size_t bytes, Stream) {
  ENTER(true);
  if (!is_device(p, bytes)) return Result::InvalidValue;
  push({[=] { std::memset(host(p), value, bytes); }});
  return Result::Success;
}

}  // extern "C"
