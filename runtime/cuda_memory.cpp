#include "runtime/cuda_memory.h"

#include <algorithm>
#include <bit>
#include <cstdio>

#include "uops/error.h"

namespace pg {

namespace {

/// The next of four steps between powers of two, no step above 64 MiB: little is wasted, and Memory's own classes are among
/// these.
size_t size_class(size_t bytes) {
  constexpr size_t kLeast = 512, kLargestStep = 64 << 20;
  if (bytes <= kLeast) return kLeast;
  const size_t step = std::min(std::bit_floor(bytes - 1) / 4, kLargestStep);
  const size_t size = (bytes + step - 1) / step * step;
  return size < bytes ? bytes : size;
}

cu::DevicePointer address(const void* p) { return reinterpret_cast<uintptr_t>(p); }

}  // namespace

std::string bytes_text(int64_t bytes) {
  const char* const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(units); ++unit) value /= 1024;
  char s[32];
  std::snprintf(s, sizeof s, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
  return s;
}

cu::DevicePointer CudaMemory::from_driver(CudaContext& context, size_t size) {
  cu::DevicePointer p = 0;
  ++use_.asked;
  const cu::Result r = context.driver()->mem_alloc(&p, size);
  if (r == cu::Result::OutOfMemory) return 0;
  context.check(r, "allocating " + bytes_text(static_cast<int64_t>(size)));
  return p;
}

void* CudaMemory::allocate(CudaContext& context, size_t bytes) {
  const size_t size = size_class(bytes);
  context.make_current();
  std::lock_guard lock(mutex_);
  cu::DevicePointer p = 0;
  if (auto it = waiting_.find(size); it != waiting_.end() && !it->second.empty()) {
    p = it->second.back();
    it->second.pop_back();
    use_.cached -= static_cast<int64_t>(size);
  }
  while (!p) {
    p = from_driver(context, size);
    if (!p && use_.cached > 0) {
      trim_locked(context);
      p = from_driver(context, size);
    }
    if (!p) {
      size_t free = 0, total = 0;
      context.check(context.driver()->mem_get_info(&free, &total), "asking for free memory");
      throw UserError(context.name() + ": not enough memory for " + std::to_string(bytes) + " bytes (" +
                      bytes_text(static_cast<int64_t>(bytes)) + "): " + bytes_text(static_cast<int64_t>(free)) + " of " +
                      bytes_text(static_cast<int64_t>(total)) + " are free, " + bytes_text(use_.live) +
                      " are this process's buffers: use a smaller model or batch, or end other processes that use the GPU "
                      "(nvidia-smi lists them)");
    }
    if (lost_.contains(p)) {  // the address would be freed twice
      withheld_.emplace(p, size);
      p = 0;
    }
  }
  live_.emplace(p, size);
  use_.live += static_cast<int64_t>(size);
  use_.peak = std::max(use_.peak, use_.live + use_.cached);
  return reinterpret_cast<void*>(p);
}

void CudaMemory::free(void* pointer) noexcept {
  const cu::DevicePointer p = address(pointer);
  std::lock_guard lock(mutex_);
  size_t size = 0;
  if (auto lost = lost_.find(p); lost != lost_.end()) {
    lost_.erase(lost);
    const auto held = withheld_.find(p);
    if (held == withheld_.end()) return;
    size = held->second;
    withheld_.erase(held);
  } else if (auto live = live_.find(p); live != live_.end()) {
    size = live->second;
    live_.erase(live);
    use_.live -= static_cast<int64_t>(size);
  } else {
    return;  // never ours
  }
  try {
    waiting_[size].push_back(p);
    use_.cached += static_cast<int64_t>(size);
  } catch (const std::bad_alloc&) {  // no room to remember it: it stays the driver's until the process ends
  }
}

void CudaMemory::trim_locked(CudaContext& context) {
  for (const auto& [size, blocks] : waiting_)
    for (cu::DevicePointer p : blocks) context.check(context.driver()->mem_free(p), "giving memory back");
  waiting_.clear();
  use_.cached = 0;
}

void CudaMemory::trim(CudaContext& context) {
  context.make_current();
  std::lock_guard lock(mutex_);
  trim_locked(context);
}

void CudaMemory::forget() {
  std::lock_guard lock(mutex_);
  for (const auto& [p, size] : live_) lost_.emplace(p, size);
  live_.clear();
  waiting_.clear();
  withheld_.clear();
  use_.live = use_.cached = 0;
}

bool CudaMemory::is_lost(const void* pointer) const {
  std::lock_guard lock(mutex_);
  if (lost_.empty()) return false;
  const auto within = [p = address(pointer)](const std::map<cu::DevicePointer, size_t>& blocks) {
    auto it = blocks.upper_bound(p);
    return it != blocks.begin() && p < std::prev(it)->first + std::prev(it)->second;
  };
  return within(lost_) && !within(live_);  // a new block may lie where a lost one lay
}

CudaMemoryUse CudaMemory::use() const {
  std::lock_guard lock(mutex_);
  return use_;
}

}  // namespace pg
