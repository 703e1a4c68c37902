#include "src/cli/llama.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "search/tune.h"
#include "src/cli/tune_llama.h"
#include "tests/cache/temporary.h"
#include "tests/models/errors.h"
#include "tests/models/private_store.h"

namespace pg {
namespace {

using namespace tests;

struct Said {
  int status;
  std::string out, log;
};
Said run(const LlamaOptions& options) {
  std::ostringstream out, log;
  int status = llama_command(options, out, log);
  return {status, out.str(), log.str()};
}

TEST_CASE("llama: the shipped model writes its golden text on stdout, figures and seed on stderr") {
  std::ifstream file(PICOGRAD_SOURCE_DIR "/models/data/picollama_goldens.json");
  auto golden = nlohmann::json::parse(file)["prompts"][0];
  LlamaOptions o;
  o.prompt = golden["prompt"];
  o.sampler.temperature = 0;
  o.seed = 5;
  Said said = run(o);
  CHECK(said.status == 0);
  CHECK(said.out == golden["prompt"].get<std::string>() + golden["continuation_text"].get<std::string>() + "\n");
  CHECK(contains(said.log, "picollama: 1.0 M parameters, context 256; seed 5\n"));
  CHECK(contains(said.log, "prompt        10 tokens"));
  CHECK(contains(said.log, "generation    63 tokens"));
  CHECK(contains(said.log, "tok/s"));
  o.echo = false;
  o.tokens = 2;
  CHECK(run(o).out == " that it\n");
}

TEST_CASE("llama: a seed repeats a sampled text, another seed gives another") {
  LlamaOptions o;
  o.prompt = "You may";
  o.sampler.temperature = 2;
  o.tokens = 24;
  o.seed = 1;
  std::string first = run(o).out;
  CHECK(run(o).out == first);
  o.seed = 2;
  CHECK(run(o).out != first);
  o.seed.reset();
  CHECK(contains(run(o).log, "; seed "));
}

TEST_CASE("llama: --config runs real shapes without a file and prints token ids") {
  LlamaOptions o;
  o.model.config = "tiny";
  o.prompt = "four";
  o.tokens = 5;
  o.seed = 3;
  Said said = run(o);
  CHECK(contains(said.log, "tiny: 0.1 M parameters, context 48, random weights, F32; seed 3"));
  CHECK(contains(said.log, "prompt         4 tokens"));
  std::istringstream ids(said.out);
  int count = 0;
  for (int id; ids >> id; count++) CHECK((id >= 0 && id < 100));
  CHECK(count == 5);
}

TEST_CASE("llama: the context's end ends the text in good order") {
  LlamaOptions o;
  o.model.config = "tiny";
  o.model.context = 12;
  o.prompt = "abcd";
  CHECK(contains(run(o).log, "the context is full"));
}

TEST_CASE("llama: what cannot be done is one clear error") {
  auto refused = [](const std::function<void(LlamaOptions&)>& change) {
    LlamaOptions o;
    change(o);
    return user_error([&] { run(o); });
  };
  CHECK(contains(refused([](LlamaOptions& o) { o.tokens = -1; }), "-n -1"));
  CHECK(contains(refused([](LlamaOptions& o) { o.sampler.temperature = -1; }), "--temp -1"));
  CHECK(contains(refused([](LlamaOptions& o) { o.model.model = "/nonexistent.gguf"; }),
                 "/nonexistent.gguf: cannot be opened"));
  CHECK(contains(refused([](LlamaOptions& o) { o.model.model = "x", o.model.config = "tiny"; }), "exclude each other"));
  CHECK(contains(refused([](LlamaOptions& o) { o.model.config = "gpt"; }), "known are tinyllama-1.1b"));
  CHECK(contains(refused([](LlamaOptions& o) { o.model.context = 100000; }),
                 "-c 100000: the model was made for contexts of 1 to 256"));
  CHECK(
      contains(refused([](LlamaOptions& o) { o.prompt_file = "/nonexistent.txt"; }), "-f /nonexistent.txt: cannot be read"));
  CHECK(contains(refused([](LlamaOptions& o) { o.prompt = "a", o.prompt_file = "b"; }), "-p and -f exclude each other"));
  CHECK(contains(refused([](LlamaOptions& o) { o.sampler.min_p = 2; }), "--min-p 2"));
  CHECK(contains(refused([](LlamaOptions& o) { o.sampler.repeat_penalty = 0; }), "--repeat-penalty 0"));
  CHECK(contains(refused([](LlamaOptions& o) { o.system = "x"; }), "--system is for --chat"));
  CHECK(contains(refused([](LlamaOptions& o) { o.chat = true, o.prompt = "x"; }), "the model has no chat template"));
  CHECK(
      contains(refused([](LlamaOptions& o) { o.chat = true, o.prompt = "x", o.chat_template = "y"; }), "--chat-template y"));
  CHECK(contains(refused([](LlamaOptions& o) { o.chat = true, o.json = true; }), "--json is for one answer"));
  CHECK(contains(refused([](LlamaOptions& o) { o.chat = true, o.model.config = "tiny"; }), "--chat and --config exclude"));
  CHECK(contains(refused([](LlamaOptions& o) { o.model.context = 4, o.prompt = "a long prompt, longer than four"; }),
                 "do not fit into the context: 0 of its 4 positions are taken"));
}

TEST_CASE("llama: --json is one object on stdout, with the text, what it took and why it ended") {
  LlamaOptions o;
  o.prompt = "You may";
  o.sampler.temperature = 0;
  o.seed = 7;
  o.tokens = 6;
  const std::string plain = run(o).out;
  o.json = true;
  const Said said = run(o);
  const auto json = nlohmann::json::parse(said.out);
  CHECK(said.out.find('\n') == said.out.size() - 1);
  CHECK(json["prompt"].get<std::string>() + json["text"].get<std::string>() + "\n" == plain);
  CHECK(json["model"] == "picollama");
  CHECK(json["seed"] == 7);
  CHECK(json["stop"] == "count");
  CHECK(json["tokens"].size() == 6);
  CHECK(json["generated_tokens"] == 6);
  CHECK(json["prompt_tokens"].get<int>() > 1);
  CHECK(json["context"] == 256);
  CHECK(json["sampler"]["temp"] == 0);
  for (const char* key :
       {"prompt_ms", "generate_ms", "prompt_tokens_per_second", "tokens_per_second", "gbytes_per_second"}) {
    CAPTURE(key);
    CHECK(json[key].get<double>() > 0);
  }
  CHECK(contains(said.log, "tok/s"));
  o.prompt = "\xff";  // JSON is UTF-8 whatever the prompt is
  CHECK(nlohmann::json::parse(run(o).out)["prompt"] == "\uFFFD");
}

TEST_CASE("llama: --chat wraps the message in the template and writes the answer alone") {
  LlamaOptions o;
  o.prompt = "You may";
  o.sampler.temperature = 0;
  o.tokens = 6;
  o.chat = true;
  o.chat_template = "llama2";
  const Said said = run(o);
  CHECK(!contains(said.out, "You may"));
  CHECK(!contains(said.out, "[INST]"));
  // The same as the template written out, whose answer begins behind a blank.
  LlamaOptions written;
  written.prompt = "[INST] You may [/INST]";
  written.sampler.temperature = 0;
  written.tokens = 6;
  written.echo = false;
  const std::string out = run(written).out;
  CHECK(said.out == out.substr(out.find_first_not_of(" \n")));
  o.system = "Answer with licences.";
  o.json = true;
  CHECK(nlohmann::json::parse(run(o).out)["prompt_tokens"].get<int>() > 20);
}

TEST_CASE("llama: a Hugging Face folder runs by its name") {
  const TemporaryFolder folder;
  const std::string path = folder / "letters";
  std::filesystem::copy(PICOGRAD_SOURCE_DIR "/tests/models/goldens/mha_f32", path);
  LlamaOptions o;
  o.model.model = path;
  o.prompt = "hello";
  o.tokens = 4;
  o.seed = 2;
  CHECK(contains(user_error([&] { run(o); }), "tokenizer.json: is missing"));
  nlohmann::json vocab;
  for (char c = 'a'; c <= 'z'; c++) vocab[std::string(1, c)] = c - 'a';
  vocab["he"] = 26;
  const nlohmann::json tokenizer = {
      {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"h e"}}}},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}};
  std::ofstream(path + "/tokenizer.json") << tokenizer;
  o.json = true;
  const Said said = run(o);
  const auto json = nlohmann::json::parse(said.out);
  CHECK(json["model"] == "letters");
  CHECK(json["prompt_tokens"] == 4);
  for (int token : json["tokens"]) CHECK(token < 27);  // the model has 48, the tokenizer 27
  CHECK(json["text"].get<std::string>().size() >= 4);
  CHECK(contains(said.log, "letters: "));
}

TEST_CASE("tune llama: a line per kernel; what is finished is not searched again") {
  TuneLlamaOptions o;
  o.model.config = "tiny";
  o.beam = 1;
  o.budget_seconds = 1.5;
  auto tuned = [&] {
    std::ostringstream out;
    CHECK(tune_llama_command(o, out) == 0);
    return out.str();
  };
  std::string said = tuned();
  CHECK(contains(said, "tiny: 0.1 M parameters, context 48, random weights, F32; "));
  CHECK(contains(said, "[  1/"));
  CHECK(contains(said, "candidates"));
  CHECK(contains(said, "the same command goes on with the rest"));
  std::vector<WinnerRow> winners = default_store()->winners();
  REQUIRE(!winners.empty());
  for (WinnerRow& w : winners) {
    w.finished = true;
    default_store()->put_winner(w);
  }
  const int64_t measured = search_counters().measured;
  o.budget_seconds = 1e-9;  // no time for a search
  said = tuned();
  CHECK(search_counters().measured == measured);
  size_t skipped = 0;
  for (size_t at = 0; (at = said.find("tuned before", at)) != std::string::npos; at++) skipped++;
  CHECK(skipped == winners.size());
}

TEST_CASE("tune llama: options out of range") {
  std::ostringstream out;
  auto refused = [&](const TuneLlamaOptions& o) { return user_error([&] { tune_llama_command(o, out); }); };
  TuneLlamaOptions o;
  o.beam = 0;
  CHECK(contains(refused(o), "--beam 0"));
  o.beam = 1;
  o.budget_seconds = -1;
  CHECK(contains(refused(o), "--budget -1"));
}

}  // namespace
}  // namespace pg
