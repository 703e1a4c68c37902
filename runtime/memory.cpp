// Buffers come and go with every kernel of a model: freed ones wait in the pool, by size class.
#include "runtime/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <map>
#include <mutex>

namespace pg {

namespace {

/// The next of four steps between powers of two: at most a quarter is wasted.
size_t size_class(size_t bytes) {
  constexpr size_t kLeast = 256;
  if (bytes <= kLeast) return kLeast;
  const size_t step = std::bit_floor(bytes - 1) / 4;
  return (bytes + step - 1) / step * step;
}

/// What is live and what waits together never exceed what was once live.
struct Pool {
  std::mutex mutex;
  std::map<std::pair<Device*, size_t>, std::vector<void*>> waiting;
  MemoryUse use;

  static Pool& get() {
    static Pool* p = new Pool;  // never destroyed, as Memory may live in statics
    return *p;
  }

  void* take(Device& device, size_t size) {
    std::lock_guard lock(mutex);
    void* p = nullptr;
    if (auto it = waiting.find({&device, size}); it != waiting.end() && !it->second.empty()) {
      p = it->second.back();
      it->second.pop_back();
      use.pooled -= static_cast<int64_t>(size);
    } else {
      try {
        p = device.allocate(size);
      } catch (const UserError&) {
        if (use.pooled == 0) throw;
        drain();
        p = device.allocate(size);
      }
    }
    use.live += static_cast<int64_t>(size);
    use.peak = std::max(use.peak, use.live);
    return p;
  }

  void give(Device& device, void* p, size_t size) noexcept {
    std::lock_guard lock(mutex);
    use.live -= static_cast<int64_t>(size);
    try {
      if (!device.pools() && use.live + use.pooled + static_cast<int64_t>(size) <= use.peak) {
        waiting[{&device, size}].push_back(p);
        use.pooled += static_cast<int64_t>(size);
        return;
      }
    } catch (const std::bad_alloc&) {  // no room to remember it
    }
    device.free(p, size);
  }

  void drain() {
    for (auto& [key, blocks] : waiting)
      for (void* p : blocks) key.first->free(p, key.second);
    waiting.clear();
    use.pooled = 0;
  }
};

}  // namespace

Memory::Memory(Device& device, size_t bytes)
    : device_(device), data_(Pool::get().take(device, size_class(bytes))), bytes_(bytes), owned_(true) {}
Memory::Memory(Device& device, void* data, size_t bytes, std::shared_ptr<void> keep)
    : device_(device), data_(data), bytes_(bytes), keep_(std::move(keep)) {}
Memory::~Memory() {
  if (owned_) Pool::get().give(device_, data_, size_class(bytes_));
}

std::shared_ptr<Memory> Memory::zeroed(Device& device, size_t bytes) {
  constexpr size_t kHugePage = 2 << 20;  // from that size on fresh pages are worth asking for
  if (device.shares_host_memory() && bytes >= kHugePage) {
    const size_t mapped = bytes + kHugePage;  // room to align
    void* p = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED) {
      madvise(p, mapped, MADV_HUGEPAGE);  // a wish
      const uintptr_t aligned = (reinterpret_cast<uintptr_t>(p) + kHugePage - 1) / kHugePage * kHugePage;
      return borrow(device, reinterpret_cast<void*>(aligned), bytes,
                    std::shared_ptr<void>(p, [mapped](void* q) { munmap(q, mapped); }));
    }
  }
  auto memory = std::make_shared<Memory>(device, bytes);
  constexpr size_t kPiece = 1 << 20;  // bounds the memory needed beside it
  const std::vector<std::byte> zeros(std::min(bytes, kPiece));
  for (size_t at = 0; at < bytes; at += kPiece)
    device.copy_in(static_cast<std::byte*>(memory->data()) + at, zeros.data(), std::min(kPiece, bytes - at));
  return memory;
}
std::shared_ptr<Memory> Memory::borrow(Device& device, void* data, size_t bytes, std::shared_ptr<void> keep) {
  return std::shared_ptr<Memory>(new Memory(device, data, bytes, std::move(keep)));
}

MemoryUse memory_use() {
  Pool& p = Pool::get();
  std::lock_guard lock(p.mutex);
  return p.use;
}

}  // namespace pg
