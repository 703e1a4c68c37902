#include "models/llama_kernels.h"

#include <unordered_map>

#include "models/llama_forward.h"
#include "src/graph/plans.h"
#include "src/graph/program_cache.h"
#include "uops/kernel.h"
#include "uops/together.h"

namespace pg {
namespace {

UOps step(const LlamaConfig& c, const LlamaWeights& w, const Dim& count, int64_t most) {
  Tensor tokens = placeholder({most}, dt::i32).slice(0, 0, count);
  return {llama_forward(c, w, LlamaState::placeholders(c), tokens, llama_position(c), count).uop()};
}

std::vector<LlamaKernel> kernels(const UOps& roots, const Bindings64& bindings, const PlanOptions& plans) {
  std::vector<LlamaKernel> out;
  std::unordered_map<UOp, size_t> seen;
  for (const PlannedKernel& launch : partition(roots, plans).kernels)
    for (const UOp& ast : kernels_in(launch.ast)) {
      auto [at, fresh] = seen.emplace(ast, out.size());
      if (fresh) out.push_back({ast, ast.arg_as<std::string>(), 0, own_bindings(variables_of(ast), bindings)});
      out[at->second].count++;
    }
  return out;
}

}  // namespace

UOps decode_step(const LlamaConfig& c, const LlamaWeights& w) { return step(c, w, 1, 1); }
UOps prefill_step(const LlamaConfig& c, const LlamaWeights& w) { return step(c, w, llama_count(c), c.chunk); }

std::vector<LlamaKernel> decode_kernels(const LlamaConfig& c, const LlamaWeights& w, int64_t position,
                                        const PlanOptions& plans) {
  return kernels(decode_step(c, w), {{"pos", position}}, plans);
}
std::vector<LlamaKernel> prefill_kernels(const LlamaConfig& c, const LlamaWeights& w, int64_t position, int64_t tokens,
                                         const PlanOptions& plans) {
  return kernels(prefill_step(c, w), {{"pos", position}, {"T", tokens}}, plans);
}

}  // namespace pg
