#include "models/byte_pairs.h"

#include <array>

#include "models/random.h"
#include "models/sentencepiece.h"
#include "models/utf8.h"
#include "uops/error.h"

namespace pg {
namespace {

uint64_t key(int32_t left, int32_t right) { return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right); }

/// By code point, U+0000 to U+0143: its byte; -1: not in the alphabet. OpenAI's encoder.py, bytes_to_unicode.
constexpr std::array<int16_t, 324> kAlphabet = [] {
  std::array<int16_t, 324> out{};
  for (int16_t& byte : out) byte = -1;
  int16_t other = 256;
  for (int16_t b = 0; b < 256; b++) {
    const bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    out[static_cast<size_t>(printable ? b : other++)] = b;
  }
  return out;
}();

}  // namespace

const char* const kGpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
const char* const kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

std::optional<std::string> byte_level_decoded(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const Utf8Front front = utf8_front(text.substr(at));
    if (front.what != Utf8Front::Character || front.bytes > 2) return {};
    const auto lead = static_cast<unsigned char>(text[at]);
    const size_t point = front.bytes == 1 ? lead : (lead & 0x1Fu) << 6 | (static_cast<unsigned char>(text[at + 1]) & 0x3Fu);
    if (point >= kAlphabet.size() || kAlphabet[point] < 0) return {};
    out += static_cast<char>(kAlphabet[point]);
    at += front.bytes;
  }
  return out;
}

size_t MergeTable::Hash::operator()(uint64_t pair) const { return random_bits(pair, 0); }

MergeTable::MergeTable(const std::vector<TokenMerge>& merges) {
  merges_.reserve(merges.size());
  for (size_t rank = 0; rank < merges.size(); rank++) {
    const TokenMerge& m = merges[rank];
    merges_.insert_or_assign(key(m.left, m.right), MergeCandidate{-static_cast<double>(rank), m.whole});
  }
}

std::optional<MergeCandidate> MergeTable::find(int32_t left, int32_t right) const {
  const auto found = merges_.find(key(left, right));
  if (found == merges_.end()) return {};
  return found->second;
}

ByteLevelBpe::ByteLevelBpe(std::shared_ptr<const Vocabulary> vocabulary, const std::vector<TokenMerge>& merges,
                           const Options& options)
    : vocabulary_(std::move(vocabulary)), merges_(merges), whole_words_(options.whole_words), byte_tokens_(256, -1) {
  constexpr size_t kMostPatterns = 16;  // they nest
  if (options.patterns.size() > kMostPatterns) {
    throw UserError("tokenizer: it cuts texts by " + std::to_string(options.patterns.size()) +
                    " patterns in turn; 16 are the most");
  }
  for (const std::string& p : options.patterns) patterns_.emplace_back(p);
  ids_.reserve(vocabulary_->pieces.size());
  for (int32_t id = 0; id < static_cast<int32_t>(vocabulary_->pieces.size()); id++) {
    const Vocabulary::Piece& piece = vocabulary_->pieces[id];
    if (piece.kind != PieceKind::Normal) continue;
    ids_.emplace(piece.text, id);
    if (piece.text.size() == 1) byte_tokens_[static_cast<unsigned char>(piece.text[0])] = id;
  }
}

void ByteLevelBpe::encode(std::string_view text, bool, std::vector<int32_t>& out) const {
  const auto is_character = [&](size_t at) { return utf8_front(text.substr(at)).what == Utf8Front::Character; };
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    const bool well_formed = is_character(begin);
    do {
      end += utf8_front(text.substr(end)).bytes;
    } while (end < text.size() && is_character(end) == well_formed);
    cut(text.substr(begin, end - begin), well_formed ? 0 : patterns_.size(), out);
  }
}

void ByteLevelBpe::cut(std::string_view text, size_t pattern, std::vector<int32_t>& out) const {
  if (pattern == patterns_.size()) return encode_word(text, out);
  patterns_[pattern].split(text, [&](std::string_view piece) { cut(piece, pattern + 1, out); });
}

void ByteLevelBpe::encode_word(std::string_view word, std::vector<int32_t>& out) const {
  if (whole_words_) {
    if (const auto found = ids_.find(word); found != ids_.end()) return out.push_back(found->second);
  }
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  for (size_t i = 0; i < word.size(); i++) {
    const auto byte = static_cast<unsigned char>(word[i]);
    if (byte_tokens_[byte] < 0)
      throw UserError("tokenizer: its vocabulary has no token for the byte " + std::to_string(byte) +
                      ", which is in the text");
    symbols.push_back({byte_tokens_[byte], i, 1});
  }
  for (const Symbol& s :
       merged(std::move(symbols), [&](const Symbol&a, const Symbol&b) { return merges_.find(a.id, b.id); }))
    out.push_back(s.id);
}

CharacterBpe::CharacterBpe(std::shared_ptr<const Vocabulary> vocabulary, const std::vector<TokenMerge>& merges,
                           Options options)
    : vocabulary_(std::move(vocabulary)), merges_(merges), options_(options), byte_tokens_(256, -1) {
  ids_.reserve(vocabulary_->pieces.size());
  for (int32_t id = 0; id < static_cast<int32_t>(vocabulary_->pieces.size()); id++) {
    const Vocabulary::Piece& piece = vocabulary_->pieces[id];
    if (piece.kind == PieceKind::Byte) byte_tokens_[static_cast<size_t>(byte_of_piece(piece.text))] = id;
    if (piece.kind == PieceKind::Normal || piece.kind == PieceKind::Byte) ids_.emplace(piece.text, id);
  }
}

void CharacterBpe::add_character(std::string_view character, std::vector<Symbol>& symbols) const {
  if (const auto found = ids_.find(character); found != ids_.end())
    return symbols.push_back({found->second, 0, character.size()});
  bool bytes = options_.byte_fallback;
  for (char c : character) bytes = bytes && byte_tokens_[static_cast<unsigned char>(c)] >= 0;
  if (bytes) {
    for (char c : character) symbols.push_back({byte_tokens_[static_cast<unsigned char>(c)], 0, 1});
  } else if (vocabulary_->unknown >= 0) {
    if (options_.fuse_unknown && !symbols.empty() && symbols.back().id == vocabulary_->unknown) return;
    symbols.push_back({vocabulary_->unknown, 0, character.size()});
  }
}

void CharacterBpe::encode(std::string_view input, bool first, std::vector<int32_t>& out) const {
  using Prefix = Options::Prefix;
  std::string text = spaces_marked(input);
  const std::string mark = spaces_marked(" ");
  const bool prefixed = options_.prefix == Prefix::Each || (options_.prefix == Prefix::First && first);
  if (prefixed && !(options_.prefix_unless_space && text.starts_with(mark))) text = mark + text;
  if (options_.whole_words) {
    if (const auto found = ids_.find(text); found != ids_.end()) return out.push_back(found->second);
  }
  std::vector<Symbol> symbols;
  for (size_t at = 0; at < text.size();) {
    const Utf8Front front = utf8_front(std::string_view(text).substr(at));
    const size_t length = front.what == Utf8Front::Character ? front.bytes : 1;
    add_character(std::string_view(text).substr(at, length), symbols);
    at += length;
  }
  for (const Symbol& s :
       merged(std::move(symbols), [&](const Symbol&a, const Symbol&b) { return merges_.find(a.id, b.id); }))
    out.push_back(s.id);
}

}  // namespace pg
