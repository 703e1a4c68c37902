#include "models/hf_checkpoint.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "models/utf8.h"
#include "uops/error.h"

namespace pg {
namespace {

namespace fs = std::filesystem;

constexpr const char *kWhole = "model.safetensors", *kIndex = "model.safetensors.index.json";

bool is_file(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}
std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string out{std::istreambuf_iterator<char>(file), {}};
  if (!is_file(path) || !file)
    throw UserError(path + ": cannot be read; a Hugging Face checkpoint needs it, download the whole folder");
  return out;
}

struct Name {
  const char *gguf, *hf;
};
constexpr Name kOutside[] = {{"token_embd.weight", "model.embed_tokens.weight"},
                             {"output_norm.weight", "model.norm.weight"},
                             {"output.weight", "lm_head.weight"}};
constexpr Name kOfLayer[] = {
    {"attn_norm.weight", "input_layernorm.weight"},    {"attn_q.weight", "self_attn.q_proj.weight"},
    {"attn_k.weight", "self_attn.k_proj.weight"},      {"attn_v.weight", "self_attn.v_proj.weight"},
    {"attn_output.weight", "self_attn.o_proj.weight"}, {"ffn_norm.weight", "post_attention_layernorm.weight"},
    {"ffn_gate.weight", "mlp.gate_proj.weight"},       {"ffn_up.weight", "mlp.up_proj.weight"},
    {"ffn_down.weight", "mlp.down_proj.weight"}};

}  // namespace

bool HfCheckpoint::is(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) || path.ends_with(".safetensors") || path.ends_with(".safetensors.index.json");
}

HfCheckpoint HfCheckpoint::open(const std::string& path) {
  HfCheckpoint out;
  std::error_code ignored;
  const bool is_folder = fs::is_directory(path, ignored);
  out.folder_ = is_folder ? path : fs::path(path).parent_path().string();
  if (out.folder_.empty()) out.folder_ = ".";
  std::string weights = path;
  if (is_folder) {
    weights = out.path(out.has(kIndex) ? kIndex : kWhole);
    if (!is_file(weights)) {
      throw UserError(path + ": holds neither " + kWhole + " nor " + kIndex +
                      "; give a GGUF file, or a folder with the model as safetensors" +
                      (out.has("pytorch_model.bin") || out.has("pytorch_model.bin.index.json")
                           ? " (PyTorch's .bin files have to be converted)"
                           : ""));
    }
  }
  out.config_ = contents(out.path("config.json"));
  std::map<std::string, std::string> index;  // tensor → file; empty: there is but one file
  std::set<std::string> files;
  if (weights.ends_with(".index.json")) {
    index = parse_shard_index(weights, contents(weights));
    for (const auto& [tensor, file] : index) files.insert(out.path(file.c_str()));
  } else {
    files = {weights};
  }
  for (const std::string& file : files) {
    out.files_.push_back(std::make_unique<Safetensors>(Safetensors::open(file)));
    const Safetensors& opened = *out.files_.back();
    for (const SafetensorsTensor& t : opened.tensors()) {
      const auto entry = index.find(t.name);
      if (weights.ends_with(".index.json") && (entry == index.end() || out.path(entry->second.c_str()) != file))
        throw UserError(file + ": the tensor \"" + shown(t.name) + "\" is not there by " + weights +
                        "; download all files of the model again");
      out.tensors_.emplace(t.name, Place{&opened, &t});
    }
  }
  for (const auto& [tensor, file] : index) {
    if (!out.tensors_.contains(tensor))
      throw UserError(out.path(file.c_str()) + ": the tensor \"" + shown(tensor) + "\" is missing, which " + weights +
                      " says is there; download all files of the model again");
  }
  return out;
}

bool HfCheckpoint::has(const char* file) const { return is_file(path(file)); }
std::string HfCheckpoint::text(const char* file) const { return has(file) ? contents(path(file)) : ""; }

HfCheckpoint::Place HfCheckpoint::tensor(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    throw UserError(folder_ + ": the tensor \"" + std::string(name) +
                    "\" is missing; the model is incomplete or of another architecture");
  }
  return found->second;
}

std::string hf_name(std::string_view gguf_name) {
  for (const Name& n : kOutside)
    if (gguf_name == n.gguf) return n.hf;
  const size_t number = std::strlen("blk."), dot = gguf_name.find('.', number);
  for (const Name& n : kOfLayer) {
    if (gguf_name.starts_with("blk.") && dot != gguf_name.npos && gguf_name.substr(dot + 1) == n.gguf)
      return "model.layers." + std::string(gguf_name.substr(number, dot - number)) + "." + n.hf;
  }
  throw InternalError("there is no Hugging Face name for " + std::string(gguf_name));
}

void interleave_rows(std::span<const std::byte> in, std::span<std::byte> out, int64_t heads, int64_t head_dim) {
  const int64_t rows = heads * head_dim, half = head_dim / 2;
  const size_t bytes = in.size() / static_cast<size_t>(rows);
  if (in.size() != out.size() || head_dim % 2 != 0 || bytes * static_cast<size_t>(rows) != in.size())
    throw InternalError("interleave_rows: " + std::to_string(in.size()) + " bytes are no " + std::to_string(rows) + " rows");
  for (int64_t row = 0; row < rows; row++) {
    const int64_t head = row / head_dim, i = row % head_dim;
    const int64_t from = head * head_dim + i % 2 * half + i / 2;
    std::memcpy(out.data() + static_cast<size_t>(row) * bytes, in.data() + static_cast<size_t>(from) * bytes, bytes);
  }
}

}  // namespace pg
