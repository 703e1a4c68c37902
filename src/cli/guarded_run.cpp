#include "src/cli/guarded_run.h"

#include <algorithm>
#include <cstring>

namespace pg {

namespace {

constexpr uint64_t kSeed = 1;
constexpr size_t kGuard = 4096;  // bytes on each side
// NaNs of every float type, no two bytes at one place alike in both: what keeps its poison in two runs was not written.
constexpr uint16_t kGuardPattern = 0x7fa9, kPoison[2] = {0x7fad, 0xffb5};

std::byte pattern_byte(uint16_t pattern, size_t at) { return static_cast<std::byte>(pattern >> (at % 2 * 8)); }
void fill_pattern(std::span<std::byte> bytes, uint16_t pattern) {
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = pattern_byte(pattern, i);
}

}  // namespace

GuardedRun::GuardedRun(Device& device, const UOp& kernel) : device_(device), specs_(buffer_specs(kernel, {})) {
  std::vector<std::span<const std::byte>> inputs;
  for (size_t slot = 0; slot < specs_.size(); ++slot) {
    const BufferSpec& spec = specs_[slot];
    auto& image = images_.emplace_back(spec.bytes() + 2 * kGuard);
    fill_pattern(image, kGuardPattern);
    if (spec.use != BufferUse::Output) fill(image.data() + kGuard, spec, kSeed, slot);
    inputs.push_back(spec.use == BufferUse::Output ? std::span<const std::byte>{}
                                                   : std::span<const std::byte>(image).subspan(kGuard, spec.bytes()));
    memory_.push_back(std::make_unique<Memory>(device, image.size()));
  }
  reference_ = std::make_unique<Reference>(kernel, Bindings64{}, specs_, inputs, kSeed);
}

std::string GuardedRun::run(Program& program, int64_t items, int poison) {
  std::vector<void*> buffers;
  for (size_t slot = 0; slot < specs_.size(); ++slot) {
    const std::span<std::byte> contents = std::span(images_[slot]).subspan(kGuard, specs_[slot].bytes());
    if (specs_[slot].use == BufferUse::Output) fill_pattern(contents, kPoison[poison]);
    device_.copy_in(memory_[slot]->data(), images_[slot].data(), images_[slot].size());
    buffers.push_back(static_cast<std::byte*>(memory_[slot]->data()) + kGuard);
  }
  program.launch(buffers, {}, items);
  for (size_t slot = 0; slot < specs_.size(); ++slot) {
    const size_t size = specs_[slot].bytes();
    const auto& before = images_[slot];
    std::vector<std::byte> after(before.size());
    device_.copy_out(after.data(), memory_[slot]->data(), after.size());
    const std::string buffer = "buffer " + std::to_string(slot) + ": ";
    for (size_t i = 0; i < after.size(); ++i) {
      if (after[i] == before[i]) continue;
      if (i < kGuard) return buffer + "written " + std::to_string(kGuard - i) + " bytes before its start";
      if (i >= kGuard + size) return buffer + "written " + std::to_string(i - kGuard - size) + " bytes past its end";
      if (!specs_[slot].written()) return buffer + "an operand was written, at byte " + std::to_string(i - kGuard);
    }
    if (slot == 0) result_.assign(after.begin() + kGuard, after.begin() + static_cast<std::ptrdiff_t>(kGuard + size));
  }
  return "";
}

std::string GuardedRun::check(Program& program, int64_t items) {
  if (std::string wrong = run(program, items, 0); !wrong.empty()) return wrong;
  const std::vector<std::byte> first = result_;
  if (std::string wrong = run(program, items, 1); !wrong.empty()) return wrong;
  const size_t element = static_cast<size_t>(specs_[0].dtype.element_bytes());
  for (size_t i = 0; i < first.size(); i += element) {
    if (std::memcmp(&first[i], &result_[i], element) == 0) continue;
    bool poisoned = specs_[0].use == BufferUse::Output;
    for (size_t k = i; k < i + element; ++k)
      poisoned = poisoned && first[k] == pattern_byte(kPoison[0], k) && result_[k] == pattern_byte(kPoison[1], k);
    return "element " + std::to_string(i / element) + (poisoned ? " was not written" : " differs from run to run");
  }
  return reference_->check_samples(result_);
}

}  // namespace pg
