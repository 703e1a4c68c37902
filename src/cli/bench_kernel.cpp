#include "src/cli/bench_kernel.h"

#include <fmt/core.h>

#include <cmath>
#include <cstring>
#include <iostream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "runtime/memory.h"
#include "search/measure.h"
#include "search/reference.h"
#include "src/cli/bench_kernels.h"
#include "src/cli/ceilings.h"
#include "src/cli/interleave.h"
#include "src/cli/kernel_peers.h"
#include "src/cli/scheduled_kernel.h"
#include "uops/gathers.h"
#include "uops/kernel.h"
#include "uops/text.h"

namespace pg {

namespace {

using Json = nlohmann::ordered_json;
constexpr uint64_t kSeed = 1;

/// The kernel's buffers: random operands, a result that is NaN until it is written.
class Operands {
 public:
  explicit Operands(const UOp& ast) : specs_(buffer_specs(ast, {})) {
    for (size_t slot = 0; slot < specs_.size(); ++slot) {
      memory_.push_back(std::make_unique<Memory>(default_device(), specs_[slot].bytes()));
      pointers_.push_back(memory_.back()->data());
      if (slot > 0) fill(static_cast<std::byte*>(pointers_[slot]), specs_[slot], kSeed, slot);
    }
    forget_result();
  }
  void forget_result() {
    std::fill_n(static_cast<float*>(pointers_[0]), specs_[0].elements, std::numeric_limits<float>::quiet_NaN());
  }
  const std::vector<void*>& pointers() const { return pointers_; }
  std::span<const std::byte> result() const { return bytes(0); }
  std::vector<std::span<const std::byte>> all() const {
    std::vector<std::span<const std::byte>> spans;
    for (size_t slot = 0; slot < specs_.size(); ++slot) spans.push_back(bytes(slot));
    return spans;
  }
  Reference reference(const UOp& ast) const {
    std::vector<std::span<const std::byte>> inputs{{}};
    for (size_t slot = 1; slot < specs_.size(); ++slot) inputs.push_back(bytes(slot));
    return Reference(ast, {}, specs_, inputs, kSeed);
  }

 private:
  std::span<const std::byte> bytes(size_t slot) const {
    return {static_cast<const std::byte*>(pointers_[slot]), specs_[slot].bytes()};
  }
  std::vector<BufferSpec> specs_;
  std::vector<std::unique_ptr<Memory>> memory_;
  std::vector<void*> pointers_;
};

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
Json share_json(const Share& s) { return {{"median", s.median}, {"spread", s.spread}}; }

/// Our kernel, the ceilings and the peers as contestants, and what their times mean.
class Run {
 public:
  Run(const BenchKernelOptions& options, const BenchKernel& kernel)
      : options_(options), kernel_(kernel), ours_(scheduled_kernel(kernel.ast, options.opts)), operands_(kernel.ast) {
    if (auto* cpu = dynamic_cast<CpuDevice*>(&default_device()))
      ceilings_ = std::make_unique<Ceilings>(*cpu, operands_.all());
    else if (options.cold)
      throw UserError("bench kernel: --cold sweeps the caches of a CPU, not those of " + default_device().name());
    launch();
    check_finite(kernel_, operands_.result());
    reference_ = std::make_unique<Reference>(operands_.reference(kernel_.ast));
    if (const std::string wrong = reference_->check_samples(operands_.result()); !wrong.empty())
      throw InternalError("bench kernel: " + kernel_.kind + " " + kernel_.shape + ": " + wrong);
    theirs_.resize(operands_.result().size() / sizeof(float));
    for (const std::string& name : options.peers) load(name);
  }

  Json measure() {
    std::vector<Contestant> all;
    add(all, "picograd", [this] { launch(); });
    if (ceilings_) {
      add(all, "peak", [this] { ceilings_->peak(); });
      all.back().before = {};  // it reads no memory
      add(all, "read", [this] { ceilings_->read(); });
      for (size_t ceiling : {1, 2}) all[ceiling].as_long_as_first = true;
    }
    for (const auto& peer : peers_) {
      add(all, peer->name, [&] { peer->run(); });
      all.back().version = peer->version;
    }
    interleave(all, options_.rounds);
    for (const auto& peer : peers_) compare(*peer);
    return line(all);
  }
  const std::string& source() const { return ours_.built.source.text; }

 private:
  void load(const std::string& name) {
    std::string why;
    auto found = kernel_peers(name, kernel_, operands_.pointers(), theirs_.data(), default_device().target().cores, why);
    if (found.empty()) std::cerr << "bench: " << name << " left out: " << why << "\n";
    for (auto& peer : found) peers_.push_back(std::move(peer));
  }
  /// All of a peer's result against ours, which was checked by samples.
  void compare(KernelPeer& peer) {
    std::fill(theirs_.begin(), theirs_.end(), std::numeric_limits<float>::quiet_NaN());
    peer.run();
    peer.finish();
    const std::string wrong = reference_->check_whole(std::as_bytes(std::span(theirs_)), operands_.result());
    if (!wrong.empty()) throw InternalError("bench kernel: " + peer.name + " and picograd differ: " + wrong);
  }
  void launch() { ours_.built.program->launch(operands_.pointers(), {}, ours_.items); }

  void add(std::vector<Contestant>& all, const std::string& name, std::function<void()> run) {
    Contestant c{.name = name, .version = "", .run = std::move(run)};
    if (options_.cold) c.before = [this] { ceilings_->sweep(); };
    all.push_back(std::move(c));
  }

  Json row(const Contestant& c, double flops, double bytes) const {
    const Timing t = timing(c.ms);
    Json j{{"median_ms", t.median_ms}};
    if (flops > 0) j["gflops"] = flops / t.median_ms * 1e-6;
    if (bytes > 0) j["gbs"] = bytes / t.median_ms * 1e-6;
    j["spread"] = t.spread;
    return j;
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
    j["ours"] = row(all[0], w.flops, w.bytes);
    j["ours"]["schedule"] = text(ours_.chosen.opts);
    if (ceilings_) {
      const Contestant &peak = all[1], &read = all[2];
      j["ours"]["share_of_peak"] = share_json(share_of(w.flops, all[0].ms, ceilings_->peak_flops(), peak.ms));
      j["ours"]["share_of_bandwidth"] = share_json(share_of(w.bytes, all[0].ms, ceilings_->read_bytes(), read.ms));
      j["peak"] = row(peak, ceilings_->peak_flops(), 0);
      j["read"] = row(read, 0, ceilings_->read_bytes());
      j["read"]["bytes"] = ceilings_->read_bytes();
    }
    double best = 0;
    j["peers"] = Json::object();
    for (size_t i = all.size() - peers_.size(); i < all.size(); ++i) {
      const double ratio = speedup(all[i].ms, all[0].ms).ratio;
      if (best == 0 || ratio < best) best = ratio;
      Json& peer = j["peers"][all[i].name] = row(all[i], w.flops, w.bytes);
      peer["ratio"] = ratio;
      peer["version"] = all[i].version;
    }
    j["ratio_to_best_peer"] = peers_.empty() ? Json(nullptr) : Json(best);
    j["search"] = search_json(ours_);
    return j;
  }

  const BenchKernelOptions& options_;
  const BenchKernel& kernel_;
  ScheduledKernel ours_;
  Operands operands_;
  std::unique_ptr<Ceilings> ceilings_;  // null: not on a CPU
  std::unique_ptr<Reference> reference_;
  std::vector<float> theirs_;
  std::vector<std::unique_ptr<KernelPeer>> peers_;
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
    for (const char* share : {"share_of_peak", "share_of_bandwidth"})
      if (r.contains(share))
        out << fmt::format("   {} {:.3f} ±{:.3f}", share, r[share]["median"].get<double>(),
                           r[share]["spread"].get<double>());
    out << "\n";
  };
  row("picograd", j["ours"]);
  for (const char* ceiling : {"peak", "read"})
    if (j.contains(ceiling)) row(ceiling, j[ceiling]);
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
