#pragma once
// A llama as Hugging Face stores it: a folder with config.json, tokenizer.json and one or several safetensors files.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "models/safetensors.h"

namespace pg {

class HfCheckpoint {
 public:
  /// Whether `path` means such a checkpoint: a folder, a .safetensors file or a .safetensors.index.json in one.
  static bool is(const std::string& path);
  /// Maps its files. UserError (file, what is wrong, remedy) when one is missing or damaged.
  static HfCheckpoint open(const std::string& path);

  const std::string& folder() const { return folder_; }
  /// The texts of config.json and, where they are there, of the others ("" otherwise).
  const std::string& config() const { return config_; }
  std::string text(const char* file) const;
  bool has(const char* file) const;
  /// "FOLDER/config.json".
  std::string path(const char* file) const { return folder_ + "/" + file; }

  struct Place {
    const Safetensors* file;
    const SafetensorsTensor* tensor;
  };
  const std::map<std::string, Place, std::less<>>& tensors() const { return tensors_; }
  /// UserError when there is no such tensor.
  Place tensor(std::string_view name) const;

 private:
  HfCheckpoint() = default;

  std::string folder_, config_;
  std::vector<std::unique_ptr<Safetensors>> files_;
  std::map<std::string, Place, std::less<>> tensors_;
};

/// The Hugging Face name of a weight known by its GGUF name: "blk.3.attn_q.weight" is
/// "model.layers.3.self_attn.q_proj.weight".
std::string hf_name(std::string_view gguf_name);

/// Hugging Face's llamas rotate element i of a head with element i + head_dim / 2, ours element 2i with 2i + 1: the rows of
/// Q and K [heads * head_dim, row_bytes] in our order.
void interleave_rows(std::span<const std::byte> in, std::span<std::byte> out, int64_t heads, int64_t head_dim);

}  // namespace pg
