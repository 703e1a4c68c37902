#pragma once
// A llama of a few kilobytes with a whole vocabulary, for tests of everything that reads files.
#include "tests/models/gguf_writer.h"
#include "uops/half.h"

namespace pg::tests {

/// 3 special pieces, 256 bytes, letters and merges of "hello world".
inline void add_tokenizer(GgufWriter& w) {
  std::vector<std::string> texts = {"<unk>", "<s>", "</s>"};
  std::vector<float> scores = {0, 0, 0};
  std::vector<int32_t> kinds = {2, 3, 3};
  auto add = [&](const std::string& text, float score, int32_t kind) {
    texts.push_back(text);
    scores.push_back(score);
    kinds.push_back(kind);
  };
  const char* hex = "0123456789ABCDEF";
  for (int b = 0; b < 256; b++) add(std::string("<0x") + hex[b / 16] + hex[b % 16] + ">", 0, 6);
  float score = 0;
  for (const char* merged : {"he", "ll", "hell", "hello", "\u2581w", "or", "\u2581wor", "ld", "\u2581world", "\u2581hello"})
    add(merged, --score, 1);
  for (const char* letter : {"\u2581", "h", "e", "l", "o", "w", "r", "d", "\u00e9"}) add(letter, --score, 1);
  w.pair("tokenizer.ggml.model", std::string("llama"));
  w.pair("tokenizer.ggml.tokens", texts).pair("tokenizer.ggml.scores", scores).pair("tokenizer.ggml.token_type", kinds);
  w.pair<uint32_t>("tokenizer.ggml.bos_token_id", 1).pair<uint32_t>("tokenizer.ggml.eos_token_id", 2);
  w.pair<uint32_t>("tokenizer.ggml.unknown_token_id", 0);
  w.pair("tokenizer.ggml.add_bos_token", true).pair("tokenizer.ggml.add_space_prefix", true);
}
inline constexpr int64_t kSmallVocab = 3 + 256 + 10 + 9;

/// `half`: matrices in F16. All values are eighths, which F16 holds exactly.
inline GgufWriter small_llama(bool half = false, uint32_t context = 16) {
  GgufWriter w;
  constexpr int64_t kDim = 8, kFfn = 12, kHead = 4, kKv = 1;
  w.pair("general.architecture", std::string("llama"))
      .pair("general.name", std::string("small"))
      .pair<uint32_t>("general.alignment", 32);
  w.pair<uint32_t>("llama.context_length", context)
      .pair<uint32_t>("llama.embedding_length", kDim)
      .pair<uint32_t>("llama.block_count", 1);
  w.pair<uint32_t>("llama.feed_forward_length", kFfn).pair<uint32_t>("llama.attention.head_count", 2);
  w.pair<uint32_t>("llama.attention.head_count_kv", kKv).pair<float>("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  w.pair<float>("llama.rope.freq_base", 10000.f).pair<uint32_t>("llama.rope.dimension_count", kHead);
  add_tokenizer(w);
  auto tensor = [&](const std::string& name, std::vector<int64_t> shape) {
    int64_t count = 1;
    for (int64_t n : shape) count *= n;
    std::vector<float> data(count);
    for (int64_t i = 0; i < count; i++) data[i] = static_cast<float>((i * 7 + 3) % 11 - 5) / 8;
    if (!half || shape.size() == 1) {
      w.tensor(name, std::move(shape), data);
      return;
    }
    std::vector<uint16_t> halves;
    for (float f : data) halves.push_back(to_f16(f));
    w.tensor(name, std::move(shape), 1, halves.data(), halves.size() * 2);
  };
  tensor("token_embd.weight", {kSmallVocab, kDim});
  for (const char* name : {"attn_norm", "ffn_norm"}) tensor("blk.0." + std::string(name) + ".weight", {kDim});
  tensor("blk.0.attn_q.weight", {kDim, kDim});
  tensor("blk.0.attn_k.weight", {kKv * kHead, kDim});
  tensor("blk.0.attn_v.weight", {kKv * kHead, kDim});
  tensor("blk.0.attn_output.weight", {kDim, kDim});
  tensor("blk.0.ffn_gate.weight", {kFfn, kDim});
  tensor("blk.0.ffn_up.weight", {kFfn, kDim});
  tensor("blk.0.ffn_down.weight", {kDim, kFfn});
  tensor("output_norm.weight", {kDim});
  return w;
}

}  // namespace pg::tests
