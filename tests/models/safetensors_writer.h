#pragma once
// Writes small safetensors files in memory: a header of any text, then any bytes.
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "models/safetensors.h"

namespace pg::tests {

inline std::string safetensors_bytes(const std::string& header, const std::string& data, int64_t length = -1) {
  const uint64_t n = length < 0 ? header.size() : static_cast<uint64_t>(length);
  return std::string(reinterpret_cast<const char*>(&n), sizeof n) + header + data;
}

/// The file in memory of exactly its size, so that a sanitizer sees every byte read beyond it.
inline Safetensors read_safetensors(const std::string& bytes, const std::string& name = "test.safetensors") {
  auto block = std::make_shared<std::vector<std::byte>>(bytes.size());
  if (!bytes.empty()) std::memcpy(block->data(), bytes.data(), bytes.size());
  return Safetensors(name, *block, block);
}

}  // namespace pg::tests
