#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pg {

class Gguf;

/// Llama 3.1's rope scaling: wavelengths that fit often into the original context stay, those that hardly do are stretched
/// by `factor`, and between them one goes over into the other.
struct RopeStretch {
  double factor = 8, low = 1, high = 4;  // below `low` turns in the original context: stretched; above `high`: not
  double original_context = 8192;
  /// [head_dim / 2]: what to divide the frequencies by.
  std::vector<float> divisors(int64_t head_dim, double rope_base) const;
};

/// The hyper-parameters of a llama.
struct LlamaConfig {
  std::string name;
  int64_t dim = 0;  // of the residual stream
  int64_t layers = 0;
  int64_t heads = 0, kv_heads = 0;
  int64_t head_dim = 0;
  int64_t ffn = 0;  // hidden units of the feed-forward block
  int64_t vocab = 0;
  int64_t context = 0;  // positions that the cache holds
  double eps = 1e-5;    // of RMSNorm
  double rope_base = 10000;
  double rope_scale = 1;            // positions are divided by it (linear scaling)
  std::vector<float> rope_factors;  // [head_dim / 2]: frequencies are divided by them; empty: all 1
  bool tied = false;                // the embedding is the lm head too
  int64_t chunk = 512;               // most tokens of one prefill step

  int64_t group() const { return heads / kv_heads; }
  int64_t parameters() const;

  /// Reads llama.*. UserError naming the key and its value when one is missing or makes no llama, or the architecture is
  /// another.
  static LlamaConfig from(const Gguf&);
  /// Reads the config.json of a Hugging Face checkpoint; `name` stands for the file in messages. UserError naming key and
  /// value, also of what this version does not do.
  static LlamaConfig from_json(const std::string& name, std::string_view text);
  /// "tinyllama-1.1b", "llama-2-7b", "llama-3.1-8b", "llama-3.2-1b", "llama-3.2-3b", "tiny" (tests). UserError listing them.
  static LlamaConfig preset(std::string_view name);
  static std::vector<std::string> presets();
  /// UserError naming the first value that makes no llama.
  void check() const;
};

}  // namespace pg
