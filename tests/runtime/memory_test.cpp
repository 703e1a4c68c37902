#include "runtime/memory.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

using namespace pg;

TEST_CASE("memory: zeros, whatever lay there before, aligned as all memory") {
  for (const size_t bytes : {size_t{100}, size_t{3 << 20}, size_t{(5 << 20) + 12}}) {
    CAPTURE(bytes);
    { std::memset(Memory(device("REF"), bytes).data(), 0x5a, bytes); }  // waits in the pool
    const auto memory = Memory::zeroed(device("REF"), bytes);
    const auto* at = static_cast<const unsigned char*>(memory->data());
    CHECK(memory->bytes() == bytes);
    CHECK(reinterpret_cast<uintptr_t>(at) % 64 == 0);
    CHECK(std::all_of(at, at + bytes, [](unsigned char c) { return c == 0; }));
    std::memset(memory->data(), 1, bytes);
  }
}
