// libFuzzer's entry point; PICOGRAD_FUZZ_TARGET names the target.
#include <cstdint>

#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  pg::fuzz::PICOGRAD_FUZZ_TARGET({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}
