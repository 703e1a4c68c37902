#pragma once
// picograd llama: text on stdout as it is made, everything else on stderr.
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

#include "models/sampler.h"
#include "src/cli/model_file.h"

namespace pg {

struct LlamaOptions {
  ModelOptions model;
  std::string prompt;            // -p
  std::string prompt_file;       // -f; instead of -p
  int64_t tokens = 64;           // -n: most to generate
  double temperature = 0.8;      // --temp; 0: greedy
  int top_k = 40;                // --top-k; 0: all
  double top_p = 0.95;           // --top-p; 1: all
  std::optional<uint64_t> seed;  // --seed; none: another one each run, printed
  bool ignore_end = false;       // --ignore-eos
  bool echo = true;              // the prompt first (--no-echo)
};
/// The exit status: 0, also after Ctrl-C, which ends the text in good order. With --config there is no tokenizer: the prompt
/// is as many random tokens as it has bytes (at least one), and what comes out are token ids.
int llama_command(const LlamaOptions&, std::ostream& out, std::ostream& log);

}  // namespace pg
