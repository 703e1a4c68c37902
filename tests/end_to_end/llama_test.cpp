#include <nlohmann/json.hpp>

#include "tests/end_to_end/program.h"

using namespace pg;

namespace {
const nlohmann::json& goldens() {
  static const nlohmann::json all =
      nlohmann::json::parse(file_text(PICOGRAD_SOURCE_DIR "/models/data/picollama_goldens.json"));
  return all;
}
}  // namespace

TEST_CASE("llama writes on stdout what an independent implementation writes, and nothing else") {
  Program picograd;
  int prompts = 0;
  for (const auto& golden : goldens()["prompts"]) {
    if (!golden.contains("continuation_text")) continue;
    ++prompts;
    const std::string prompt = golden["prompt"];
    std::string text = golden["continuation_text"];
    if (prompt.empty()) text.erase(0, 1);  // the space that encoding put in front of the whole text
    const Outcome o = picograd.ok(
        {"llama", "-m", kModel, "-p", prompt, "-n", std::to_string(golden["continuation_ids"].size()), "--temp", "0"});
    CHECK(o.out == prompt + text + "\n");
    CHECK(contains(o.err, "prompt"));
    CHECK(contains(o.err, "tok/s"));
  }
  CHECK(prompts >= 3);
}

TEST_CASE("llama finds the shipped model by itself; the same seed writes the same text") {
  Program picograd;
  const auto text = [&](const char* seed) {
    return picograd.ok({"llama", "-p", "Everyone", "-n", "24", "--seed", seed, "--temp", "1.5"}).out;
  };
  const std::string first = text("1");
  CHECK(text("1") == first);
  CHECK(text("2") != first);
  CHECK(first.starts_with("Everyone"));
}

TEST_CASE("llama: one thread and the narrower instruction set write the same greedy text") {
  Program picograd;
  const auto& golden = goldens()["prompts"][0];
  const std::string expected = golden["prompt"].get<std::string>() + golden["continuation_text"].get<std::string>() + "\n";
  const std::vector<std::string> command = {"llama", "-p", golden["prompt"], "-n", "64", "--temp", "0"};
  picograd.environment["THREADS"] = "1";
  CHECK(picograd.ok(command).out == expected);
  picograd.environment["ISA"] = "x86-64-v3";
  CHECK(picograd.ok(command).out == expected);
}

TEST_CASE("llama: a reader that goes away ends nothing with a signal") {
  Program picograd;
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  close(ends[0]);  // nobody reads
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], 1);
    dup2(open("/dev/null", O_WRONLY), 2);
    setenv("PICOGRAD_DB", picograd.database().c_str(), 1);
    setenv("PICOGRAD_CACHE", picograd.environment["PICOGRAD_CACHE"].c_str(), 1);
    execl(kProgram.c_str(), "picograd", "llama", "-p", "This", "-n", "64", nullptr);
    _exit(127);
  }
  close(ends[1]);
  const Outcome o = picograd.finish(pid);
  CHECK(o.status == 0);
}
