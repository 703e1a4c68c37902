// Tokenizers out of a GGUF file's metadata.
#include <string>
#include <unordered_map>

#include "models/byte_pairs.h"
#include "models/gguf.h"
#include "models/tokenizer.h"
#include "models/utf8.h"
#include "uops/error.h"

namespace pg {
namespace {

/// The ids by which a file names its special tokens.
void read_special_tokens(const Gguf& file, Vocabulary& out) {
  const auto special = [&](std::string_view key) {
    const int64_t id = file.integer(key, -1);
    if (id < -1 || id >= static_cast<int64_t>(out.pieces.size())) {
      throw UserError(std::string(key) + " is " + std::to_string(id) + ", outside the vocabulary of " +
                      std::to_string(out.pieces.size()));
    }
    return static_cast<int32_t>(id);
  };
  out.unknown = special("tokenizer.ggml.unknown_token_id");
  out.bos = special("tokenizer.ggml.bos_token_id");
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"})
    if (const int32_t id = special(key); id >= 0) out.ends.push_back(id);
  // Files of Llama 3 name one end, of a text or of a turn; both end what is written.
  for (int32_t id = 0; id < static_cast<int32_t>(out.pieces.size()); id++) {
    const Vocabulary::Piece& p = out.pieces[id];
    if (p.kind == PieceKind::Control && (p.text == "<|end_of_text|>" || p.text == "<|eot_id|>" || p.text == "<|eom_id|>"))
      out.ends.push_back(id);
  }
  out.chat_template = file.string("tokenizer.chat_template", "");
}

void check_length(const Gguf& file, const char* key, size_t length, size_t wanted) {
  if (length != wanted) {
    throw UserError("tokenizer.ggml.tokens and " + std::string(key) + " differ in length: " + std::to_string(wanted) + ", " +
                    std::to_string(length) + "; export " + file.name() + " again");
  }
}

std::vector<Vocabulary::Piece> read_pieces(const Gguf& file) {
  const auto& texts = file.strings("tokenizer.ggml.tokens");
  const auto& kinds = file.integers("tokenizer.ggml.token_type");
  check_length(file, "tokenizer.ggml.token_type", kinds.size(), texts.size());
  std::vector<Vocabulary::Piece> out;
  out.reserve(texts.size());
  for (size_t i = 0; i < texts.size(); i++) {
    if (kinds[i] < 1 || kinds[i] > 6) {
      throw UserError("tokenizer.ggml.token_type[" + std::to_string(i) + "] is " + std::to_string(kinds[i]) +
                      ", not 1 to 6");
    }
    out.push_back({std::string(texts[i]), 0, static_cast<PieceKind>(kinds[i])});
  }
  return out;
}

Tokenizer read_sentencepiece(const Gguf& file) {
  Vocabulary out;
  out.pieces = read_pieces(file);
  const auto& scores = file.numbers("tokenizer.ggml.scores");
  check_length(file, "tokenizer.ggml.scores", scores.size(), out.pieces.size());
  for (size_t i = 0; i < scores.size(); i++) out.pieces[i].score = static_cast<float>(scores[i]);
  read_special_tokens(file, out);
  out.add_bos = file.flag("tokenizer.ggml.add_bos_token", true);
  out.add_space_prefix = file.flag("tokenizer.ggml.add_space_prefix", true);
  return Tokenizer(std::move(out));
}

Tokenizer read_byte_level(const Gguf& file) {
  const std::string_view pre = file.string("tokenizer.ggml.pre");
  const bool llama3 = pre == "llama-bpe" || pre == "llama3" || pre == "llama-v3";
  if (!llama3 && pre != "gpt-2") {
    throw UserError("tokenizer.ggml.pre is \"" + shown(pre) +
                    "\": of byte-level tokenizers this version reads \"llama-bpe\" (Llama 3) and \"gpt-2\"");
  }
  auto out = std::make_shared<Vocabulary>();
  out->pieces = read_pieces(file);
  out->marks_spaces = out->add_space_prefix = false;
  std::unordered_map<std::string_view, int32_t> ids;
  const auto& texts = file.strings("tokenizer.ggml.tokens");
  for (size_t i = 0; i < texts.size(); i++) {
    Vocabulary::Piece& piece = out->pieces[i];
    if (piece.kind != PieceKind::Normal) continue;
    ids.emplace(texts[i], static_cast<int32_t>(i));
    if (auto bytes = byte_level_decoded(texts[i])) piece.text = std::move(*bytes);
  }
  std::vector<TokenMerge> merges;
  std::string whole;
  for (std::string_view text : file.strings("tokenizer.ggml.merges")) {
    const size_t space = text.find(' ', 1);
    const std::string_view left = text.substr(0, space), right = space < text.size() ? text.substr(space + 1) : "";
    whole.assign(left).append(right);
    const auto l = ids.find(left), r = ids.find(right), w = ids.find(whole);
    if (l == ids.end() || r == ids.end() || w == ids.end()) {
      throw UserError("tokenizer.ggml.merges: \"" + shown(text) + "\" does not join two tokens to a third; export " +
                      file.name() + " again");
    }
    merges.push_back({l->second, r->second, w->second});
  }
  read_special_tokens(file, *out);
  out->add_bos = file.flag("tokenizer.ggml.add_bos_token", llama3);
  const auto encoder = std::make_shared<const ByteLevelBpe>(
      out, merges, ByteLevelBpe::Options{{llama3 ? kLlama3Pattern : kGpt2Pattern}, llama3});
  return Tokenizer(out, encoder, true);
}

}  // namespace

Tokenizer Tokenizer::from(const Gguf& file) {
  return with_context("reading the tokenizer of " + file.name(), [&] {
    const std::string_view model = file.string("tokenizer.ggml.model");
    if (model == "llama") return read_sentencepiece(file);
    if (model == "gpt2") return read_byte_level(file);
    throw UserError("tokenizer.ggml.model is \"" + shown(model) +
                    "\": this version reads \"llama\" (sentencepiece) and \"gpt2\" (byte-level BPE)");
  });
}

}  // namespace pg
