#pragma once
#include <vector>

#include "models/llama_weights.h"
#include "src/tensor/tensor.h"

namespace pg {

/// What a llama keeps between steps: the keys and values of past positions, and the rotation tables. There are rows for a
/// whole chunk at the last position, so that every slice [pos, pos + T) is provably inside.
struct LlamaState {
  std::vector<Tensor> keys, values;  // per layer [kv_heads, rows, head_dim]
  Tensor cosines, sines;             // [rows, head_dim / 2]

  static int64_t rows(const LlamaConfig& c) { return c.context + c.chunk; }
  static LlamaState zeros(const LlamaConfig&, Device&);
  /// The same shapes without memory, for partition.
  static LlamaState placeholders(const LlamaConfig&);
};

/// Variable `pos`: tokens read before this step, 0 .. context − 1.
Dim llama_position(const LlamaConfig&);
/// Variable `T`: tokens of a prefill step, 2 .. chunk.
Dim llama_count(const LlamaConfig&);

/// Reads `tokens` (int32 [count]) at positions [begin, begin + count), which their keys and values enter the state's caches
/// with; the logits [vocab] that follow the last of them.
Tensor llama_forward(const LlamaConfig&, const LlamaWeights&, const LlamaState&, const Tensor& tokens, const Dim& begin,
                     const Dim& count);

}  // namespace pg
