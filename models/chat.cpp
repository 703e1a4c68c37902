#include "models/chat.h"

#include "models/utf8.h"
#include "uops/error.h"

namespace pg {
namespace {

std::string_view trimmed(std::string_view s) {
  constexpr std::string_view kBlank = " \t\r\n\v\f";
  const size_t begin = s.find_first_not_of(kBlank);
  return begin == s.npos ? std::string_view() : s.substr(begin, s.find_last_not_of(kBlank) - begin + 1);
}

int32_t needed(const Tokenizer& t, ChatTemplate chat, const char* token) {
  if (const int32_t id = t.special(token); id >= 0) return id;
  throw UserError(std::string("the model has no token ") + token + ", which the chat template \"" + text(chat) +
                  "\" needs; give another one with --chat-template, or continue a text without --chat");
}

void append(std::vector<int32_t>& out, const std::vector<int32_t>& more) { out.insert(out.end(), more.begin(), more.end()); }

}  // namespace

const char* text(ChatTemplate t) { return t == ChatTemplate::Llama2 ? "llama2" : "llama3"; }

ChatTemplate chat_template(std::string_view name, const Tokenizer& t) {
  const auto checked = [&](ChatTemplate chat) {
    if (chat == ChatTemplate::Llama3) {
      for (const char* token : {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}) needed(t, chat, token);
    } else {
      needed(t, chat, "</s>");
    }
    return chat;
  };
  if (name == "llama2") return checked(ChatTemplate::Llama2);
  if (name == "llama3") return checked(ChatTemplate::Llama3);
  if (name != "auto") throw UserError("--chat-template " + std::string(name) + ": known are auto, llama2 and llama3");
  const std::string& own = t.vocabulary().chat_template;
  if (own.find("<|start_header_id|>") != own.npos) return checked(ChatTemplate::Llama3);
  if (own.find("[INST]") != own.npos) return checked(ChatTemplate::Llama2);
  if (!own.empty()) {
    throw UserError("the model's chat template is neither Llama 2's nor Llama 3's (\"" + shown(own) +
                    "\"); one can be forced with --chat-template");
  }
  if (t.special("<|start_header_id|>") >= 0) return checked(ChatTemplate::Llama3);
  throw UserError(
      "the model has no chat template: it was made to continue texts, without --chat; one can be forced with "
      "--chat-template");
}

std::vector<int32_t> chat_turn(const Tokenizer& t, ChatTemplate chat, std::string_view system, std::string_view message,
                               bool first) {
  constexpr EncodeOptions kPlain{.bos = false};
  std::vector<int32_t> out;
  const std::string_view instructions = trimmed(system);
  const bool instructed = first && !instructions.empty();
  if (chat == ChatTemplate::Llama2) {
    if (!first) out.push_back(needed(t, chat, "</s>"));
    if (t.vocabulary().bos >= 0) out.push_back(t.vocabulary().bos);
    std::string said(trimmed(message));
    if (instructed) said = "<<SYS>>\n" + std::string(instructions) + "\n<</SYS>>\n\n" + said;
    append(out, t.encode("[INST] " + said + " [/INST]", kPlain));
    return out;
  }
  const int32_t begin = needed(t, chat, "<|start_header_id|>"), end = needed(t, chat, "<|end_header_id|>"),
                over = needed(t, chat, "<|eot_id|>");
  const auto part = [&](const char* role, std::string_view content) {
    out.push_back(begin);
    append(out, t.encode(role, kPlain));
    out.push_back(end);
    append(out, t.encode("\n\n" + std::string(content), kPlain));
  };
  if (!first) out.push_back(over);
  if (first && t.vocabulary().bos >= 0) out.push_back(t.vocabulary().bos);
  if (instructed) {
    part("system", instructions);
    out.push_back(over);
  }
  part("user", trimmed(message));
  out.push_back(over);
  part("assistant", "");
  return out;
}

Chat::Chat(Llama& llama, const Tokenizer& tokenizer, ChatTemplate chat, std::string system, const SamplerOptions& sampler)
    : llama_(llama), tokenizer_(tokenizer), template_(chat), system_(std::move(system)), sampler_(sampler) {}

GenerateStats Chat::say(std::string_view message, const GenerateOptions& options, const OnText& on_text) {
  const int64_t before = llama_.position();
  std::vector<int32_t> ids = unread_;
  append(ids, chat_turn(tokenizer_, template_, system_, message, before == 0));
  TextStream stream(tokenizer_);
  bool blank = true;  // so far
  const auto emit = [&](std::string piece) {
    if (blank) piece.erase(0, piece.find_first_not_of(" \n"));
    blank = blank && piece.empty();
    return piece.empty() || on_text(piece);
  };
  GenerateOptions within = options;
  within.vocabulary = tokenizer_.size();
  const GenerateStats stats = generate(
      llama_, sampler_, ids, within, [&](int32_t token) { return tokenizer_.ends(token); },
      [&](int32_t token) { return emit(stream.append(token)); });
  if (stats.prompt_tokens < static_cast<int64_t>(ids.size())) {
    llama_.rewind(before);
    return stats;
  }
  emit(stream.finish());
  unread_.assign(stats.tokens.begin() + stats.decoded, stats.tokens.end());
  return stats;
}

void Chat::reset() {
  llama_.reset();
  sampler_.forget();
  unread_.clear();
}

}  // namespace pg
