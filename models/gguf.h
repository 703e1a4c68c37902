#pragma once
// GGUF v2 and v3, the container of llama checkpoints: metadata (key → typed value), then named tensors, read in place from a
// mapped file. Nothing in the file is trusted: every count, offset and string is checked against the bytes that are there.
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "models/packing.h"

namespace pg {

/// One metadata value. Integers of every width are int64 (a u64 beyond that is refused), floats double.
using GgufValue = std::variant<int64_t, double, bool, std::string_view, std::vector<int64_t>, std::vector<double>,
                               std::vector<bool>, std::vector<std::string_view>>;

struct GgufTensor {
  std::string_view name;
  std::vector<int64_t> shape;       // row-major: the reverse of the file's order
  uint32_t type = 0;                // ggml's number
  std::span<const std::byte> data;  // inside the file; 8-byte aligned or better
};

class Gguf {
 public:
  /// Maps the file. UserError (file, byte offset, remedy) when it is missing, truncated or damaged.
  static Gguf open(const std::string& path);
  /// Reads bytes that `keep` keeps alive, 8-byte aligned; `name` stands for the file in messages.
  Gguf(std::string name, std::span<const std::byte> bytes, std::shared_ptr<void> keep);

  const std::string& name() const { return name_; }
  /// Keeps the mapped bytes alive.
  const std::shared_ptr<void>& keep() const { return keep_; }

  // ---- metadata. Without a fallback, a missing key is a UserError that names it; so is a value of another type, always
  // ----
  bool has(std::string_view key) const { return values_.contains(key); }
  int64_t integer(std::string_view key, std::optional<int64_t> fallback = {}) const;
  double number(std::string_view key, std::optional<double> fallback = {}) const;  // a float or an integer
  bool flag(std::string_view key, std::optional<bool> fallback = {}) const;
  std::string_view string(std::string_view key, std::optional<std::string_view> fallback = {}) const;
  const std::vector<std::string_view>& strings(std::string_view key) const;
  const std::vector<double>& numbers(std::string_view key) const;
  const std::vector<int64_t>& integers(std::string_view key) const;

  // ---- tensors ----
  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  const GgufTensor* find(std::string_view name) const;
  /// UserError when there is no such tensor or this version does not read its type, naming it and those that are read.
  const GgufTensor& tensor(std::string_view name) const;
  Packing packing(const GgufTensor&) const;

 private:
  friend class GgufParser;
  template <class T>
  const T& get(std::string_view key, const char* wanted) const;
  [[noreturn]] void fail(const std::string& what) const;

  std::string name_;
  std::shared_ptr<void> keep_;
  std::map<std::string_view, GgufValue> values_;
  std::vector<GgufTensor> tensors_;
  std::map<std::string_view, size_t> by_name_;
};

}  // namespace pg
