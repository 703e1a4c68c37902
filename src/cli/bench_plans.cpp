#include "src/cli/bench_plans.h"

#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <ostream>
#include <random>

#include "runtime/cpu_device.h"
#include "search/measure.h"
#include "src/cli/ceilings.h"
#include "src/cli/interleave.h"
#include "src/cli/kernel_shapes.h"
#include "src/graph/plans.h"
#include "src/graph/program_cache.h"
#include "src/graph/realize.h"
#include "src/tensor/buffers.h"
#include "uops/kernel.h"

namespace pg {

namespace {
using Json = nlohmann::ordered_json;

/// A plan with memory of its own for what it computes.
class PlanRun {
 public:
  PlanRun(const Tensor& root, const std::string& name, Device& device) : name_(name) {
    PlanOptions options{.defaults = false};
    options.choose = [&](const Alternative& a) { return std::optional(a.name == name); };
    plan_ = partition({root.uop()}, options);
    std::vector<KernelRequest> requests;
    for (const PlannedKernel& k : plan_.kernels) requests.push_back({k.ast, {}});
    ready_ = ready_kernels(requests, device);
    for (size_t i = 0; i < ready_.size(); ++i) {
      for (const UOp& b : plan_.kernels[i].buffers)
        if (!memory_of(b)) set_memory(b, std::make_shared<Memory>(device, static_cast<size_t>(capacity(b))));
      launches_.emplace_back();
      for (const ReadyLaunch& l : ready_[i]->launches({})) {
        launches_.back().push_back({l.program, {}, l.variables, l.items});
        for (const size_t slot : l.slots)
          launches_.back().back().buffers.push_back(memory_of(plan_.kernels[i].buffers[slot])->data());
      }
    }
    ms_.resize(ready_.size());
    for (size_t i = 0; i < ready_.size(); ++i)
      for (int run = 0; run < (plan_.kernels[i].constant ? kRunsOnce : 1); ++run) launch(i);
  }
  const std::string& name() const { return name_; }
  /// All kernels but those that run once.
  void run() {
    for (size_t i = 0; i < ready_.size(); ++i)
      if (!plan_.kernels[i].constant) launch(i);
  }
  Json kernels() const {
    Json all = Json::array();
    for (size_t i = 0; i < ready_.size(); ++i) {
      const UOp& ast = plan_.kernels[i].ast;
      const Work w = work(ast, {}, {});
      const double ms = timing(ms_[i]).median_ms;
      all.push_back({{"name", ast.arg_as<std::string>()}, {"median_ms", ms}});
      all.back()["gflops"] = w.flops / ms * 1e-6;
      all.back()["gbs"] = w.bytes / ms * 1e-6;
      if (plan_.kernels[i].constant) all.back()["once"] = true;
      all.back()["schedule"] = text(ready_[i]->opts[0]);
    }
    return all;
  }
  std::vector<float> result() const { return Tensor(plan_.outputs[0]).to_floats(); }

 private:
  static constexpr int kRunsOnce = 5;  // of what a Graph runs once: the first finds memory that was never touched
  void launch(size_t i) {
    const double start = host_ms();
    for (const Launch& l : launches_[i]) l.program->launch(l.buffers, l.variables, l.items);
    ms_[i].push_back(host_ms() - start);
  }

  std::string name_;
  Plan plan_;
  std::vector<ReadyKernelRef> ready_;
  std::vector<std::vector<Launch>> launches_;  // of each kernel
  std::vector<std::vector<double>> ms_;
};

/// Some outputs in double precision.
struct Samples {
  std::vector<size_t> places;
  std::vector<double> exact;
  double scale = 0;  // their root mean square

  Samples(const ConvShape& c, const std::vector<float>& x, const std::vector<float>& w) {
    constexpr int kSamples = 4000;
    std::mt19937_64 random(1);
    const auto below = [&](int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); };
    for (int i = 0; i < kSamples; ++i) {
      const int64_t n = below(c.n), o = below(c.o), row = below(c.rows()), column = below(c.columns());
      places.push_back(static_cast<size_t>(((n * c.o + o) * c.rows() + row) * c.columns() + column));
      double sum = 0;
      for (int64_t channel = 0; channel < c.c; ++channel)
        for (int64_t ky = 0; ky < c.kh; ++ky)
          for (int64_t kx = 0; kx < c.kw; ++kx) {
            const int64_t y = row + ky - c.how.padding[0], at = column + kx - c.how.padding[2];
            if (y < 0 || y >= c.h || at < 0 || at >= c.w) continue;
            sum += static_cast<double>(x[static_cast<size_t>(((n * c.c + channel) * c.h + y) * c.w + at)]) *
                   static_cast<double>(w[static_cast<size_t>(((o * c.c + channel) * c.kh + ky) * c.kw + kx)]);
          }
      exact.push_back(sum);
      scale += sum * sum / kSamples;
    }
    scale = std::sqrt(scale);
  }
  /// Root mean square and largest error, beside `scale`.
  std::pair<double, double> error(const std::vector<float>& got) const {
    double sum = 0, most = 0;
    for (size_t i = 0; i < places.size(); ++i) {
      const double e = std::abs(static_cast<double>(got[places[i]]) - exact[i]);
      sum += e * e, most = std::max(most, e);
    }
    return {std::sqrt(sum / static_cast<double>(places.size())) / scale, most / scale};
  }
};

Json measured(const std::string& shape, const BenchPlansOptions& options) {
  Device& device = default_device();
  const ConvShape c = parse_conv2d(shape);
  if (c.how.stride != 1 || c.how.dilation != 1 || c.how.groups != 1)
    throw UserError("bench plans: '" + shape + "': there is one plan only where windows move by one and see all channels");
  const Tensor x = Tensor::randn({c.n, c.c, c.h, c.w}, 1, device), w = Tensor::randn({c.o, c.c, c.kh, c.kw}, 2, device);
  if (!options.trained) freeze(w);
  const Tensor y = x.conv2d(w, {}, c.how);
  std::vector<std::unique_ptr<PlanRun>> plans;
  plans.push_back(std::make_unique<PlanRun>(y, "direct", device));
  for (const Alternative& a : partition({y.uop()}, {.rounding = 1e9}).alternatives)
    plans.push_back(std::make_unique<PlanRun>(y, a.name, device));
  std::vector<Contestant> all;
  for (const auto& p : plans) all.push_back({.name = p->name(), .version = "", .run = [&p] { p->run(); }});
  std::unique_ptr<Ceilings> ceilings;
  if (auto* cpu = dynamic_cast<CpuDevice*>(&device)) {
    ceilings = std::make_unique<Ceilings>(*cpu, Ceilings::Buffers{});
    all.push_back({.name = "peak", .version = "", .run = [&] { ceilings->peak(); }, .as_long_as_first = true});
  }
  interleave(all, options.rounds);

  const Samples samples(c, x.to_floats(), w.to_floats());
  const double flops = 2.0 * static_cast<double>(c.n * c.o * c.rows() * c.columns() * c.c * c.kh * c.kw);
  Json j{{"shape", shape},
         {"device", device.name()},
         {"threads", device.target().cores},
         {"weights", options.trained ? "trained" : "frozen"}};
  if (ceilings) j["peak_gflops"] = ceilings->peak_flops() / timing(all.back().ms).median_ms * 1e-6;
  j["plans"] = Json::array();
  for (size_t i = 0; i < plans.size(); ++i) {
    const Timing t = timing(all[i].ms);
    const Speedup s = speedup(all[0].ms, all[i].ms);
    const auto [rms, most] = samples.error(plans[i]->result());
    j["plans"].push_back({{"plan", plans[i]->name()},
                          {"median_ms", t.median_ms},
                          {"spread", t.spread},
                          {"effective_gflops", flops / t.median_ms * 1e-6},
                          {"ratio", {{"median", s.ratio}, {"low", s.low}, {"high", s.high}}},
                          {"error", {{"rms", rms}, {"most", most}}},
                          {"kernels", plans[i]->kernels()}});
  }
  return j;
}

void print(const Json& j, std::ostream& out) {
  out << fmt::format("{}  {} weights, {} threads", j["shape"].get<std::string>(), j["weights"].get<std::string>(),
                     j["threads"].get<int>());
  if (j.contains("peak_gflops")) out << fmt::format(", peak {:.1f} GFLOP/s", j["peak_gflops"].get<double>());
  out << "\n";
  for (const Json& p : j["plans"]) {
    out << fmt::format(
        "  {:<14} {:9.3f} ms {:8.1f} GFLOP/s effective  {:.2f} x [{:.2f}, {:.2f}]  error {:.1e}, at most {:.1e}\n",
        p["plan"].get<std::string>(), p["median_ms"].get<double>(), p["effective_gflops"].get<double>(),
        p["ratio"]["median"].get<double>(), p["ratio"]["low"].get<double>(), p["ratio"]["high"].get<double>(),
        p["error"]["rms"].get<double>(), p["error"]["most"].get<double>());
    for (const Json& k : p["kernels"])
      out << fmt::format("    {:<32} {:9.3f} ms {:8.1f} GFLOP/s {:6.1f} GB/s {} {}\n", k["name"].get<std::string>(),
                         k["median_ms"].get<double>(), k["gflops"].get<double>(), k["gbs"].get<double>(),
                         k.contains("once") ? "once" : "    ", k["schedule"].get<std::string>());
  }
  out << std::flush;
}
}  // namespace

void bench_plans_command(const BenchPlansOptions& options, std::ostream& out) {
  for (const std::string& shape : options.shapes) {
    const Json j = measured(shape, options);
    if (options.json)
      out << j.dump() << std::endl;
    else
      print(j, out);
  }
}

}  // namespace pg
