#include "cache/sqlite.h"
#include "cache/store.h"
#include "tests/end_to_end/program.h"

using namespace pg;

namespace {

const std::vector<std::string> kSmall = {"bench", "gemm", "--shapes", "16x16x16", "--rounds", "1"};

std::vector<std::string> with(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.begin(), b.begin(), b.end());
  return a;
}
/// A database with one winner.
void tuned(CommandLine& picograd) { picograd.ok(with(kSmall, {"--beam", "1"})); }

}  // namespace

TEST_CASE("shapes, layouts and schedules that make no sense") {
  CommandLine picograd;
  const auto shape = [&](const std::string& s) { return picograd.run({"bench", "gemm", "--shapes", s}); };
  for (const char* s : {"0x4x4", "axbxc", "4x4", "4x4x4x4", "-1x4x4", "4x4x", "99999999x4x4", "1000000x1000000x1000000"})
    check_error(shape(s), 1, {s, "bench gemm"});
  check_error(picograd.run({"bench", "gemm", "--layout", "xy"}), 1, {"'xy' is no layout", "nn, nt, tn or tt"});
  check_error(picograd.run({"bench", "gemm", "--vs", "cudnn"}), 1, {"cudnn"});
  check_error(picograd.run(with({"--opts", "tile(q,4)"}, kSmall)), 1, {"no axis q", "while building"});
  check_error(picograd.run(with({"--opts", "tile(m"}, kSmall)), 1, {"tile(m"});
  CHECK_FALSE(fs::exists(picograd.folder / "home/.cache"));
}

TEST_CASE("usage errors") {
  CommandLine picograd;
  check_error(picograd.run({"fly"}), 2, {"picograd help"});
  check_error(picograd.run({}), 2, {"picograd help"});
  check_error(picograd.run({"bench"}), 2, {});
  check_error(picograd.run({"bench", "gemm", "--rounds", "many"}), 2, {"--rounds"});
  check_error(picograd.run({"--threads", "-3", "devices"}), 2, {"--threads"});
  check_error(picograd.run({"--budget", "soon", "devices"}), 1, {"'soon' is no duration", "5m"});
  picograd.environment["BEAM"] = "wide";
  check_error(picograd.run({"devices"}), 1, {"BEAM=wide"});
}

TEST_CASE("a GGUF file that is truncated, empty, missing or none at all") {
  CommandLine picograd;
  const std::string file = picograd.folder / "model.gguf", whole = file_text(kModel);
  const auto llama = [&] { return picograd.run({"llama", "-m", file, "-p", "This", "-n", "1"}); };
  check_error(llama(), 1, {file, "No such file"});
  for (const size_t bytes : {size_t{0}, size_t{3}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    write_file(file, whole.substr(0, bytes));
    CAPTURE(bytes);
    check_error(llama(), 1, {file});
  }
  write_file(file, std::string(10000, 'x'));
  check_error(llama(), 1, {file, "GGUF"});
  check_error(picograd.run({"llama", "--config", "gpt-5", "-p", "x"}), 1, {"gpt-5", "tinyllama-1.1b"});
}

TEST_CASE("no compiler: what needs one says so, the rest works") {
  CommandLine picograd;
  picograd.environment["PICOGRAD_CACHE"] = picograd.folder / "empty";
  const auto everywhere = [&](const std::string& hint) {
    check_error(picograd.run(kSmall), 1, {"clang-19", hint});
    check_error(picograd.run(with(kSmall, {"--beam", "1"})), 1, {"clang-19", hint});
    check_error(picograd.run({"llama", "-p", "This", "-n", "1"}), 1, {"clang-19", hint});
    const Outcome devices = picograd.ok({"devices"});
    CHECK(contains(devices.out, "clang-19"));
    CHECK(contains(devices.out, "missing"));
    picograd.ok({"--device", "REF", "bench", "gemm", "--shapes", "4x4x4", "--rounds", "1"});
    picograd.ok({"help"});
  };
  SUBCASE("the configured one is none") {
    picograd.environment["PICOGRAD_CLANG"] = "/nonexistent";
    everywhere("/nonexistent");
  }
  SUBCASE("none on PATH") {
    picograd.environment["PICOGRAD_COMPILER"] = "spawn";
    picograd.environment["PATH"] = picograd.folder / "nothing";
    everywhere("apt-get install");
  }
}

TEST_CASE("Clang in process, where its module is not: said by devices, an error for who insists, a process otherwise") {
  CommandLine picograd;
  picograd.program = picograd.folder / "picograd";
  fs::copy_file(kProgram, picograd.program);
  CHECK(contains(picograd.ok({"devices"}).out,
                 "not in process: libpicograd-clang.so is not built; run ./picograd setup --full"));
  picograd.ok(kSmall);
  picograd.environment["PICOGRAD_COMPILER"] = "inprocess";
  picograd.environment["PICOGRAD_CACHE"] = picograd.folder / "empty";
  check_error(picograd.run(kSmall), 1, {"PICOGRAD_COMPILER=inprocess", "./picograd setup --full"});
  picograd.environment["PICOGRAD_COMPILER"] = "gcc";
  check_error(picograd.run(kSmall), 1, {"PICOGRAD_COMPILER=gcc", "auto, inprocess or spawn"});
}

TEST_CASE("bench compile: a line for each route there is, and how their kernels compare") {
  CommandLine picograd;
  const Outcome o = picograd.ok({"bench", "compile", "--count", "3", "--rounds", "6", "--json"});
  const auto routes = [&](const std::string& route) { return contains(o.out, "{\"route\":\"" + route + "\""); };
  CHECK(routes("spawn") != contains(o.err, "spawn left out"));
  CHECK(routes("inprocess") != contains(o.err, "inprocess left out"));
  CHECK(contains(o.out, "speed_in_process_over_spawned") == (routes("spawn") && routes("inprocess")));
}

TEST_CASE("a damaged database is set aside with a warning; the db commands refuse it") {
  CommandLine picograd;
  write_file(picograd.database(), std::string(20000, 'x'));
  check_error(picograd.run({"db", "stats"}), 1, {picograd.database()});
  CHECK(file_text(picograd.database()) == std::string(20000, 'x'));
  const Outcome o = picograd.ok(kSmall);
  CHECK(contains(o.err, "warning"));
  CHECK(contains(o.err, "set aside"));
  picograd.ok({"db", "verify"});
}

TEST_CASE("a newer database is refused, naming both versions") {
  CommandLine picograd;
  tuned(picograd);
  Connection(picograd.database(), Connection::Access::Create).execute("pragma user_version = 99");
  const std::string before = file_text(picograd.database());
  check_error(picograd.run({"db", "stats"}), 1, {"99", "versions up to " + std::to_string(kSchemaVersion)});
  check_error(picograd.run(with(kSmall, {"--beam", "1"})), 1, {"99"});
  CHECK(file_text(picograd.database()) == before);
}

TEST_CASE("a read-only database replays; tuning into it is an error") {
  constexpr uid_t kNobody = 65534;
  CommandLine picograd;
  tuned(picograd);
  fs::remove(picograd.database() + "-shm");
  fs::remove(picograd.database() + "-wal");
  const std::string artifacts = picograd.folder / "kernels";
  fs::create_directory(artifacts);
  chmod(artifacts.c_str(), 0777);
  picograd.environment["PICOGRAD_CACHE"] = artifacts + "/mine";  // the cache wants a folder of its own
  chmod(picograd.database().c_str(), 0444);
  const std::string folder = fs::path(picograd.database()).parent_path();
  chmod(folder.c_str(), 0555);
  const uid_t user = geteuid() == 0 ? kNobody : 0;  // root may write everywhere
  if (picograd.run({"help"}, user).status == 127) {
    MESSAGE("another user cannot start " << kProgram << ": not checked");
    return;
  }
  const Outcome replayed = picograd.run(with(kSmall, {"--beam", "1"}), user);
  INFO(replayed.err);
  CHECK(replayed.status == 0);
  CHECK(picograd.run({"db", "list"}, user).status == 0);
  check_error(picograd.run({"--beam", "1", "bench", "gemm", "--shapes", "24x24x24"}, user), 1, {"read-only", "PICOGRAD_DB"});
  check_error(picograd.run({"tune", "llama", "--config", "tiny", "--budget", "1s"}, user), 1, {"read-only", "PICOGRAD_DB"});
  chmod(folder.c_str(), 0755);
}

TEST_CASE("output that cannot be written is an error") {
  const char* argument = nullptr;
  SUBCASE("the last write fails") { argument = "--version"; }
  SUBCASE("an earlier write fails") { argument = "help"; }  // more than a buffer
  CommandLine picograd;
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(open("/dev/full", O_WRONLY), 1);
    dup2(open((picograd.folder / "err").c_str(), O_CREAT | O_WRONLY, 0600), 2);
    execl(kProgram.c_str(), "picograd", argument, nullptr);
    _exit(127);
  }
  const Outcome o = picograd.finish(pid);
  CHECK(o.status == 1);
  CHECK(contains(o.err, "No space left"));
}
