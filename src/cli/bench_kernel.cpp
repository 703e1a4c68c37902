#include "src/cli/bench_kernel.h"

#include <fmt/core.h>

#include <cmath>
#include <cstring>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "search/measure.h"
#include "src/cli/bench_device.h"
#include "src/cli/scheduled_kernel.h"
#include "uops/gathers.h"
#include "uops/kernel.h"
#include "uops/text.h"

namespace pg {

namespace {

constexpr int kAttemptRounds = 5;

void check_finite(const BenchKernel& k, std::span<const std::byte> result) {
  for (size_t i = 0; i < result.size() / sizeof(float); ++i) {
    float v;
    std::memcpy(&v, result.data() + i * sizeof v, sizeof v);
    if (!std::isfinite(v))
      throw InternalError(fmt::format("bench kernel: element {} of {} {} is {}", i, k.kind, k.shape, v));
  }
}

Json axes_json(const UOp& ast) {
  Json axes = Json::object();
  for (const Definition& d : definitions(ast))
    for (const UOps* ranges : {&d.ranges, &d.reduce_ranges})
      for (const UOp& r : *ranges) axes[r.arg_as<RangeArg>().axis] = *const_int(r.src(0));
  return axes;
}
Json error_json(const Reference::Error& e) { return {{"absolute", e.absolute}, {"relative", e.relative}}; }

/// A launch of a scheduled kernel on a set of buffers.
void enqueue(const ScheduledKernel& k, const OperandSet& set) { k.built.program->enqueue(set.buffers, {}, k.items); }

/// Our kernel, the ceilings and the peers as contestants, and what their times mean.
class Run {
 public:
  Run(const BenchKernelOptions& options, const BenchKernel& kernel)
      : options_(options),
        kernel_(kernel),
        machine_(bench_device(default_device())),
        operands_(kernel.ast, default_device()),
        ours_(scheduled_kernel(kernel.ast, options.opts)) {
    operands_.make_sets(machine_->sets(operands_.bytes()));
    ceilings_ = machine_->ceilings(operands_);
    if (options.cold) machine_->sweep();
    reference_ = std::make_unique<Reference>(operands_.reference());
    if (const std::string wrong = checked(ours_); !wrong.empty())
      throw InternalError("bench kernel: " + kernel_.kind + " " + kernel_.shape + ": " + wrong);
    for (const std::string& opts : options.tries) attempt(opts);
    if (!attempts_.empty()) {
      choose();
      checked(ours_);  // its result is the one that the peers' are compared with
    }
    result_ = operands_.result();
    for (const std::string& name : options.peers) load(name);
  }

  Json measure() {
    std::vector<Contestant> all;
    add(all, "picograd", [this](size_t set) { enqueue(ours_, operands_.sets()[set]); });
    for (Contestant& c : ceilings_) {
      all.push_back(c);
      if (options_.cold && c.name != "peak") all.back().before = [this] { machine_->sweep(); };  // that reads no memory
    }
    for (const auto& peer : peers_) {
      add(all, peer->name, [&](size_t set) { peer->run(set); });
      all.back().version = peer->version;
    }
    interleave(all, options_.rounds, machine_->stopwatch());
    for (const auto& peer : peers_) compare(*peer);
    return line(all);
  }
  const std::string& source() const { return ours_.built.source.text; }

 private:
  void load(const std::string& name) {
    std::string why;
    auto found = machine_->peers(name, kernel_, operands_.sets(), why);
    if (found.empty()) std::cerr << "bench: " << name << " left out: " << why << "\n";
    for (auto& peer : found) peers_.push_back(std::move(peer));
  }
  /// All of a peer's result against ours, which was checked by samples.
  void compare(KernelPeer& peer) {
    operands_.forget_results();
    peer.run(0);
    peer.finish();
    const std::vector<std::byte> theirs = operands_.their_result();
    errors_.push_back(reference_->error(theirs));
    const std::string wrong = reference_->check_whole(theirs, result_);
    if (!wrong.empty()) throw InternalError("bench kernel: " + peer.name + " and picograd differ: " + wrong);
  }
  /// Runs it once: "" or what is wrong with the result.
  std::string checked(const ScheduledKernel& k) {
    operands_.forget_results();
    enqueue(k, operands_.sets()[0]);
    const std::vector<std::byte> result = operands_.result();
    check_finite(kernel_, result);
    return reference_->check_samples(result);
  }
  /// What does not apply, compile or compute is told in the line, and costs nothing else.
  void attempt(const std::string& opts) {
    Attempt a{opts, {}, ""};
    try {
      a.kernel = std::make_unique<ScheduledKernel>(scheduled_kernel(kernel_.ast, opts));
      a.wrong = checked(*a.kernel);
    } catch (const UserError& e) {
      a.wrong = e.what();
    } catch (const InternalError& e) {
      a.wrong = e.what();
    }
    attempts_.push_back(std::move(a));
  }
  /// The fastest of the attempts, and of what would have run without them.
  void choose() {
    std::vector<Contestant> all;
    add(all, "attempt 0", [this](size_t set) { enqueue(ours_, operands_.sets()[set]); });
    for (Attempt& a : attempts_)
      if (a.wrong.empty())
        add(all, "attempt " + std::to_string(&a - attempts_.data() + 1),
            [this, k = a.kernel.get()](size_t set) { enqueue(*k, operands_.sets()[set]); });
    interleave(all, kAttemptRounds, machine_->stopwatch());
    const auto ms = [&](size_t i) { return timing(all[i].ms).median_ms; };
    tried_ = Json::array({{{"schedule", text(ours_.chosen.opts)}, {"median_ms", ms(0)}}});
    double least = ms(0);
    size_t i = 0;
    std::unique_ptr<ScheduledKernel> best;
    for (Attempt& a : attempts_) {
      tried_.push_back({{"schedule", a.opts}});
      if (!a.wrong.empty()) {
        tried_.back()["wrong"] = a.wrong;
        continue;
      }
      tried_.back()["median_ms"] = ms(++i);
      if (ms(i) < least) least = ms(i), best = std::move(a.kernel);
    }
    if (best) ours_ = std::move(*best);
  }

  void add(std::vector<Contestant>& all, const std::string& name, std::function<void(size_t set)> run) {
    Contestant c{.name = name, .version = "", .run = [this, run = std::move(run), next = size_t{0}]() mutable {
                   run(next++ % operands_.sets().size());
                 }};
    if (options_.cold) c.before = [this] { machine_->sweep(); };
    all.push_back(std::move(c));
  }

  Json line(const std::vector<Contestant>& all) const {
    const Work& w = kernel_.work;
    Json j{{"kernel", kernel_.kind}, {"name", kernel_.ast.arg_as<std::string>()}, {"shape", kernel_.shape}};
    if (!kernel_.layout.empty()) j["layout"] = kernel_.layout;
    j["axes"] = axes_json(kernel_.ast);
    j["device"] = default_device().name();
    j["threads"] = default_device().target().cores;
    j["precision"] = "fp32";
    j["cold"] = options_.cold;
    j["gathers"] = inner_gathers(ours_.built.source.linear);
    j["flops"] = w.flops;
    j["bytes"] = w.bytes;
    j["ours"] = row_json(all[0], w.flops, w.bytes);
    j["ours"]["schedule"] = text(ours_.chosen.opts);
    j["ours"]["error"] = error_json(reference_->error(result_));
    machine_->describe(j["ours"], ours_.built.artifact);
    machine_->report(j, w, all);
    double best = 0;
    j["peers"] = Json::object();
    for (size_t p = 0; p < peers_.size(); ++p) {
      const Contestant& c = all[all.size() - peers_.size() + p];
      const double ratio = speedup(c.ms, all[0].ms).ratio;
      if (best == 0 || ratio < best) best = ratio;
      Json& peer = j["peers"][c.name] = row_json(c, w.flops, w.bytes);
      peer["ratio"] = ratio;
      peer["version"] = c.version;
      peer["error"] = error_json(errors_[p]);
    }
    j["ratio_to_best_peer"] = peers_.empty() ? Json(nullptr) : Json(best);
    j["search"] = search_json(ours_);
    if (!tried_.empty()) j["tried"] = tried_;
    return j;
  }

  struct Attempt {
    std::string opts;
    std::unique_ptr<ScheduledKernel> kernel;
    std::string wrong;
  };
  const BenchKernelOptions& options_;
  const BenchKernel& kernel_;
  std::unique_ptr<BenchDevice> machine_;
  Operands operands_;
  ScheduledKernel ours_;
  std::vector<Contestant> ceilings_;
  std::unique_ptr<Reference> reference_;
  std::vector<Attempt> attempts_;
  Json tried_;
  std::vector<std::byte> result_;  // ours, checked
  std::vector<std::unique_ptr<KernelPeer>> peers_;
  std::vector<Reference::Error> errors_;  // of the peers
};

void print(const Json& j, std::ostream& out) {
  out << fmt::format("{} {} {}  {}\n  axes     ", j["kernel"].get<std::string>(), j["shape"].get<std::string>(),
                     j.value("layout", ""), j["name"].get<std::string>());
  for (const auto& [name, extent] : j["axes"].items()) out << " " << name << "=" << extent.get<int64_t>();
  out << "\n  schedule  " << j["ours"]["schedule"].get<std::string>() << "\n";
  for (const Json& gather : j["gathers"]) out << "  gathers   " << gather.get<std::string>() << "\n";
  const auto row = [&](const std::string& name, const Json& r) {
    out << fmt::format("  {:<14} {:10.4f} ms", name, r["median_ms"].get<double>());
    if (r.contains("gflops")) out << fmt::format(" {:9.1f} GFLOP/s", r["gflops"].get<double>());
    if (r.contains("gbs")) out << fmt::format(" {:8.1f} GB/s", r["gbs"].get<double>());
    out << fmt::format("   spread {:.3f}", r["spread"].get<double>());
    for (const char* share : {"share_of_peak", "share_of_bandwidth", "share_of_copy"})
      if (r.contains(share))
        out << fmt::format("   {} {:.3f} ±{:.3f}", share, r[share]["median"].get<double>(),
                           r[share]["spread"].get<double>());
    out << "\n";
  };
  row("picograd", j["ours"]);
  for (const char* ceiling : {"peak", "copy", "read"})
    if (j.contains(ceiling) && j[ceiling].contains("median_ms")) row(ceiling, j[ceiling]);
  if (j.contains("peak") && j["peak"].contains("assumes"))
    out << fmt::format("  {:<14} {:23.1f} GFLOP/s, assuming {}\n", "peak", j["peak"]["gflops"].get<double>(),
                       j["peak"]["assumes"].get<std::string>());
  for (const auto& [name, peer] : j["peers"].items()) row(name, peer);
  out << std::flush;
}

}  // namespace

void bench_kernel_command(const BenchKernelOptions& options, std::ostream& out) {
  const BenchKernel kernel = bench_kernel(options.kind, options.shape, options.layout);
  Run run(options, kernel);
  Json j = run.measure();
  if (options.json) {
    if (options.source) j["source"] = run.source();
    out << j.dump() << std::endl;
    return;
  }
  if (options.source) out << run.source() << "\n";
  print(j, out);
}

}  // namespace pg
