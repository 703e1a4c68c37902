#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/llama_config.h"
#include "models/quantised.h"
#include "src/tensor/tensor.h"

namespace pg {

class Gguf;
class HfCheckpoint;

/// The weights of one layer. Matrices are [out, in]; those that are packed or of 16 bits stay so, and kernels decode what
/// they read (models/quantised.h).
struct LlamaLayer {
  Tensor attention_norm;  // [dim]
  Tensor q;               // [heads * head_dim, dim]
  Tensor k, v;            // [kv_heads * head_dim, dim]
  Tensor o;               // [dim, heads * head_dim]
  Tensor ffn_norm;        // [dim]
  Tensor gate, up;        // [ffn, dim]
  Tensor down;            // [dim, ffn]
};

struct LlamaWeights {
  Tensor embedding;  // [vocab, dim]
  std::vector<LlamaLayer> layers;
  Tensor norm;    // [dim]
  Tensor output;  // [vocab, dim]; a tied model's is its embedding

  /// The memory that every token reads all of, each once: all but the embedding, unless that is the head too. And its bytes.
  std::vector<MemoryRef> read_by_a_token() const;
  int64_t token_bytes() const;

  /// Refers to the mapped file where the device shares the host's memory; else the weights are copied over. UserError naming
  /// the tensor when one is missing, of another shape or type, or when the file holds one that this architecture does not
  /// use (so that no model runs silently wrong).
  static LlamaWeights from(const Gguf&, const LlamaConfig&, Device& = default_device());
  /// The same of a Hugging Face checkpoint; the rows of Q and K are copied into our order.
  static LlamaWeights from(const HfCheckpoint&, const LlamaConfig&, Device& = default_device());
  /// Seeded uniform numbers of variance 1 / inputs, norms of 1: real shapes and sane values where there is no file. The lm
  /// head is always a matrix of its own, because a random embedding that is its own head only ever repeats its input.
  /// Matrices are packed as said, norms never.
  static LlamaWeights random(const LlamaConfig&, uint64_t seed, Device& = default_device(), Packing = Packing::F32);
  /// The shapes of `random` without memory, for partition.
  static LlamaWeights placeholders(const LlamaConfig&, Packing = Packing::F32);
};
/// Where a weight comes from: by its GGUF name ("blk.0.attn_q.weight") and shape.
using WeightSource = std::function<Tensor(const std::string& name, const std::vector<int64_t>& shape)>;
/// Asks for every weight of a llama once: the one list of its tensors. The lm head of a tied one is not asked for. They are
/// frozen: plans may keep what depends on them alone.
LlamaWeights gathered(const LlamaConfig&, const WeightSource&, bool tied);
/// Bytes of a file, which `keep` keeps alive, as a device's memory: referred to where it shares the host's memory, else
/// copied.
MemoryRef weight_memory(std::span<const std::byte>, const std::shared_ptr<void>& keep, Device&);
/// A tensor of this shape without memory.
Tensor placeholder(const std::vector<int64_t>& shape, DType = dt::f32);

}  // namespace pg
