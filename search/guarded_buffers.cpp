#include "search/guarded_buffers.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

namespace pg {
namespace {

// NaNs in f32, f16 and bf16 alike, so that reading a guard or a poisoned output spoils the result too. No two bytes at the
// same place are equal in both poisons: an element that equals its poison in two runs was not written, whatever its type.
constexpr uint16_t kGuard = 0x7fa9;
constexpr uint16_t kPoison[2] = {0x7fad, 0xffb5};

/// `at` is at the start of a page.
void fill16(std::byte* at, size_t bytes, uint16_t pattern) {
  std::fill_n(reinterpret_cast<uint16_t*>(at), bytes / 2, pattern);
  if (bytes % 2) at[bytes - 1] = static_cast<std::byte>(pattern);
}
bool keeps16(const std::byte* at, size_t i, uint16_t pattern) {
  return at[i] == static_cast<std::byte>(pattern >> (i % 2 * 8));
}
size_t round_up(size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

}  // namespace

GuardedBuffers::GuardedBuffers(Device& device, RunSetup setup, const SharedMemory& memory)
    : device_(device), setup_(std::move(setup)), memory_(memory), on_host_(device.shares_host_memory()) {
  for (size_t i = 0; i < setup_.buffers.size(); ++i) {
    const BufferSpec& spec = setup_.buffers[i];
    Block b;
    b.guarded = round_up(spec.bytes()) + kPage;
    b.bytes = b.guarded + 2 * kPage;  // the guard in front, and room to align
    b.raw = device_.allocate(b.bytes);
    if (on_host_)
      b.at = reinterpret_cast<std::byte*>(round_up(reinterpret_cast<uintptr_t>(b.raw))) + kPage;
    else
      b.at = copies_.emplace_back(kPage + b.guarded).data() + kPage;
    fill16(b.at - kPage, kPage, kGuard);
    fill16(b.at, b.guarded, kGuard);
    if (spec.use != BufferUse::Output) std::memcpy(b.at, memory_.data() + setup_.layout.places[i].initial, spec.bytes());
    // What no kernel may write, none can: the others are caught by comparing the pattern.
    if (on_host_ && !spec.written()) mprotect(b.at - kPage, b.guarded + kPage, PROT_READ);
    if (!on_host_) upload(b);
    blocks_.push_back(b);
    pointers_.push_back(on_host_ ? b.at : static_cast<std::byte*>(b.raw) + kPage);
  }
  protect_shared(PROT_READ);
}
GuardedBuffers::~GuardedBuffers() {
  for (const Block& b : blocks_) {
    if (on_host_) mprotect(b.at - kPage, b.guarded + kPage, PROT_READ | PROT_WRITE);
    device_.free(b.raw, b.bytes);
  }
  for (const auto& [raw, bytes] : more_) device_.free(raw, bytes);
}

void GuardedBuffers::prepare(int poison) {
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const BufferSpec& spec = setup_.buffers[i];
    if (spec.use == BufferUse::Output) fill16(blocks_[i].at, spec.bytes(), kPoison[poison]);
    if (spec.use == BufferUse::InOut)
      std::memcpy(blocks_[i].at, memory_.data() + setup_.layout.places[i].initial, spec.bytes());
    if (!on_host_ && spec.written()) upload(blocks_[i]);
  }
}

void GuardedBuffers::upload(const Block& b) const { device_.copy_in(b.raw, b.at - kPage, kPage + b.guarded); }
void GuardedBuffers::download(const Block& b) const { device_.copy_out(b.at - kPage, b.raw, kPage + b.guarded); }

const std::vector<std::vector<void*>>& GuardedBuffers::rotated(size_t bytes) {
  constexpr size_t kMostSets = 32;
  if (!rotated_.empty()) return rotated_;
  size_t one = 0;
  for (const BufferSpec& s : setup_.buffers) one += s.bytes();
  rotated_.push_back(pointers_);
  while (rotated_.size() < kMostSets && rotated_.size() * one < bytes) {
    std::vector<void*> set;
    for (size_t i = 0; i < setup_.buffers.size(); ++i) {
      const size_t size = std::max<size_t>(setup_.buffers[i].bytes(), 1);
      more_.emplace_back(device_.allocate(size), size);
      set.push_back(more_.back().first);
      if (const size_t at = setup_.layout.places[i].initial)
        device_.copy_in(set.back(), memory_.data() + at, setup_.buffers[i].bytes());
    }
    rotated_.push_back(std::move(set));
  }
  return rotated_;
}

std::optional<std::string> GuardedBuffers::broken_guard(bool written_only) const {
  for (size_t i = 0; i < blocks_.size(); ++i) {
    if ((on_host_ || written_only) && !setup_.buffers[i].written()) continue;
    const Block& b = blocks_[i];
    const size_t size = setup_.buffers[i].bytes();
    const std::string buffer = "buffer " + std::to_string(i) + ": ";
    if (!on_host_) download(b);  // where nothing is write-protected, all is compared
    if (!setup_.buffers[i].written() && std::memcmp(b.at, memory_.data() + setup_.layout.places[i].initial, size) != 0)
      return buffer + "an input is written";
    for (size_t k = 0; k < kPage; ++k)
      if (!keeps16(b.at - kPage, k, kGuard))
        return buffer + "written " + std::to_string(kPage - k) + " bytes before its start";
    for (size_t k = size; k < b.guarded; ++k)
      if (!keeps16(b.at, k, kGuard)) return buffer + "written " + std::to_string(k - size) + " bytes past its end";
  }
  return std::nullopt;
}

std::vector<std::string> GuardedBuffers::outputs() const {
  std::vector<std::string> out;
  for (size_t i = 0; i < blocks_.size(); ++i)
    if (setup_.buffers[i].written())
      out.emplace_back(reinterpret_cast<const char*>(blocks_[i].at), setup_.buffers[i].bytes());
  return out;
}

uint64_t GuardedBuffers::digest() const {
  constexpr uint64_t kFactor = 0x9e3779b97f4a7c15;
  uint64_t d = 0;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    if (!setup_.buffers[i].written()) continue;
    const size_t bytes = setup_.buffers[i].bytes();
    for (size_t k = 0; k < bytes; k += sizeof d) {
      uint64_t word = 0;
      std::memcpy(&word, blocks_[i].at + k, std::min(bytes - k, sizeof word));
      d = (d ^ word) * kFactor;  // a bijection of d for each word, and of the word for each d
      d ^= d >> 32;
    }
  }
  return d;
}

template <class F>
std::optional<std::string> GuardedBuffers::find(const std::vector<std::string>& first, F&& bad) const {
  size_t which = 0;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const BufferSpec& spec = setup_.buffers[i];
    if (!spec.written()) continue;
    const auto* before = reinterpret_cast<const std::byte*>(first[which++].data());
    // Unwritten bytes hold two different poisons, so equal runs have neither holes nor differences.
    if (std::memcmp(before, blocks_[i].at, spec.bytes()) == 0) continue;
    const size_t size = static_cast<size_t>(spec.dtype.element_bytes());
    for (size_t e = 0; e < static_cast<size_t>(spec.elements); ++e)
      if (bad(spec, before, blocks_[i].at, e * size, size))
        return "buffer " + std::to_string(i) + ": element " + std::to_string(e) + " of " + std::to_string(spec.elements);
  }
  return std::nullopt;
}

std::optional<std::string> GuardedBuffers::unwritten(const std::vector<std::string>& first) const {
  return find(first, [](const BufferSpec& spec, const std::byte* before, const std::byte* now, size_t at, size_t size) {
    if (spec.use != BufferUse::Output) return false;
    for (size_t k = at; k < at + size; ++k)
      if (!keeps16(before, k, kPoison[0]) || !keeps16(now, k, kPoison[1])) return false;
    return true;
  });
}
std::optional<std::string> GuardedBuffers::different(const std::vector<std::string>& first) const {
  return find(first, [](const BufferSpec&, const std::byte* before, const std::byte* now, size_t at, size_t size) {
    return std::memcmp(before + at, now + at, size) != 0;
  });
}

/// All of the shared memory but the control page: a wild write must not reach what the tuner compares with.
void GuardedBuffers::protect_shared(int protection) const {
  mprotect(memory_.data() + kPage, memory_.bytes() - kPage, protection);
}

void GuardedBuffers::publish() const {
  protect_shared(PROT_READ | PROT_WRITE);
  for (size_t i = 0; i < blocks_.size(); ++i)
    if (setup_.buffers[i].written())
      std::memcpy(memory_.data() + setup_.layout.places[i].result, blocks_[i].at, setup_.buffers[i].bytes());
  protect_shared(PROT_READ);
}

}  // namespace pg
