#include "runtime/host_memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

namespace pg {

namespace {
constexpr size_t kCacheLine = 64, kHugePage = 2 << 20;
size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }
}  // namespace

void* HostMemoryDevice::allocate(size_t bytes) {
  // Large buffers on huge pages: a tile's rows lie on as many pages as it has rows.
  const bool large = bytes >= kHugePage;
  const size_t alignment = large ? kHugePage : kCacheLine, size = round_up(bytes ? bytes : 1, alignment);
  void* p = size < bytes ? nullptr : std::aligned_alloc(alignment, size);
  if (!p) throw UserError(name() + ": not enough memory for " + std::to_string(bytes) + " bytes");
  if (large) madvise(p, size, MADV_HUGEPAGE);  // a wish
  return p;
}
void HostMemoryDevice::free(void* p, size_t) noexcept { std::free(p); }
void HostMemoryDevice::copy_in(void* device, const void* host, size_t bytes) {
  if (bytes) std::memcpy(device, host, bytes);
}
void HostMemoryDevice::copy_out(void* host, const void* device, size_t bytes) {
  if (bytes) std::memcpy(host, device, bytes);
}

}  // namespace pg
