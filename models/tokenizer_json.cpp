// tokenizer.json, Hugging Face's description of a tokenizer: BPE as Llama 3 (byte-level) and Llama 2 (characters) use it.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>

#include "models/byte_pairs.h"
#include "models/hf_checkpoint.h"
#include "models/json_text.h"
#include "models/tokenizer.h"
#include "models/utf8.h"
#include "uops/error.h"

namespace pg {
namespace {

using Json = nlohmann::json;
using Prefix = CharacterBpe::Options::Prefix;

constexpr const char* kMark = "\u2581";

class TokenizerJson {
 public:
  TokenizerJson(const std::string& name, const Json& json) : name_(name), top_(name, json), model_(top_.object("model")) {}

  Tokenizer read() {
    if (const std::string type = model_.string("type", "BPE"); type != "BPE")
      model_.fail("\"type\" is \"" + shown(type) + "\": this version reads BPE");
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
      if (!model_.string(key, "").empty()) model_.fail(std::string("\"") + key + "\" is not empty, which is not supported");
    read_normalizer();
    read_pre_tokenizer();
    read_pieces();
    const std::vector<TokenMerge> merges = read_merges();
    read_added_tokens();
    read_post_processor();
    std::shared_ptr<const TextEncoder> encoder;
    if (byte_level_) {
      if (marks_ || prefix_ != Prefix::None) top_.fail("ByteLevel and \u2581 for spaces are not supported together");
      out_->marks_spaces = out_->add_space_prefix = false;
      encoder = std::make_shared<const ByteLevelBpe>(out_, merges,
                                                     ByteLevelBpe::Options{patterns_, model_.flag("ignore_merges", false)});
    } else {
      if (!marks_ || !patterns_.empty())
        top_.fail("this version reads byte-level BPE (Llama 3), and BPE of whole texts with \u2581 for spaces (Llama 2)");
      out_->add_space_prefix = prefix_ != Prefix::None;
      const CharacterBpe::Options options{prefix_, prefix_unless_space_, model_.flag("byte_fallback", false),
                                          model_.flag("fuse_unk", false), model_.flag("ignore_merges", false)};
      encoder = std::make_shared<const CharacterBpe>(out_, merges, options);
    }
    return Tokenizer(out_, encoder, true);
  }

  /// What the files beside it add; before read().
  void take(std::vector<int32_t> ends, std::string chat_template) {
    out_->ends = std::move(ends);
    out_->chat_template = std::move(chat_template);
  }

 private:
  /// The object under `key`, or those of the Sequence that it is.
  std::vector<JsonObject> steps(const char* key, const char* list) const {
    std::vector<JsonObject> out;
    if (!top_.has(key)) return out;
    const JsonObject first = top_.object(key);
    if (first.string("type") != "Sequence") return {first};
    const std::string where = first.where() + ": " + list;
    for (const Json& step : first.array(list)) out.emplace_back(where, step);
    return out;
  }
  [[noreturn]] static void unknown_step(const JsonObject& step) {
    step.fail("the type \"" + shown(step.string("type")) + "\" is not supported");
  }

  void read_normalizer() {
    for (const JsonObject& step : steps("normalizer", "normalizers")) {
      const std::string type = step.string("type");
      if (type == "Prepend" && step.string("prepend") == kMark) {
        prefix_ = Prefix::Each;
      } else if (type == "Replace" && step.string("content") == kMark && step.object("pattern").string("String") == " ") {
        marks_ = true;
      } else {
        unknown_step(step);
      }
    }
  }

  void read_pre_tokenizer() {
    for (const JsonObject& step : steps("pre_tokenizer", "pretokenizers")) {
      const std::string type = step.string("type");
      if (type == "Split") {
        if (step.string("behavior") != "Isolated" || step.flag("invert", false))
          step.fail("a Split that is not Isolated, or inverted, is not supported");
        patterns_.push_back(step.object("pattern").string("Regex"));
      } else if (type == "Digits" && step.flag("individual_digits", false)) {
        patterns_.emplace_back("\\p{N}");
      } else if (type == "ByteLevel") {
        if (step.flag("add_prefix_space", true)) step.fail("\"add_prefix_space\" is true, which is not supported");
        if (step.flag("use_regex", true)) patterns_.emplace_back(kGpt2Pattern);
        byte_level_ = true;
      } else if (type == "Metaspace") {
        read_metaspace(step);
      } else {
        unknown_step(step);
      }
    }
  }

  void read_metaspace(const JsonObject& step) {
    if (step.string("replacement") != kMark || step.flag("split", true))
      step.fail("a Metaspace other than \u2581 without splitting is not supported");
    const std::string scheme = step.string("prepend_scheme", "always");
    if (scheme != "always" && scheme != "first" && scheme != "never")
      step.fail("\"prepend_scheme\" is \"" + shown(scheme) + "\": always, first and never are known");
    prefix_ = scheme == "always" ? Prefix::Each : scheme == "first" ? Prefix::First : Prefix::None;
    prefix_unless_space_ = marks_ = true;
  }

  int32_t id_of(const Json& value, const JsonObject& of) const {
    if (!value.is_number_unsigned() || value.get<uint64_t>() >= most_ids_)
      of.fail("holds the impossible token id " + shown(value.dump()));
    return value.get<int32_t>();
  }
  Vocabulary::Piece& piece(int32_t id) {
    if (static_cast<size_t>(id) >= out_->pieces.size())
      out_->pieces.resize(static_cast<size_t>(id) + 1, {"", 0, PieceKind::Unused});
    return out_->pieces[static_cast<size_t>(id)];
  }

  void read_pieces() {
    const JsonObject vocab = model_.object("vocab");
    const size_t added = top_.has("added_tokens") ? top_.array("added_tokens").size() : 0;
    // Ids may have holes, but not so many that a small file would ask for much memory.
    most_ids_ = 2 * (vocab.json().size() + added) + 1024;
    const bool byte_pieces = model_.flag("byte_fallback", false);
    for (const auto& [text, value] : vocab.json().items()) {
      const int32_t id = id_of(value, vocab);
      Vocabulary::Piece& p = piece(id);
      if (p.kind != PieceKind::Unused) vocab.fail("two tokens have the id " + std::to_string(id));
      ids_.emplace(text, id);
      p = {text, 0, byte_pieces && byte_of_piece(text) >= 0 ? PieceKind::Byte : PieceKind::Normal};
      if (auto bytes = byte_level_ ? byte_level_decoded(text) : std::nullopt) p.text = std::move(*bytes);
    }
    if (const std::string unknown = model_.string("unk_token", ""); !unknown.empty()) {
      const auto found = ids_.find(unknown);
      if (found == ids_.end()) model_.fail("\"unk_token\", \"" + shown(unknown) + "\", is not in the vocabulary");
      out_->unknown = found->second;
      piece(found->second).kind = PieceKind::Unknown;
    }
  }

  std::vector<TokenMerge> read_merges() const {
    std::vector<TokenMerge> out;
    std::string left, right;
    for (const Json& merge : model_.array("merges")) {
      if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
        left = merge[0].get<std::string>(), right = merge[1].get<std::string>();
      } else if (merge.is_string()) {
        const auto& text = merge.get_ref<const std::string&>();
        const size_t space = text.find(' ');
        left = text.substr(0, space), right = space == text.npos ? "" : text.substr(space + 1);
      } else {
        model_.fail("\"merges\" holds something else than pairs");
      }
      const auto l = ids_.find(left), r = ids_.find(right), w = ids_.find(left + right);
      if (l == ids_.end() || r == ids_.end() || w == ids_.end())
        model_.fail("the merge \"" + shown(left) + "\" \"" + shown(right) + "\" does not join two tokens to a third");
      out.push_back({l->second, r->second, w->second});
    }
    return out;
  }

  void read_added_tokens() {
    if (!top_.has("added_tokens")) return;
    for (const Json& entry : top_.array("added_tokens")) {
      const JsonObject token(name_ + ": added_tokens", entry);
      const std::string content = token.string("content");
      for (const char* key : {"single_word", "lstrip", "rstrip"}) {
        if (token.flag(key, false)) token.fail("\"" + shown(content) + "\" has \"" + key + "\", which is not supported");
      }
      const auto id = token.find("id");
      Vocabulary::Piece& p = piece(id_of(id ? *id : Json(), token));
      const bool special = token.flag("special", false);
      // The unknown token keeps its meaning.
      if (p.kind != PieceKind::Unknown) p = {content, 0, special ? PieceKind::Control : PieceKind::UserDefined};
      added_.insert_or_assign(content, &entry);
      if (special &&
          (content == "</s>" || content == "<|end_of_text|>" || content == "<|eot_id|>" || content == "<|eom_id|>"))
        out_->ends.push_back(static_cast<int32_t>(token.integer("id")));
    }
  }

  void read_post_processor() {
    out_->add_bos = false;
    for (const JsonObject& step : steps("post_processor", "processors")) {
      const std::string type = step.string("type");
      if (type == "ByteLevel") continue;  // moves offsets, not tokens
      if (type != "TemplateProcessing") unknown_step(step);
      const Json& parts = step.array("single");
      const auto names = [&](size_t i, const char* what) { return parts[i].is_object() && parts[i].contains(what); };
      if (parts.size() == 1 && names(0, "Sequence")) continue;
      if (parts.size() != 2 || !names(0, "SpecialToken") || !names(1, "Sequence"))
        step.fail("only templates of one special token in front of the text are supported");
      const std::string bos = JsonObject(step.where(), parts[0]["SpecialToken"]).string("id");
      const auto added = added_.find(bos);
      if (added == added_.end()) step.fail("\"" + shown(bos) + "\" is not among the added tokens");
      out_->bos = added->second->at("id").get<int32_t>();
      out_->add_bos = true;
    }
  }

  const std::string& name_;
  JsonObject top_, model_;
  std::shared_ptr<Vocabulary> out_ = std::make_shared<Vocabulary>();
  std::unordered_map<std::string, int32_t> ids_;  // as the file writes them
  std::unordered_map<std::string, const Json*> added_;
  std::vector<std::string> patterns_;
  uint64_t most_ids_ = 0;
  bool byte_level_ = false, marks_ = false, prefix_unless_space_ = false;
  Prefix prefix_ = Prefix::None;
};

/// An integer or several under "eos_token_id".
void add_ends(const JsonObject& file, std::vector<int32_t>& out) {
  const Json* found = file.find("eos_token_id");
  if (!found) return;
  for (const Json& id : found->is_array() ? *found : Json::array({*found})) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX) file.fail("\"eos_token_id\" does not hold token ids");
    out.push_back(id.get<int32_t>());
  }
}

/// "chat_template": one, or several with names, of which the default is meant.
std::string chat_template_of(const JsonObject& file) {
  const Json* found = file.find("chat_template");
  if (!found || !found->is_array()) return file.string("chat_template", "");
  for (const Json& entry : *found) {
    const JsonObject named(file.where() + ": chat_template", entry);
    if (named.string("name") == "default") return named.string("template");
  }
  return "";
}

}  // namespace

Tokenizer Tokenizer::from_json(const std::string& name, std::string_view text) {
  const Json json = parse_json(name, text);
  return TokenizerJson(name, json).read();
}

Tokenizer Tokenizer::from(const HfCheckpoint& checkpoint) {
  const std::string name = checkpoint.path("tokenizer.json");
  if (!checkpoint.has("tokenizer.json")) {
    throw UserError(name + ": is missing; this version reads no other tokenizers of Hugging Face folders" +
                    (checkpoint.has("tokenizer.model") ? " (transformers makes it out of tokenizer.model)" : ""));
  }
  std::vector<int32_t> ends;
  const auto beside = [&](const char* file, const auto& read) {
    if (!checkpoint.has(file)) return;
    const Json json = parse_json(checkpoint.path(file), checkpoint.text(file));
    read(JsonObject(checkpoint.path(file), json));
  };
  std::string chat_template = checkpoint.text("chat_template.jinja");
  beside("config.json", [&](const JsonObject& file) { add_ends(file, ends); });
  beside("generation_config.json", [&](const JsonObject& file) { add_ends(file, ends); });
  beside("tokenizer_config.json", [&](const JsonObject& file) {
    if (chat_template.empty()) chat_template = chat_template_of(file);
  });
  const std::string text = checkpoint.text("tokenizer.json");
  const Json json = parse_json(name, text);
  TokenizerJson reader(name, json);
  reader.take(std::move(ends), std::move(chat_template));
  return reader.read();
}

}  // namespace pg
