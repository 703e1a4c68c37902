#include <poll.h>
#include <pty.h>

#include <nlohmann/json.hpp>

#include "tests/end_to_end/program.h"
#include "tests/models/small_llama.h"

using namespace pg;

namespace {
const nlohmann::json& goldens() {
  static const nlohmann::json all =
      nlohmann::json::parse(file_text(PICOGRAD_SOURCE_DIR "/models/data/picollama_goldens.json"));
  return all;
}
}  // namespace

TEST_CASE("llama writes on stdout what an independent implementation writes, and nothing else") {
  CommandLine picograd;
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
  CommandLine picograd;
  const auto text = [&](const char* seed) {
    return picograd.ok({"llama", "-p", "Everyone", "-n", "24", "--seed", seed, "--temp", "1.5"}).out;
  };
  const std::string first = text("1");
  CHECK(text("1") == first);
  CHECK(text("2") != first);
  CHECK(first.starts_with("Everyone"));
}

TEST_CASE("llama: one thread and the narrower instruction set write the same greedy text") {
  CommandLine picograd;
  const auto& golden = goldens()["prompts"][0];
  const std::string expected = golden["prompt"].get<std::string>() + golden["continuation_text"].get<std::string>() + "\n";
  const std::vector<std::string> command = {"llama", "-p", golden["prompt"], "-n", "64", "--temp", "0"};
  picograd.environment["THREADS"] = "1";
  CHECK(picograd.ok(command).out == expected);
  picograd.environment["ISA"] = "x86-64-v3";
  CHECK(picograd.ok(command).out == expected);
}

TEST_CASE("llama: a reader that goes away ends nothing with a signal") {
  CommandLine picograd;
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

TEST_CASE("llama: the prompt comes from stdin only when asked for; a conversation never does") {
  CommandLine picograd;
  CHECK(picograd.ok({"llama", "-f", "-", "-n", "0"}).out == "\n");  // /dev/null
  check_error(picograd.run({"llama", "--chat", "--chat-template", "llama2"}), 1,
              {"--chat talks on a terminal, which stdin is not"});
}

namespace {

/// picograd on a terminal of its own, where stdin, stdout and stderr are one.
class Terminal {
 public:
  Terminal(CommandLine& picograd, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), picograd.program);
    pid_ = forkpty(&terminal_, nullptr, nullptr, nullptr);
    if (pid_ == 0) {
      std::vector<char*> argv;
      for (std::string& a : arguments) argv.push_back(a.data());
      argv.push_back(nullptr);
      for (const auto& [name, value] : picograd.environment) setenv(name.c_str(), value.c_str(), 1);
      execv(argv[0], argv.data());
      _exit(127);
    }
  }
  ~Terminal() {
    if (!ended_) kill(pid_, SIGKILL), waitpid(pid_, nullptr, 0);
    close(terminal_);
  }
  void type(const std::string& keys) const {
    REQUIRE(write(terminal_, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
  }
  /// What it shows up to the next `end`, at most two minutes long.
  std::string until(const std::string& end) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    size_t at;
    while ((at = shown_.find(end)) == shown_.npos && std::chrono::steady_clock::now() < limit && more()) {
    }
    INFO("waiting for [" << end << "] after [" << shown_ << "]");
    REQUIRE(at != shown_.npos);
    std::string out = shown_.substr(0, at + end.size());
    shown_.erase(0, out.size());
    return out;
  }
  int status() {
    while (more()) {
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    ended_ = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  bool more() {
    pollfd wait{terminal_, POLLIN, 0};
    if (poll(&wait, 1, 120'000) <= 0) return false;
    char piece[4096];
    const ssize_t n = read(terminal_, piece, sizeof piece);
    if (n > 0) shown_.append(piece, static_cast<size_t>(n));
    return n > 0;  // Linux says EIO where the other end is closed
  }
  int terminal_ = -1;
  pid_t pid_ = -1;
  bool ended_ = false;
  std::string shown_;
};

}  // namespace

TEST_CASE("llama: a conversation on a terminal goes on over turns, begins anew and ends at /exit, Ctrl-D and Ctrl-C") {
  CommandLine picograd;
  const std::vector<std::string> command = {"llama", "--chat", "--chat-template", "llama2", "-n", "6", "--temp", "0"};
  for (const char* end : {"/exit\n", "\x04", "\x03"}) {
    CAPTURE(end);
    Terminal t(picograd, command);
    t.until("> ");
    t.type("You may copy\n");
    const std::string first = t.until("> ");
    CHECK(first.size() > std::string("You may copy\r\n\r\n> ").size());
    t.type("\n");  // an empty line says nothing
    CHECK(t.until("> ") == "\r\n> ");
    t.type("/reset\n");
    CHECK(t.until("> ") == "/reset\r\n> ");
    t.type("You may copy\n");
    CHECK(t.until("> ") == first);
    t.type(std::string(1500, 'x') + "\n");
    CHECK(contains(t.until("/reset begins anew"), "do not fit into the context"));
    t.until("> ");
    t.type(end);
    CHECK(t.status() == 0);
  }
}

TEST_CASE("llama: Ctrl-C stops an answer, not the conversation") {
  CommandLine picograd;
  picograd.environment["DEVICE"] = "REF";  // slow enough to be interrupted
  const std::string model = picograd.folder / "small.gguf";
  write_file(model, tests::small_llama(false, 2048).bytes());
  Terminal t(picograd,
             {"llama", "-m", model, "--chat", "--chat-template", "llama2", "--ignore-eos", "--temp", "3", "--seed", "1"});
  t.until("> ");
  for (int turn = 0; turn < 2; turn++) {
    t.type("hi\n");
    t.until("hi\r\n");
    t.until("l");  // of its answer, which has many letters
    t.type("\x03");
    t.until("(stopped)\r\n> ");
  }
  t.type("\x03");
  CHECK(t.status() == 0);
}
