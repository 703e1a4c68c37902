#pragma once
// Text ↔ token ids. What is special — control tokens, user-defined pieces, BOS — is dealt with here; how plain text becomes
// ids is a TextEncoder's matter: sentencepiece's BPE (sentencepiece.h) or merges by rank (byte_pairs.h).
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pg {

class Gguf;
class HfCheckpoint;

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
    std::string text;  // with ▁ (U+2581) for a space where `marks_spaces`
    float score = 0;
    PieceKind kind = PieceKind::Normal;
  };
  std::vector<Piece> pieces;       // by id
  int32_t unknown = -1, bos = -1;  // -1: none
  std::vector<int32_t> ends;       // tokens that end a text or a turn
  bool add_bos = true;
  bool add_space_prefix = true;  // the text is encoded as if it began with a space
  bool marks_spaces = true;      // false: pieces are the bytes that they stand for
  std::string chat_template;     // the model's own, in Jinja; empty: none
};

/// How plain text becomes ids.
class TextEncoder {
 public:
  virtual ~TextEncoder() = default;
  /// Appends the ids of a stretch of text, any bytes. `first`: no special token stands before it.
  virtual void encode(std::string_view text, bool first, std::vector<int32_t>& out) const = 0;
};

struct EncodeOptions {
  bool bos = true;       // begin with BOS where the vocabulary asks for it
  bool special = false;  // "<|eot_id|>" in the text is that token; otherwise it is ten characters
};

class Tokenizer {
 public:
  /// A sentencepiece tokenizer. UserError naming what is wrong with the vocabulary.
  explicit Tokenizer(Vocabulary);
  /// `cuts_user_defined`: user-defined pieces are cut out of the text before the encoder sees it.
  Tokenizer(std::shared_ptr<const Vocabulary>, std::shared_ptr<const TextEncoder>, bool cuts_user_defined);

  /// Reads tokenizer.ggml.*: sentencepiece ("llama") and byte-level BPE ("gpt2"). UserError naming the key when one is
  /// missing, holds nonsense or asks for what this version does not do.
  static Tokenizer from(const Gguf&);
  /// Reads tokenizer.json, and from the files beside it what ends a text and the chat template.
  static Tokenizer from(const HfCheckpoint&);
  /// tokenizer.json alone; `name` stands for the file in messages.
  static Tokenizer from_json(const std::string& name, std::string_view text);

  /// Any bytes, also invalid UTF-8, which comes back unchanged from decode when the vocabulary has all bytes.
  std::vector<int32_t> encode(std::string_view text, EncodeOptions = {}) const;
  /// Well-formed UTF-8 without the added space. See TextStream.
  std::string decode(std::span<const int32_t> tokens) const;
  /// Whether the token ends a text.
  bool ends(int32_t token) const;
  /// The bytes that a token stands for; none for control tokens. UserError when there is no such token.
  std::string_view bytes(int32_t token) const;
  /// The control, unknown or user-defined token of this text; -1: there is none.
  int32_t special(std::string_view text) const;
  const Vocabulary& vocabulary() const { return *vocabulary_; }
  int32_t size() const { return static_cast<int32_t>(vocabulary_->pieces.size()); }

 private:
  struct Special {
    std::string_view text;  // in vocabulary_
    int32_t id;
    bool always;  // cut out of every text
  };
  /// The longest that `text` begins with; null: none.
  const Special* special_at(std::string_view text, bool parse) const;

  std::shared_ptr<const Vocabulary> vocabulary_;
  std::shared_ptr<const TextEncoder> encoder_;
  std::vector<std::vector<Special>> specials_;  // by first byte; the longest first
  std::vector<std::string> bytes_;              // by id
};

/// 0xE2 for "<0xE2>"; -1 for what is no byte piece.
int byte_of_piece(std::string_view piece);

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
