#include "src/cli/operands.h"

#include <algorithm>
#include <limits>

namespace pg {

namespace {
constexpr uint64_t kSeed = 1;
constexpr size_t kAlign = 4096;
constexpr size_t kSkew = 768;  // neighbours of equal size do not begin in the same lines of a cache; a multiple of 256
size_t aligned(size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }
size_t taken(size_t bytes) { return aligned(bytes) + kSkew; }
}  // namespace

Operands::Operands(const UOp& kernel, Device& device) : kernel_(kernel), device_(device), specs_(buffer_specs(kernel, {})) {
  for (size_t slot = 0; slot < specs_.size(); ++slot) {
    auto& bytes = host_.emplace_back(specs_[slot].bytes());
    if (slot > 0)
      fill(bytes.data(), specs_[slot], kSeed, slot);
    else
      std::fill_n(reinterpret_cast<float*>(bytes.data()), specs_[0].elements, std::numeric_limits<float>::quiet_NaN());
  }
}

size_t Operands::bytes() const {
  size_t all = 0;
  for (const BufferSpec& s : specs_) all += s.bytes();
  return all;
}

void Operands::make_sets(size_t n) {
  size_t stride = taken(specs_[0].bytes());
  for (const BufferSpec& s : specs_) stride += taken(s.bytes());
  sets_.clear();
  memory_.reset();  // before more is asked for
  memory_ = std::make_unique<Memory>(device_, n * stride + kAlign);
  auto* at = reinterpret_cast<std::byte*>(aligned(reinterpret_cast<uintptr_t>(memory_->data())));
  for (size_t i = 0; i < n; ++i) {
    OperandSet& set = sets_.emplace_back();
    std::byte* next = at + i * stride;
    for (size_t slot = 0; slot < specs_.size(); ++slot) {
      set.buffers.push_back(next);
      device_.copy_in(next, host_[slot].data(), specs_[slot].bytes());
      next += taken(specs_[slot].bytes());
    }
    set.theirs = next;
    device_.copy_in(next, host_[0].data(), specs_[0].bytes());
  }
}

void Operands::forget_results() {
  for (const OperandSet& set : sets_)
    for (void* result : {set.buffers[0], set.theirs}) device_.copy_in(result, host_[0].data(), specs_[0].bytes());
}

std::vector<std::byte> Operands::copy_out(const void* buffer) const {
  std::vector<std::byte> bytes(specs_[0].bytes());
  device_.copy_out(bytes.data(), buffer, bytes.size());
  return bytes;
}

std::vector<std::span<const std::byte>> Operands::working_set() const {
  std::vector<std::span<const std::byte>> spans;
  for (size_t slot = 0; slot < specs_.size(); ++slot)
    spans.emplace_back(static_cast<const std::byte*>(sets_[0].buffers[slot]), specs_[slot].bytes());
  return spans;
}

Reference Operands::reference() const {
  std::vector<std::span<const std::byte>> inputs{{}};
  for (size_t slot = 1; slot < specs_.size(); ++slot) inputs.push_back(host_[slot]);
  return Reference(kernel_, {}, specs_, inputs, kSeed);
}

}  // namespace pg
