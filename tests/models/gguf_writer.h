#pragma once
// Writes small GGUF files in memory, good ones and, piece by piece, bad ones.
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "models/gguf.h"

namespace pg::tests {

class GgufWriter {
 public:
  template <class T>
  GgufWriter& pair(const std::string& key, T value) {
    pairs_.string(key);
    if constexpr (std::is_convertible_v<T, std::string>) {
      pairs_.number<uint32_t>(8);
      pairs_.string(value);
    } else {
      pairs_.number<uint32_t>(code<T>());
      pairs_.number(value);
    }
    pair_count++;
    return *this;
  }
  template <class T>
  GgufWriter& pair(const std::string& key, const std::vector<T>& values) {
    pairs_.string(key);
    pairs_.number<uint32_t>(9);
    if constexpr (std::is_same_v<T, std::string>) {
      pairs_.number<uint32_t>(8);
      pairs_.number<uint64_t>(values.size());
      for (const std::string& v : values) pairs_.string(v);
    } else {
      pairs_.number<uint32_t>(code<T>());
      pairs_.number<uint64_t>(values.size());
      for (T v : values) pairs_.number(v);
    }
    pair_count++;
    return *this;
  }
  /// `shape` row-major. The data goes to the next aligned offset, or to `offset`.
  GgufWriter& tensor(const std::string& name, std::vector<int64_t> shape, uint32_t type, const void* data, size_t bytes,
                     int64_t offset = -1) {
    data_.bytes.resize((data_.bytes.size() + 31) / 32 * 32);
    infos_.string(name);
    infos_.number<uint32_t>(static_cast<uint32_t>(shape.size()));
    for (size_t i = shape.size(); i-- > 0;) infos_.number<int64_t>(shape[i]);
    infos_.number<uint32_t>(type);
    infos_.number<uint64_t>(offset < 0 ? data_.bytes.size() : offset);
    const auto* from = static_cast<const char*>(data);
    data_.bytes.insert(data_.bytes.end(), from, from + bytes);
    tensor_count++;
    return *this;
  }
  GgufWriter& tensor(const std::string& name, std::vector<int64_t> shape, const std::vector<float>& data) {
    return tensor(name, std::move(shape), 0, data.data(), data.size() * 4);
  }

  std::string bytes() const {
    Bytes out;
    out.number<uint32_t>(magic);
    out.number<uint32_t>(version);
    out.number<uint64_t>(tensor_count);
    out.number<uint64_t>(pair_count);
    out.bytes += pairs_.bytes + infos_.bytes;
    out.bytes.resize((out.bytes.size() + 31) / 32 * 32);
    return out.bytes + data_.bytes;
  }

  uint32_t magic = 0x46554747, version = 3;
  uint64_t tensor_count = 0, pair_count = 0;

 private:
  struct Bytes {
    std::string bytes;
    template <class T>
    void number(T value) {
      bytes.append(reinterpret_cast<const char*>(&value), sizeof(T));
    }
    void string(const std::string& s) {
      number<uint64_t>(s.size());
      bytes += s;
    }
  };
  template <class T>
  static uint32_t code() {
    if constexpr (std::is_same_v<T, bool>) return 7;
    if constexpr (std::is_same_v<T, uint32_t>) return 4;
    if constexpr (std::is_same_v<T, int32_t>) return 5;
    if constexpr (std::is_same_v<T, float>) return 6;
    if constexpr (std::is_same_v<T, uint64_t>) return 10;
    if constexpr (std::is_same_v<T, int64_t>) return 11;
    return 12;
  }
  Bytes pairs_, infos_, data_;
};

/// The file in memory of exactly its size, so that a sanitizer sees every byte read beyond it.
inline Gguf read_gguf(const std::string& bytes, const std::string& name = "test.gguf") {
  auto block = std::make_shared<std::vector<std::byte>>(bytes.size());
  if (!bytes.empty()) std::memcpy(block->data(), bytes.data(), bytes.size());
  return Gguf(name, *block, block);
}

}  // namespace pg::tests
