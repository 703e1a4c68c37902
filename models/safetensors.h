#pragma once
// Safetensors, Hugging Face's container of weights: a length, a JSON header {name: {dtype, shape, data_offsets}}, then the
// tensors' bytes, read in place from a mapped file. Nothing in the file is trusted: offsets, shapes and types must agree
// with each other and with the bytes that are there.
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "uops/dtype.h"

namespace pg {

struct SafetensorsTensor {
  std::string name;
  std::string type;  // "F32", "BF16", ..
  std::vector<int64_t> shape;
  std::span<const std::byte> data;  // inside the file, at any address
};

class Safetensors {
 public:
  /// Maps the file. UserError (file, tensor or byte offset, remedy) when it is missing, truncated or damaged.
  static Safetensors open(const std::string& path);
  /// Reads bytes that `keep` keeps alive; `name` stands for the file in messages.
  Safetensors(std::string name, std::span<const std::byte> bytes, std::shared_ptr<void> keep);

  const std::string& name() const { return name_; }
  /// Keeps the mapped bytes alive.
  const std::shared_ptr<void>& keep() const { return keep_; }
  /// In the order of their data.
  const std::vector<SafetensorsTensor>& tensors() const { return tensors_; }
  const SafetensorsTensor* find(std::string_view tensor) const;
  /// UserError naming the tensor when it is not F32, F16 or BF16.
  DType dtype(const SafetensorsTensor&) const;

 private:
  [[noreturn]] void fail(const std::string& what) const;

  std::string name_;
  std::shared_ptr<void> keep_;
  std::vector<SafetensorsTensor> tensors_;
  std::map<std::string, size_t, std::less<>> by_name_;
};

/// Where the tensors of a checkpoint of several files lie: model.safetensors.index.json's weight_map, tensor → file.
/// UserError when `text` is none, or names a file that is not beside the index.
std::map<std::string, std::string> parse_shard_index(const std::string& name, std::string_view text);

}  // namespace pg
