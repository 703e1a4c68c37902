#pragma once
// What ptxas says of the kernels that it made: the first reasons to drop a candidate without running it.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pg {

struct KernelResources {
  std::string kernel;                         // its symbol
  int registers = 0;                          // of a thread
  int64_t shared_bytes = 0;                   // static, of a block
  int64_t stack_bytes = 0;                    // of a thread: local arrays, spilled registers
  int64_t spill_stores = 0, spill_loads = 0;  // bytes of code's accesses
  std::vector<std::string> warnings = {};     // ptxas's, the first of each number: "C7510: Potential Performance Loss: .."

  bool spills() const { return spill_stores > 0 || spill_loads > 0; }
};

/// From the log of a compilation with --ptxas-options=-v, in its order. What is said of no kernel by name is said of all.
std::vector<KernelResources> parse_resources(std::string_view log);

}  // namespace pg
