#include "src/cli/demo.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>

#include "models/generate.h"
#include "runtime/config.h"
#include "runtime/process.h"
#include "search/keys.h"
#include "search/tune.h"
#include "src/cli/bench_gemm.h"
#include "src/cli/duration.h"
#include "src/cli/exit_status.h"
#include "src/cli/interrupt.h"
#include "src/cli/model_file.h"
#include "src/cli/tune_llama.h"

namespace pg {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kPrompt = "This program is distributed in the hope";
constexpr int64_t kTokens = 64, kTimedTokens = 192, kTimedPrompt = 128;
constexpr int kRounds = 25;
constexpr double kLlamaBudget = 30, kMatmulBudget = 60;  // seconds of search
constexpr int kLlamaBeam = 2, kMatmulBeam = 4;
constexpr int64_t kSide = 1024;
constexpr double kFlop = 2.0 * kSide * kSide * kSide;

void set_search(int beam, double budget) {
  Config c = config();
  c.beam = beam;
  c.budget = budget;
  set_config(c);
}

/// A database in which nothing was searched before, by picograd's makers neither.
void use_fresh_database() {
  Config c = config();
  c.db = (fs::path(c.db).parent_path() / "demo.db").string();
  c.pretuned = "none";
  for (const char* part : {"", "-wal", "-shm"}) fs::remove(c.db + part);
  set_config(c);
}

class Demo {
 public:
  explicit Demo(std::ostream& out) : out_(out), model_(open_model({})), tokenizer_(Tokenizer::from(*model_.file)) {}

  int run() {
    const Interrupt interrupt;
    if (text_before_and_after() && matmul() && replay()) {
      where_next();
      return 0;
    }
    out_ << "\ninterrupted; what was measured is kept in " << config().db << "\n";
    return kInterrupted;
  }

 private:
  void title(const std::string& text) { out_ << "\n== " << text << std::endl; }
  void shell(const std::string& command) { out_ << "$ picograd " << command << std::endl; }

  Llama load() { return Llama(model_.config, LlamaWeights::from(*model_.file, model_.config)); }

  void write(Llama& llama) {
    shell(fmt::format("llama -p \"{}\" -n {} --temp 0", kPrompt, kTokens));
    out_ << "  " << kPrompt;
    GenerateOptions options{.tokens = kTokens, .sampler = {.temperature = 0}};
    generate(llama, tokenizer_, kPrompt, options, [&](std::string_view piece) {
      out_ << piece << std::flush;
      return true;
    });
    out_ << std::endl;
  }
  struct Rate {
    double prompt = 0, generation = 0;  // tokens per second
    void improve(const Rate& r) { prompt = std::max(prompt, r.prompt), generation = std::max(generation, r.generation); }
  };
  Rate rate(Llama& llama) {
    std::vector<int32_t> ids = tokenizer_.encode(kPrompt);
    const GenerateStats text = timed(llama, ids, kTimedTokens);
    for (size_t i = 0; ids.size() < kTimedPrompt; ++i) ids.push_back(ids[i]);
    return {timed(llama, ids, 1).prompt_per_second(), text.generated_per_second()};
  }
  static GenerateStats timed(Llama& llama, const std::vector<int32_t>& prompt, int64_t tokens) {
    llama.reset();
    const GenerateOptions options{.tokens = tokens, .sampler = {.temperature = 0}, .ignore_end = true};
    return generate(
        llama, prompt, options, [](int32_t) { return false; }, [](int32_t) { return true; });
  }

  bool text_before_and_after() {
    title("A llama writes, its kernels under default schedules: " + model_.what);
    set_search(0, 0);
    Llama before = load();
    write(before);
    rate(before);  // meets every bucket of the position while there is nothing but defaults
    const Rate r = rate(before);
    out_ << fmt::format("  {:.0f} tok/s; a prompt of {} tokens is read at {:.0f} tok/s\n", r.generation, kTimedPrompt,
                        r.prompt);

    title(fmt::format("Beam search over the llama's kernels, {}", duration_text(kLlamaBudget)));
    shell(fmt::format("tune llama --beam {} --budget {:.0f}s", kLlamaBeam, kLlamaBudget));
    if (tune_llama_command({.budget_seconds = kLlamaBudget, .beam = kLlamaBeam}, out_) != 0 || Interrupt::requested())
      return false;

    title("The same text from the kernels that won");
    Llama after = load();
    write(after);
    rate(after);
    // In turns and the best of each: whatever else runs here slows both.
    Rate slow, fast;
    for (int i = 0; i < kRounds && !Interrupt::requested(); ++i) {
      slow.improve(rate(before));
      fast.improve(rate(after));
    }
    const auto line = [&](const char* what, double x, double y) {
      out_ << fmt::format("  {:<11} {:>7.0f} tok/s before, {:>7.0f} tok/s after tuning: {:.2f} x\n", what, x, y, y / x);
    };
    line("generation", slow.generation, fast.generation);
    line("prompt", slow.prompt, fast.prompt);
    return !Interrupt::requested();
  }

  json bench(BenchGemmOptions options) {
    options.shapes = {fmt::format("{0}x{0}x{0}", kSide)};
    options.json = true;
    std::ostringstream line;
    bench_gemm_command(options, line);
    return json::parse(line.str());
  }
  void row(const std::string& name, double ms, const std::string& note) {
    out_ << fmt::format("  {:<12} {:>10.2f} ms {:>8.1f} GFLOP/s   {}", name, ms, kFlop / ms * 1e-6, note) << std::endl;
  }

  bool matmul() {
    title("A 1024 x 1024 x 1024 matmul: from a plain loop nest to a searched kernel");
    shell(fmt::format("--beam {} bench gemm --vs openblas", kMatmulBeam));
    set_search(0, 0);
    row("unscheduled", bench({.fixed = true, .rounds = 1})["ours"]["median_ms"], "three loops as written");
    if (Interrupt::requested()) return false;
    set_search(kMatmulBeam, kMatmulBudget);
    const json beam = bench({.peers = {"openblas"}});
    set_search(0, 0);
    if (Interrupt::requested()) return false;
    // Default and winner as they ran in turns in the search's final.
    const UOp kernel = gemm_kernel({kSide, kSide, kSide});
    const auto winner = default_store()->winner(winner_key(kernel, {}, default_device()));
    if (!winner) throw InternalError("the search left no winner for " + kernel.arg_as<std::string>());
    finished_ = winner->finished;
    const std::string heuristic_opts = text(heuristic(kernel, default_device().target()));
    row("heuristic", winner->default_ms, heuristic_opts);
    row("beam", winner->median_ms,
        winner->schedule == heuristic_opts ? "the heuristic's schedule stays: no candidate beat it by 1 %"
                                           : winner->schedule);
    const json& search = beam["search"];
    out_ << fmt::format("  the search: {} candidates, {} compiled, {} measured, {}\n", search["candidates"].get<int>(),
                        search["compiled"].get<int>(), search["measured"].get<int>(), duration_text(search["seconds"]));
    for (const auto& [name, peer] : beam["peers"].items())
      row(name, peer["median_ms"],
          fmt::format("picograd has {:.2f} of its speed, timed in turns", peer["ratio"].get<double>()));
    if (beam["peers"].empty()) out_ << "  (no OpenBLAS here to compare with: apt-get install libopenblas0-pthread)\n";
    return true;
  }

  /// Another process, the same database.
  bool replay() {
    title("A second process with the same database replays the winner");
    // A search that the budget ended would be taken up again by --beam.
    std::vector<std::string> arguments = {"--db", config().db, "--beam", std::to_string(finished_ ? kMatmulBeam : 0)};
    if (config().threads > 0) arguments.insert(arguments.end(), {"--threads", std::to_string(config().threads)});
    arguments.insert(arguments.end(), {"bench", "gemm", "--json"});
    shell(fmt::format("{}", fmt::join(arguments, " ")));
    arguments.insert(arguments.begin(), fs::read_symlink("/proc/self/exe").string());
    const auto result = run_process(arguments);
    if (!result || result->status != 0)
      throw InternalError("the second process failed: " + (result ? result->err : "it could not be started"));
    const json line = json::parse(result->out);
    row("replayed", line["ours"]["median_ms"], line["ours"]["schedule"]);
    const json& search = line["search"];
    out_ << fmt::format("  {} candidates, {} measurements\n", search["candidates"].get<int>(),
                        search["measured"].get<int>());
    return true;
  }

  void where_next() {
    title("Where to go next");
    out_ << "  picograd llama -p \"Everyone is permitted to copy\" -n 100        another text\n"
            "  picograd llama -m FILE.gguf -p \"..\"                             your own llama (GGUF, or a Hugging Face folder)\n"
            "  picograd tune llama --config tinyllama-1.1b --budget 10m        the kernels of a larger one\n"
            "  DEBUG=4 picograd bench gemm --shapes 64x64x64                   the C that runs; DEBUG=6 shows every rewrite "
            "on the way\n"
            "  picograd --db "
         << config().db << " db list      what was found\n"
         << "  README.md follows one matmul through the code in ten steps\n";
  }

  std::ostream& out_;
  ModelSource model_;
  Tokenizer tokenizer_;
  bool finished_ = false;
};

}  // namespace

int demo_command(bool keep_database, std::ostream& out) {
  if (!keep_database) use_fresh_database();
  out << "picograd demo: takes two minutes; the winners go to " << config().db << std::endl;
  return Demo(out).run();
}

}  // namespace pg
