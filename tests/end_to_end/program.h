#pragma once
// Runs the built program as a user would: in a folder of its own, with an environment of its own.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/cache/temporary.h"

namespace pg {

namespace fs = std::filesystem;

inline const std::string kProgram = PICOGRAD_BINARY_DIR "/picograd";
inline const std::string kModel = PICOGRAD_SOURCE_DIR "/models/data/picollama.gguf";

inline std::string file_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream s;
  s << in.rdbuf();
  return s.str();
}
inline void write_file(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

struct Outcome {
  int status = 0;  // exit status; 128 + n: killed by signal n
  std::string out, err;
};

/// Where a test's commands run. What is in `environment` is all that they see.
class CommandLine {
 public:
  CommandLine() {
    environment["PATH"] = "/usr/local/bin:/usr/bin:/bin";
    environment["HOME"] = folder / "home";
    environment["PICOGRAD_DB"] = database();
    environment["PICOGRAD_PRETUNED"] = "none";
    static const TemporaryFolder artifacts;  // compiled once for all tests
    environment["PICOGRAD_CACHE"] = artifacts / "kernels";
  }
  std::string database() const { return folder / "schedules.db"; }

  /// Starts it; `finish` waits. As user `uid`, where that is not 0.
  pid_t start(std::vector<std::string> arguments, uid_t uid = 0) {
    arguments.insert(arguments.begin(), program);
    std::vector<std::string> settings;
    for (const auto& [name, value] : environment) settings.push_back(name + "=" + value);
    std::vector<char*> argv, envp;
    for (std::string& a : arguments) argv.push_back(a.data());
    for (std::string& s : settings) envp.push_back(s.data());
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    const std::string out = folder / "out", err = folder / "err";
    const pid_t pid = fork();
    if (pid == 0) {
      dup2(open("/dev/null", O_RDONLY), 0);
      dup2(open(out.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600), 1);
      dup2(open(err.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600), 2);
      if (uid != 0 && (setgid(uid) != 0 || setuid(uid) != 0)) _exit(126);
      execve(argv[0], argv.data(), envp.data());
      _exit(127);
    }
    return pid;
  }
  Outcome finish(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), file_text(folder / "out"),
            file_text(folder / "err")};
  }
  Outcome run(std::vector<std::string> arguments, uid_t uid = 0) {
    std::string line = "picograd";
    for (const std::string& a : arguments) line += " " + a;
    Outcome o = finish(start(std::move(arguments), uid));
    INFO(line);
    INFO(o.err);
    CHECK(o.status < 128);  // no command dies of a signal
    return o;
  }
  /// A run that should succeed.
  Outcome ok(std::vector<std::string> arguments) {
    std::string line = "picograd";
    for (const std::string& a : arguments) line += " " + a;
    Outcome o = run(std::move(arguments));
    INFO(line);
    INFO(o.err);
    REQUIRE(o.status == 0);
    return o;
  }

  TemporaryFolder folder;
  std::string program = kProgram;
  std::map<std::string, std::string> environment;
};

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// One message, the last on stderr: a line that begins with "picograd: ", its context indented below it. Nothing on stdout.
inline void check_error(const Outcome& o, int status, const std::vector<std::string>& says) {
  INFO("stdout: " << o.out);
  INFO("stderr: " << o.err);
  CHECK(o.status == status);
  CHECK(o.out.empty());
  int messages = 0;
  std::istringstream lines(o.err);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("picograd: "))
      ++messages;
    else if (messages > 0)
      CHECK(line.starts_with("  "));
  }
  CHECK(messages == 1);
  for (const std::string& part : says) {
    CAPTURE(part);
    CHECK(contains(o.err, part));
  }
}

}  // namespace pg
