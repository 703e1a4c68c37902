#pragma once
#include <vector>

#include "models/llama_weights.h"
#include "src/tensor/tensor.h"

namespace pg {

/// What a llama keeps between steps: the keys and values of past positions, and the rotation tables.
struct LlamaState {
  std::vector<Tensor> keys, values;   // per layer [kv_heads, rows, head_dim]
  Tensor cosines, sines;              // [rows, head_dim / 2]
};
/// Zeroed, for positions [0, rows).
LlamaState llama_state(const LlamaConfig&, int64_t rows, Device&);

/// Reads `tokens` (int32 [count]) at positions [begin, begin + count), which their keys and values enter the state's caches with;
/// the logits [vocab] that follow the last of them.
Tensor llama_forward(const LlamaConfig&, const LlamaWeights&, const LlamaState&, const Tensor& tokens, const Dim& begin, const Dim& count);

}  // namespace pg
