#include "runtime/config.h"

#include <doctest/doctest.h>

#include <map>

#include "uops/error.h"

using namespace pg;

namespace {
Config from(std::map<std::string, std::string> variables) {
  return config_from([=](const char* name) {
    auto it = variables.find(name);
    return it == variables.end() ? "" : it->second;
  });
}
}  // namespace

TEST_CASE("without variables: the defaults, the database under HOME") {
  const Config c = from({{"HOME", "/home/a"}});
  CHECK(c.beam == 0);
  CHECK(c.device == "CPU");
  CHECK(c.isa == "native");
  CHECK(c.compiler == "auto");
  CHECK(c.db == "/home/a/.cache/picograd/picograd.db");
  CHECK(c.cache_dir == "/home/a/.cache/picograd/artifacts");
}

TEST_CASE("XDG_CACHE_HOME counts when it is absolute; artifacts lie beside the database") {
  CHECK(from({{"HOME", "/h"}, {"XDG_CACHE_HOME", "/x"}}).db == "/x/picograd/picograd.db");
  CHECK(from({{"HOME", "/h"}, {"XDG_CACHE_HOME", "x"}}).db == "/h/.cache/picograd/picograd.db");
  CHECK(from({{"PICOGRAD_DB", "/data/my.db"}}).cache_dir == "/data/artifacts");
  CHECK(from({{"PICOGRAD_DB", "my.db"}}).cache_dir == "./artifacts");
  CHECK(from({{"PICOGRAD_CACHE", "/c"}}).cache_dir == "/c");
}

TEST_CASE("values are read") {
  const Config c = from({{"BEAM", "8"},
                         {"BUDGET", "1.5"},
                         {"THREADS", "3"},
                         {"DEVICE", "REF"},
                         {"ISA", "x86-64-v3"},
                         {"DEBUG", "4"},
                         {"ROUNDING", "1.5"},
                         {"PICOGRAD_COMPILER", "inprocess"}});
  CHECK(c.compiler == "inprocess");
  CHECK(c.beam == 8);
  CHECK(c.budget == 1.5);
  CHECK(c.threads == 3);
  CHECK(c.device == "REF");
  CHECK(c.isa == "x86-64-v3");
  CHECK(c.debug == 4);
  CHECK(c.rounding == 1.5);
}

TEST_CASE("what does not parse names the variable and what it should be") {
  CHECK_THROWS_WITH_AS(from({{"BEAM", "wide"}}), "BEAM=wide: should be a number, 0 or more", UserError);
  CHECK_THROWS_WITH_AS(from({{"BEAM", "4x"}}), "BEAM=4x: should be a number, 0 or more", UserError);
  CHECK_THROWS_WITH_AS(from({{"THREADS", "-1"}}), "THREADS=-1: should be a number, 0 or more", UserError);
  CHECK_THROWS_WITH_AS(from({{"BUDGET", "nan"}}), "BUDGET=nan: should be a number, 0 or more", UserError);
  CHECK_THROWS_WITH_AS(from({{"DEVICE", "TPU"}}), "DEVICE=TPU: should be CPU, REF, CUDA or CUDA:N", UserError);
  CHECK_THROWS_WITH_AS(from({{"ISA", "avx9"}}), "ISA=avx9: should be native, x86-64-v3 or x86-64-v4", UserError);
  CHECK_THROWS_WITH_AS(from({{"PICOGRAD_COMPILER", "gcc"}}), "PICOGRAD_COMPILER=gcc: should be auto, inprocess or spawn",
                       UserError);
}

TEST_CASE("GPUs by number; CUDA_HOME goes before CUDA_PATH") {
  CHECK(from({{"DEVICE", "CUDA"}}).device == "CUDA");
  CHECK(from({{"DEVICE", "CUDA:12"}}).device == "CUDA:12");
  for (const char* wrong : {"CUDA:", "CUDA:x", "CUDA:-1", "CUDA:12345", "CUDA0", "cuda"})
    CHECK_THROWS_AS(from({{"DEVICE", wrong}}), UserError);
  CHECK(from({}).cuda_home == "");
  CHECK(from({{"CUDA_PATH", "/a"}}).cuda_home == "/a");
  CHECK(from({{"CUDA_PATH", "/a"}, {"CUDA_HOME", "/b"}}).cuda_home == "/b");
}

TEST_CASE("every variable is in the table once") {
  std::map<std::string, int> names;
  for (const ConfigVariable& v : config_variables()) names[v.name]++;
  for (const auto& [name, count] : names) CHECK(count == 1);
  CHECK(names.size() == 16);
}
