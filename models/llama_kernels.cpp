#include "models/llama_kernels.h"

#include <unordered_map>

#include "models/llama_forward.h"
#include "src/graph/partition.h"
#include "src/graph/program_cache.h"
#include "uops/kernel.h"

namespace pg {
namespace {

std::vector<LlamaKernel> kernels(const LlamaConfig& c, const LlamaWeights& w, const Dim& count, int64_t most,
                                 const Bindings64& bindings) {
  Tensor tokens = placeholder({most}, dt::i32).slice(0, 0, count);
  Tensor logits = llama_forward(c, w, LlamaState::placeholders(c), tokens, llama_position(c), count);
  std::vector<LlamaKernel> out;
  std::unordered_map<UOp, size_t> seen;
  for (const PlannedKernel& k : partition({logits.uop()}).kernels) {
    auto [at, fresh] = seen.emplace(k.ast, out.size());
    if (fresh) out.push_back({k.ast, k.ast.arg_as<std::string>(), 0, own_bindings(variables_of(k.ast), bindings)});
    out[at->second].count++;
  }
  return out;
}

}  // namespace

std::vector<LlamaKernel> decode_kernels(const LlamaConfig& c, const LlamaWeights& w, int64_t position) {
  return kernels(c, w, 1, 1, {{"pos", position}});
}
std::vector<LlamaKernel> prefill_kernels(const LlamaConfig& c, const LlamaWeights& w, int64_t position, int64_t tokens) {
  return kernels(c, w, llama_count(c), c.chunk, {{"pos", position}, {"T", tokens}});
}

}  // namespace pg
