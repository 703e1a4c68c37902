#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/generate.h"
#include "models/gguf.h"
#include "models/llama.h"
#include "tests/models/private_store.h"

// The shipped checkpoint against goldens that other programs made (models/data/make_goldens.py): sentencepiece's ids,
// transformers' logits and greedy continuations.
namespace pg {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<int32_t>;
const std::string kFolder = PICOGRAD_SOURCE_DIR "/models/data/";

const Json& goldens() {
  static const Json json = [] {
    std::ifstream file(kFolder + "picollama_goldens.json");
    REQUIRE(file);
    return Json::parse(file);
  }();
  return json;
}
const Gguf& file() {
  static const Gguf gguf = Gguf::open(kFolder + "picollama.gguf");
  return gguf;
}
Llama& picollama() {
  static Llama llama = [] {
    LlamaConfig config = LlamaConfig::from(file());
    return Llama(config, LlamaWeights::from(file(), config));
  }();
  return llama;
}

TEST_CASE("picollama: texts become the ids that sentencepiece gives, and come back") {
  Tokenizer tokenizer = Tokenizer::from(file());
  CHECK(goldens()["prompts"].size() >= 10);
  for (const Json& p : goldens()["prompts"]) {
    auto prompt = p["prompt"].get<std::string>();
    INFO(prompt);
    CHECK(tokenizer.encode(prompt) == p["ids"].get<Ids>());
    // ▁ in a text is indistinguishable from a space afterwards; everything else comes back.
    if (prompt.find("\u2581") == std::string::npos) CHECK(tokenizer.decode(p["ids"].get<Ids>()) == prompt);
  }
}

TEST_CASE("picollama: the first logits are those of transformers") {
  const Json& g = goldens()["first_step_logits"];
  Llama& llama = picollama();
  llama.reset();
  const std::vector<float>& logits = llama.prefill(Tokenizer::from(file()).encode(g["prompt"].get<std::string>()));
  for (size_t i = 0; i < 16; i++) CHECK(std::abs(logits[i] - g["first_16"][i].get<double>()) < 1e-3);
  auto best = std::ranges::max_element(logits);
  CHECK(best - logits.begin() == g["argmax"].get<int64_t>());
  CHECK(std::abs(*best - g["max"].get<double>()) < 1e-3);
}

TEST_CASE("picollama: greedy continuations are those of transformers, token by token") {
  Tokenizer tokenizer = Tokenizer::from(file());
  int continued = 0;
  for (const Json& p : goldens()["prompts"]) {
    if (!p.contains("continuation_ids")) continue;
    continued++;
    auto prompt = p["prompt"].get<std::string>();
    Ids wanted = p["continuation_ids"].get<Ids>();
    GenerateOptions options;
    options.tokens = static_cast<int64_t>(wanted.size());
    options.sampler.temperature = 0;
    std::string text;
    picollama().reset();
    GenerateStats stats = generate(picollama(), tokenizer, prompt, options, [&](std::string_view piece) {
      text += piece;
      return true;
    });
    INFO(prompt);
    CHECK(stats.tokens == wanted);
    // At the start of a text the space that encoding would add is not printed.
    CHECK((prompt.empty() ? " " : "") + text == p["continuation_text"].get<std::string>());
  }
  CHECK(continued >= 5);
}

}  // namespace
}  // namespace pg
