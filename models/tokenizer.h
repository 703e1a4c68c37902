#pragma once
// Sentencepiece's BPE as llama uses it: text ↔ token ids. Encoding merges the adjacent pair with the best score, the
// leftmost of equal ones, until no pair is a piece; what is no piece then falls back to bytes (<0xE2>).
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace pg {

class Gguf;

enum class PieceKind : uint8_t {
  Normal = 1,
  Unknown = 2,
  Control = 3,
  UserDefined = 4,
  Unused = 5,
  Byte = 6
};  // GGUF's numbers

struct Vocabulary {
  struct Piece {
    std::string text;  // with ▁ (U+2581) for a space
    float score = 0;
    PieceKind kind = PieceKind::Normal;
  };
  std::vector<Piece> pieces;                           // by id
  int32_t unknown = -1, bos = -1, eos = -1, eot = -1;  // -1: none
  bool add_bos = true;
  bool add_space_prefix = true;  // the text is encoded as if it began with a space
};

class Tokenizer {
 public:
  /// UserError naming what is wrong with the vocabulary.
  explicit Tokenizer(Vocabulary);
  Tokenizer(Tokenizer&&) = default;  // moved, never copied: ids_ looks into vocabulary_
  /// Reads tokenizer.ggml.*. UserError naming the key when one is missing or holds nonsense, or the model is not
  /// sentencepiece.
  static Tokenizer from(const Gguf&);

  /// Any bytes, also invalid UTF-8, which comes back unchanged from decode when the vocabulary has all bytes.
  std::vector<int32_t> encode(std::string_view text) const;
  /// Well-formed UTF-8 without the added space. See TextStream.
  std::string decode(std::span<const int32_t> tokens) const;
  /// Whether the token ends a text.
  bool ends(int32_t token) const { return token == vocabulary_.eos || token == vocabulary_.eot; }
  /// The bytes that a token stands for; none for control tokens. UserError when there is no such token.
  std::string_view bytes(int32_t token) const;
  const Vocabulary& vocabulary() const { return vocabulary_; }
  int32_t size() const { return static_cast<int32_t>(vocabulary_.pieces.size()); }

 private:
  int32_t find(std::string_view piece) const;  // -1: none
  void emit(std::string_view symbol, std::vector<int32_t>& out) const;

  Vocabulary vocabulary_;
  std::unordered_map<std::string_view, int32_t> ids_;  // pieces that text may become; views into vocabulary_
  std::vector<std::string> bytes_;                     // by id
  std::vector<int32_t> byte_tokens_;                   // by byte; -1: none
};

/// Decodes token by token into well-formed UTF-8: bytes of an unfinished character are held back until it is complete; what
/// can never become a character comes out as U+FFFD.
class TextStream {
 public:
  /// `at_start`: the tokens begin a text, so the space that encoding added is dropped.
  explicit TextStream(const Tokenizer&, bool at_start = true);
  std::string append(int32_t token);
  /// The end: an unfinished character becomes U+FFFD.
  std::string finish();

 private:
  const Tokenizer& tokenizer_;
  bool drop_space_;
  std::string held_;
};

}  // namespace pg
