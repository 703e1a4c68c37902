#pragma once
// picograd llama: text on stdout as it is made (or one JSON object at the end), everything else on stderr.
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

#include "models/sampler.h"
#include "src/cli/model_file.h"

namespace pg {

struct LlamaOptions {
  ModelOptions model;
  std::string prompt;                  // -p
  std::string prompt_file;             // -f; instead of -p; "-": stdin
  std::optional<int64_t> tokens;       // -n: most to generate; none: 64, in a chat as many as fit into the context
  SamplerOptions sampler;              // --temp, --top-k, ..; its seed is not looked at
  std::optional<uint64_t> seed;        // --seed; none: another one each run, printed
  bool ignore_end = false;             // --ignore-eos
  bool echo = true;                    // the prompt first (--no-echo)
  bool special = false;                // --special: special tokens in the prompt are meant as such
  bool chat = false;                   // --chat: the prompt is a message; without one, a conversation on the terminal
  std::string system;                  // --system
  std::string chat_template = "auto";  // --chat-template
  bool json = false;                   // --json
};
/// The exit status: 0, also after Ctrl-C, which ends the text in good order. With --config there is no tokenizer: the prompt
/// is as many random tokens as it has bytes (at least one), and what comes out are token ids.
int llama_command(const LlamaOptions&, std::ostream& out, std::ostream& log);

}  // namespace pg
