#include "models/hf_checkpoint.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/llama.h"
#include "tests/cache/temporary.h"
#include "tests/models/errors.h"
#include "tests/models/private_store.h"

// Checkpoints that transformers wrote, and its logits of them (goldens/make_checkpoints.py).
namespace pg {
namespace {

using namespace tests;
namespace fs = std::filesystem;
using Json = nlohmann::json;

const std::string kGoldens = PICOGRAD_SOURCE_DIR "/tests/models/goldens/";

LlamaConfig config_of(const HfCheckpoint& c) { return LlamaConfig::from_json(c.path("config.json"), c.config()); }

/// The largest distance from transformers' logits, read in chunks of `chunk` tokens.
double distance(const std::string& name, int64_t chunk) {
  const HfCheckpoint checkpoint = HfCheckpoint::open(kGoldens + name);
  LlamaConfig config = config_of(checkpoint);
  config.chunk = chunk;
  Llama llama(config, LlamaWeights::from(checkpoint, config));
  std::ifstream file(kGoldens + name + "/logits.json");
  const Json golden = Json::parse(file);
  const auto ids = golden["ids"].get<std::vector<int32_t>>();
  double most = 0;
  int compared = 0;
  for (const auto& [after, wanted] : golden["logits"].items()) {
    llama.reset();
    const auto& logits = llama.prefill(std::span(ids).first(std::stoul(after) + 1));
    REQUIRE(wanted.size() == logits.size());
    for (size_t i = 0; i < logits.size(); i++) most = std::max(most, std::abs(logits[i] - wanted[i].get<double>()));
    compared++;
  }
  CHECK(compared == 5);
  return most;
}

TEST_CASE("hf: logits are those of transformers") {
  for (const char* name : {"mha_f32", "gqa_llama3_tied_bf16", "gqa_linear_f16_sharded"}) {
    CAPTURE(name);
    for (const int64_t chunk : {1, 16}) CHECK(distance(name, chunk) < 1e-4);
  }
}

TEST_CASE("hf: a folder, its index and its only file mean the same checkpoint") {
  const std::string sharded = kGoldens + "gqa_linear_f16_sharded", whole = kGoldens + "mha_f32";
  CHECK(HfCheckpoint::is(sharded));
  CHECK(!HfCheckpoint::is("model.gguf"));
  CHECK(HfCheckpoint::open(sharded).tensors().size() == 21);
  CHECK(HfCheckpoint::open(sharded + "/model.safetensors.index.json").tensors().size() == 21);
  CHECK(HfCheckpoint::open(whole + "/model.safetensors").tensors().size() == 21);
  const LlamaConfig c = config_of(HfCheckpoint::open(sharded));
  CHECK(c.head_dim == 4);
  CHECK(c.kv_heads == 2);
  CHECK(c.rope_scale == 2);
  CHECK(!c.tied);
  CHECK(config_of(HfCheckpoint::open(kGoldens + "gqa_llama3_tied_bf16")).tied);
}

TEST_CASE("hf: Llama 3.2's config.json gives the shipped preset's hyper-parameters") {
  const LlamaConfig c =
      LlamaConfig::from_json("config.json", R"({"architectures":["LlamaForCausalLM"],"attention_bias":false,
    "bos_token_id":128000,"eos_token_id":[128001,128008,128009],"head_dim":64,"hidden_act":"silu","hidden_size":2048,
    "intermediate_size":8192,"max_position_embeddings":131072,"mlp_bias":false,"model_type":"llama","num_attention_heads":32,
    "num_hidden_layers":16,"num_key_value_heads":8,"pretraining_tp":1,"rms_norm_eps":1e-05,"rope_scaling":{"factor":32.0,
    "high_freq_factor":4.0,"low_freq_factor":1.0,"original_max_position_embeddings":8192,"rope_type":"llama3"},
    "rope_theta":500000.0,"tie_word_embeddings":true,"torch_dtype":"bfloat16","use_cache":true,"vocab_size":128256})");
  const LlamaConfig p = LlamaConfig::preset("llama-3.2-1b");
  CHECK(c.parameters() == p.parameters());
  CHECK(c.rope_factors == p.rope_factors);
  CHECK(c.rope_base == p.rope_base);
  CHECK(c.context == p.context);
  CHECK(c.eps == p.eps);
  CHECK(c.tied == p.tied);
}

/// mha_f32's config.json with these members replaced (null: none).
std::string refused_config(const Json& change) {
  std::ifstream file(kGoldens + "mha_f32/config.json");
  Json config = Json::parse(file);
  config.merge_patch(change);
  return user_error([&] { LlamaConfig::from_json("config.json", config.dump()); });
}

TEST_CASE("hf: what a config asks for and is not done here is refused by name") {
  CHECK(refused_config(Json::object()).empty());
  CHECK(refused_config(R"({"rope_scaling":null,"rope_parameters":{"rope_type":"linear","factor":2,"rope_theta":5}})"_json)
            .empty());
  const auto refused = [](const char* change, const char* says) {
    CAPTURE(change);
    CHECK(contains(refused_config(Json::parse(change)), says));
  };
  refused(R"({"model_type":"mistral"})", "config.json: \"model_type\" is \"mistral\"");
  refused(R"({"model_type":null})", "\"model_type\" is missing");
  refused(R"({"attention_bias":true})", "\"attention_bias\" is true");
  refused(R"({"mlp_bias":true})", "\"mlp_bias\" is true");
  refused(R"({"hidden_act":"gelu"})", "\"hidden_act\" is not \"silu\"");
  refused(R"({"quantization_config":{"quant_method":"gptq"}})", "\"quantization_config\" is there");
  refused(R"({"rope_scaling":{"rope_type":"yarn","factor":2}})", "rope_scaling: the type \"yarn\" is not known");
  refused(R"({"rope_scaling":{"type":"dynamic","factor":2}})", "the type \"dynamic\" is not known");
  refused(R"({"rope_scaling":{"type":"linear"}})", "\"factor\" is missing");
  refused(R"({"rope_scaling":{"type":"linear","factor":0}})", "the rope scaling factor is 0");
  refused(R"({"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":4,
              "original_max_position_embeddings":8192}})",
          "its factors make no sense");
  refused(R"({"rope_scaling":3})", "rope_scaling: this is no JSON object");
  refused(R"({"hidden_size":"32"})", "\"hidden_size\" does not hold an integer");
  refused(R"({"hidden_size":-32})", "the embedding length is -");
  refused(R"({"num_attention_heads":0})", "\"num_attention_heads\" is 0");
  refused(R"({"num_key_value_heads":3})", "4 heads cannot share 3 key-value heads");
  refused(R"({"head_dim":7})", "the head dimension 7 is odd");
  refused(R"({"num_hidden_layers":1e30})", "\"num_hidden_layers\" does not hold an integer");
  CHECK(
      contains(user_error([] { LlamaConfig::from_json("config.json", "{"); }), "config.json: at byte 2: this is not JSON"));
}

struct Copy {
  TemporaryFolder folder;
  explicit Copy(const std::string& name) { fs::copy(kGoldens + name, path(), fs::copy_options::recursive); }
  std::string path() const { return folder / "model"; }
  void change(const std::string& file, const std::string& from, const std::string& to) const {
    std::ifstream in(path() + "/" + file, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    REQUIRE(contains(text, from));
    std::ofstream(path() + "/" + file, std::ios::binary) << text.replace(text.find(from), from.size(), to);
  }
  std::string refusal() const {
    return user_error([&] {
      const HfCheckpoint c = HfCheckpoint::open(path());
      LlamaWeights::from(c, config_of(c));
    });
  }
};

TEST_CASE("hf: an incomplete or contradictory folder is refused with what is wrong") {
  Copy good("gqa_linear_f16_sharded");
  CHECK(good.refusal().empty());
  fs::remove(good.path() + "/config.json");
  CHECK(contains(good.refusal(), "config.json: cannot be read"));
  Copy part("gqa_linear_f16_sharded");
  fs::remove(part.path() + "/model-00003-of-00004.safetensors");
  CHECK(contains(part.refusal(), "model-00003-of-00004.safetensors: cannot be opened"));
  Copy swapped("gqa_linear_f16_sharded");
  swapped.change("model.safetensors.index.json", "\"lm_head.weight\": \"model-00004", "\"lm_head.weight\": \"model-00001");
  CHECK(contains(swapped.refusal(), "\"lm_head.weight\" is not there by"));
  Copy more("gqa_linear_f16_sharded");
  more.change("model.safetensors.index.json", "\"weight_map\": {",
              "\"weight_map\": {\"extra\": \"model-00001-of-00004.safetensors\",");
  CHECK(contains(more.refusal(), "\"extra\" is missing, which"));
  Copy other("mha_f32");
  other.change("config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1");
  CHECK(contains(other.refusal(), "\"model.layers.1.input_layernorm.weight\" is not part of a plain llama"));
  Copy fewer("mha_f32");
  fewer.change("config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
  CHECK(contains(fewer.refusal(), "\"model.layers.2.input_layernorm.weight\" is missing"));
  Copy wide("mha_f32");
  wide.change("config.json", "\"intermediate_size\": 40", "\"intermediate_size\": 44");
  CHECK(contains(wide.refusal(), "gate_proj.weight has shape [40, 32], but config.json asks for [44, 32]"));
  TemporaryFolder empty;
  CHECK(contains(user_error([&] { HfCheckpoint::open(empty / "."); }), "holds neither model.safetensors nor"));
}

TEST_CASE("hf: rows of Q and K come interleaved") {
  const std::vector<uint16_t> in = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};  // 2 heads of 4, 2 columns
  std::vector<uint16_t> out(in.size());
  interleave_rows(std::as_bytes(std::span(in)), std::as_writable_bytes(std::span(out)), 2, 4);
  CHECK(out == std::vector<uint16_t>{0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15});
  CHECK(hf_name("blk.12.attn_output.weight") == "model.layers.12.self_attn.o_proj.weight");
  CHECK_THROWS_AS(hf_name("blk.1.nothing.weight"), InternalError);
}

}  // namespace
}  // namespace pg
