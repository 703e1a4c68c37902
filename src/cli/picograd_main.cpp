// The picograd program: the command line, and nothing but the command line. The only file that includes CLI11.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>
#include <string>

#include "runtime/config.h"
#include "search/recheck.h"
#include "src/cli/bench_compile.h"
#include "src/cli/bench_gemm.h"
#include "src/cli/bench_kernel.h"
#include "src/cli/bench_kernels.h"
#include "src/cli/bench_llama.h"
#include "src/cli/bench_lower.h"
#include "src/cli/bench_noise.h"
#include "src/cli/bench_plans.h"
#include "src/cli/bench_ranking.h"
#include "src/cli/bench_search.h"
#include "src/cli/db.h"
#include "src/cli/demo.h"
#include "src/cli/devices.h"
#include "src/cli/duration.h"
#include "src/cli/exit_status.h"
#include "src/cli/help.h"
#include "src/cli/interrupt.h"
#include "src/cli/llama.h"
#include "src/cli/report_command.h"
#include "src/cli/selftest.h"
#include "src/cli/tune_llama.h"

namespace pg {

namespace {

using Command = std::function<int()>;

/// Options of every command; what is given overrides the environment.
struct SharedOptions {
  std::string db, budget, device;
  std::optional<int> beam, threads;

  void add_to(CLI::App& app) {
    app.add_option("--db", db, "schedule database");
    app.add_option("--beam", beam, "width of the beam search; 0: no search")->check(CLI::Range(0, 1000));
    app.add_option("--budget", budget, "time of search in all: 30s, 5m, 1h");
    app.add_option("--threads", threads, "cores a launch may use; 0: all")->check(CLI::Range(0, 4096));
    app.add_option("--device", device, "where kernels run")->check([](const std::string& name) {
      return is_device_name(name) ? "" : "should be CPU, REF, CUDA or CUDA:N";
    });
  }
  Config over(Config c) const {
    if (!db.empty()) {
      // The artifacts go with their database unless they were sent elsewhere.
      if (std::filesystem::path(c.cache_dir).parent_path() == std::filesystem::path(c.db).parent_path()) c.cache_dir.clear();
      c.db = db;
    }
    if (!budget.empty()) c.budget = parse_duration(budget);
    if (!device.empty()) c.device = device;
    if (beam) c.beam = *beam;
    if (threads) c.threads = *threads;
    return c;
  }
};

/// Declares a command that does its work in `run` once everything is parsed.
CLI::App& command(CLI::App& parent, Command& chosen, const char* name, const char* description, Command run) {
  CLI::App& sub = *parent.add_subcommand(name, description);
  sub.callback([&chosen, run = std::move(run)] { chosen = run; });
  return sub;
}

void add_model(CLI::App& app, ModelOptions& model) {
  app.add_option("-m,--model", model.model,
                 "GGUF file or Hugging Face folder; without it the llama that lies in models/data");
  app.add_option("--config", model.config,
                 "the shapes of a known model with random weights, instead of a file: tinyllama-1.1b, ..");
  app.add_option("--quant", model.quant, "with --config: how the weights are packed: f16, bf16, q8_0, q4_0");
  app.add_option("-c,--context", model.context,
                 "positions of the cache; 0: the model's own, at most " + std::to_string(kDefaultContext));
}

void add_sampler(CLI::App& app, SamplerOptions& o) {
  app.add_option("--repeat-penalty", o.repeat_penalty, "above 1 makes recent tokens less likely (1)");
  app.add_option("--repeat-last-n", o.repeat_last, "how many tokens back are recent; -1: all (64)");
  app.add_option("--temp", o.temperature, "temperature; 0: always the likeliest token (0.8)");
  app.add_option("--top-k", o.top_k, "choose among the k likeliest; 0: all (40)");
  app.add_option("--top-p", o.top_p, "choose among the likeliest that reach this probability (0.95)");
  app.add_option("--min-p", o.min_p, "choose among those at least so many times as likely as the likeliest (0)");
}

struct LlamaCommands {
  LlamaOptions llama;
  TuneLlamaOptions tuning;

  void add_to(CLI::App& app, Command& chosen) {
    CLI::App& l =
        command(app, chosen, "llama", "continue a text", [this] { return llama_command(llama, std::cout, std::cerr); });
    add_model(l, llama.model);
    l.add_option("-p,--prompt", llama.prompt, "the text to continue; with --chat a message");
    l.add_option("-f,--file", llama.prompt_file, "a file with it; -: stdin");
    l.add_option("-n,--tokens", llama.tokens, "most tokens to write; without it 64, with --chat until the answer ends");
    add_sampler(l, llama.sampler);
    l.add_option("--seed", llama.seed, "the same seed writes the same text");
    l.add_flag("--ignore-eos", llama.ignore_end, "go on behind the end of a text");
    l.add_flag("!--no-echo", llama.echo, "write the continuation only");
    l.add_flag("--special", llama.special, "special tokens in the prompt, as <|eot_id|>, are meant as such");
    l.add_flag("--chat", llama.chat, "answer a message; without -p and -f a conversation, on a terminal only");
    l.add_option("--system", llama.system, "instructions in front of a conversation");
    l.add_option("--chat-template", llama.chat_template, "auto (the model's), llama2 or llama3");
    l.add_flag("--json", llama.json, "nothing on stdout but one JSON object at the end, which holds text and timing");
    l.footer(
        "The text goes to stdout as it is made, everything else to stderr; Ctrl-C ends it in good order.\n"
        "The sampler's options act in this order: penalty, temperature, top-k, top-p, min-p.");

    CLI::App& tune = *app.add_subcommand("tune", "search schedules")->require_subcommand(1);
    CLI::App& t = command(tune, chosen, "llama", "for every kernel of a llama", [this] {
      Config c = config();
      if (c.beam > 0) tuning.beam = c.beam;
      c.beam = tuning.beam;
      set_config(c);
      tuning.budget_seconds = config().budget;
      if (!shard_.empty()) tuning.shard = parse_shard(shard_);
      return tune_llama_command(tuning, std::cout);
    });
    add_model(t, tuning.model);
    t.add_flag("-v,--verbose", tuning.verbose, "a line per round of each beam");
    CLI::Option* shard = t.add_option("--shard", shard_, "i/n: the i-th of n processes that share the kernels out");
    CLI::Option* apart = t.add_option("--out", tuning.out, "a database for what is found; --db stays as it is");
    t.add_flag("--mpi", tuning.mpi, "started by mpirun or srun: share out by rank, merge into --db at the end")
        ->excludes(shard)
        ->excludes(apart);
  }

 private:
  std::string shard_;
};

struct BenchCommands {
  BenchGemmOptions gemm;
  BenchKernelOptions kernel;
  BenchLlamaOptions llama;
  BenchLowerOptions lower;
  BenchCompileOptions compile;
  BenchNoiseOptions noise;
  BenchPlansOptions plans;
  BenchRankingOptions ranking;
  BenchSearchOptions search;

  void add_to(CLI::App& app, Command& chosen) {
    CLI::App& bench = *app.add_subcommand("bench", "measure kernels")->require_subcommand(1);
    CLI::App& g = command(bench, chosen, "gemm", "matrix products C[M,N] = A[M,K] B[K,N], fp32", [this] {
      const Interrupt interrupt;
      bench_gemm_command(gemm, std::cout);
      return Interrupt::requested() ? kInterrupted : 0;
    });
    g.add_option("--shapes", gemm.shapes, "MxNxK, separated by commas")->delimiter(',');
    g.add_option("--layout", gemm.layouts, "nn, nt, tn, tt (t: the operand is stored transposed), separated by commas")
        ->delimiter(',');
    g.add_option("--vs", gemm.peers, "openblas, onednn; on a GPU cublas: timed in the same run, where they are installed")
        ->delimiter(',');
    g.add_option("--opts", gemm.opts, "a schedule instead of the searched one; '' is the unscheduled kernel")
        ->each([this](const std::string&) { gemm.fixed = true; });
    add_precision(g);
    g.add_option("--rounds", gemm.rounds, "samples of each contestant")->check(CLI::Range(1, 10000));
    g.add_flag("--json", gemm.json, "a JSON object per line");
    add_kernel(bench, chosen);
    CLI::App& p = command(bench, chosen, "plans", "convolutions directly and by minimal filtering (Winograd)", [this] {
      bench_plans_command(plans, std::cout);
      return 0;
    });
    p.add_option("--shape", plans.shapes, "[Nx]CxHxW,OxKHxKW[,p1], as of `bench kernel --kind conv2d`; may be given often")
        ->take_all();
    p.add_flag("--trained", plans.trained, "weights change: transform them at each run");
    p.add_option("--rounds", plans.rounds, "samples of each plan")->check(CLI::Range(6, 10000));
    p.add_flag("--json", plans.json, "a JSON object per line");
    CLI::App& m = command(bench, chosen, "llama", "a llama beside what the machine could do at most", [this] {
      const Interrupt interrupt;
      bench_llama_command(llama, std::cout);
      return Interrupt::requested() ? kInterrupted : 0;
    });
    add_model(m, llama.model);
    m.add_option("--prompt", llama.prompt, "tokens of the prompt")->check(CLI::Range(2, 1 << 20));
    m.add_option("--position", llama.position, "of the token")->check(CLI::Range(0, 1 << 20));
    m.add_option("--rounds", llama.rounds, "samples of the token; of the prompt a third of them")
        ->check(CLI::Range(3, 10000));
    m.add_flag("--json", llama.json, "a JSON object");
    CLI::App& l = command(bench, chosen, "lower", "how long lowering takes, kernel by kernel", [this] {
      if (lower.model.empty()) lower.model = shipped_model();
      bench_lower_command(lower, std::cout);
      return 0;
    });
    l.add_option("-m,--model", lower.model, "a llama whose decode graph is lowered");
    l.add_option("--rounds", lower.rounds, "samples of each kernel")->check(CLI::Range(1, 10000));
    l.add_flag("--json", lower.json, "a JSON object per line");
    CLI::App& c = command(bench, chosen, "compile", "how long compiling takes, by each route to Clang", [this] {
      if (compile.model.empty()) compile.model = shipped_model();
      bench_compile_command(compile, std::cout);
      return 0;
    });
    c.add_option("-m,--model", compile.model, "a llama whose decode graph is compiled");
    c.add_option("--count", compile.count, "kernels, spread evenly over the candidates")->check(CLI::Range(1, 10000));
    c.add_option("--batch", compile.batch, "kernels handed over at once")->check(CLI::Range(1, 1000));
    c.add_option("--tries", compile.tries, "of each batch; the fastest counts")->check(CLI::Range(1, 100));
    c.add_option("--rounds", compile.rounds, "samples of the matmul by either route")->check(CLI::Range(6, 10000));
    c.add_flag("--json", compile.json, "a JSON object per line");
    CLI::App& s = command(bench, chosen, "search", "what each part of a search is worth", [this] {
      const Interrupt interrupt;
      if (config().beam > 0) search.beam = config().beam;
      if (config().budget > 0) search.seconds = config().budget;
      bench_search_command(search, std::cout);
      return Interrupt::requested() ? kInterrupted : 0;
    });
    s.add_option("--kind", search.kind, "as of `bench kernel`");
    s.add_option("--shape", search.shape, "as of `bench kernel`");
    s.add_option("--layout", search.layout, "as of `bench kernel`");
    s.add_option("--vs", search.vs, "tinygrad: its search for the same kernel too, on one core");
    s.add_option("--python", search.python, "a Python that imports it");
    s.add_option("--rounds", search.rounds, "of the final between the winners")->check(CLI::Range(6, 10000));
    s.add_flag("--json", search.json, "a JSON object per line");
    CLI::App& n = command(bench, chosen, "noise", "how far verdicts between two schedules are to be trusted", [this] {
      bench_noise_command(noise, std::cout);
      return 0;
    });
    n.add_option("--trials", noise.trials, "finals of either kind")->check(CLI::Range(1, 100000));
    n.add_option("--gain", noise.gain, "percent by which the faster one is faster")->check(CLI::Range(0.0, 1000.0));
    n.add_option("--ms", noise.ms, "time of one run")->check(CLI::Range(0.01, 1000.0));
    n.add_flag("--json", noise.json, "a JSON object");
    CLI::App& r = command(bench, chosen, "ranking", "how good the orders are in which a search tries candidates", [this] {
      bench_ranking_command(ranking, std::cout);
      return 0;
    });
    r.add_flag("--json", ranking.json, "a JSON object per line");
  }

 private:
  std::string precision_ = "fp32";
  void add_precision(CLI::App& app) {
    app.add_option("--precision", precision_, "of operands and sums: fp32")->check(CLI::IsMember({"fp32"}));
  }
  void add_kernel(CLI::App& bench, Command& chosen) {
    CLI::App& k = command(bench, chosen, "kernel", "one kernel beside what the machine could do at most", [this] {
      const Interrupt interrupt;
      bench_kernel_command(kernel, std::cout);
      return Interrupt::requested() ? kInterrupted : 0;
    });
    std::string kinds, layouts;
    for (const BenchKind& kind : bench_kinds()) {
      kinds += (kinds.empty() ? "" : "; ") + std::string(kind.name) + " " + kind.form;
      if (*kind.layouts) layouts += (layouts.empty() ? "" : "; ") + std::string(kind.name) + ": " + kind.layouts;
    }
    k.add_option("--kind", kernel.kind, "what it computes, with the form of its shape: " + kinds)->required();
    k.add_option(
         "--shape", kernel.shape,
         "of a convolution [Nx]CxHxW,OxKHxKW and, as needed, ,s2 (stride) ,p1 or ,p0:1:0:1 (padding: top, bottom, left, "
         "right) ,d2 (dilation) ,g4 (groups)")
        ->required();
    k.add_option("--layout", kernel.layout, layouts);
    k.add_option("--vs", kernel.peers,
                 "eigen, onednn, openblas; on a GPU cublas: timed in the same run, where they are installed")
        ->delimiter(',');
    k.add_option("--opts", kernel.opts, "a schedule instead of the searched one; '' is the unscheduled kernel");
    k.add_option("--try", kernel.tries, "another schedule beside that one; the fastest of all goes on. May be given often")
        ->take_all();
    add_precision(k);
    k.add_option("--rounds", kernel.rounds, "samples of each contestant")->check(CLI::Range(1, 10000));
    k.add_flag("--cold", kernel.cold, "empty the caches before each run");
    k.add_flag("--source", kernel.source, "print the generated code too");
    k.add_flag("--json", kernel.json, "a JSON object");
  }
};

struct DbCommands {
  DbOptions options;

  void add_to(CLI::App& app, Command& chosen) {
    CLI::App& db = *app.add_subcommand("db", "what the schedule database holds")->require_subcommand(1);
    const auto add = [&](const char* name, const char* description, DbOptions::Action action) -> CLI::App& {
      CLI::App& sub = command(db, chosen, name, description, [this, action] {
        options.action = action;
        options.path = config().db;
        return db_command(options, std::cout, [](const WinnerRow& w, const KernelRow& k, const std::string& bindings) {
          return recheck(w, k, default_device(), bindings);
        });
      });
      sub.add_flag("--json", options.json, "as JSON");
      return sub;
    };
    add("stats", "how much there is of what", DbOptions::Action::Stats);
    add("list", "the winners", DbOptions::Action::List);
    add("show", "a kernel, its winners, its measurements", DbOptions::Action::Show)
        .add_option("id", options.id, "a kernel's id or its first digits")
        ->required();
    CLI::App& e = add("export", "one readable JSON file of it", DbOptions::Action::Export);
    e.add_option("-o,--output", options.output, "the file; without it: stdout");
    e.add_option("--device", options.device, "only this one's: its id or the first digits")
        ->excludes(e.add_flag("--this-device", options.this_device, "only this machine's"));
    e.add_flag("--winners-only", options.winners_only, "without measurements");
    add("import", "take the rows of exports in", DbOptions::Action::Import)
        .add_option("files", options.files, "exports")
        ->required();
    add("merge", "take the rows of other databases in", DbOptions::Action::Merge)
        .add_option("files", options.files, "databases")
        ->required();
    add("verify", "whether the database is sound, and its winners right and faster than the default",
        DbOptions::Action::Verify)
        .add_flag("--no-run", options.no_run, "look at the file only");
    CLI::App& p = add("prune", "drop what nothing needs", DbOptions::Action::Prune);
    p.add_option("--keep-measurements", options.keep_measurements, "of each kernel, device, .. the N fastest")
        ->check(CLI::Range(0, 1000000000));
    p.add_flag("--older-toolchains", options.older_toolchains, "what this machine found under other toolchains");
    p.add_option("--winners-of", options.winners_of,
                 "this machine's winners of the kernel with this id, so that it is searched for again");
    p.add_flag("--dry-run", options.dry_run, "say what would go");
    add("migrate", "bring an older schema up, behind a copy of the file", DbOptions::Action::Migrate);
  }
};

struct ReportCommands {
  ReportOptions options;

  void add_to(CLI::App& app, Command& chosen) {
    CLI::App& r = command(app, chosen, "report", "what the search found, as a page", [this] {
      options.database = config().db;
      report_command(options, default_device(), std::cout);
      return 0;
    });
    r.add_option("-o,--output", options.html, "the page; -: to stdout; without it and --md report.html");
    r.add_option("--md", options.markdown, "the same numbers as Markdown; -: to stdout");
    r.add_option("--kernel", options.kernel, "only this one: its id or its first digits");
    r.add_flag("!--no-measure", options.measure, "leave out the machine's ceilings, which take a second or two");
  }
};

int run(int argc, char** argv) {
  CLI::App app("picograd turns tensor programs into kernels whose schedules were searched.", "picograd");
  app.fallthrough()->require_subcommand(1)->set_version_flag("--version", version_text());
  app.footer("--db, --beam, --budget, --threads and --device belong to every command; `picograd help` tells more.");
  Command chosen;
  SharedOptions shared;
  LlamaCommands llama;
  BenchCommands bench;
  DbCommands db;
  ReportCommands report;
  shared.add_to(app);
  llama.add_to(app, chosen);
  bench.add_to(app, chosen);
  db.add_to(app, chosen);
  report.add_to(app, chosen);
  command(app, chosen, "demo", "the main job, in two minutes", [&] { return demo_command(!shared.db.empty(), std::cout); });
  command(app, chosen, "devices", "what can run kernels here", [] {
    print_devices(std::cout);
    return 0;
  });
  SelftestOptions selftest;
  CLI::App& s = command(app, chosen, "selftest", "whether a device computes a list of scheduled kernels rightly",
                        [&] { return selftest_command(selftest, std::cout); });
  s.group("");  // bench/gpu.sh knows it
  s.add_flag("--brief", selftest.brief, "every third kernel");
  s.add_flag("--list", selftest.list, "say what would run");
  s.add_flag("--json", selftest.json, "a JSON object per line");
  command(app, chosen, "help", "commands and environment variables", [] {
    print_help(std::cout);
    return 0;
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    std::cerr << "picograd: " << e.what() << "\n  `picograd help` lists the commands\n";
    return kUsage;
  }
  set_config(shared.over(config()));
  if (config().debug >= 1) print_devices(std::cerr);
  return chosen();
}

}  // namespace

}  // namespace pg

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);  // `picograd .. | head` ends quietly
  return pg::exit_status([&] { return pg::run(argc, argv); });
}
