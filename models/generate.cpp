#include "models/generate.h"

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
  GenerateStats stats;
  auto start = std::chrono::steady_clock::now();
  const std::vector<float>& logits = llama.prefill(prompt);
  stats.prompt_tokens = static_cast<int64_t>(prompt.size());
  stats.prompt_ms = since(start);
  start = std::chrono::steady_clock::now();
  while (stats.generated_tokens < options.tokens) {
    int32_t token = sampler.choose(logits);
    if (!options.ignore_end && ends(token)) {
      stats.stop = StopReason::EndOfText;
      break;
    }
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
  std::vector<int32_t> ids = tokenizer.encode(prompt);
  TextStream stream(tokenizer, prompt.empty());
  auto emit = [&](const std::string& piece) { return piece.empty() || on_text(piece); };
  GenerateStats stats = generate(
      llama, ids, options, [&](int32_t token) { return tokenizer.ends(token); },
      [&](int32_t token) { return emit(stream.append(token)); });
  emit(stream.finish());
  return stats;
}

}  // namespace pg
