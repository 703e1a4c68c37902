#pragma once
#include <iosfwd>

#include "src/cli/model_file.h"

namespace pg {

struct BenchLlamaOptions {
  ModelOptions model;
  int64_t prompt = 512;    // tokens of the prompt that is timed
  int64_t position = 512;  // at which the token that is timed stands
  int rounds = 9;          // of tokens; a prompt takes a third of them
  bool json = false;
};
/// A llama beside what the machine could do at most, in one run: a token beside reading its weights, a prompt beside
/// multiply-adds from registers; then where the time goes, kernel by kernel. Schedules as everywhere: the cache, else the
/// beam (config().beam), else the heuristic.
void bench_llama_command(const BenchLlamaOptions&, std::ostream& out);

}  // namespace pg
