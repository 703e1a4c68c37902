#pragma once
// What libFuzzer, and the test of its corpus, give bytes to. A target returns for every input: what is wrong with it is a
// UserError, which it catches; anything else is a finding. Beside crashes they look for wrong results.
#include <cstddef>
#include <span>

namespace pg::fuzz {

using Bytes = std::span<const std::byte>;

/// A GGUF file: its metadata, tensors, hyper-parameters and tokenizer.
void gguf(Bytes);
/// u16 n, n bytes of config.json or of a shard index, then a safetensors file.
void safetensors(Bytes);
/// A flags byte; pieces as lines "KIND SCORE TEXT" (one character each, but for the text) up to a NUL; then a text.
void sentencepiece(Bytes);
/// A byte of what follows: 0: u16 n, n bytes of tokenizer.json; 1: a pattern up to a NUL; 2: u8 n, n merges as pairs of
/// token numbers. Then a text.
void byte_pairs(Bytes);

struct Target {
  const char* name;
  void (*run)(Bytes);
};
inline constexpr Target kTargets[] = {
    {"gguf", gguf}, {"safetensors", safetensors}, {"sentencepiece", sentencepiece}, {"byte_pairs", byte_pairs}};

}  // namespace pg::fuzz
