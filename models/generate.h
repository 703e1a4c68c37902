#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "models/llama.h"
#include "models/sampler.h"
#include "models/tokenizer.h"

namespace pg {

enum class StopReason { EndOfText, Count, ContextFull, Interrupted };
const char* text(StopReason);

struct GenerateOptions {
  int64_t tokens = 64;  // most to generate
  SamplerOptions sampler;
  bool ignore_end = false;  // go on behind an end-of-text token
  bool special = false;     // special tokens in a prompt of text are meant as such
  int64_t vocabulary = 0;   // choose among the first so many tokens; 0: all (models may have more than their tokenizers)
  std::function<bool()> go_on{};  // asked between the chunks of the prompt; false ends the run
};
struct GenerateStats {
  int64_t prompt_tokens = 0, generated_tokens = 0;
  double prompt_ms = 0;    // until the prompt's logits were there
  double generate_ms = 0;  // from then on: `decoded` runs of the decode graph and as many samplings
  int64_t decoded = 0;
  StopReason stop = StopReason::Count;
  std::vector<int32_t> tokens;  // generated
  double prompt_per_second() const { return prompt_ms > 0 ? static_cast<double>(prompt_tokens) * 1e3 / prompt_ms : 0; }
  double generated_per_second() const { return generate_ms > 0 ? static_cast<double>(decoded) * 1e3 / generate_ms : 0; }
};

/// Gets each piece of text as soon as it is whole UTF-8 (not empty); false ends the run.
using OnText = std::function<bool(std::string_view)>;
/// Gets each token; false ends the run.
using OnToken = std::function<bool(int32_t)>;

/// Reads the prompt, then samples token by token. The context's end stops the run; a prompt that does not fit is a
/// UserError.
GenerateStats generate(Llama&, std::span<const int32_t> prompt, const GenerateOptions&,
                       const std::function<bool(int32_t)>& ends, const OnToken&);
/// The same with a sampler that has seen the text so far, instead of one by `GenerateOptions::sampler`.
GenerateStats generate(Llama&, Sampler&, std::span<const int32_t> prompt, const GenerateOptions&,
                       const std::function<bool(int32_t)>& ends, const OnToken&);
GenerateStats generate(Llama&, const Tokenizer&, std::string_view prompt, const GenerateOptions&, const OnText&);

}  // namespace pg
