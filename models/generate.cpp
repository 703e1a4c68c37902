#include "models/generate.h"

#include <algorithm>
#include <chrono>

#include "uops/error.h"

namespace pg {
namespace {

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

const char* text(StopReason reason) {
  switch (reason) {
    case StopReason::EndOfText: return "end of text";
    case StopReason::Count: return "as many tokens as asked for";
    case StopReason::ContextFull: return "the context is full";
    case StopReason::Interrupted: return "interrupted";
  }
  throw InternalError("unknown StopReason");
}

GenerateStats generate(Llama& llama, std::span<const int32_t> prompt, const GenerateOptions& options,
                       const std::function<bool(int32_t)>& ends, const OnToken& on_token) {
  Sampler sampler(options.sampler);
  return generate(llama, sampler, prompt, options, ends, on_token);
}

GenerateStats generate(Llama& llama, Sampler& sampler, std::span<const int32_t> prompt, const GenerateOptions& options,
                       const std::function<bool(int32_t)>& ends, const OnToken& on_token) {
  GenerateStats stats;
  auto start = std::chrono::steady_clock::now();
  const int64_t before = llama.position();
  llama.prefill(prompt, options.go_on);
  stats.prompt_tokens = llama.position() - before;
  stats.prompt_ms = since(start);
  if (stats.prompt_tokens < static_cast<int64_t>(prompt.size())) {
    stats.stop = StopReason::Interrupted;
    return stats;
  }
  for (int32_t token : prompt) sampler.note(token);
  start = std::chrono::steady_clock::now();
  while (stats.generated_tokens < options.tokens) {
    std::span<const float> logits = llama.logits();
    if (options.vocabulary > 0) logits = logits.first(std::min(logits.size(), static_cast<size_t>(options.vocabulary)));
    int32_t token = sampler.choose(logits);
    if (!options.ignore_end && ends(token)) {
      stats.stop = StopReason::EndOfText;
      break;
    }
    sampler.note(token);
    stats.tokens.push_back(token);
    stats.generated_tokens++;
    if (!on_token(token)) {
      stats.stop = StopReason::Interrupted;
      break;
    }
    if (stats.generated_tokens == options.tokens) break;  // nobody would look at the next logits
    if (llama.room() == 0) {
      stats.stop = StopReason::ContextFull;
      break;
    }
    llama.decode(token);
    stats.decoded++;
  }
  stats.generate_ms = since(start);
  return stats;
}

GenerateStats generate(Llama& llama, const Tokenizer& tokenizer, std::string_view prompt, const GenerateOptions& options,
                       const OnText& on_text) {
  std::vector<int32_t> ids = tokenizer.encode(prompt, {.special = options.special});
  TextStream stream(tokenizer, prompt.empty());
  auto emit = [&](const std::string& piece) { return piece.empty() || on_text(piece); };
  GenerateOptions within = options;
  within.vocabulary = tokenizer.size();
  GenerateStats stats = generate(
      llama, ids, within, [&](int32_t token) { return tokenizer.ends(token); },
      [&](int32_t token) { return emit(stream.append(token)); });
  emit(stream.finish());
  return stats;
}

}  // namespace pg
