#include "models/sentencepiece.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "models/merge_symbols.h"
#include "models/utf8.h"
#include "uops/error.h"

namespace pg {
namespace {

constexpr std::string_view kSpace = "\u2581";

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

}  // namespace

std::string spaces_marked(std::string_view text) { return replaced(text, " ", kSpace); }
std::string spaces_unmarked(std::string_view text) { return replaced(text, kSpace, " "); }

Sentencepiece::Sentencepiece(std::shared_ptr<const Vocabulary> vocabulary)
    : vocabulary_(std::move(vocabulary)), byte_tokens_(256, -1) {
  for (int32_t id = 0; id < static_cast<int32_t>(vocabulary_->pieces.size()); id++) {
    const Vocabulary::Piece& piece = vocabulary_->pieces[id];
    if (std::isnan(piece.score)) throw UserError("tokenizer: the score of piece " + std::to_string(id) + " is not a number");
    if (piece.kind == PieceKind::Normal || piece.kind == PieceKind::UserDefined) ids_.emplace(piece.text, id);
    if (piece.kind == PieceKind::UserDefined && !piece.text.empty()) {
      defined_.emplace(piece.text, id);
      defined_sizes_.push_back(piece.text.size());
    }
    if (piece.kind == PieceKind::Byte && byte_tokens_[byte_of_piece(piece.text)] < 0)
      byte_tokens_[byte_of_piece(piece.text)] = id;
  }
  std::ranges::sort(defined_sizes_, std::greater());
  defined_sizes_.erase(std::unique(defined_sizes_.begin(), defined_sizes_.end()), defined_sizes_.end());
}

int32_t Sentencepiece::find(std::string_view piece) const {
  const auto found = ids_.find(piece);
  return found == ids_.end() ? -1 : found->second;
}

void Sentencepiece::emit(std::string_view symbol, std::vector<int32_t>& out) const {
  if (int32_t id = find(symbol); id >= 0) return out.push_back(id);
  for (char c : symbol) {
    int32_t id = byte_tokens_[static_cast<unsigned char>(c)];
    if (id >= 0) {
      out.push_back(id);
    } else if (vocabulary_->unknown >= 0) {
      return out.push_back(vocabulary_->unknown);
    }
  }
}

void Sentencepiece::encode(std::string_view input, bool, std::vector<int32_t>& out) const {
  const std::string marked = (vocabulary_->add_space_prefix ? std::string(kSpace) : "") + spaces_marked(input);
  const std::string_view text = marked;
  std::vector<Symbol> symbols;
  for (size_t at = 0; at < text.size(); at += symbols.back().length) {
    const auto defined = [&](size_t size) { return size <= text.size() - at && defined_.contains(text.substr(at, size)); };
    if (const auto size = std::ranges::find_if(defined_sizes_, defined); size != defined_sizes_.end()) {
      symbols.push_back({defined_.at(text.substr(at, *size)), at, *size, true});
      continue;
    }
    const Utf8Front front = utf8_front(text.substr(at));
    symbols.push_back({-1, at, front.what == Utf8Front::Character ? front.bytes : 1});
  }
  symbols = merged(std::move(symbols), [&](const Symbol& left, const Symbol& right) -> std::optional<MergeCandidate> {
    const int32_t id = find(text.substr(left.begin, left.length + right.length));
    if (id < 0) return {};
    return MergeCandidate{vocabulary_->pieces[id].score, id};
  });
  for (const Symbol& s : symbols) {
    if (s.fixed)
      out.push_back(s.id);
    else
      emit(text.substr(s.begin, s.length), out);
  }
}

}  // namespace pg
