// The weights of a Hugging Face checkpoint.
#include <cstdint>
#include <set>
#include <string>

#include "models/hf_checkpoint.h"
#include "models/llama_weights.h"
#include "models/utf8.h"
#include "src/tensor/tensor.h"
#include "uops/error.h"

namespace pg {
namespace {

std::string shown(const std::vector<int64_t>& extents) {
  std::string out;
  for (int64_t n : extents) out += (out.empty() ? "[" : ", ") + std::to_string(n);
  return out + "]";
}

MemoryRef copied(std::span<const std::byte> data, Device& device) {
  auto memory = std::make_shared<Memory>(device, data.size());
  device.copy_in(memory->data(), data.data(), data.size());
  return memory;
}

/// What a checkpoint may hold beside the weights: buffers that older versions stored, and a head that is tied.
bool is_idle(std::string_view name, const LlamaConfig& config) {
  return name.ends_with(".rotary_emb.inv_freq") || (config.tied && name == "lm_head.weight");
}

}  // namespace

LlamaWeights LlamaWeights::from(const HfCheckpoint& checkpoint, const LlamaConfig& config, Device& device) {
  std::set<std::string, std::less<>> used;
  const auto weight = [&](const std::string& gguf_name, const std::vector<int64_t>& shape) {
    const std::string name = hf_name(gguf_name);
    const auto [file, found] = checkpoint.tensor(name);
    if (found->shape != shape) {
      throw UserError(file->name() + ": " + name + " has shape " + shown(found->shape) + ", but config.json asks for " +
                      shown(shape));
    }
    const DType dtype = file->dtype(*found);
    used.insert(name);
    const auto as_tensor = [&](MemoryRef memory) {
      return Tensor::wrap(std::move(memory), dtype, Shape(shape.begin(), shape.end()));
    };
    if (name.ends_with("q_proj.weight") || name.ends_with("k_proj.weight")) {
      std::vector<std::byte> rows(found->data.size());
      interleave_rows(found->data, rows, shape[0] / config.head_dim, config.head_dim);
      return as_tensor(copied(rows, device));
    }
    // The format promises no alignment; kernels read whole elements.
    if (reinterpret_cast<uintptr_t>(found->data.data()) % static_cast<uintptr_t>(dtype.bytes()) != 0)
      return as_tensor(copied(found->data, device));
    return as_tensor(weight_memory(found->data, file->keep(), device));
  };
  LlamaWeights out = gathered(config, weight, config.tied);
  for (const auto& [name, place] : checkpoint.tensors()) {
    if (!used.contains(name) && !is_idle(name, config)) {
      throw UserError(place.file->name() + ": the tensor \"" + pg::shown(std::string_view(name)) +
                      "\" is not part of a plain llama; this version cannot run the model");
    }
  }
  return out;
}

}  // namespace pg
