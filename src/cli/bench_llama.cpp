#include "src/cli/bench_llama.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>
#include <ostream>

#include "models/llama.h"
#include "models/random.h"
#include "search/build.h"
#include "search/measure.h"
#include "src/cli/bench_device.h"
#include "src/cli/ceilings.h"
#include "src/cli/interrupt.h"
#include "uops/kernel.h"

namespace pg {
namespace {

Ceilings::Buffers buffers_of(const LlamaWeights& weights) {
  Ceilings::Buffers all;
  for (const MemoryRef& memory : weights.read_by_a_token())
    all.push_back({static_cast<const std::byte*>(memory->data()), memory->bytes()});
  return all;
}
double bytes_of(const Ceilings::Buffers& buffers) {
  return std::accumulate(buffers.begin(), buffers.end(), 0.0,
                         [](double sum, const auto& b) { return sum + static_cast<double>(b.size()); });
}

/// Multiply-adds of the matrices for `tokens` (the head's for the last one only), and of the attention from position 0 on.
double prompt_flops(const LlamaConfig& c, int64_t tokens) {
  const double n = static_cast<double>(tokens), width = static_cast<double>(c.heads * c.head_dim);
  const double layer = static_cast<double>(c.dim) *
                       (2 * width + 2.0 * static_cast<double>(c.kv_heads * c.head_dim) + 3.0 * static_cast<double>(c.ffn));
  const double attention = n * (n + 1) / 2 * 2 * width;
  return 2 * (static_cast<double>(c.layers) * (n * layer + attention) + static_cast<double>(c.dim * c.vocab));
}

struct Step {
  const char* name;
  int64_t tokens;
  std::vector<Graph::KernelUse> kernels;
  std::vector<double> ms;  // of all launches of each
  Bindings64 bindings;
};

class BenchLlama {
 public:
  BenchLlama(const BenchLlamaOptions& options, std::ostream& out) : options_(options), out_(out) {}

  void run() {
    ModelSource source = open_model(options_.model);
    const LlamaConfig& c = source.config;
    if (options_.prompt < 2 || options_.prompt > c.context || options_.position < 0 || options_.position >= c.context)
      throw UserError(
          fmt::format("bench llama: a prompt of {} tokens and a token at position {} do not fit into the "
                      "context of {}; give others, or a larger -c",
                      options_.prompt, options_.position, c.context));
    LlamaWeights weights = load_weights(source, options_.model);
    read_ = buffers_of(weights);
    Device& device = default_device();
    if (auto* cpu = dynamic_cast<CpuDevice*>(&device)) ceilings_ = std::make_unique<Ceilings>(*cpu, read_);
    Llama llama(c, std::move(weights), device);
    for (int64_t i = 0; i < std::max(options_.prompt, options_.position); ++i)
      tokens_.push_back(static_cast<int32_t>(random_bits(1, static_cast<uint64_t>(i)) % static_cast<uint64_t>(c.vocab)));
    title(source, device);
    token(llama);
    if (!Interrupt::requested()) prompt(llama);
    if (!Interrupt::requested()) tables(llama);
    if (options_.json) out_ << json_.dump() << "\n";
  }

 private:
  void title(const ModelSource& source, Device& device) {
    json_ = {{"model", source.config.name}, {"packing", info(source.packing).name},
             {"device", device.name()},     {"threads", device.target().cores},
             {"prompt", options_.prompt},   {"position", options_.position},
             {"rounds", options_.rounds},   {"weight_bytes", bytes_of(read_)}};
    if (!options_.json)
      out_ << fmt::format("{}; {}, {} threads; {:.2f} GB of weights a token\n", source.what, device.name(),
                          device.target().cores, bytes_of(read_) / 1e9);
  }
  std::span<const int32_t> tokens(int64_t n) const { return std::span(tokens_).first(static_cast<size_t>(n)); }

  void token(Llama& llama) {
    const LlamaConfig& c = llama.config();
    if (options_.position > 0) llama.prefill(tokens(options_.position));
    std::vector<Contestant> all{{"generation", "", [&] {
                                   llama.rewind(options_.position);
                                   llama.decode(tokens_[0]);
                                 }}};
    if (ceilings_) all.push_back({"read", "", [&] { ceilings_->read(); }});
    interleave(all, options_.rounds);
    const double cache =
        2.0 * 4 * static_cast<double>(c.layers * c.kv_heads * c.head_dim) * static_cast<double>(options_.position + 1);
    report(all, 1, 0, bytes_of(read_) + cache, ceilings_ ? ceilings_->read_bytes() : 0, "bandwidth");
  }
  void prompt(Llama& llama) {
    std::vector<Contestant> all{{"prompt", "", [&] {
                                   llama.reset();
                                   llama.prefill(tokens(options_.prompt));
                                 }}};
    if (ceilings_) all.push_back({"peak", "", [&] { ceilings_->peak(); }});
    if (ceilings_) all.back().as_long_as_first = true;
    interleave(all, std::max(options_.rounds / 3, 2));
    report(all, options_.prompt, prompt_flops(llama.config(), options_.prompt), 0, ceilings_ ? ceilings_->peak_flops() : 0,
           "peak");
  }
  /// Ours first, then the ceiling.
  void report(const std::vector<Contestant>& all, int64_t tokens, double flops, double bytes, double ceiling,
              const char* what) {
    const Contestant& ours = all[0];
    Json row = row_json(ours, flops, bytes);
    const double rate = static_cast<double>(tokens) * 1e3 / row["median_ms"].get<double>();
    row["tokens_per_second"] = rate;
    std::string line = fmt::format("{:<10} {:>5} tokens {:>10.2f} ms ±{:4.1f} % {:>9.2f} tok/s {}", ours.name, tokens,
                                   row["median_ms"].get<double>(), 100 * row["spread"].get<double>(), rate,
                                   flops > 0 ? fmt::format("{:>8.1f} GFLOP/s", row["gflops"].get<double>())
                                             : fmt::format("{:>8.2f} GB/s   ", row["gbs"].get<double>()));
    if (all.size() > 1) {
      const Share s = share_of(flops > 0 ? flops : bytes, ours.ms, ceiling, all[1].ms);
      row[std::string("share_of_") + what] = share_json(s);
      json_[all[1].name] = row_json(all[1], flops > 0 ? ceiling : 0, flops > 0 ? 0 : ceiling);
      line += fmt::format("  {:.3f} of {} ±{:.1f} %", s.median, what, 100 * s.spread);
    }
    json_[ours.name] = row;
    if (!options_.json) out_ << line << std::endl;
  }

  void tables(Llama& llama) {
    const int64_t chunk = std::min(options_.prompt, llama.config().chunk);
    llama.reset();
    if (options_.position > 0) llama.prefill(tokens(options_.position));
    table({"generation",
           1,
           llama.decode_kernels(),
           medians([&] { return llama.decode_profile(); }),
           {{"pos", options_.position}}});
    llama.reset();
    table({"prompt",
           chunk,
           llama.prefill_kernels(),
           medians([&] { return llama.prefill_profile(chunk); }),
           {{"pos", 0}, {"T", chunk}}});
  }
  /// By kernel, of some profiles.
  std::vector<double> medians(const std::function<std::vector<double>()>& profile) const {
    std::vector<std::vector<double>> runs;
    for (int i = 0; i < std::clamp(options_.rounds / 3, 1, 5); ++i) runs.push_back(profile());
    std::vector<double> result;
    for (size_t k = 0; k < runs[0].size(); ++k) {
      std::vector<double> ms;
      for (const auto& r : runs) ms.push_back(r[k]);
      result.push_back(timing(ms).median_ms);
    }
    return result;
  }
  void table(const Step& step) {
    const double total = std::accumulate(step.ms.begin(), step.ms.end(), 0.0);
    if (!options_.json)
      out_ << fmt::format("\n{} of {} tokens, by kernel\n{:<44} {:>6} {:>10} {:>7} {:>9} {:>8}\n", step.name, step.tokens,
                          "kernel", "count", "ms", "share", "GFLOP/s", "GB/s");
    std::vector<size_t> order(step.kernels.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, [&](size_t a, size_t b) { return step.ms[a] > step.ms[b]; });
    Json rows = Json::array();
    for (const size_t i : order) {
      const Graph::KernelUse& k = step.kernels[i];
      const UOps variables = variables_of(k.ast);
      std::vector<int64_t> values;
      for (const UOp& v : variables)
        for (const VariableBinding& b : step.bindings)
          if (b.name == v.arg_as<VariableArg>().name) values.push_back(b.value);
      const Work w = work(k.ast, variables, values);
      const double gflops = k.count * w.flops / step.ms[i] * 1e-6, twice = static_cast<double>(k.seen_twice),
                   bytes = w.bytes > twice ? w.bytes - twice : w.bytes,  // who looks rows up counts these alone
                   gbs = k.count * bytes / step.ms[i] * 1e-6;
      rows.push_back({{"kernel", k.name}, {"count", k.count}, {"ms", step.ms[i]}, {"gflops", gflops}, {"gbs", gbs}});
      if (!options_.json)
        out_ << fmt::format("{:<44} {:>6} {:>10.3f} {:>6.1f}% {:>9.1f} {:>8.1f}\n", k.name, k.count, step.ms[i],
                            100 * step.ms[i] / total, gflops, gbs);
    }
    json_[std::string(step.name) + "_kernels"] = rows;
  }

  const BenchLlamaOptions& options_;
  std::ostream& out_;
  Json json_;
  Ceilings::Buffers read_;
  std::unique_ptr<Ceilings> ceilings_;  // null: not on a CPU
  std::vector<int32_t> tokens_;
};

}  // namespace

void bench_llama_command(const BenchLlamaOptions& options, std::ostream& out) { BenchLlama(options, out).run(); }

}  // namespace pg
