#pragma once
// A llama: the forward pass written with Tensor, captured twice — prefill (a chunk of the prompt) and decode (one
// token) — and replayed with other positions. All shapes are symbolic in `pos` (and `T`), so every token runs the same
// kernels.
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "models/llama_config.h"
#include "models/llama_weights.h"
#include "src/graph/realize.h"

namespace pg {

class Llama {
 public:
  /// Captures and compiles both graphs. `config.context` and `config.chunk` bound the memory of cache and intermediates.
  Llama(LlamaConfig config, LlamaWeights weights, Device& = default_device());
  ~Llama();
  Llama(Llama&&) noexcept;

  const LlamaConfig& config() const { return config_; }
  const LlamaWeights& weights() const { return weights_; }
  /// Tokens in the cache: the position of the next one.
  int64_t position() const { return position_; }
  int64_t room() const { return config_.context - position_; }

  /// Reads the tokens after what was read before; the logits [vocab] after the last one, valid until the next call.
  /// UserError when there is no token, one is outside the vocabulary, or they do not fit into the context (nothing is read
  /// then). `go_on` is asked before each chunk; where it says no, the rest is not read, which `position` tells.
  const std::vector<float>& prefill(std::span<const int32_t> tokens, const std::function<bool()>& go_on = {});
  /// One token more.
  const std::vector<float>& decode(int32_t token) { return prefill({&token, 1}); }
  const std::vector<float>& logits() const { return logits_; }
  /// Forgets all tokens.
  void reset() { position_ = 0; }
  /// Forgets all but the first `tokens` of those read. InternalError when there were not so many.
  void rewind(int64_t tokens);

  /// The distinct kernels of the two graphs (prefill: empty where the context holds but one token).
  std::vector<Graph::KernelUse> decode_kernels() const;
  std::vector<Graph::KernelUse> prefill_kernels() const;
  /// Milliseconds that each of these takes for the next token, and for a chunk of `tokens` of them (2 .. config().chunk).
  /// The cache's contents from here on are lost.
  std::vector<double> decode_profile();
  std::vector<double> prefill_profile(int64_t tokens);

 private:
  struct Step;  // a captured graph and its input
  void run(Step&, std::span<const int32_t> tokens);

  LlamaConfig config_;
  LlamaWeights weights_;
  Device* device_;
  int64_t position_ = 0;
  std::vector<float> logits_;
  std::unique_ptr<Step> prefill_, decode_;  // no prefill graph where the context holds but one token
};

}  // namespace pg
