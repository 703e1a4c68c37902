#pragma once
// BPE by a list of merges, as tokenizer.json and GGUF's "gpt2" describe it.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/merge_symbols.h"
#include "models/pattern.h"
#include "models/tokenizer.h"

namespace pg {

/// Two tokens and what they become.
struct TokenMerge {
  int32_t left, right, whole;
};

/// The earlier in the list, the better. A pair counts where it stands last, as in Hugging Face's tokenizers.
class MergeTable {
 public:
  explicit MergeTable(const std::vector<TokenMerge>& merges);
  std::optional<MergeCandidate> find(int32_t left, int32_t right) const;

 private:
  struct Hash {
    size_t operator()(uint64_t pair) const;
  };
  std::unordered_map<uint64_t, MergeCandidate, Hash> merges_;
};

/// GPT-2's and Llama 3's: patterns cut the text into words; each word's bytes are merged. Bytes that are no UTF-8 are words
/// of their own.
class ByteLevelBpe : public TextEncoder {
 public:
  struct Options {
    std::vector<std::string> patterns;  // each cuts what the one before left
    bool whole_words = false;           // a word that is a token is never built from merges
  };
  /// Of the vocabulary's normal pieces. UserError when a pattern cannot be used.
  ByteLevelBpe(std::shared_ptr<const Vocabulary>, const std::vector<TokenMerge>&, const Options&);
  /// UserError when there is no token for a byte, or a pattern takes too many steps.
  void encode(std::string_view text, bool first, std::vector<int32_t>& out) const override;

 private:
  void cut(std::string_view text, size_t pattern, std::vector<int32_t>& out) const;
  void encode_word(std::string_view word, std::vector<int32_t>& out) const;

  std::shared_ptr<const Vocabulary> vocabulary_;
  MergeTable merges_;
  std::vector<Pattern> patterns_;
  bool whole_words_;
  std::unordered_map<std::string_view, int32_t> ids_;  // views into vocabulary_
  std::vector<int32_t> byte_tokens_;                   // by byte; -1: none
};

/// Llama 2's as a tokenizer.json: the characters of the whole text are merged, ▁ standing for spaces.
class CharacterBpe : public TextEncoder {
 public:
  struct Options {
    enum class Prefix { None, Each, First } prefix = Prefix::Each;  // ▁ before each stretch; before the first one of a text
    bool prefix_unless_space = false;                               // .. but not where one begins with a space
    bool byte_fallback = true;                                      // unknown characters become their bytes <0xE2>
    bool fuse_unknown = true;                                       // unknown ones in a row are one
    bool whole_words = false;
  };
  CharacterBpe(std::shared_ptr<const Vocabulary>, const std::vector<TokenMerge>&, Options);
  void encode(std::string_view text, bool first, std::vector<int32_t>& out) const override;

 private:
  void add_character(std::string_view character, std::vector<Symbol>& symbols) const;

  std::shared_ptr<const Vocabulary> vocabulary_;
  MergeTable merges_;
  Options options_;
  std::unordered_map<std::string_view, int32_t> ids_;
  std::vector<int32_t> byte_tokens_;
};

/// The byte that a character of the byte-level alphabet stands for (printable ones for themselves, the others for U+0100 and
/// on); none when `text` has other characters: "Ġthe" is " the".
std::optional<std::string> byte_level_decoded(std::string_view text);

/// How GPT-2 and Llama 3 cut text into words.
extern const char* const kGpt2Pattern;
extern const char* const kLlama3Pattern;

}  // namespace pg
