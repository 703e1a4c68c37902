#include "src/cli/tune_llama.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <ostream>
#include <set>
#include <thread>

#include "models/llama_kernels.h"
#include "runtime/config.h"
#include "search/build.h"
#include "search/keys.h"
#include "src/cli/interrupt.h"
#include "src/graph/plan_timing.h"
#include "uops/kernel.h"
#include "uops/text.h"

namespace pg {
namespace {

// A conversation to weigh the kernels by: how often each step runs.
constexpr double kDecodeSteps = 128;  // spread over the buckets of the position
constexpr double kFullChunks = 2;     // prefill steps of a whole chunk
constexpr double kPartChunks = 0.5;   // and of each smaller power of two
constexpr int64_t kLeastTokens = 8;   // prompts and positions below this are not worth tuning for

struct Job {
  LlamaKernel kernel;
  const char* step;  // "decode", "prefill"
  double steps;      // how many of them
  Work work;         // of one launch
  double share = 0;  // of the estimated time of the whole conversation
};

Work work_of(const LlamaKernel& k) {
  UOps variables = variables_of(k.ast);
  std::vector<int64_t> values;
  for (const UOp& v : variables) {
    for (const VariableBinding& b : k.bindings) {
      if (b.name == v.arg_as<VariableArg>().name) values.push_back(b.value);
    }
  }
  return work(k.ast, variables, values);
}

/// A roofline of an ordinary core: good enough to say what comes first; measured times take its place as they come.
double estimated_ms(const Work& w, int launches) {
  constexpr double kFlops = 30e9, kBytes = 15e9, kLaunch = 2e-3;
  return launches * (std::max(w.flops / kFlops, w.bytes / kBytes) * 1e3 + kLaunch);
}

/// Every kernel in every bucket of the Variables that a run meets, the largest share of the time first.
std::vector<Job> jobs(const ModelSource& source, const PlanOptions& plans) {
  const LlamaConfig& c = source.config;
  LlamaWeights w = weight_shapes(source);
  std::vector<Job> out;
  std::set<std::string> seen;
  auto add = [&](const std::vector<LlamaKernel>& kernels, const char* step, double steps) {
    for (const LlamaKernel& k : kernels) {
      if (!seen.insert(content_id(k.ast) + " " + bucket(sizing_variables(k.ast), k.bindings)).second) continue;
      // A kernel without Variables runs in every step, not only in those of the bucket that it is met in first.
      bool always = k.bindings.empty();
      out.push_back({k, step, always && step == std::string("decode") ? kDecodeSteps : steps, work_of(k)});
    }
  };
  std::vector<int64_t> positions;
  for (int64_t p = kLeastTokens; p < c.context; p *= 2) positions.push_back(p);
  positions.push_back(c.context - 1);
  std::ranges::reverse(positions);
  for (int64_t p : positions)
    add(decode_kernels(c, w, p, plans), "decode", kDecodeSteps / static_cast<double>(positions.size()));
  for (int64_t t = c.chunk; t >= std::min(kLeastTokens, c.chunk) && t >= 2; t /= 2) {
    add(prefill_kernels(c, w, 0, t, plans), "prefill", t == c.chunk ? kFullChunks : kPartChunks);
  }
  // A long prompt's later chunks look back further.
  for (int64_t p = c.chunk; p + c.chunk <= c.context; p *= 2)
    add(prefill_kernels(c, w, p, c.chunk, plans), "prefill", kPartChunks);
  double total = 0;
  for (Job& j : out) total += j.share = j.steps * estimated_ms(j.work, j.kernel.count);
  for (Job& j : out) j.share /= total;
  std::ranges::stable_sort(out, [](const Job& a, const Job& b) { return a.share > b.share; });
  return out;
}

std::string clock(double seconds) {
  auto s = static_cast<int64_t>(std::ceil(seconds));
  return s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60) : fmt::format("{}:{:02}", s / 60, s % 60);
}

/// Bound by memory or by arithmetic: the rate that says more.
std::string rate(const Work& w, double ms) {
  constexpr double kBalance = 4;  // flops per byte
  if (ms <= 0) return "";
  return w.flops < kBalance * w.bytes ? fmt::format("{:8.1f} GB/s   ", w.bytes / ms / 1e6)
                                      : fmt::format("{:8.1f} GFLOP/s", w.flops / ms / 1e6);
}

/// Long kernels get more of the budget, but not in proportion: their searches also find their gains sooner.
double search_weight(const Job& j) { return std::sqrt(j.share); }

class TuneRun {
 public:
  TuneRun(const TuneLlamaOptions& options, std::vector<Job> jobs, Store& store, std::ostream& out)
      : options_(options), jobs_(std::move(jobs)), store_(store), out_(out) {}

  int run() {
    for (const Job& j : jobs_) left_ += search_weight(j);
    for (size_t i = 0; i < jobs_.size() && !Interrupt::requested(); i++) one(i);
    summary();
    return Interrupt::requested() ? 130 : 0;
  }

 private:
  double elapsed() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }
  double budget_left() const { return options_.budget_seconds - elapsed(); }
  bool out_of_time() const { return options_.budget_seconds > 0 && budget_left() <= 0; }

  void one(size_t i) {
    const Job& j = jobs_[i];
    Device& device = default_device();
    std::string label = fmt::format("[{:>3}/{}] {:<7} {:<28} {:<14}", i + 1, jobs_.size(), j.step,
                                    j.kernel.name.substr(0, 28), bucket(sizing_variables(j.kernel.ast), j.kernel.bindings));
    if (auto winner = store_.winner(winner_key(j.kernel.ast, j.kernel.bindings, device)); winner && winner->finished) {
      out_ << label
           << fmt::format(" {:9.4f} -> {:9.4f} ms  {}  tuned before\n", winner->default_ms, winner->median_ms,
                          rate(j.work, winner->median_ms));
      count(j, winner->default_ms, winner->median_ms);
      left_ -= search_weight(j);
      return;
    }
    if (out_of_time()) return;  // but winners further down the list are still told
    TuneOptions options;
    options.beam = options_.beam;
    if (options_.budget_seconds > 0) options.budget_seconds = share_of_budget(i);
    if (options_.verbose) options.progress = [&](const std::string& line) { out_ << line << std::endl; };
    TuneResult r = tune(j.kernel.ast, j.kernel.bindings, device, store_, options);
    left_ -= search_weight(j);
    searched_ += search_weight(j);
    count(j, r.default_ms, r.best_ms);
    out_ << label
         << fmt::format(" {:9.4f} -> {:9.4f} ms  {}  {:>5} candidates, {:>4} measured  ETA {}", r.default_ms, r.best_ms,
                        rate(j.work, r.best_ms), r.candidates, r.measured, clock(eta()))
         << (r.finished ? "" : "  (unfinished)") << std::endl;
  }

  /// Seconds for a job: two at least, less would measure the default and little else, and what remains when all that are to
  /// come have had theirs is shared by weight. Where there is not that much, those to come go without.
  double share_of_budget(size_t i) const {
    constexpr double kLeast = 2;
    const double rest = budget_left() - kLeast * static_cast<double>(jobs_.size() - i);
    return kLeast + std::max(0.0, rest) * search_weight(jobs_[i]) / left_;
  }
  double eta() const {
    double going_on = elapsed() / std::max(searched_, 1e-9) * std::max(left_, 0.0);
    return options_.budget_seconds > 0 ? std::clamp(budget_left(), 0.0, going_on) : going_on;
  }
  void count(const Job& j, double before, double after) {
    (j.step == std::string("decode") ? decode_ : prefill_).add(j.steps * j.kernel.count, before, after);
    done_++;
  }

  void summary() const {
    const auto line = [&](const char* what, const Sum& s, double steps) {
      if (s.after <= 0) return;
      out_ << fmt::format("{:<28} {:9.3f} -> {:9.3f} ms, {:.2f} x as fast\n", what, s.before / steps, s.after / steps,
                          s.before / s.after);
    };
    line("these kernels, a token", decode_, kDecodeSteps);
    line("these kernels, the prompts", prefill_, 1);
    out_ << fmt::format("{} of {} kernels in {}", done_, jobs_.size(), clock(elapsed()));
    if (done_ < jobs_.size()) out_ << "; the same command goes on with the rest";
    out_ << std::endl;
  }

  struct Sum {
    double before = 0, after = 0;
    void add(double times, double b, double a) { before += times * b, after += times * a; }
  };
  TuneLlamaOptions options_;
  std::vector<Job> jobs_;
  Store& store_;
  std::ostream& out_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double left_ = 0, searched_ = 0;  // weights of the jobs to come, of those searched
  size_t done_ = 0;
  Sum decode_, prefill_;
};

/// Of the jobs that the database has no finished winner for, those of the shard.
std::vector<Job> own_jobs(std::vector<Job> all, const Shard& shard, Store& store) {
  std::erase_if(all, [&](const Job& j) {
    const auto winner = store.winner(winner_key(j.kernel.ast, j.kernel.bindings, default_device()));
    return winner && winner->finished;
  });
  std::vector<double> weights;
  for (const Job& j : all) weights.push_back(search_weight(j));
  std::vector<Job> own;
  for (const size_t i : share_of(weights, shard)) own.push_back(std::move(all[i]));
  return own;
}

/// The processes of one launch, each with a database of its own beside the common one. They meet by files, so that no
/// library of the launcher's is needed; its launcher ends all of them when one fails.
struct Ranks {
  Shard shard;
  std::string prefix;

  static Ranks of_launcher(const std::string& database) {
    const std::optional<Launched> l = launched(environment);
    if (!l)
      throw UserError(
          "--mpi: no launcher has started this process; run `mpirun -n N picograd tune llama --mpi`, or use --shard");
    return {l->shard, database + "." + identifier(l->job)};
  }
  std::string file(int number) const { return fmt::format("{}.{}-of-{}.db", prefix, number, shard.of); }
  std::string mark(int number) const { return file(number) + ".done"; }

  std::string planned() const { return prefix + ".plans"; }

  /// The first one chooses the plans, the others wait: what they share out are the kernels of the same plans. False:
  /// interrupted.
  bool plan(const std::function<void()>& choose) const {
    if (shard.number == 1) {
      choose();
      if (!(std::ofstream(planned()) << "\n" << std::flush)) throw UserError("cannot write " + planned());
    }
    return awaited(planned());
  }
  /// Says that this one is through; the first one waits for all and merges. False: interrupted.
  bool finish(Store& store, std::ostream& out) const {
    if (!(std::ofstream(mark(shard.number)) << "\n" << std::flush))
      throw UserError("cannot write " + mark(shard.number) + "; `picograd db merge " + file(shard.number) +
                      "` takes over what was found");
    if (shard.number > 1) return true;
    std::vector<Contents> found;
    for (int i = 1; i <= shard.of; ++i) {
      if (!awaited(mark(i))) return false;
      found.push_back(Store::open(file(i), OpenMode::ReadOnly, /*strict=*/true)->contents());
    }
    int64_t winners = 0;
    for (const MergeReport& r : store.merge(found)) winners += r.winners.added + r.replaced;
    for (int i = 1; i <= shard.of; ++i)
      for (const std::string& left : {mark(i), file(i), file(i) + "-wal", file(i) + "-shm"}) std::filesystem::remove(left);
    std::filesystem::remove(planned());
    out << winners << " winners of " << shard.of << " processes merged into " << store.path() << std::endl;
    return true;
  }

 private:
  static bool awaited(const std::string& path) {
    while (!std::filesystem::exists(path)) {
      if (Interrupt::requested()) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return true;
  }
};

/// Which plans are worth tuning kernels for: alternatives are timed with the schedules that there are.
void choose_plans(const ModelSource& source, Store& store, std::ostream& out) {
  const LlamaConfig& c = source.config;
  const LlamaWeights w = weight_shapes(source);
  const auto told = [&](const PlanRow& row) {
    out << fmt::format("plan     {:<64} in place {:9.4f} ms, stored {:9.4f} ms: {}\n", row.site, row.in_place_ms,
                       row.stored_ms, row.in_place ? "in place" : "stored")
        << std::flush;
    return !Interrupt::requested();
  };
  tune_plans(decode_step(c, w), {{"pos", c.context / 2}}, default_device(), store, told);
  if (c.chunk > 1 && !Interrupt::requested())
    tune_plans(prefill_step(c, w), {{"pos", 0}, {"T", c.chunk}}, default_device(), store, told);
}

}  // namespace

int tune_llama_command(const TuneLlamaOptions& options, std::ostream& out) {
  if (options.beam < 1) throw UserError(fmt::format("--beam {}: the width of the beam must be 1 or more", options.beam));
  if (options.budget_seconds < 0)
    throw UserError(fmt::format("--budget {}: must be 0 (no limit) or more seconds", options.budget_seconds));
  Store* store = default_store();
  if (!store) throw UserError("tuning needs a schedule database: set PICOGRAD_DB or --db to a file that can be written");
  const ModelSource source = open_model(options.model);
  const Interrupt interrupt;
  Shard shard = options.shard;
  std::optional<Ranks> ranks;
  const auto required = [](const Store& s) {
    if (!s.writable())
      throw UserError("tuning needs a database that can be written: " + s.path() +
                      " is read-only (set PICOGRAD_DB or --db)");
  };
  if (options.mpi) {
    required(*store);
    ranks = Ranks::of_launcher(store->path());
    shard = ranks->shard;
    if (!ranks->plan([&] { choose_plans(source, *store, out); })) return 130;
  }
  std::unique_ptr<Store> apart;  // begins with all that is known, so that searches have the same seeds
  if (const std::string path = ranks ? ranks->file(shard.number) : options.out; !path.empty()) {
    apart = Store::open(path, OpenMode::ReadWrite, /*strict=*/true);
    apart->merge({store->contents()});
  }
  Store& winners = apart ? *apart : *store;
  required(winners);
  if (!ranks && shard.whole()) choose_plans(source, winners, out);  // shards work on the plans of their snapshot
  std::vector<Job> work = jobs(source, plan_options(default_device(), &winners));
  if (!shard.whole()) work = own_jobs(std::move(work), shard, *store);
  out << source.what << "; " << work.size() << " kernels to tune with beam " << options.beam;
  if (!shard.whole()) out << ", shard " << shard.number << " of " << shard.of;
  out << "; winners go to " << winners.path() << std::endl;
  const int status = TuneRun(options, std::move(work), winners, out).run();
  if (!ranks) return status;
  apart.reset();
  if (status == 0) return ranks->finish(*store, out) ? 0 : 130;
  out << "picograd db merge " << ranks->file(shard.number) << " takes over what was found\n";
  return status;
}

}  // namespace pg
