#include "src/cli/bench_gemm.h"

#include <fmt/core.h>

#include <charconv>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "search/measure.h"
#include "search/run_buffers.h"
#include "src/cli/bench_kernel.h"
#include "src/cli/interleave.h"
#include "src/cli/scheduled_kernel.h"
#include "src/graph/partition.h"
#include "src/tensor/buffers.h"
#include "src/tensor/tensor.h"

namespace pg {

namespace {

constexpr int64_t kMaxExtent = 1 << 20;
constexpr double kMaxBytes = 8e9;

/// Random numbers, filled in by the host: a search is for the product alone.
Tensor operand(int64_t rows, int64_t columns, size_t slot) {
  const Tensor t = Tensor::empty({rows, columns});
  fill(static_cast<std::byte*>(memory_of(t.uop())->data()), {.elements = rows * columns, .dtype = dt::f32}, 1, slot);
  return t;
}

/// The operands and the result of one problem, with our kernel for it.
class GemmBench {
 public:
  GemmBench(const GemmProblem& p, const BenchGemmOptions& options)
      : problem_(p),
        a_(operand(p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k, 1)),
        b_(operand(p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n, 2)),
        c_(static_cast<size_t>(p.m * p.n), NAN),
        theirs_(c_.size(), NAN) {
    const Plan plan = partition({product(p, a_, b_)});
    if (plan.kernels.size() != 1)
      throw InternalError("a matmul of two buffers takes " + std::to_string(plan.kernels.size()) + " kernels");
    kernel_ = scheduled_kernel(plan.kernels[0].ast, options.fixed ? std::optional(options.opts) : std::nullopt);
    for (const UOp& buffer : plan.kernels[0].buffers) {
      const MemoryRef memory = memory_of(buffer);
      pointers_.push_back(memory ? memory->data() : c_.data());
    }
  }
  static UOp product(const GemmProblem& p, const Tensor& a, const Tensor& b) {
    return (p.transpose_a ? a.transpose() : a).matmul(p.transpose_b ? b.transpose() : b).uop();
  }

  std::vector<Contestant> run(std::vector<std::unique_ptr<Peer>>& peers, int rounds) {
    const auto* a = static_cast<const float*>(memory_of(a_.uop())->data());
    const auto* b = static_cast<const float*>(memory_of(b_.uop())->data());
    std::vector<Contestant> all;
    all.push_back({"picograd", "", [this] { kernel_.built.program->launch(pointers_, {}, kernel_.items); }});
    for (auto& peer : peers)
      all.push_back({peer->name(), peer->version(), [&, this] { peer->gemm(problem_, a, b, theirs_.data()); }});
    interleave(all, rounds);
    for (auto& peer : peers) {
      peer->gemm(problem_, a, b, theirs_.data());
      compare(*peer);
    }
    return all;
  }
  const ScheduledKernel& kernel() const { return kernel_; }

 private:
  void compare(const Peer& peer) const {
    double worst = 0;
    for (size_t i = 0; i < c_.size(); ++i) {
      const double off = std::abs(static_cast<double>(c_[i]) - theirs_[i]);
      worst = off <= worst ? worst : off;  // a NaN is worse than anything
    }
    // Two orders of summation of K products in [0, 1): the sum is near K/4, its error near √K roundings of it.
    const double k = static_cast<double>(problem_.k), allowed = 0x1p-23 * (k / 4 + 1) * (4 + std::sqrt(k));
    if (!(worst <= allowed))
      throw InternalError(fmt::format("gemm differs from {} by {:.3g} (allowed {:.3g})", peer.name(), worst, allowed));
  }

  GemmProblem problem_;
  Tensor a_, b_;
  std::vector<float> c_, theirs_;
  ScheduledKernel kernel_;
  std::vector<void*> pointers_;
};

void bench_one(const BenchGemmOptions& options, const std::string& shape, const std::string& layout,
               std::vector<std::unique_ptr<Peer>>& peers, std::ostream& out) {
  const GemmProblem p = parse_gemm(shape, layout);
  GemmBench bench(p, options);
  const std::vector<Contestant> all = bench.run(peers, options.rounds);

  const double gflop = 2e-9 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  const auto row = [&](const Contestant& c) {
    const Timing t = timing(c.ms);
    return nlohmann::ordered_json{
        {"median_ms", t.median_ms}, {"gflops", gflop / (t.median_ms * 1e-3)}, {"spread", t.spread}};
  };
  nlohmann::ordered_json line;
  line["kernel"] = "gemm";
  line["shape"] = shape;
  line["layout"] = layout;
  line["device"] = default_device().name();
  line["threads"] = default_device().target().cores;
  line["precision"] = "fp32";
  line["ours"] = row(all[0]);
  line["ours"]["schedule"] = text(bench.kernel().chosen.opts);
  line["peers"] = nlohmann::ordered_json::object();
  // Ratios of the samples of one round: what a busy neighbour does to one contestant it does to the next.
  double best_ratio = 0;
  for (size_t i = 1; i < all.size(); ++i) {
    auto& peer = line["peers"][all[i].name] = row(all[i]);
    const double ratio = speedup(all[i].ms, all[0].ms).ratio;
    peer["ratio"] = ratio;
    peer["version"] = all[i].version;
    if (i == 1 || ratio < best_ratio) best_ratio = ratio;
  }
  line["ratio_to_best_peer"] = all.size() > 1 ? nlohmann::ordered_json(best_ratio) : nlohmann::ordered_json(nullptr);
  line["search"] = search_json(bench.kernel());
  if (options.json) {
    out << line.dump() << std::endl;
    return;
  }
  out << fmt::format("gemm {:<16} {} {:10.3f} ms {:8.1f} GFLOP/s", shape, layout, line["ours"]["median_ms"].get<double>(),
                     line["ours"]["gflops"].get<double>());
  for (const auto& [name, peer] : line["peers"].items())
    out << fmt::format("   {} {:.1f} ({:.2f})", name, peer["gflops"].get<double>(), peer["ratio"].get<double>());
  out << "   " << text(bench.kernel().chosen.opts) << std::endl;
}

}  // namespace

GemmProblem parse_gemm(const std::string& shape, const std::string& layout) {
  int64_t extents[3] = {};
  const char *at = shape.data(), *end = shape.data() + shape.size();
  for (int i = 0; i < 3; ++i) {
    const auto [next, error] = std::from_chars(at, end, extents[i]);
    const bool separated = i == 2 ? next == end : next != end && *next == 'x';
    if (error != std::errc() || !separated || extents[i] < 1 || extents[i] > kMaxExtent)
      throw UserError("bench gemm: '" + shape + "' is no shape: MxNxK with extents in 1.." + std::to_string(kMaxExtent));
    at = next + 1;
  }
  const double m = static_cast<double>(extents[0]), n = static_cast<double>(extents[1]), k = static_cast<double>(extents[2]);
  if (const double bytes = 4 * (m * k + n * k + 2 * m * n); bytes > kMaxBytes)
    throw UserError(
        fmt::format("bench gemm: {} needs {:.1f} GB, more than {:.0f} GB", shape, bytes * 1e-9, kMaxBytes * 1e-9));
  if (layout.size() != 2 || layout.find_first_not_of("nt") != layout.npos)
    throw UserError("bench gemm: '" + layout + "' is no layout: nn, nt, tn or tt (t: the operand is stored transposed)");
  return {extents[0], extents[1], extents[2], layout[0] == 't', layout[1] == 't'};
}

UOp gemm_kernel(const GemmProblem& p) {
  const Tensor a = Tensor::empty(p.transpose_a ? Shape{p.k, p.m} : Shape{p.m, p.k}),
               b = Tensor::empty(p.transpose_b ? Shape{p.n, p.k} : Shape{p.k, p.n});
  return partition({GemmBench::product(p, a, b)}).kernels.at(0).ast;
}

void bench_gemm_command(const BenchGemmOptions& options, std::ostream& out) {
  for (const std::string& shape : options.shapes)
    for (const std::string& layout : options.layouts) parse_gemm(shape, layout);  // a typo is told before an hour of search
  if (default_device().target().gpu) {
    // One way to measure on a GPU: its line holds all that this one does.
    for (const std::string& shape : options.shapes)
      for (const std::string& layout : options.layouts)
        if (!search_interrupted())
          bench_kernel_command({.kind = "gemm",
                                .shape = shape,
                                .layout = layout,
                                .opts = options.fixed ? std::optional(options.opts) : std::nullopt,
                                .peers = options.peers,
                                .rounds = options.rounds,
                                .json = options.json},
                               out);
    return;
  }
  std::vector<std::unique_ptr<Peer>> peers;
  for (const std::string& name : options.peers) {
    std::string why;
    if (auto peer = load_peer(name, default_device().target().cores, why))
      peers.push_back(std::move(peer));
    else
      std::cerr << "bench: " << name << " left out: " << why << "\n";
  }
  for (const std::string& shape : options.shapes)
    for (const std::string& layout : options.layouts)
      if (!search_interrupted()) bench_one(options, shape, layout, peers, out);
}

}  // namespace pg
