#include "src/cli/llama.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <ostream>
#include <random>
#include <utility>

#include "models/chat.h"
#include "models/generate.h"
#include "models/llama.h"
#include "models/random.h"
#include "search/tune.h"
#include "src/cli/chat_terminal.h"
#include "src/cli/interrupt.h"

namespace pg {
namespace {

constexpr int64_t kTokens = 64;

std::string prompt_of(const LlamaOptions& options) {
  if (options.prompt_file.empty()) return options.prompt;
  if (!options.prompt.empty()) throw UserError("-p and -f exclude each other: the prompt comes from one place");
  if (options.prompt_file == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  std::ifstream file(options.prompt_file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) throw UserError("-f " + options.prompt_file + ": cannot be read");
  return text;
}

/// Whether it talks on the terminal instead of answering once. UserError where options contradict each other.
bool is_conversation(const LlamaOptions& o) {
  if (!o.chat && !o.system.empty()) throw UserError("--system is for --chat; a text to continue has no instructions");
  if (!o.chat) return false;
  if (!o.model.config.empty()) throw UserError("--chat and --config exclude each other: random weights have nothing to say");
  if (!o.prompt.empty() || !o.prompt_file.empty()) return false;
  if (o.json) throw UserError("--json is for one answer; give the message with -p or -f");
  if (!isatty(STDIN_FILENO))
    throw UserError("--chat talks on a terminal, which stdin is not; give the message with -p or -f (-f -: from stdin)");
  return true;
}

/// What a run has made, and where it goes meanwhile: nowhere with --json, which shows it at the end.
struct Written {
  std::ostream& out;
  bool json;
  std::string text{};

  bool operator()(std::string_view piece) {
    text += piece;
    if (!json) out << piece << std::flush;
    return !Interrupt::requested() && out.good();
  }
};

GenerateStats run_text(Llama& llama, const Tokenizer& tokenizer, const std::string& prompt, const LlamaOptions& options,
                       const GenerateOptions& generation, Written& written) {
  if (options.echo && !options.json) written.out << prompt << std::flush;
  return generate(llama, tokenizer, prompt, generation, std::ref(written));
}

GenerateStats run_message(Llama& llama, const Tokenizer& tokenizer, const std::string& message, const LlamaOptions& options,
                          const GenerateOptions& generation, Written& written) {
  Chat chat(llama, tokenizer, chat_template(options.chat_template, tokenizer), options.system, generation.sampler);
  return chat.say(message, generation, std::ref(written));
}

GenerateStats run_ids(Llama& llama, const std::string& prompt, const GenerateOptions& generation, Written& written) {
  std::vector<int32_t> ids;
  for (size_t i = 0; i < std::max<size_t>(prompt.size(), 1); i++) {
    ids.push_back(
        static_cast<int32_t>(random_bits(generation.sampler.seed, i) % static_cast<uint64_t>(llama.config().vocab)));
  }
  return generate(
      llama, ids, generation, [](int32_t) { return false; },
      [&](int32_t token) { return written(std::to_string(token) + " "); });
}

/// The rate of memory that the run reached, by the weights that every token reads.
double gbytes_per_second(const GenerateStats& s, const Llama& llama) {
  return s.generated_per_second() * static_cast<double>(llama.weights().token_bytes()) / 1e9;
}

void report(const GenerateStats& s, const Llama& llama, std::ostream& log) {
  auto line = [&](const char* what, int64_t tokens, double ms, double per_second) {
    return fmt::format("{:<10} {:>5} tokens {:>10.1f} ms {:>10.2f} tok/s", what, tokens, ms, per_second);
  };
  log << line("prompt", s.prompt_tokens, s.prompt_ms, s.prompt_per_second()) << "\n";
  log << line("generation", s.decoded, s.generate_ms, s.generated_per_second())
      << fmt::format(" {:>7.2f} GB/s  ({})\n", gbytes_per_second(s, llama), text(s.stop));
}

const char* stop_name(StopReason reason) {
  switch (reason) {
    case StopReason::EndOfText: return "end_of_text";
    case StopReason::Count: return "count";
    case StopReason::ContextFull: return "context_full";
    case StopReason::Interrupted: return "interrupted";
  }
  throw InternalError("unknown StopReason");
}

nlohmann::ordered_json as_json(const GenerateStats& s, const Llama& llama, const ModelSource& source, double load_seconds,
                               const GenerateOptions& generation, const std::string& prompt, const std::string& written) {
  const SamplerOptions& o = generation.sampler;
  return {{"model", source.config.name},
          {"parameters", source.config.parameters()},
          {"weight_bytes", llama.weights().token_bytes()},
          {"device", default_device().name()},
          {"context", llama.config().context},
          {"seed", o.seed},
          {"sampler",
           {{"repeat_penalty", o.repeat_penalty},
            {"repeat_last_n", o.repeat_last},
            {"temp", o.temperature},
            {"top_k", o.top_k},
            {"top_p", o.top_p},
            {"min_p", o.min_p}}},
          {"prompt", prompt},
          {"text", written},
          {"tokens", s.tokens},
          {"stop", stop_name(s.stop)},
          {"load_ms", load_seconds * 1e3},
          {"prompt_tokens", s.prompt_tokens},
          {"prompt_ms", s.prompt_ms},
          {"prompt_tokens_per_second", s.prompt_per_second()},
          {"generated_tokens", s.generated_tokens},
          {"generate_ms", s.generate_ms},
          {"tokens_per_second", s.generated_per_second()},
          {"gbytes_per_second", gbytes_per_second(s, llama)}};
}

}  // namespace

int llama_command(const LlamaOptions& options, std::ostream& out, std::ostream& log) {
  if (options.tokens && *options.tokens < 0)
    throw UserError(fmt::format("-n {}: the number of tokens must be 0 or more", *options.tokens));
  GenerateOptions generation;
  generation.tokens = options.tokens.value_or(options.chat ? std::numeric_limits<int64_t>::max() : kTokens);
  generation.ignore_end = options.ignore_end;
  generation.special = options.special;
  generation.go_on = [] { return !Interrupt::requested(); };
  generation.sampler = options.sampler;
  generation.sampler.seed = options.seed ? *options.seed : std::random_device()();
  Sampler check_options(generation.sampler);  // before anything slow
  const bool conversation = is_conversation(options);
  std::string prompt = prompt_of(options);

  ModelSource source = open_model(options.model);
  const std::optional<Tokenizer> tokenizer = load_tokenizer(source);
  if (options.chat) chat_template(options.chat_template, *tokenizer);
  log << source.what << "; seed " << generation.sampler.seed << std::endl;
  auto start = std::chrono::steady_clock::now();
  double load_seconds = 0;
  auto lap = [&] {
    auto from = std::exchange(start, std::chrono::steady_clock::now());
    const double seconds = std::chrono::duration<double>(start - from).count();
    load_seconds += seconds;
    return seconds;
  };
  LlamaWeights weights = load_weights(source, options.model);
  log << fmt::format("weights in {:.1f} s", lap()) << std::endl;
  Llama llama(source.config, std::move(weights));
  const SearchCounters& counters = search_counters();
  log << fmt::format("kernels in {:.2f} s ({} schedules from the database, {} measurements)", lap(), counters.cache_hits,
                     counters.measured)
      << std::endl;
  if (conversation) {
    Chat chat(llama, *tokenizer, chat_template(options.chat_template, *tokenizer), options.system, generation.sampler);
    return chat_on_terminal(chat, generation, out, log);
  }

  Interrupt interrupt;
  Written written{out, options.json};
  const GenerateStats stats = options.chat ? run_message(llama, *tokenizer, prompt, options, generation, written)
                              : tokenizer  ? run_text(llama, *tokenizer, prompt, options, generation, written)
                                           : run_ids(llama, prompt, generation, written);
  if (options.json) {
    out << as_json(stats, llama, source, load_seconds, generation, prompt, written.text)
               .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  out << std::endl;
  report(stats, llama, log);
  return 0;
}

}  // namespace pg
