#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/fuzz/targets.h"

// The fuzzers' corpora once through their targets, without libFuzzer.
namespace pg::fuzz {
namespace {

TEST_CASE("fuzz: every file of the corpora is read or refused, and no result is wrong") {
  for (const Target& target : kTargets) {
    CAPTURE(target.name);
    int files = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(std::string(PICOGRAD_SOURCE_DIR "/tests/fuzz/corpus/") + target.name)) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      CAPTURE(entry.path().filename().string());
      CHECK_NOTHROW(target.run(std::as_bytes(std::span(bytes))));
      files++;
    }
    CHECK(files >= 10);
  }
}

}  // namespace
}  // namespace pg::fuzz
