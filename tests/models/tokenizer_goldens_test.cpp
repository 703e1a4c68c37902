#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "models/gguf.h"
#include "models/tokenizer.h"

// Small tokenizers on tricky strings, against Hugging Face's tokenizers, tiktoken and sentencepiece
// (goldens/make_tokenizers.py).
namespace pg {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<int32_t>;
const std::string kFolder = PICOGRAD_SOURCE_DIR "/tests/models/goldens/";

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}
const Json& goldens() {
  static const Json all = Json::parse(contents(kFolder + "tokenizers.json"));
  return all;
}
Tokenizer open(const std::string& file) {
  if (file.ends_with(".gguf")) return Tokenizer::from(Gguf::open(kFolder + file));
  return Tokenizer::from_json(file, contents(kFolder + file));
}

void compare(const std::string& file, const Json& golden) {
  CAPTURE(file);
  const Tokenizer t = open(file);
  const Json& texts = goldens()["texts"];
  REQUIRE(texts.size() == golden["plain"].size());
  CHECK(texts.size() > 200);
  for (size_t i = 0; i < texts.size(); i++) {
    const auto text = texts[i].get<std::string>();
    const Ids ids = golden["plain"][i].get<Ids>();
    const std::string at = std::to_string(i);
    CAPTURE(i);
    CAPTURE(text);
    CHECK(t.encode(text) == ids);
    CHECK(t.decode(ids) == golden["decoded"].value(at, text));
    if (golden.contains("special")) CHECK(t.encode(text, {.special = true}) == golden["special"].value(at, ids));
    std::string streamed;
    TextStream stream(t);
    for (int32_t id : ids) streamed += stream.append(id);
    CHECK(streamed + stream.finish() == t.decode(ids));
  }
  for (const Json& pair : golden.value("random", Json::array())) CHECK(t.decode(pair[0].get<Ids>()) == pair[1]);
}

TEST_CASE("tokenizers: Llama 3's byte-level BPE is that of tokenizers and tiktoken") {
  compare("llama3.json", goldens()["llama3.json"]);
  CHECK(goldens()["llama3.json"]["random"].size() == 60);
}
TEST_CASE("tokenizers: .. also out of a GGUF file") { compare("llama3.gguf", goldens()["llama3.json"]); }
TEST_CASE("tokenizers: GPT-2's pattern behind single digits") { compare("digits.json", goldens()["digits.json"]); }
TEST_CASE("tokenizers: Llama 2's tokenizer.json, of older and of newer transformers") {
  compare("llama2.json", goldens()["llama2.json"]);
  compare("metaspace.json", goldens()["metaspace.json"]);
}
TEST_CASE("tokenizers: sentencepiece's own, with user-defined pieces") {
  compare("sentencepiece.gguf", goldens()["sentencepiece.gguf"]);
}

}  // namespace
}  // namespace pg
