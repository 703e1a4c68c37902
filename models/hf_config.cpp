// config.json of a Hugging Face checkpoint.
#include <nlohmann/json.hpp>

#include "models/json_text.h"
#include "models/llama_config.h"
#include "models/utf8.h"
#include "uops/error.h"

namespace pg {
namespace {

/// What changes what a llama computes, and is not done here: refused by name instead of ignored.
void refuse_unsupported(const JsonObject& config) {
  const auto refuse = [&](const char* key, const char* what) {
    config.fail(std::string("\"") + key + "\" " + what + "; this version cannot run the model");
  };
  for (const char* key : {"attention_bias", "mlp_bias"})
    if (config.flag(key, false)) refuse(key, "is true: this version's llamas have no biases");
  if (config.string("hidden_act", "silu") != "silu") refuse("hidden_act", "is not \"silu\"");
  if (config.number("partial_rotary_factor", 1) != 1) refuse("partial_rotary_factor", "is not 1: whole heads are rotated");
  for (const char* key : {"quantization_config", "sliding_window", "num_local_experts"})
    if (config.has(key)) refuse(key, "is there: this version runs plain llamas in F32, F16 and BF16");
}

void read_rope(const JsonObject& config, LlamaConfig& c) {
  // Newer files hold rope_theta and the scaling in one object.
  const char* key = config.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  c.rope_base = config.number("rope_theta", 10000);
  if (!config.has(key)) return;
  const JsonObject scaling = config.object(key);
  c.rope_base = scaling.number("rope_theta", c.rope_base);
  if (scaling.number("partial_rotary_factor", 1) != 1)
    scaling.fail("\"partial_rotary_factor\" is not 1: this version rotates whole heads");
  const std::string type = scaling.string("rope_type", scaling.string("type", "default"));
  if (type == "linear") {
    c.rope_scale = scaling.number("factor");
  } else if (type == "llama3") {
    RopeStretch stretch;
    stretch.factor = scaling.number("factor");
    stretch.low = scaling.number("low_freq_factor");
    stretch.high = scaling.number("high_freq_factor");
    stretch.original_context = scaling.number("original_max_position_embeddings");
    if (!(stretch.factor > 0) || !(stretch.low > 0) || !(stretch.high > stretch.low) || !(stretch.original_context > 0))
      scaling.fail("its factors make no sense: they must be above 0, and high_freq_factor above low_freq_factor");
    c.rope_factors = stretch.divisors(c.head_dim, c.rope_base);
  } else if (type != "default") {
    scaling.fail("the type \"" + shown(type) + "\" is not known: this version knows default, linear and llama3");
  }
}

}  // namespace

LlamaConfig LlamaConfig::from_json(const std::string& name, std::string_view text) {
  const nlohmann::json json = parse_json(name, text);
  const JsonObject config(name, json);
  const std::string type = config.string("model_type");
  if (type != "llama") config.fail("\"model_type\" is \"" + shown(type) + "\": this version runs \"llama\" models");
  refuse_unsupported(config);
  LlamaConfig c;
  c.name = "llama";
  c.dim = config.integer("hidden_size");
  c.layers = config.integer("num_hidden_layers");
  c.heads = config.integer("num_attention_heads");
  c.kv_heads = config.integer("num_key_value_heads", c.heads);
  if (c.heads < 1) config.fail("\"num_attention_heads\" is " + std::to_string(c.heads));
  c.head_dim = config.integer("head_dim", c.dim / c.heads);
  c.ffn = config.integer("intermediate_size");
  c.vocab = config.integer("vocab_size");
  c.context = config.integer("max_position_embeddings", 2048);
  c.eps = config.number("rms_norm_eps", 1e-6);
  c.tied = config.flag("tie_word_embeddings", false);
  return with_context("reading the hyper-parameters of " + name, [&] {
    c.check();  // before anything is sized by them
    read_rope(config, c);
    c.check();
    return c;
  });
}

}  // namespace pg
