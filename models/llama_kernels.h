#pragma once
// What a llama runs, without weights, compiling or memory: the kernels that tuning works through.
#include <cstdint>
#include <string>
#include <vector>

#include "models/llama_weights.h"
#include "runtime/device.h"
#include "search/tune.h"
#include "src/graph/plans.h"

namespace pg {

struct LlamaKernel {
  UOp ast;
  std::string name;
  int count = 0;        // times a step
  Bindings64 bindings;  // of the Variables that the kernel has
};

/// The graph of one step: of decoding a token, of reading a chunk (Variable T). Weights only lend their shapes and types.
UOps decode_step(const LlamaConfig&, const LlamaWeights&);
UOps prefill_step(const LlamaConfig&, const LlamaWeights&);

/// The distinct kernels of one step: of decoding the token at `position` / of reading `tokens` (2 .. chunk) from `position`
/// on, as the default device plans them.
std::vector<LlamaKernel> decode_kernels(const LlamaConfig&, const LlamaWeights&, int64_t position,
                                        const PlanOptions& = plan_options(default_device()));
std::vector<LlamaKernel> prefill_kernels(const LlamaConfig&, const LlamaWeights&, int64_t position, int64_t tokens,
                                         const PlanOptions& = plan_options(default_device()));

}  // namespace pg
