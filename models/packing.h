#pragma once
// The ways in which files hold numbers, by their names and sizes. What is made of them: quantised.h.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pg {

/// How the numbers of a weight lie in memory.
enum class Packing { F32, F16, BF16, Q8_0, Q4_0, Q4_K, Q6_K };

struct PackingInfo {
  const char* name;         // ggml's
  uint32_t ggml;            // its number there
  int64_t elements, bytes;  // of a block
  bool packs;               // `packed` makes it
};
const PackingInfo& info(Packing);
/// Of ggml's number; nothing where it is not read.
std::optional<Packing> packing_of(uint32_t ggml);
/// "F32, F16, ..": all of them, for messages.
std::string packing_names();
/// "q8_0", in any case. UserError that lists those that `packed` makes.
Packing parse_packing(std::string_view);

/// Bytes of a row-major array whose rows have `shape.back()` elements. UserError where these are no whole blocks.
int64_t packed_bytes(Packing, const std::vector<int64_t>& shape);

}  // namespace pg
