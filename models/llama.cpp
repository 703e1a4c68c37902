#include "models/llama.h"

#include <algorithm>
#include <string>

#include "models/llama_forward.h"
#include "src/tensor/buffers.h"
#include "uops/error.h"

namespace pg {
struct Llama::Step {
  Tensor tokens;  // int32 [most tokens of this step]
  Graph graph;
};

Llama::Llama(LlamaConfig config, LlamaWeights weights, Device& device)
    : config_(std::move(config)), weights_(std::move(weights)), device_(&device), logits_(config_.vocab) {
  config_.check();
  config_.chunk = std::min(config_.chunk, config_.context);
  LlamaState state = LlamaState::zeros(config_, device);
  auto capture = [&](int64_t most, const Dim& length, const Bindings64& typical) {
    Tensor tokens = Tensor::from(std::vector<int32_t>(most), {most}, device);
    Tensor logits = llama_forward(config_, weights_, state, tokens.slice(0, 0, length), llama_position(config_), length);
    return std::make_unique<Step>(Step{tokens, Graph({logits}, typical)});
  };
  decode_ = capture(1, 1, {{"pos", config_.context / 2}});
  if (config_.chunk > 1) prefill_ = capture(config_.chunk, llama_count(config_), {{"pos", 0}, {"T", config_.chunk}});
}
Llama::~Llama() = default;
Llama::Llama(Llama&&) noexcept = default;

const std::vector<float>& Llama::prefill(std::span<const int32_t> tokens, const std::function<bool()>& go_on) {
  if (tokens.empty()) throw UserError("llama: there are no tokens to read; give a prompt");
  for (int32_t token : tokens) {
    if (token < 0 || token >= config_.vocab) {
      throw UserError("llama: there is no token " + std::to_string(token) + "; the vocabulary has " +
                      std::to_string(config_.vocab));
    }
  }
  if (static_cast<int64_t>(tokens.size()) > room()) {
    throw UserError("llama: " + std::to_string(tokens.size()) +
                    " more tokens do not fit into the context: " + std::to_string(position_) + " of its " +
                    std::to_string(config_.context) + " positions are taken; shorten the prompt or give a larger -c");
  }
  while (!tokens.empty() && (!go_on || go_on())) {
    size_t n = tokens.size() == 1 ? 1 : std::min(tokens.size(), static_cast<size_t>(config_.chunk));
    run(n == 1 ? *decode_ : *prefill_, tokens.first(n));
    tokens = tokens.subspan(n);
  }
  return logits_;
}

void Llama::rewind(int64_t tokens) {
  if (tokens < 0 || tokens > position_) {
    throw InternalError("llama: there are no " + std::to_string(tokens) + " tokens to keep, " + std::to_string(position_) +
                        " were read");
  }
  position_ = tokens;
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

std::vector<double> Llama::decode_profile() { return decode_->graph.profile({{"pos", position_}}); }
std::vector<double> Llama::prefill_profile(int64_t tokens) {
  return prefill_->graph.profile({{"pos", position_}, {"T", tokens}});
}

std::vector<Graph::KernelUse> Llama::decode_kernels() const { return decode_->graph.kernels(); }
std::vector<Graph::KernelUse> Llama::prefill_kernels() const {
  return prefill_ ? prefill_->graph.kernels() : std::vector<Graph::KernelUse>();
}

}  // namespace pg
