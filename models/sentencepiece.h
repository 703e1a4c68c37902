#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/tokenizer.h"

namespace pg {

/// Sentencepiece's BPE as llama uses it: encoding merges the adjacent pair with the best score, the leftmost of equal ones,
/// until no pair is a piece; what is no piece then falls back to bytes (<0xE2>). User-defined pieces are found first and
/// stay as they are.
class Sentencepiece : public TextEncoder {
 public:
  /// UserError when a score is not a number.
  explicit Sentencepiece(std::shared_ptr<const Vocabulary>);
  void encode(std::string_view text, bool first, std::vector<int32_t>& out) const override;

 private:
  int32_t find(std::string_view piece) const;  // -1: none
  void emit(std::string_view symbol, std::vector<int32_t>& out) const;

  std::shared_ptr<const Vocabulary> vocabulary_;
  std::unordered_map<std::string_view, int32_t> ids_;      // pieces that text may become; views into vocabulary_
  std::unordered_map<std::string_view, int32_t> defined_;  // user-defined ones
  std::vector<size_t> defined_sizes_;                      // their sizes, the largest first
  std::vector<int32_t> byte_tokens_;                       // by byte; -1: none
};

/// "▁" (U+2581) for every space, and back.
std::string spaces_marked(std::string_view text);
std::string spaces_unmarked(std::string_view text);

}  // namespace pg
