#include "src/cli/llama.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <ostream>
#include <random>
#include <utility>

#include "models/generate.h"
#include "models/llama.h"
#include "models/random.h"
#include "search/tune.h"
#include "src/cli/interrupt.h"

namespace pg {
namespace {

std::string prompt_of(const LlamaOptions& options) {
  if (options.prompt_file.empty()) return options.prompt;
  if (!options.prompt.empty()) throw UserError("-p and -f exclude each other: the prompt comes from one place");
  std::ifstream file(options.prompt_file, std::ios::binary);
  if (!file) throw UserError("-f " + options.prompt_file + ": cannot be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

GenerateStats run_text(Llama& llama, const Gguf& file, const std::string& prompt, const LlamaOptions& options,
                       const GenerateOptions& generation, std::ostream& out) {
  Tokenizer tokenizer = Tokenizer::from(file);
  if (tokenizer.size() != llama.config().vocab) {
    throw UserError(
        fmt::format("{}: the tokenizer has {} pieces, the model {}", file.name(), tokenizer.size(), llama.config().vocab));
  }
  if (options.echo) out << prompt << std::flush;
  return generate(llama, tokenizer, prompt, generation, [&](std::string_view piece) {
    out << piece << std::flush;
    return !Interrupt::requested() && out.good();
  });
}

GenerateStats run_ids(Llama& llama, const std::string& prompt, const GenerateOptions& generation, std::ostream& out) {
  std::vector<int32_t> ids;
  for (size_t i = 0; i < std::max<size_t>(prompt.size(), 1); i++) {
    ids.push_back(
        static_cast<int32_t>(random_bits(generation.sampler.seed, i) % static_cast<uint64_t>(llama.config().vocab)));
  }
  return generate(
      llama, ids, generation, [](int32_t) { return false; },
      [&](int32_t token) {
        out << token << ' ' << std::flush;
        return !Interrupt::requested() && out.good();
      });
}

void report(const GenerateStats& s, const Llama& llama, std::ostream& log) {
  auto line = [&](const char* what, int64_t tokens, double ms, double per_second) {
    return fmt::format("{:<10} {:>5} tokens {:>10.1f} ms {:>10.2f} tok/s", what, tokens, ms, per_second);
  };
  log << line("prompt", s.prompt_tokens, s.prompt_ms, s.prompt_per_second()) << "\n";
  // Every token reads all weights once: the rate of memory that the run reached.
  double gigabytes = s.generated_per_second() * static_cast<double>(llama.weight_bytes()) / 1e9;
  log << line("generation", s.decoded, s.generate_ms, s.generated_per_second())
      << fmt::format(" {:>7.2f} GB/s  ({})\n", gigabytes, text(s.stop));
}

}  // namespace

int llama_command(const LlamaOptions& options, std::ostream& out, std::ostream& log) {
  if (options.tokens < 0) throw UserError(fmt::format("-n {}: the number of tokens must be 0 or more", options.tokens));
  GenerateOptions generation;
  generation.tokens = options.tokens;
  generation.ignore_end = options.ignore_end;
  generation.sampler = {options.temperature, options.top_k, options.top_p,
                        options.seed ? *options.seed : std::random_device()()};
  Sampler check_options(generation.sampler);  // before anything slow
  std::string prompt = prompt_of(options);

  ModelSource source = open_model(options.model);
  log << source.what << "; seed " << generation.sampler.seed << std::endl;
  auto start = std::chrono::steady_clock::now();
  auto lap = [&] {
    auto from = std::exchange(start, std::chrono::steady_clock::now());
    return std::chrono::duration<double>(start - from).count();
  };
  LlamaWeights weights = load_weights(source, options.model);
  log << fmt::format("weights in {:.1f} s", lap()) << std::endl;
  Llama llama(source.config, std::move(weights));
  const SearchCounters& counters = search_counters();
  log << fmt::format("kernels in {:.2f} s ({} schedules from the database, {} measurements)", lap(), counters.cache_hits,
                     counters.measured)
      << std::endl;

  Interrupt interrupt;
  GenerateStats stats = source.file ? run_text(llama, *source.file, prompt, options, generation, out)
                                    : run_ids(llama, prompt, generation, out);
  out << std::endl;
  report(stats, llama, log);
  return 0;
}

}  // namespace pg
