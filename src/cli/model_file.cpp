#include "src/cli/model_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "runtime/shipped.h"

namespace pg {
namespace {

namespace fs = std::filesystem;

/// "1.10 G ", "4.4 M ".
std::string scaled(double n) {
  if (n >= 1e9) return fmt::format("{:.2f} G ", n / 1e9);
  return fmt::format("{:.1f} M ", n / 1e6);
}

}  // namespace

std::string shipped_model() {
  if (std::string found = shipped("models/data/picollama.gguf", "picollama.gguf"); !found.empty()) return found;
  std::error_code ignored;
#ifdef PICOGRAD_SOURCE
  if (fs::path built = fs::path(PICOGRAD_SOURCE) / "models/data/picollama.gguf"; fs::is_regular_file(built, ignored))
    return built;
#endif
  throw UserError("the shipped model, models/data/picollama.gguf, is neither beside " +
                  fs::read_symlink("/proc/self/exe", ignored).string() +
                  " nor in a folder above it; give a GGUF file with -m");
}

ModelSource open_model(const ModelOptions& options) {
  if (!options.model.empty() && !options.config.empty()) {
    throw UserError("-m " + options.model + " and --config " + options.config +
                    " exclude each other: a file or random weights");
  }
  if (!options.quant.empty() && options.config.empty())
    throw UserError("--quant " + options.quant + " packs random weights: give --config; a file's weights stay as they are");
  ModelSource source;
  if (!options.quant.empty()) source.packing = parse_packing(options.quant);
  if (options.config.empty() && HfCheckpoint::is(options.model)) {
    source.checkpoint = HfCheckpoint::open(options.model);
    source.config = LlamaConfig::from_json(source.checkpoint->path("config.json"), source.checkpoint->config());
    source.config.name = fs::weakly_canonical(source.checkpoint->folder()).filename();
  } else if (options.config.empty()) {
    source.file = Gguf::open(options.model.empty() ? shipped_model() : options.model);
    source.config = LlamaConfig::from(*source.file);
  } else {
    source.config = LlamaConfig::preset(options.config);
  }
  LlamaConfig& c = source.config;
  if (options.context < 0 || options.context > c.context) {
    throw UserError(fmt::format("-c {}: the model was made for contexts of 1 to {} tokens", options.context, c.context));
  }
  c.context = options.context > 0 ? options.context : std::min(c.context, kDefaultContext);
  c.chunk = std::min(c.chunk, c.context);
  source.what = fmt::format("{}: {}parameters, context {}", c.name, scaled(static_cast<double>(c.parameters())), c.context);
  if (!source.file && !source.checkpoint) source.what += fmt::format(", random weights, {}", info(source.packing).name);
  return source;
}

LlamaWeights load_weights(const ModelSource& source, const ModelOptions& options) {
  if (source.file) return LlamaWeights::from(*source.file, source.config);
  if (source.checkpoint) return LlamaWeights::from(*source.checkpoint, source.config);
  return LlamaWeights::random(source.config, options.weight_seed, default_device(), source.packing);
}
LlamaWeights weight_shapes(const ModelSource& source) {
  return source.file || source.checkpoint ? load_weights(source, {}) : LlamaWeights::placeholders(source.config, source.packing);
}

std::optional<Tokenizer> load_tokenizer(const ModelSource& source) {
  if (!source.file && !source.checkpoint) return {};
  Tokenizer out = source.file ? Tokenizer::from(*source.file) : Tokenizer::from(*source.checkpoint);
  if (out.size() > source.config.vocab) {
    throw UserError(fmt::format("{}: the tokenizer has {} pieces, the model {}",
                                source.file ? source.file->name() : source.checkpoint->folder(), out.size(),
                                source.config.vocab));
  }
  return out;
}

}  // namespace pg
