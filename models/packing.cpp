#include "models/packing.h"

#include <cctype>

#include "uops/error.h"

namespace pg {

namespace {
constexpr PackingInfo kPackings[] = {
    {"F32", 0, 1, 4, true},    {"F16", 1, 1, 2, true},        {"BF16", 30, 1, 2, true},      {"Q8_0", 8, 32, 34, true},
    {"Q4_0", 2, 32, 18, true}, {"Q4_K", 12, 256, 144, false}, {"Q6_K", 14, 256, 210, false},
};
}  // namespace

const PackingInfo& info(Packing p) { return kPackings[static_cast<size_t>(p)]; }

std::optional<Packing> packing_of(uint32_t ggml) {
  for (size_t i = 0; i < std::size(kPackings); ++i)
    if (kPackings[i].ggml == ggml) return static_cast<Packing>(i);
  return std::nullopt;
}

std::string packing_names() {
  std::string names;
  for (const PackingInfo& p : kPackings) names += (names.empty() ? "" : ", ") + std::string(p.name);
  return names;
}

Packing parse_packing(std::string_view text) {
  std::string upper, known;
  for (char c : text) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  for (size_t i = 0; i < std::size(kPackings); ++i) {
    if (!kPackings[i].packs) continue;
    if (upper == kPackings[i].name) return static_cast<Packing>(i);
    known += (known.empty() ? "" : ", ") + std::string(kPackings[i].name);
  }
  throw UserError("weights cannot be packed as '" + std::string(text) + "'; known are " + known);
}

int64_t packed_bytes(Packing packing, const std::vector<int64_t>& shape) {
  const PackingInfo& p = info(packing);
  int64_t elements = 1;
  for (int64_t n : shape) elements *= n;
  if (shape.empty() || shape.back() % p.elements != 0)
    throw UserError(std::string(p.name) + " packs rows of a multiple of " + std::to_string(p.elements) +
                    " numbers, not of " + std::to_string(shape.empty() ? 1 : shape.back()));
  return elements / p.elements * p.bytes;
}

}  // namespace pg
