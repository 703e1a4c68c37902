#include "runtime/scratch.h"

#include <sys/mman.h>

#include <string>

#include "uops/error.h"

namespace pg {

namespace {
constexpr size_t kPageBytes = 4096, kLargePage = 2 << 20;
size_t up(size_t n, size_t to) { return (n + to - 1) / to * to; }
}  // namespace

ScratchMemory::~ScratchMemory() { release(); }

void ScratchMemory::release() {
  if (mapping_) munmap(mapping_, mapped_);
  mapping_ = data_ = nullptr;
  bytes_ = 0;
}

void* ScratchMemory::at_least(int64_t bytes) {
  if (bytes <= bytes_) return data_;
  release();
  // Panels of a few hundred KB are walked by rows a page apart: large pages spare the TLB.
  const bool large = static_cast<size_t>(bytes) >= kLargePage / 4;
  const size_t size = up(static_cast<size_t>(bytes), large ? kLargePage : kPageBytes);
  mapped_ = size + kPageBytes + (large ? kLargePage : 0);
  void* mapping = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) throw UserError("no memory for " + std::to_string(bytes >> 10) + " KB of a kernel's tiles");
  mapping_ = mapping;
  const size_t start = reinterpret_cast<size_t>(mapping), first = large ? up(start, kLargePage) : start;
  if (large) madvise(reinterpret_cast<void*>(first), size, MADV_HUGEPAGE);
  mprotect(reinterpret_cast<void*>(first + size), kPageBytes, PROT_NONE);
  data_ = reinterpret_cast<void*>(first);
  bytes_ = static_cast<int64_t>(size);
  return data_;
}

void* thread_scratch(int64_t bytes) {
  if (bytes == 0) return nullptr;
  thread_local ScratchMemory memory;
  return memory.at_least(bytes);
}

}  // namespace pg
