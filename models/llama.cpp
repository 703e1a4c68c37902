#include "models/llama.h"

#include <algorithm>
#include <string>

#include "models/llama_forward.h"
#include "src/tensor/buffers.h"
#include "uops/error.h"
#include "uops/kernel.h"

namespace pg {
namespace {

/// A kernel is tuned for the Variables that it has, no others.
Bindings64 own_bindings(const UOp& kernel, const Bindings64& all) {
  Bindings64 out;
  for (const UOp& v : variables_of(kernel)) {
    for (const VariableBinding& b : all) {
      if (b.name == v.arg_as<VariableArg>().name) out.push_back(b);
    }
  }
  return out;
}

std::vector<Llama::Kernel> kernels_of(const Graph& graph, const Bindings64& bindings) {
  std::vector<Llama::Kernel> out;
  for (const Graph::KernelUse& use : graph.kernels()) out.push_back({use, own_bindings(use.ast, bindings)});
  return out;
}

}  // namespace

struct Llama::Step {
  Tensor tokens;    // int32 [most tokens of this step]
  Graph graph;
};

Llama::Llama(LlamaConfig config, LlamaWeights weights, Device& device)
    : config_(std::move(config)), weights_(std::move(weights)), device_(&device), logits_(config_.vocab) {
  config_.check();
  config_.chunk = std::min(config_.chunk, config_.context);
  // Rows for a whole chunk at the last position: so every slice [pos, pos + T) is provably inside.
  LlamaState state = llama_state(config_, config_.context + config_.chunk, device);
  UOp pos = variable("pos", 0, config_.context - 1), count = variable("T", 2, std::max<int64_t>(config_.chunk, 2));
  auto capture = [&](int64_t most, const Dim& length, const Bindings64& typical) {
    Tensor tokens = Tensor::from(std::vector<int32_t>(most), {most}, device);
    Tensor logits = llama_forward(config_, weights_, state, tokens.slice(0, 0, length), pos, length);
    return std::make_unique<Step>(Step{tokens, Graph({logits}, typical)});
  };
  decode_ = capture(1, 1, {{"pos", config_.context / 2}});
  if (config_.chunk > 1) prefill_ = capture(config_.chunk, count, {{"pos", 0}, {"T", config_.chunk}});
}
Llama::~Llama() = default;
Llama::Llama(Llama&&) noexcept = default;

const std::vector<float>& Llama::prefill(std::span<const int32_t> tokens) {
  if (tokens.empty()) throw UserError("llama: there are no tokens to read; give a prompt");
  for (int32_t token : tokens) {
    if (token < 0 || token >= config_.vocab) {
      throw UserError("llama: there is no token " + std::to_string(token) + "; the vocabulary has " + std::to_string(config_.vocab));
    }
  }
  if (static_cast<int64_t>(tokens.size()) > room()) {
    throw UserError("llama: " + std::to_string(tokens.size()) + " more tokens do not fit into the context: " + std::to_string(position_) +
                    " of its " + std::to_string(config_.context) + " positions are taken; shorten the prompt or give a larger -c");
  }
  while (!tokens.empty()) {
    size_t n = tokens.size() == 1 ? 1 : std::min(tokens.size(), static_cast<size_t>(config_.chunk));
    run(n == 1 ? *decode_ : *prefill_, tokens.first(n));
    tokens = tokens.subspan(n);
  }
  return logits_;
}

void Llama::run(Step& step, std::span<const int32_t> tokens) {
  device_->copy_in(memory_of(step.tokens.uop())->data(), tokens.data(), tokens.size_bytes());
  auto n = static_cast<int64_t>(tokens.size());
  Bindings64 bindings = {{"pos", position_}};
  if (&step == prefill_.get()) bindings.push_back({"T", n});
  step.graph.replay(bindings);
  position_ += n;
  logits_ = step.graph.outputs()[0].to_floats();
}

std::vector<Llama::Kernel> Llama::decode_kernels(int64_t position) const { return kernels_of(decode_->graph, {{"pos", position}}); }
std::vector<Llama::Kernel> Llama::prefill_kernels(int64_t tokens) const {
  return prefill_ ? kernels_of(prefill_->graph, {{"pos", 0}, {"T", tokens}}) : std::vector<Kernel>();
}

}  // namespace pg
