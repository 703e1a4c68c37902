#include "models/llama_config.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "models/gguf.h"
#include "uops/error.h"

namespace pg {
namespace {

struct Preset {
  const char* name;
  int64_t dim, layers, heads, kv_heads, head_dim, ffn, vocab, context;
  double rope_base, rope_factor;  // factor 0: no scaling by wavelength
  bool tied;
};
// The published configurations; Llama 3.1 and 3.2 scale their long wavelengths.
constexpr Preset kPresets[] = {
    //                 dim   L  H   KV head ffn    vocab   ctx     base  factor tied
    {"tinyllama-1.1b", 2048, 22, 32, 4, 64, 5632, 32000, 2048, 1e4, 0, false},
    {"llama-2-7b", 4096, 32, 32, 32, 128, 11008, 32000, 4096, 1e4, 0, false},
    {"llama-3.1-8b", 4096, 32, 32, 8, 128, 14336, 128256, 131072, 5e5, 8, false},
    {"llama-3.2-1b", 2048, 16, 32, 8, 64, 8192, 128256, 131072, 5e5, 32, true},
    {"llama-3.2-3b", 3072, 28, 24, 8, 128, 8192, 128256, 131072, 5e5, 32, true},
    {"tiny", 64, 2, 4, 2, 16, 96, 100, 48, 1e4, 0, false},
};

void require(bool ok, const std::string& what) {
  if (!ok) throw UserError("llama: " + what);
}

}  // namespace

std::vector<float> RopeStretch::divisors(int64_t head_dim, double rope_base) const {
  std::vector<float> out;
  for (int64_t i = 0; i < head_dim / 2; i++) {
    double wavelength =
        2 * std::numbers::pi * std::pow(rope_base, 2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    double smooth = std::clamp((original_context / wavelength - low) / (high - low), 0.0, 1.0);
    out.push_back(static_cast<float>(1 / ((1 - smooth) / factor + smooth)));
  }
  return out;
}

int64_t LlamaConfig::parameters() const {
  int64_t attention = 2 * dim * heads * head_dim + 2 * dim * kv_heads * head_dim;
  return vocab * dim * (tied ? 1 : 2) + layers * (attention + 3 * dim * ffn + 2 * dim) + dim;
}

LlamaConfig LlamaConfig::preset(std::string_view name) {
  for (const Preset& p : kPresets) {
    if (name != p.name) continue;
    LlamaConfig c;
    c.name = p.name;
    c.dim = p.dim, c.layers = p.layers, c.heads = p.heads, c.kv_heads = p.kv_heads, c.head_dim = p.head_dim;
    c.ffn = p.ffn, c.vocab = p.vocab, c.context = p.context, c.rope_base = p.rope_base, c.tied = p.tied;
    if (p.rope_factor > 0) c.rope_factors = RopeStretch{.factor = p.rope_factor}.divisors(p.head_dim, p.rope_base);
    return c;
  }
  std::string known;
  for (const std::string& p : presets()) known += (known.empty() ? "" : ", ") + p;
  throw UserError("--config " + std::string(name) + ": no such configuration; known are " + known);
}

std::vector<std::string> LlamaConfig::presets() {
  std::vector<std::string> out;
  for (const Preset& p : kPresets) out.emplace_back(p.name);
  return out;
}

LlamaConfig LlamaConfig::from(const Gguf& file) {
  return with_context("reading the hyper-parameters of " + file.name(), [&] {
    std::string_view architecture = file.string("general.architecture");
    require(architecture == "llama", "general.architecture is \"" + std::string(architecture.substr(0, 32)) +
                                         "\": this version runs \"llama\" models");
    int64_t parts = file.integer("split.count", 1);
    require(parts <= 1,
            "the model is split into " + std::to_string(parts) + " files: merge them into one first (gguf-split --merge)");
    auto scaling = file.string("llama.rope.scaling.type", "none");
    require(scaling == "none" || scaling == "linear", "llama.rope.scaling.type is \"" + std::string(scaling.substr(0, 32)) +
                                                          "\": this version knows \"none\" and \"linear\"");
    require(file.integer("llama.expert_count", 0) == 0,
            "llama.expert_count is not 0: this version runs no mixtures of experts");
    LlamaConfig c;
    c.name = file.string("general.name", "llama").substr(0, 64);
    c.dim = file.integer("llama.embedding_length");
    c.layers = file.integer("llama.block_count");
    c.heads = file.integer("llama.attention.head_count");
    c.kv_heads = file.integer("llama.attention.head_count_kv", c.heads);
    require(c.heads > 0, "llama.attention.head_count is " + std::to_string(c.heads));
    c.head_dim = file.integer("llama.attention.key_length", c.dim / c.heads);
    c.ffn = file.integer("llama.feed_forward_length");
    c.context = file.integer("llama.context_length");
    c.eps = file.number("llama.attention.layer_norm_rms_epsilon");
    c.rope_base = file.number("llama.rope.freq_base", 10000);
    if (scaling == "linear") c.rope_scale = file.number("llama.rope.scaling.factor");
    int64_t rotated = file.integer("llama.rope.dimension_count", c.head_dim);
    require(rotated == c.head_dim, "llama.rope.dimension_count is " + std::to_string(rotated) + ", but heads have " +
                                       std::to_string(c.head_dim) + " dimensions: this version rotates whole heads");
    int64_t values = file.integer("llama.attention.value_length", c.head_dim);
    require(values == c.head_dim,
            "llama.attention.value_length is " + std::to_string(values) + ", but keys have " + std::to_string(c.head_dim));
    c.vocab = file.tensor("token_embd.weight").shape.front();
    c.tied = !file.find("output.weight");
    if (const GgufTensor* factors = file.find("rope_freqs.weight")) {
      require(file.packing(*factors) == Packing::F32 && factors->shape == std::vector<int64_t>{c.head_dim / 2},
              "rope_freqs.weight must be F32 with one factor for each pair of a head's dimensions");
      const auto* data = reinterpret_cast<const float*>(factors->data.data());
      c.rope_factors.assign(data, data + c.head_dim / 2);
    }
    c.check();
    return c;
  });
}

void LlamaConfig::check() const {
  constexpr int64_t kMost = 1 << 24;  // above any model; products of two sizes stay far inside int64
  auto size = [](int64_t n, const char* what) {
    require(n >= 1 && n <= kMost, std::string(what) + " is " + std::to_string(n) + ", which makes no sense");
  };
  size(dim, "the embedding length");
  size(layers, "the number of layers");
  size(heads, "the number of heads");
  size(kv_heads, "the number of key-value heads");
  size(head_dim, "the head dimension");
  size(ffn, "the feed-forward length");
  size(vocab, "the vocabulary");
  size(context, "the context length");
  size(chunk, "the prefill chunk");
  require(heads % kv_heads == 0,
          std::to_string(heads) + " heads cannot share " + std::to_string(kv_heads) + " key-value heads evenly");
  require(head_dim % 2 == 0, "the head dimension " + std::to_string(head_dim) + " is odd; rotary embedding needs pairs");
  require(eps > 0 && eps < 1, "the epsilon of RMSNorm is " + std::to_string(eps));
  require(rope_base > 0 && std::isfinite(rope_base), "the rope base is " + std::to_string(rope_base));
  require(rope_scale > 0 && std::isfinite(rope_scale), "the rope scaling factor is " + std::to_string(rope_scale));
  for (float f : rope_factors) require(f > 0 && std::isfinite(f), "a rope frequency is divided by " + std::to_string(f));
}

}  // namespace pg
