// The house rules that a compiler does not check.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {
const std::vector<std::string> kOrder{"uops", "renderers", "runtime", "cache", "search", "src/tensor", "src/graph", "models", "src/cli"};
// Sources and headers that are checked: the folders of the order, and those that may include any of them.
const std::vector<std::string> kAround{"tests", "bench"};

struct File {
  std::string path;  // from the root, with '/'
  std::vector<std::string> lines;
};

std::vector<File> files() {
  const fs::path root = PICOGRAD_SOURCE_DIR;
  std::vector<std::string> folders = kOrder;
  folders.insert(folders.end(), kAround.begin(), kAround.end());
  std::vector<File> all;
  for (const std::string& folder : folders) {
    if (!fs::exists(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".cpp" && extension != ".h" && extension != ".def") continue;
      File f{fs::relative(entry.path(), root).generic_string(), {}};
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) f.lines.push_back(line);
      all.push_back(std::move(f));
    }
  }
  return all;
}

/// Position in the order of the folder that a path lies in; -1: none.
int position(const std::string& path) {
  for (size_t i = 0; i < kOrder.size(); ++i)
    if (path.starts_with(kOrder[i] + "/")) return static_cast<int>(i);
  return -1;
}

/// The name between the quotes or brackets of an #include, else empty. `quoted` tells which.
std::string included(const std::string& line, bool& quoted) {
  size_t at = line.find_first_not_of(" \t");
  if (at == line.npos || line[at] != '#') return {};
  at = line.find_first_not_of(" \t", at + 1);
  if (at == line.npos || line.compare(at, 7, "include") != 0) return {};
  at = line.find_first_of("\"<", at);
  if (at == line.npos) return {};
  quoted = line[at] == '"';
  const size_t end = line.find(quoted ? '"' : '>', at + 1);
  return end == line.npos ? std::string() : line.substr(at + 1, end - at - 1);
}
std::string where(const File& f, size_t line) { return f.path + ":" + std::to_string(line + 1); }
bool has_word(const std::string& line, const std::string& word) {
  auto is_part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  for (size_t at = line.find(word); at != line.npos; at = line.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !is_part(line[at - 1])) && (end == line.size() || !is_part(line[end]))) return true;
  }
  return false;
}
}  // namespace

TEST_CASE("the tests see the tree") {
  const auto all = files();
  CHECK(std::any_of(all.begin(), all.end(), [](const File& f) { return f.path == "uops/uop.h"; }));
  CHECK(std::any_of(all.begin(), all.end(), [](const File& f) { return f.path == "tests/uops/include_order_test.cpp"; }));
  bool quoted = false;
  CHECK(included("  #  include \"uops/uop.h\"  // why", quoted) == "uops/uop.h");
  CHECK(quoted);
  CHECK(has_word("x = getenv(\"A\");", "getenv"));
  CHECK(!has_word("no_getenv_here", "getenv"));
}

TEST_CASE("includes go to the left: uops, renderers, runtime, cache, search, src/tensor, src/graph, models, src/cli") {
  const fs::path root = PICOGRAD_SOURCE_DIR;
  for (const File& f : files())
    for (size_t i = 0; i < f.lines.size(); ++i) {
      bool quoted = false;
      const std::string name = included(f.lines[i], quoted);
      if (name.empty() || !quoted) continue;
      INFO(where(f, i) << " includes \"" << name << "\"");
      if (position(f.path) < 0) continue;  // tests and benches look at everything
      // Written from the root, and to be found there.
      CHECK(fs::exists(root / name));
      CHECK(position(name) >= 0);
      CHECK(position(name) <= position(f.path));
    }
}

TEST_CASE("the environment is read in one file") {
  for (const File& f : files())
    for (size_t i = 0; i < f.lines.size(); ++i) {
      if (position(f.path) < 0 || f.path == "runtime/config.cpp") continue;
      INFO(where(f, i));
      const std::string code = f.lines[i].substr(0, f.lines[i].find("//"));
      CHECK(!has_word(code, "getenv"));
      CHECK(!has_word(code, "secure_getenv"));
    }
}

TEST_CASE("no source is longer than 400 lines, no header than 300") {
  for (const File& f : files()) {
    INFO(f.path << " has " << f.lines.size() << " lines: it holds two ideas");
    CHECK(f.lines.size() <= (f.path.ends_with(".h") ? 300 : 400));
  }
}

TEST_CASE("CLI11 is included in one file: it takes seconds to compile") {
  std::vector<std::string> users;
  for (const File& f : files())
    for (const std::string& line : f.lines) {
      bool quoted = false;
      const std::string name = included(line, quoted);
      if (name.starts_with("CLI/") || name == "CLI11.hpp") users.push_back(f.path);
    }
  std::sort(users.begin(), users.end());
  users.erase(std::unique(users.begin(), users.end()), users.end());
  CAPTURE(users.size());
  CHECK(users.size() <= 1);
}
