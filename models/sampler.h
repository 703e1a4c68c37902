#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace pg {

struct SamplerOptions {
  double temperature = 0.8;  // 0: greedy, the first of equal logits
  int top_k = 40;            // keep the k likeliest tokens; 0: all
  double top_p = 0.95;       // of those, the likeliest whose probabilities reach p; 1: all
  uint64_t seed = 1;
};

/// Chooses the next token. The n-th choice depends on the seed, n and the logits alone, so a run repeats on every machine.
class Sampler {
 public:
  /// UserError naming an option out of its range.
  explicit Sampler(SamplerOptions);
  const SamplerOptions& options() const { return options_; }
  /// InternalError when the logits hold no finite number.
  int32_t choose(std::span<const float> logits);

 private:
  double uniform();  // [0, 1)

  SamplerOptions options_;
  uint64_t count_ = 0;
  struct Candidate {
    int32_t token;
    float logit;
    double weight;
  };
  std::vector<Candidate> candidates_;  // kept between calls for its memory
};

}  // namespace pg
