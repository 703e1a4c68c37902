// What the documents say of the code is so.
#include "runtime/config.h"
#include "src/cli/help.h"
#include "tests/end_to_end/program.h"

using namespace pg;

namespace {

const std::string kRoot = PICOGRAD_SOURCE_DIR "/";

/// Texts between backquotes, in order.
std::vector<std::string> in_backquotes(const std::string& line) {
  std::vector<std::string> all;
  for (size_t at = line.find('`'); at != line.npos;) {
    const size_t end = line.find('`', at + 1);
    if (end == line.npos) break;
    all.push_back(line.substr(at + 1, end - at - 1));
    at = line.find('`', end + 1);
  }
  return all;
}

}  // namespace

TEST_CASE("README: the ten steps name files and functions that exist") {
  std::istringstream readme(file_text(kRoot + "README.md"));
  int steps = 0;
  for (std::string line; std::getline(readme, line);) {
    if (!line.starts_with("| " + std::to_string(steps + 1) + " |")) continue;
    ++steps;
    // | 3 | `src/graph/partition.cpp` | `partition` | kernel ASTs in order |
    const std::vector<std::string> names = in_backquotes(line);
    CAPTURE(line);
    REQUIRE(names.size() >= 2);
    std::string code;
    for (const std::string& name : names) {
      if (contains(name, "/")) {
        REQUIRE(fs::is_regular_file(kRoot + name));
        code += file_text(kRoot + name);
      } else {
        CAPTURE(name);
        CHECK(contains(code, name + "("));
      }
    }
  }
  CHECK(steps == 10);
}

TEST_CASE("documents: files that are linked or named exist") {
  for (const std::string document :
       {"README.md", "CONTRIBUTING.md", "bench/README.md", "docs/architecture.md", "docs/schedule.md", "docs/search.md"}) {
    CAPTURE(document);
    const std::string text = file_text(kRoot + document);
    CHECK(text.size() > 1000);
    for (const std::string& name : in_backquotes(text)) {
      const bool path = contains(name, "/") &&
                        (name.ends_with(".cpp") || name.ends_with(".h") || name.ends_with(".md") || name.ends_with(".def"));
      if (!path || name.find_first_of("<* ") != name.npos) continue;
      CAPTURE(name);
      CHECK(fs::exists(kRoot + name));
    }
  }
}

TEST_CASE("help lists every variable of the environment; every command has its own help") {
  CommandLine picograd;
  const std::string help = picograd.ok({"help"}).out;
  for (const ConfigVariable& v : config_variables()) CHECK(contains(help, v.name));
  for (const std::vector<std::string>& command : {std::vector<std::string>{"demo"},
                                                  {"llama"},
                                                  {"tune", "llama"},
                                                  {"bench", "gemm"},
                                                  {"bench", "kernel"},
                                                  {"bench", "lower"},
                                                  {"bench", "compile"},
                                                  {"db", "stats"},
                                                  {"report"},
                                                  {"devices"}}) {
    CHECK(contains(help, command[0]));
    std::vector<std::string> asked = command;
    asked.push_back("--help");
    CHECK(contains(picograd.ok(asked).out, "Options"));
  }
  CHECK(contains(picograd.ok({"--version"}).out, kVersion));
  CHECK(contains(file_text(kRoot + "CMakeLists.txt"), std::string("VERSION ") + kVersion));
}
