#pragma once
#include <cstdint>
#include <deque>
#include <span>
#include <unordered_map>
#include <vector>

namespace pg {

/// In the order in which they act.
struct SamplerOptions {
  double repeat_penalty = 1;  // logits of recent tokens are divided by it where positive, else multiplied; 1: none
  int repeat_last = 64;       // how many tokens back, of prompt and text, are recent; 0: none, -1: all
  double temperature = 0.8;   // logits are divided by it; 0: greedy, the first of equal logits
  int top_k = 40;             // keep the k likeliest tokens; 0: all
  double top_p = 0.95;        // of those, the likeliest whose probabilities reach p; 1: all
  double min_p = 0;           // of those, the ones at least p times as likely as the likeliest; 0: all
  uint64_t seed = 1;
};

/// Chooses the next token. The n-th choice depends on the seed, n, the logits and the noted tokens alone, so a run repeats
/// on every machine.
class Sampler {
 public:
  /// UserError naming an option out of its range.
  explicit Sampler(SamplerOptions);
  const SamplerOptions& options() const { return options_; }
  /// A token of the text so far, for the penalty: whoever chooses also notes.
  void note(int32_t token);
  /// Forgets the text, not how many choices there were.
  void forget();
  /// InternalError when the logits hold no finite number.
  int32_t choose(std::span<const float> logits);

 private:
  double uniform();  // [0, 1)

  SamplerOptions options_;
  uint64_t count_ = 0;
  std::deque<int32_t> recent_;
  std::unordered_map<int32_t, int64_t> times_;  // of each token in recent_
  struct Candidate {
    int32_t token;
    float logit;
    double weight;
  };
  std::vector<Candidate> candidates_;  // kept between calls for its memory
};

}  // namespace pg
