#pragma once
// Talking to a llama: what a turn of a conversation is as tokens, and a conversation that keeps its cache.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/generate.h"

namespace pg {

/// Llama 2's "[INST] <<SYS>> .. [/INST]" and Llama 3's "<|start_header_id|>user<|end_header_id|> ..".
enum class ChatTemplate { Llama2, Llama3 };
const char* text(ChatTemplate);

/// "llama2", "llama3"; "auto": by the model's own template, else by its special tokens. UserError when the name is another,
/// the model has a template of another kind or nothing of either, or it lacks a token that the template needs.
ChatTemplate chat_template(std::string_view name, const Tokenizer&);

/// A message as tokens, up to where the answer begins. `first`: it begins the conversation, with BOS and, where it is not
/// empty, the system's message; otherwise it follows an answer, which it ends. Messages lose blanks around them; what looks
/// like a special token in them is text.
std::vector<int32_t> chat_turn(const Tokenizer&, ChatTemplate, std::string_view system, std::string_view message,
                               bool first);

class Chat {
 public:
  /// The model, its cache empty, and the tokenizer must outlive it. UserError when an option of the sampler is out of range.
  Chat(Llama&, const Tokenizer&, ChatTemplate, std::string system, const SamplerOptions&);

  /// Says `message` and streams the answer, without blanks in front. UserError when the message does not fit into the rest
  /// of the context; the conversation is then as before. What was interrupted while it read the message has not been said;
  /// an answer that was interrupted stands as far as it went.
  GenerateStats say(std::string_view message, const GenerateOptions&, const OnText&);
  /// Begins a new conversation.
  void reset();

 private:
  Llama& llama_;
  const Tokenizer& tokenizer_;
  ChatTemplate template_;
  std::string system_;
  Sampler sampler_;
  std::vector<int32_t> unread_;  // chosen last, not in the cache yet
};

}  // namespace pg
