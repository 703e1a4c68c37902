#include <nlohmann/json.hpp>
#include <random>

#include "tests/end_to_end/program.h"

using namespace pg;
using nlohmann::json;

namespace {

/// Processes that live with this database: the tuner, its runner, its compilers.
std::vector<std::string> processes_with(const std::string& database) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string pid = entry.path().filename();
    if (pid.find_first_not_of("0123456789") != pid.npos) continue;
    if (contains(file_text(entry.path() / "environ"), database))
      found.push_back(pid + " " + file_text(entry.path() / "comm"));
  }
  return found;
}
void check_no_orphans(const std::string& database) {
  std::vector<std::string> left;
  for (int i = 0; i < 100; ++i) {  // a compiler may finish its kernel
    left = processes_with(database);
    if (left.empty()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  for (const std::string& p : left) FAIL_CHECK("still runs: " << p);
}

/// Lines of `tune llama` for a kernel that has its winner.
int winners_told(const std::string& out) {
  int n = 0;
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) n += line.starts_with("[") && contains(line, " -> ");
  return n;
}

void kill_and_resume(int times) {
  const auto seed = static_cast<unsigned>(std::chrono::steady_clock::now().time_since_epoch().count());
  CAPTURE(seed);
  std::mt19937 random(seed);
  CommandLine picograd;
  const std::vector<std::string> tune = {"--beam", "1", "tune", "llama", "--config", "tiny"};
  int winners = 0, measurements = 0;
  for (int i = 0; i < times; ++i) {
    const pid_t pid = picograd.start(tune);
    // The first kernels are reached within the first tenths of a second; starting up is part of what may be hit.
    const int ms = std::uniform_int_distribution<int>(0, 3000)(random);
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    kill(pid, SIGKILL);
    const Outcome killed = picograd.finish(pid);
    CAPTURE(ms);
    INFO(killed.err);
    CHECK(killed.status == 128 + SIGKILL);
    check_no_orphans(picograd.database());
    if (!fs::exists(picograd.database())) continue;  // it had not come that far
    picograd.ok({"db", "verify"});                   // begins with SQLite's integrity_check
    const json stats = json::parse(picograd.ok({"db", "stats", "--json"}).out);
    CHECK(stats["winners"] >= winners);
    CHECK(stats["winners"] >= winners_told(killed.out));
    CHECK(stats["measurements"] >= measurements);
    winners = stats["winners"];
    measurements = stats["measurements"];
  }
  const Outcome resumed = picograd.ok({"--beam", "1", "--budget", "2s", "tune", "llama", "--config", "tiny"});
  const json stats = json::parse(picograd.ok({"db", "stats", "--json"}).out);
  CHECK(stats["winners"] >= winners);
  CHECK(stats["winners"] >= 1);
  if (winners > 0) CHECK(contains(resumed.out, "tuned before"));
  picograd.ok({"db", "verify"});
  check_no_orphans(picograd.database());
}

}  // namespace

TEST_CASE("SIGKILL while tuning: nothing committed is lost, nothing is left running, the next run resumes") {
  kill_and_resume(6);
}

// test_end_to_end --no-skip --test-case='*twenty*'
TEST_CASE("SIGKILL at twenty moments" * doctest::skip()) { kill_and_resume(20); }

TEST_CASE("Ctrl-C while tuning keeps what was measured and says how to go on") {
  CommandLine picograd;
  const pid_t pid = picograd.start({"--beam", "1", "tune", "llama", "--config", "tiny"});
  for (int i = 0; i < 400 && winners_told(file_text(picograd.folder / "out")) == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  kill(pid, SIGINT);
  const Outcome o = picograd.finish(pid);
  INFO(o.err);
  CHECK(o.status == 130);
  CHECK(winners_told(o.out) >= 1);
  CHECK(contains(o.out, "the same command goes on"));
  check_no_orphans(picograd.database());
  const json stats = json::parse(picograd.ok({"db", "stats", "--json"}).out);
  CHECK(stats["winners"] >= winners_told(o.out));
}
