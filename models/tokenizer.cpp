#include "models/tokenizer.h"

#include <cmath>
#include <optional>
#include <queue>

#include "models/gguf.h"
#include "models/utf8.h"
#include "uops/error.h"

namespace pg {
namespace {

constexpr std::string_view kSpace = "\u2581", kReplacement = "\uFFFD";
/// What sentencepiece prints for the unknown piece.
constexpr std::string_view kUnknown = " \u2047 ";

/// 0xE2 for "<0xE2>".
std::optional<unsigned char> byte_of(std::string_view piece) {
  auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
  if (piece.size() != 6 || piece.substr(0, 3) != "<0x" || piece[5] != '>') return {};
  int high = digit(piece[3]), low = digit(piece[4]);
  if (high < 0 || low < 0) return {};
  return static_cast<unsigned char>(high * 16 + low);
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t next = text.find(from, at);
    out += text.substr(at, next - at);
    if (next == std::string_view::npos) break;
    out += to;
    at = next + from.size();
  }
  return out;
}

/// A stretch of the text that is, so far, one symbol; a list so that merging is cheap.
struct Symbol {
  size_t begin, length;  // length 0: merged into its left neighbour
  int previous, next;    // -1: none
};
struct Merge {
  float score;
  int left;
  size_t length;  // of both together: tells a merge that has become stale
  int right;
  /// The best score first; of equal ones the leftmost.
  friend bool operator<(const Merge& a, const Merge& b) { return a.score != b.score ? a.score < b.score : a.left > b.left; }
};

std::vector<Symbol> characters(std::string_view text) {
  std::vector<Symbol> out;
  for (size_t at = 0; at < text.size();) {
    Utf8Front front = utf8_front(text.substr(at));
    size_t length = front.what == Utf8Front::Character ? front.bytes : 1;
    int i = static_cast<int>(out.size());
    out.push_back({at, length, i - 1, i + 1});
    at += length;
  }
  if (!out.empty()) out.back().next = -1;
  return out;
}

}  // namespace

Tokenizer::Tokenizer(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)), byte_tokens_(256, -1) {
  auto& pieces = vocabulary_.pieces;
  if (pieces.empty()) throw UserError("tokenizer: the vocabulary is empty");
  for (int32_t id : {vocabulary_.unknown, vocabulary_.bos, vocabulary_.eos, vocabulary_.eot}) {
    if (id < -1 || id >= size())
      throw UserError("tokenizer: a special token has the id " + std::to_string(id) + ", outside the vocabulary");
  }
  if (vocabulary_.add_bos && vocabulary_.bos < 0)
    throw UserError("tokenizer: texts are to begin with a BOS token, but there is none");
  bytes_.resize(pieces.size());
  for (int32_t id = 0; id < size(); id++) {
    const Vocabulary::Piece& piece = pieces[id];
    if (std::isnan(piece.score)) throw UserError("tokenizer: the score of piece " + std::to_string(id) + " is not a number");
    switch (piece.kind) {
      case PieceKind::Normal:
      case PieceKind::UserDefined: ids_.emplace(piece.text, id); [[fallthrough]];
      case PieceKind::Unused: bytes_[id] = replaced(piece.text, kSpace, " "); break;
      case PieceKind::Unknown: bytes_[id] = kUnknown; break;
      case PieceKind::Control: break;
      case PieceKind::Byte: {
        auto byte = byte_of(piece.text);
        if (!byte) throw UserError("tokenizer: the byte piece " + std::to_string(id) + " is not written <0xHH>");
        bytes_[id] = static_cast<char>(*byte);
        if (byte_tokens_[*byte] < 0) byte_tokens_[*byte] = id;
        break;
      }
    }
  }
}

Tokenizer Tokenizer::from(const Gguf& file) {
  return with_context("reading the tokenizer of " + file.name(), [&] {
    std::string_view model = file.string("tokenizer.ggml.model");
    if (model != "llama") {
      throw UserError("tokenizer.ggml.model is \"" + std::string(model.substr(0, 32)) +
                      "\": this version reads sentencepiece tokenizers (\"llama\"); use a model of the Llama 1 or 2 family");
    }
    const auto& texts = file.strings("tokenizer.ggml.tokens");
    const auto& scores = file.numbers("tokenizer.ggml.scores");
    const auto& kinds = file.integers("tokenizer.ggml.token_type");
    if (scores.size() != texts.size() || kinds.size() != texts.size()) {
      throw UserError("tokenizer.ggml.tokens, .scores and .token_type differ in length: " + std::to_string(texts.size()) +
                      ", " + std::to_string(scores.size()) + ", " + std::to_string(kinds.size()));
    }
    Vocabulary out;
    out.pieces.reserve(texts.size());
    for (size_t i = 0; i < texts.size(); i++) {
      if (kinds[i] < 1 || kinds[i] > 6) {
        throw UserError("tokenizer.ggml.token_type[" + std::to_string(i) + "] is " + std::to_string(kinds[i]) +
                        ", not 1 to 6");
      }
      out.pieces.push_back({std::string(texts[i]), static_cast<float>(scores[i]), static_cast<PieceKind>(kinds[i])});
    }
    auto special = [&](std::string_view key, int64_t fallback) {
      int64_t id = file.integer(key, fallback);
      if (id < -1 || id >= static_cast<int64_t>(texts.size())) {
        throw UserError(std::string(key) + " is " + std::to_string(id) + ", outside the vocabulary of " +
                        std::to_string(texts.size()));
      }
      return static_cast<int32_t>(id);
    };
    out.unknown = special("tokenizer.ggml.unknown_token_id", -1);
    out.bos = special("tokenizer.ggml.bos_token_id", -1);
    out.eos = special("tokenizer.ggml.eos_token_id", -1);
    out.eot = special("tokenizer.ggml.eot_token_id", -1);
    out.add_bos = file.flag("tokenizer.ggml.add_bos_token", true);
    out.add_space_prefix = file.flag("tokenizer.ggml.add_space_prefix", true);
    return Tokenizer(std::move(out));
  });
}

int32_t Tokenizer::find(std::string_view piece) const {
  auto found = ids_.find(piece);
  return found == ids_.end() ? -1 : found->second;
}

void Tokenizer::emit(std::string_view symbol, std::vector<int32_t>& out) const {
  if (int32_t id = find(symbol); id >= 0) return out.push_back(id);
  for (char c : symbol) {
    int32_t id = byte_tokens_[static_cast<unsigned char>(c)];
    if (id >= 0) {
      out.push_back(id);
    } else if (vocabulary_.unknown >= 0) {
      return out.push_back(vocabulary_.unknown);
    }
  }
}

std::vector<int32_t> Tokenizer::encode(std::string_view input) const {
  std::vector<int32_t> out;
  if (vocabulary_.add_bos) out.push_back(vocabulary_.bos);
  if (input.empty()) return out;
  std::string text = (vocabulary_.add_space_prefix ? std::string(kSpace) : "") + replaced(input, " ", kSpace);
  std::vector<Symbol> symbols = characters(text);

  std::priority_queue<Merge> merges;
  auto offer = [&](int left, int right) {
    if (left < 0 || right < 0) return;
    size_t length = symbols[left].length + symbols[right].length;
    int32_t id = find(std::string_view(text).substr(symbols[left].begin, length));
    if (id >= 0) merges.push({vocabulary_.pieces[id].score, left, length, right});
  };
  for (int i = 0; i + 1 < static_cast<int>(symbols.size()); i++) offer(i, i + 1);
  while (!merges.empty()) {
    Merge merge = merges.top();
    merges.pop();
    Symbol &left = symbols[merge.left], &right = symbols[merge.right];
    if (left.length == 0 || right.length == 0 || left.length + right.length != merge.length)
      continue;  // one side has changed
    left.length = merge.length;
    right.length = 0;
    left.next = right.next;
    if (left.next >= 0) symbols[left.next].previous = merge.left;
    offer(left.previous, merge.left);
    offer(merge.left, left.next);
  }
  for (int i = 0; i >= 0; i = symbols[i].next) emit(std::string_view(text).substr(symbols[i].begin, symbols[i].length), out);
  return out;
}

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
