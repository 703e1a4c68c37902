#include "src/cli/llama.h"

#include <doctest/doctest.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "search/tune.h"
#include "src/cli/tune_llama.h"
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
  o.temperature = 0;
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
  o.temperature = 2;
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
  CHECK(contains(said.log, "tiny: 0.1 M parameters, context 48, random weights; seed 3"));
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
  CHECK(contains(refused([](LlamaOptions& o) { o.temperature = -1; }), "--temp -1"));
  CHECK(contains(refused([](LlamaOptions& o) { o.model.model = "/nonexistent.gguf"; }),
                 "/nonexistent.gguf: cannot be opened"));
  CHECK(contains(refused([](LlamaOptions& o) { o.model.model = "x", o.model.config = "tiny"; }), "exclude each other"));
  CHECK(contains(refused([](LlamaOptions& o) { o.model.config = "gpt"; }), "known are tinyllama-1.1b"));
  CHECK(contains(refused([](LlamaOptions& o) { o.model.context = 100000; }),
                 "-c 100000: the model was made for contexts of 1 to 256"));
  CHECK(
      contains(refused([](LlamaOptions& o) { o.prompt_file = "/nonexistent.txt"; }), "-f /nonexistent.txt: cannot be read"));
  CHECK(contains(refused([](LlamaOptions& o) { o.prompt = "a", o.prompt_file = "b"; }), "-p and -f exclude each other"));
  CHECK(contains(refused([](LlamaOptions& o) { o.model.context = 4, o.prompt = "a long prompt, longer than four"; }),
                 "do not fit into the context: 0 of its 4 positions are taken"));
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
  CHECK(contains(said, "tiny: 0.1 M parameters, context 48, random weights; "));
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
