#include "models/llama_weights.h"

#include <cmath>
#include <set>
#include <string>

#include "models/gguf.h"
#include "models/random.h"
#include "src/tensor/buffers.h"
#include "uops/error.h"

namespace pg {
namespace {

using Extents = std::vector<int64_t>;
std::string shown(const Extents& extents) {
  std::string out;
  for (int64_t n : extents) out += (out.empty() ? "[" : ", ") + std::to_string(n);
  return out + "]";
}

Shape as_shape(const Extents& extents) { return Shape(extents.begin(), extents.end()); }

}  // namespace

LlamaWeights gathered(const LlamaConfig& c, const WeightSource& source, bool tied) {
  const auto weight = [&](const std::string& name, const Extents& shape) {
    const Tensor t = source(name, shape);
    for (const UOp& b : collect(t.uop(), [](const UOp& u) { return u.is(Op::Buffer); })) freeze_buffer(b);
    return t;
  };
  LlamaWeights w;
  w.embedding = weight("token_embd.weight", {c.vocab, c.dim});
  for (int64_t i = 0; i < c.layers; i++) {
    auto of_layer = [&](const char* name, const Extents& shape) {
      return weight("blk." + std::to_string(i) + "." + name + ".weight", shape);
    };
    LlamaLayer layer;
    layer.attention_norm = of_layer("attn_norm", {c.dim});
    layer.q = of_layer("attn_q", {c.heads * c.head_dim, c.dim});
    layer.k = of_layer("attn_k", {c.kv_heads * c.head_dim, c.dim});
    layer.v = of_layer("attn_v", {c.kv_heads * c.head_dim, c.dim});
    layer.o = of_layer("attn_output", {c.dim, c.heads * c.head_dim});
    layer.ffn_norm = of_layer("ffn_norm", {c.dim});
    layer.gate = of_layer("ffn_gate", {c.ffn, c.dim});
    layer.up = of_layer("ffn_up", {c.ffn, c.dim});
    layer.down = of_layer("ffn_down", {c.dim, c.ffn});
    w.layers.push_back(std::move(layer));
  }
  w.norm = weight("output_norm.weight", {c.dim});
  w.output = tied ? w.embedding : weight("output.weight", {c.vocab, c.dim});
  return w;
}

MemoryRef weight_memory(std::span<const std::byte> data, const std::shared_ptr<void>& keep, Device& device) {
  if (device.shares_host_memory()) {
    // Kernels read the file's own pages; none writes to a weight.
    return Memory::borrow(device, const_cast<std::byte*>(data.data()), data.size(), keep);
  }
  auto memory = std::make_shared<Memory>(device, data.size());
  device.copy_in(memory->data(), data.data(), data.size());
  return memory;
}

LlamaWeights LlamaWeights::from(const Gguf& file, const LlamaConfig& config, Device& device) {
  // Used by LlamaConfig: "rope_freqs.weight".
  std::set<std::string, std::less<>> used = {"rope_freqs.weight"};
  auto weight = [&](const std::string& name, const Extents& shape) {
    const GgufTensor& found = file.tensor(name);
    if (found.shape != shape) {
      throw UserError(file.name() + ": " + name + " has shape " + shown(found.shape) +
                      ", but the hyper-parameters ask for " + shown(shape));
    }
    used.insert(name);
    return decoded(weight_memory(found.data, file.keep(), device), file.packing(found), shape);
  };
  LlamaWeights out = gathered(config, weight, config.tied);
  for (const GgufTensor& t : file.tensors()) {
    if (!used.contains(t.name)) {
      throw UserError(file.name() + ": the tensor \"" + std::string(t.name.substr(0, 64)) +
                      "\" is not part of a plain llama; this version cannot run the model");
    }
  }
  return out;
}

LlamaWeights LlamaWeights::random(const LlamaConfig& config, uint64_t seed, Device& device, Packing packing) {
  uint64_t stream = 0;
  std::vector<float> values;
  auto weight = [&](const std::string&, const Extents& shape) {
    const bool norm = shape.size() == 1;
    const Packing lies = norm ? Packing::F32 : packing;
    int64_t count = 1;
    for (int64_t n : shape) count *= n;
    auto memory = std::make_shared<Memory>(device, packed_bytes(lies, shape));
    auto* target = static_cast<std::byte*>(memory->data());
    constexpr int64_t kPiece = 1 << 16;  // numbers: bounds the memory needed beside the weights themselves; whole blocks
    uint64_t key = random_bits(seed, stream++);
    double scale = 2 * std::sqrt(3.0 / static_cast<double>(shape.back())) * 0x1p-24;  // uniform on ±√(3/n): variance 1/n
    for (int64_t begin = 0; begin < count; begin += kPiece) {
      int64_t n = std::min(kPiece, count - begin);
      values.resize(n);
      for (int64_t i = 0; i < n; i++) {
        auto centred = static_cast<int64_t>(random_bits(key, begin + i) >> 40) - (1 << 23);
        values[i] = norm ? 1.0f : static_cast<float>(static_cast<double>(centred) * scale);
      }
      const std::vector<std::byte> piece = packed(values, lies);
      device.copy_in(target, piece.data(), piece.size());
      target += piece.size();
    }
    return decoded(memory, lies, shape);
  };
  return gathered(config, weight, false);
}

std::vector<MemoryRef> LlamaWeights::read_by_a_token() const {
  std::vector<Tensor> all{norm, output};
  for (const LlamaLayer& l : layers)
    for (const Tensor& t : {l.attention_norm, l.q, l.k, l.v, l.o, l.ffn_norm, l.gate, l.up, l.down}) all.push_back(t);
  std::vector<MemoryRef> found;
  std::set<const void*> seen;  // a packed weight is looked at as several dtypes
  for (const Tensor& t : all)
    for (const UOp& b : collect(t.uop(), [](const UOp& u) { return u.is(Op::Buffer); }))
      if (const MemoryRef memory = memory_of(b); memory && seen.insert(memory->data()).second) found.push_back(memory);
  return found;
}
int64_t LlamaWeights::token_bytes() const {
  int64_t bytes = 0;
  for (const MemoryRef& memory : read_by_a_token()) bytes += static_cast<int64_t>(memory->bytes());
  return bytes;
}

Tensor placeholder(const std::vector<int64_t>& shape, DType dtype) {
  UOps extents;
  for (int64_t n : shape) extents.push_back(iconst(n));
  return Tensor(new_virtual_buffer(dtype, extents));
}

LlamaWeights LlamaWeights::placeholders(const LlamaConfig& config, Packing packing) {
  const ByteView view = [](DType t, const Shape& shape) {
    UOps extents;
    for (const Dim& n : shape) extents.push_back(n.uop());
    return Tensor(new_virtual_buffer(t, extents));
  };
  auto weight = [&](const std::string&, const Extents& shape) {
    return decoded(view, shape.size() == 1 ? Packing::F32 : packing, shape);
  };
  return gathered(config, weight, false);
}

}  // namespace pg
