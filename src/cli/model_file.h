#pragma once
// Which model a command means, and loading it.
#include <cstdint>
#include <optional>
#include <string>

#include "models/gguf.h"
#include "models/hf_checkpoint.h"
#include "models/llama_weights.h"
#include "models/tokenizer.h"

namespace pg {

struct ModelOptions {
  std::string model;         // -m: a GGUF file or a Hugging Face folder; empty: the shipped checkpoint
  std::string config;        // --config: real shapes with random weights instead of a file
  int64_t context = 0;       // -c: positions of the cache; 0: the model's own, at most kDefaultContext
  uint64_t weight_seed = 1;  // of random weights
  std::string quant;         // --quant: how random weights are packed; empty: f32
};
/// Long-context models would otherwise take gigabytes for a cache that few runs fill.
inline constexpr int64_t kDefaultContext = 4096;

/// models/data/picollama.gguf (or share/picograd/picollama.gguf) beside the program or above it, else in the source tree
/// that the program was built from. UserError naming the places.
std::string shipped_model();

struct ModelSource {
  std::optional<Gguf> file;                // a GGUF file ..
  std::optional<HfCheckpoint> checkpoint;  // .. or a Hugging Face folder; neither with --config
  LlamaConfig config;                      // its context already bounded
  Packing packing = Packing::F32;          // of random weights
  std::string what;                        // "picollama: 1.0 M parameters, context 256"
};
/// UserError when -m and --config are both given, --quant with a file, the file cannot be used, or -c is larger than the
/// model's context.
ModelSource open_model(const ModelOptions&);
/// With memory / only for shapes.
LlamaWeights load_weights(const ModelSource&, const ModelOptions&);
LlamaWeights weight_shapes(const ModelSource&);
/// None with --config. UserError when the model has fewer tokens.
std::optional<Tokenizer> load_tokenizer(const ModelSource&);

}  // namespace pg
