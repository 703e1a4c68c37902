// Planted candidates: whatever they do, they cost one candidate each, and the tuner lives.
#include "search/runner.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <set>
#include <thread>

#include "runtime/config.h"
#include "search/measure.h"
#include "tests/search/tune_fixture.h"

using namespace pg;
using namespace pg::test;

namespace {

constexpr int64_t kN = 10000;

/// out = 2 * in over items of 100 elements, then whatever `body` adds.
RunProgram program(const std::string& name, const std::string& body) {
  use_built_runner();
  Source source;
  source.name = name;
  source.text = "void " + name +
                "(void *const *buffers, const long *variables, void *scratch, long begin, long end) {\n"
                "  float *out = (float *)buffers[0]; const float *in = (const float *)buffers[1];\n"
                "  (void)out; (void)in; (void)variables; (void)begin; (void)end;\n" +
                body + "\n}\n";
  source.launch.name = name;
  return {.artifact = device("CPU").compile(source), .items = kN / 100};
}
const std::string kDouble = "for (long i = begin * 100; i < end * 100; ++i) out[i] = 2 * in[i];";
RunProgram good() { return program("good", kDouble); }

std::vector<BufferSpec> buffers() {
  return {{.elements = kN, .dtype = dt::f32, .use = BufferUse::Output},
          {.elements = kN, .dtype = dt::f32, .use = BufferUse::Input}};
}
struct Fixture {
  Runner runner{{.threads = 1}};
  Fixture() { runner.set_buffers(buffers(), 1); }
  /// The planted one fails as said, and the next candidate is none the worse.
  RunResult planted(const std::string& name, const std::string& body, RunLimits limits = {}) {
    const RunResult r = runner.check(program(name, body), limits);
    const RunResult next = runner.check(good());
    INFO(next.reason);
    CHECK(next.status == RunStatus::Ok);
    return r;
  }
};
std::vector<float> floats(std::span<const std::byte> bytes) {
  std::vector<float> out(bytes.size() / 4);
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}
bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "runner: a good candidate is Ok and its output comes back") {
  const RunResult r = runner.check(good());
  INFO(r.reason);
  REQUIRE(r.status == RunStatus::Ok);
  CHECK(r.ms.size() == 2);
  CHECK(r.guards_intact);
  CHECK(r.all_written);
  CHECK(r.deterministic);
  const auto in = floats(runner.input(1)), out = floats(runner.output(0));
  REQUIRE(out.size() == kN);
  for (size_t i = 0; i < kN; ++i) REQUIRE(out[i] == 2 * in[i]);
  CHECK(runner.started() == 1);
}

TEST_CASE_FIXTURE(Fixture, "runner: a segfault is a crash") {
  const RunResult r = planted("segfault", "*(volatile int *)16 = 1;");
  CHECK(r.status == RunStatus::Crash);
  CHECK(contains(r.reason, "SIGSEGV"));
  CHECK(runner.started() == 2);
}

TEST_CASE_FIXTURE(Fixture, "runner: an illegal instruction is a crash") {
  const RunResult r = planted("illegal", "__builtin_trap();");
  CHECK(r.status == RunStatus::Crash);
  CHECK(contains(r.reason, "SIGILL"));
}

TEST_CASE_FIXTURE(Fixture, "runner: an infinite loop is a timeout") {
  const auto start = std::chrono::steady_clock::now();
  const RunResult r = planted("hang", "for (volatile long i = 0;; ++i) {}", {.timeout_ms = 300});
  CHECK(r.status == RunStatus::Timeout);
  CHECK(contains(r.reason, "300 ms"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
}

TEST_CASE_FIXTURE(Fixture, "runner: a huge allocation fails in the candidate, not in the machine") {
  const RunResult r =
      planted("hog",
              "extern void *malloc(unsigned long); volatile char *p = malloc(20ul << 30); if (!p) __builtin_trap();"
              "for (unsigned long i = 0; i < 20ul << 30; i += 4096) p[i] = 1;",
              {.timeout_ms = 60000});
  CHECK(r.status == RunStatus::Crash);
  CHECK(!contains(r.reason, "SIGKILL"));  // it got a null pointer and trapped; no out-of-memory killer was needed
}

TEST_CASE_FIXTURE(Fixture, "runner: a write just past the end is found in the guard zone") {
  const RunResult r = planted("past_end", kDouble + "if (begin == 0) out[10000] = 1;");
  CHECK(r.status == RunStatus::Wrong);
  CHECK(!r.guards_intact);
  CHECK(contains(r.reason, "buffer 0: written 0 bytes past its end"));
  CHECK(runner.started() == 2);  // its memory is not trusted any more
}

TEST_CASE_FIXTURE(Fixture, "runner: a write before the start is found in the guard zone") {
  const RunResult r = planted("before_start", kDouble + "if (begin == 0) out[-3] = 1;");
  CHECK(r.status == RunStatus::Wrong);
  CHECK(contains(r.reason, "buffer 0: written 12 bytes before its start"));
}

TEST_CASE_FIXTURE(Fixture, "runner: a write into an input is a crash, and inputs stay as they were") {
  const auto before = floats(runner.input(1));
  const RunResult r = planted("overwrite_input", "((float *)buffers[1])[5] = 1;");
  CHECK(r.status == RunStatus::Crash);
  CHECK(floats(runner.input(1)) == before);
}

TEST_CASE_FIXTURE(Fixture, "runner: an element that is never written is wrong and named") {
  const RunResult r = planted("hole", "for (long i = begin * 100; i < end * 100; ++i) if (i != 4711) out[i] = 2 * in[i];");
  CHECK(r.status == RunStatus::Wrong);
  CHECK(!r.all_written);
  CHECK(r.guards_intact);
  CHECK(contains(r.reason, "element 4711 of 10000 is not written"));
}

TEST_CASE_FIXTURE(Fixture, "runner: two runs that differ are wrong") {
  const RunResult r = planted("dice", kDouble + "static float c; if (begin == 0) out[7] = c++;");
  CHECK(r.status == RunStatus::Wrong);
  CHECK(!r.deterministic);
  CHECK(contains(r.reason, "element 7 of 10000 differs between two runs"));
}

TEST_CASE_FIXTURE(Fixture, "runner: reading its own output before writing it is wrong") {
  const RunResult r = planted("stale", "for (long i = begin * 100; i < end * 100; ++i) out[i] = out[i] + in[i];");
  CHECK(r.status == RunStatus::Wrong);
}

TEST_CASE_FIXTURE(Fixture, "runner: a thousand times slower is slow after one run") {
  const double best = timing(runner.time({good()}, {.runs = 5})[0].ms).median_ms;
  REQUIRE(best > 0);
  const RunProgram slow =
      program("slow", "for (int r = 0; r < 20000; ++r) { __asm__ volatile(\"\" ::: \"memory\"); " + kDouble + "}");
  const RunResult r = runner.check(slow, {.give_up_ms = 2 * best});
  CHECK(r.status == RunStatus::Slow);
  CHECK(r.ms.size() == 1);
  const RunResult timed = runner.time({slow}, {.limits = {.give_up_ms = 2 * best}})[0];
  CHECK(timed.status == RunStatus::Slow);
  CHECK(timed.ms.empty());
}

TEST_CASE_FIXTURE(Fixture, "runner: three times slower is slow after two samples") {
  const auto busy = [](const std::string& name, int rounds) {
    return program(name, "for (int r = 0; r < " + std::to_string(rounds) +
                             "; ++r) { __asm__ volatile(\"\" ::: \"memory\"); " + kDouble + "}");
  };
  const double best = timing(runner.time({busy("quick", 300)}, {.runs = 5})[0].ms).median_ms;
  const RunResult r = runner.time({busy("slower", 900)}, {.limits = {.give_up_ms = 2 * best}, .runs = 50})[0];
  CHECK(r.status == RunStatus::Slow);
  CHECK(r.ms.size() < 50);
}

TEST_CASE_FIXTURE(Fixture, "runner: what does not load is a compile error, without a new process") {
  RunProgram p = good();
  p.artifact.bytes = "this is no shared object";
  const RunResult r = runner.check(p);
  CHECK(r.status == RunStatus::CompileError);
  CHECK(!r.reason.empty());
  RunProgram q = good();
  q.artifact.name = "no_such_symbol";
  CHECK(runner.check(q).status == RunStatus::CompileError);
  CHECK(runner.check(good()).status == RunStatus::Ok);
  CHECK(runner.started() == 1);
}

TEST_CASE_FIXTURE(Fixture, "runner: a crash among several spoils no other's samples") {
  const auto results = runner.time(
      {good(), program("crash_later", "static int n; if (begin == 0 && ++n > 3) __builtin_trap();"), good()}, {.runs = 7});
  REQUIRE(results.size() == 3);
  CHECK(results[0].status == RunStatus::Ok);
  CHECK(results[0].ms.size() == 7);
  CHECK(results[1].status == RunStatus::Crash);
  CHECK(results[2].status == RunStatus::Ok);
  CHECK(results[2].ms.size() == 7);
}

TEST_CASE_FIXTURE(Fixture, "runner: fast programs are timed in batches, slow ones not more often than told") {
  const auto r = runner.time({good()}, {.runs = 9, .sample_ms = 1})[0];
  REQUIRE(r.ms.size() == 9);
  for (double ms : r.ms) {
    CHECK(ms > 0);
    CHECK(ms < 1);
  }
  const RunProgram slow = program("sleepy", "extern int usleep(unsigned); if (begin == 0) usleep(20000); " + kDouble);
  const auto s = runner.time({slow}, {.runs = 100, .enough_ms = 50})[0];
  CHECK(s.ms.size() == 3);
  CHECK(timing(s.ms).median_ms >= 20);
}

TEST_CASE("runner: variables, items and integer buffers arrive") {
  Runner runner({.threads = 2});
  runner.set_buffers({{.elements = 8, .dtype = dt::i64, .use = BufferUse::Output},
                      {.elements = 1000, .dtype = dt::i32, .use = BufferUse::Ids, .limit = 17},
                      {.elements = 4, .dtype = dt::i64, .use = BufferUse::InOut}},
                     3);
  RunProgram p = program(
      "arguments",
      "long *o = (long *)buffers[0]; const int *ids = (const int *)buffers[1]; long *io = (long *)buffers[2];\n"
      "for (long i = begin; i < end; ++i) {\n"
      "  int top = 0; for (int k = 0; k < 1000; ++k) { if (ids[k] < 0) __builtin_trap(); if (ids[k] > top) top = ids[k]; }\n"
      "  o[i] = variables[1] * 100 + top; if (i == 2) io[1] += 5;\n}");
  p.items = 8;
  p.variables = {7, -3};
  const RunResult r = runner.check(p);
  INFO(r.reason);
  REQUIRE(r.status == RunStatus::Ok);  // InOut was restored between the runs, else they would differ
  int64_t out[8], before[4], after[4];
  std::memcpy(out, runner.output(0).data(), sizeof out);
  for (int64_t o : out) CHECK(o == -300 + 16);
  std::memcpy(before, runner.input(2).data(), sizeof before);
  std::memcpy(after, runner.output(2).data(), sizeof after);
  CHECK(after[0] == before[0]);
  CHECK(after[1] == before[1] + 5);
}

TEST_CASE_FIXTURE(Fixture, "runner: the same seed gives the same inputs, finite and away from zero") {
  const auto a = floats(runner.input(1));
  for (float x : a) REQUIRE((std::fabs(x) <= 1 && std::fabs(x) > 1e-4f));
  CHECK(std::set<float>(a.begin(), a.end()).size() > 9000);
  Runner other;
  other.set_buffers(buffers(), 1);
  CHECK(floats(other.input(1)) == a);
  other.set_buffers(buffers(), 2);
  CHECK(floats(other.input(1)) != a);
}

TEST_CASE_FIXTURE(Fixture, "runner: one that dies between jobs is replaced without blame") {
  REQUIRE(runner.check(good()).status == RunStatus::Ok);
  kill(runner.pid(), SIGKILL);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(runner.check(good()).status == RunStatus::Ok);
  CHECK(runner.started() == 2);
}

TEST_CASE("runner: it dies with its parent, even while a candidate hangs") {
  const RunProgram hang = program("hang_orphan", "for (volatile long i = 0;; ++i) {}");
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t parent = fork();
  if (parent == 0) {
    Runner runner({.threads = 1});
    runner.set_buffers(buffers(), 1);
    std::thread tell([&] {
      while (runner.pid() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      const pid_t pid = runner.pid();
      if (write(ends[1], &pid, sizeof pid) != sizeof pid) _exit(1);
    });
    runner.check(hang, {.timeout_ms = 60000});
    _exit(0);
  }
  pid_t child = 0;
  REQUIRE(read(ends[0], &child, sizeof child) == sizeof child);
  REQUIRE(kill(child, 0) == 0);
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  bool gone = false;
  for (int i = 0; i < 200 && !gone; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    std::string state;
    if (FILE* f = std::fopen(("/proc/" + std::to_string(child) + "/stat").c_str(), "r")) {
      char line[256] = {};
      if (std::fgets(line, sizeof line, f)) state = line;
      std::fclose(f);
    }
    gone = state.empty() || state.find(") Z") != std::string::npos;  // a zombie: nobody reaps it in a container
  }
  CHECK(gone);
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("runner: a missing program is named with its remedy") {
  program("any", "");
  const Config before = config();
  Config c = before;
  c.runner = "/nonexistent/picograd-runner";
  set_config(c);
  CHECK_THROWS_WITH_AS(runner_path(), doctest::Contains("PICOGRAD_RUNNER"), UserError);
  c.runner = "/bin/false";
  set_config(c);
  Runner runner;
  runner.set_buffers(buffers(), 1);
  CHECK_THROWS_WITH_AS(runner.check({.artifact = {.name = "x", .bytes = "y"}}), doctest::Contains("did not start"),
                       UserError);
  set_config(before);
}

TEST_CASE("runner: more memory than there is") {
  Runner runner;
  CHECK_THROWS_WITH_AS(runner.set_buffers({{.elements = int64_t{1} << 44, .dtype = dt::f32, .use = BufferUse::Output}}, 1),
                       doctest::Contains("not enough memory"), UserError);
  CHECK_THROWS_AS(runner.check({}), InternalError);
}

TEST_CASE_FIXTURE(Fixture, "screen: checks, accepts, then times") {
  const Screened s = screen(runner, good(), 0, {});
  CHECK(s.result.status == RunStatus::Ok);
  CHECK(s.checked);
  CHECK(s.timing.samples == 3);
  CHECK(s.timing.median_ms > 0);
  const Screened refused = screen(runner, good(), 0, [] { return std::string("element 3 is 1, not 2"); });
  CHECK(refused.result.status == RunStatus::Wrong);
  CHECK(refused.result.reason == "element 3 is 1, not 2");
  CHECK(!refused.checked);
  CHECK(refused.timing.samples == 0);
}

TEST_CASE_FIXTURE(Fixture, "measure: of a long program that is far behind the runs of its check are enough") {
  const RunProgram slow = program("sluggish", kDouble + "extern int usleep(unsigned); usleep(10000);");
  const double best = 4;
  const Screened s = screen(runner, slow, best, {});
  CHECK(s.result.status == RunStatus::Slow);
  CHECK(contains(s.result.reason, "first two runs"));
  CHECK(s.checked);
  CHECK(s.timing.samples == 1);
  CHECK(s.timing.median_ms >= 10);
  const Screened wrong = screen(runner, slow, best, [] { return std::string("element 3 is 1, not 2"); });
  CHECK(wrong.result.status == RunStatus::Wrong);  // which is never tried again; what is slow may be
}

TEST_CASE_FIXTURE(Fixture, "screen: of a program above a tenth of a second they are enough where it is not ahead") {
  const RunProgram lasting = program("lasting", kDouble + "extern int usleep(unsigned); if (begin == 0) usleep(120000);");
  const Screened behind = screen(runner, lasting, 115, {});  // far from behind by a factor
  CHECK(behind.result.status == RunStatus::Ok);
  CHECK(behind.timing.samples == 1);
  CHECK(screen(runner, lasting, 0, {}).timing.samples == 2);     // the first of all
  CHECK(screen(runner, lasting, 1000, {}).timing.samples == 3);  // ahead: what it takes is asked again
}

TEST_CASE_FIXTURE(Fixture, "finalists: twice as fast wins, the same program does not") {
  const auto busy = [](const std::string& name, int rounds) {
    return program(name, "for (int r = 0; r < " + std::to_string(rounds) +
                             "; ++r) { __asm__ volatile(\"\" ::: \"memory\"); " + kDouble + "}");
  };
  const Final f = finalists(runner, busy("incumbent", 400),
                            {busy("incumbent", 400), busy("faster", 200), program("bad", "__builtin_trap();")});
  REQUIRE(f.candidates.size() == 3);
  CHECK(f.winner == 1);
  CHECK(f.candidates[1].over_incumbent.ratio == doctest::Approx(2).epsilon(0.3));
  CHECK(f.candidates[2].result.status == RunStatus::Crash);
  CHECK(f.incumbent.timing.samples == 15);
}
