#include "models/tokenizer.h"

#include <algorithm>

#include "models/sentencepiece.h"
#include "models/utf8.h"
#include "uops/error.h"

namespace pg {
namespace {

constexpr std::string_view kReplacement = "\uFFFD";
/// What sentencepiece prints for the unknown piece.
constexpr std::string_view kUnknown = " \u2047 ";

}  // namespace

int byte_of_piece(std::string_view piece) {
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
  if (piece.size() != 6 || piece.substr(0, 3) != "<0x" || piece[5] != '>') return -1;
  const int high = digit(piece[3]), low = digit(piece[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

Tokenizer::Tokenizer(Vocabulary vocabulary)
    : Tokenizer(std::make_shared<const Vocabulary>(std::move(vocabulary)), nullptr, false) {
  encoder_ = std::make_shared<const Sentencepiece>(vocabulary_);
}

Tokenizer::Tokenizer(std::shared_ptr<const Vocabulary> vocabulary, std::shared_ptr<const TextEncoder> encoder,
                     bool cuts_user_defined)
    : vocabulary_(std::move(vocabulary)), encoder_(std::move(encoder)), specials_(256) {
  const Vocabulary& v = *vocabulary_;
  if (v.pieces.empty()) throw UserError("tokenizer: the vocabulary is empty");
  std::vector<int32_t> named = v.ends;
  named.insert(named.end(), {v.unknown, v.bos});
  for (int32_t id : named) {
    if (id < -1 || id >= size())
      throw UserError("tokenizer: a special token has the id " + std::to_string(id) + ", outside the vocabulary");
  }
  if (v.add_bos && v.bos < 0) throw UserError("tokenizer: texts are to begin with a BOS token, but there is none");
  bytes_.resize(v.pieces.size());
  for (int32_t id = 0; id < size(); id++) {
    const Vocabulary::Piece& piece = v.pieces[id];
    switch (piece.kind) {
      case PieceKind::Normal:
      case PieceKind::Unused:
      case PieceKind::UserDefined: bytes_[id] = v.marks_spaces ? spaces_unmarked(piece.text) : piece.text; break;
      case PieceKind::Unknown: bytes_[id] = kUnknown; break;
      case PieceKind::Control: break;
      case PieceKind::Byte:
        if (byte_of_piece(piece.text) < 0)
          throw UserError("tokenizer: the byte piece " + std::to_string(id) + " is not written <0xHH>");
        bytes_[id] = static_cast<char>(byte_of_piece(piece.text));
        break;
    }
    const bool always = cuts_user_defined && piece.kind == PieceKind::UserDefined;
    const bool special =
        piece.kind == PieceKind::Control || piece.kind == PieceKind::UserDefined || piece.kind == PieceKind::Unknown;
    if (special && !piece.text.empty())
      specials_[static_cast<unsigned char>(piece.text[0])].push_back({piece.text, id, always});
  }
  for (std::vector<Special>& of_byte : specials_) {
    std::ranges::sort(of_byte, [](const Special& a, const Special& b) {
      return a.text.size() != b.text.size() ? a.text.size() > b.text.size() : a.id < b.id;
    });
  }
}

const Tokenizer::Special* Tokenizer::special_at(std::string_view text, bool parse) const {
  for (const Special& s : specials_[static_cast<unsigned char>(text[0])])
    if ((parse || s.always) && text.starts_with(s.text)) return &s;
  return nullptr;
}

int32_t Tokenizer::special(std::string_view text) const {
  const Special* found = text.empty() ? nullptr : special_at(text, true);
  return found && found->text == text ? found->id : -1;
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  std::vector<int32_t> out;
  if (options.bos && vocabulary_->add_bos) out.push_back(vocabulary_->bos);
  bool first = true;
  size_t begin = 0;  // of the plain text
  const auto plain = [&](size_t end) {
    if (end > begin) encoder_->encode(text.substr(begin, end - begin), first, out);
  };
  for (size_t at = 0; at < text.size();) {
    const Special* found = special_at(text.substr(at), options.special);
    if (!found) {
      at++;
      continue;
    }
    plain(at);
    out.push_back(found->id);
    first = false;
    begin = at += found->text.size();
  }
  plain(text.size());
  return out;
}

bool Tokenizer::ends(int32_t token) const { return std::ranges::count(vocabulary_->ends, token) > 0; }

std::string_view Tokenizer::bytes(int32_t token) const {
  if (token < 0 || token >= size()) {
    throw UserError("tokenizer: there is no token " + std::to_string(token) + "; the vocabulary has " +
                    std::to_string(size()));
  }
  return bytes_[token];
}

std::string Tokenizer::decode(std::span<const int32_t> tokens) const {
  TextStream stream(*this);
  std::string out;
  for (int32_t token : tokens) out += stream.append(token);
  return out + stream.finish();
}

TextStream::TextStream(const Tokenizer& tokenizer, bool at_start)
    : tokenizer_(tokenizer), drop_space_(at_start && tokenizer.vocabulary().add_space_prefix) {}

std::string TextStream::append(int32_t token) {
  std::string_view bytes = tokenizer_.bytes(token);
  if (!bytes.empty() && drop_space_) {
    drop_space_ = false;
    if (bytes.front() == ' ' && tokenizer_.vocabulary().pieces[token].kind != PieceKind::Unknown) bytes.remove_prefix(1);
  }
  held_ += bytes;
  std::string out;
  std::string_view rest = held_;
  while (!rest.empty()) {
    Utf8Front front = utf8_front(rest);
    if (front.what == Utf8Front::Incomplete) break;
    out += front.what == Utf8Front::Character ? rest.substr(0, front.bytes) : kReplacement;
    rest.remove_prefix(front.bytes);
  }
  held_ = std::string(rest);
  return out;
}

std::string TextStream::finish() {
  bool unfinished = !held_.empty();
  held_.clear();
  return unfinished ? std::string(kReplacement) : std::string();
}

}  // namespace pg
