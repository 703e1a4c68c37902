#include "models/sampler.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "models/random.h"
#include "uops/error.h"

namespace pg {

Sampler::Sampler(SamplerOptions options) : options_(options) {
  if (!(options.repeat_penalty > 0) || std::isinf(options.repeat_penalty)) {
    throw UserError("--repeat-penalty " + std::to_string(options.repeat_penalty) + ": must be above 0; 1 is no penalty");
  }
  if (options.repeat_last < -1) {
    throw UserError("--repeat-last-n " + std::to_string(options.repeat_last) +
                    ": must be -1 (all tokens), 0 (none) or more");
  }
  if (!(options.temperature >= 0) || std::isinf(options.temperature)) {
    throw UserError("--temp " + std::to_string(options.temperature) + ": the temperature must be 0 (greedy) or more");
  }
  if (options.top_k < 0) throw UserError("--top-k " + std::to_string(options.top_k) + ": must be 0 (all tokens) or more");
  if (!(options.top_p > 0) || options.top_p > 1) {
    throw UserError("--top-p " + std::to_string(options.top_p) + ": must be above 0 and at most 1");
  }
  if (!(options.min_p >= 0) || options.min_p > 1) {
    throw UserError("--min-p " + std::to_string(options.min_p) + ": must be 0 (all tokens) to 1");
  }
}

void Sampler::note(int32_t token) {
  if (options_.repeat_penalty == 1 || options_.repeat_last == 0) return;
  recent_.push_back(token);
  times_[token]++;
  if (options_.repeat_last > 0 && recent_.size() > static_cast<size_t>(options_.repeat_last)) {
    if (--times_[recent_.front()] == 0) times_.erase(recent_.front());
    recent_.pop_front();
  }
}

void Sampler::forget() {
  recent_.clear();
  times_.clear();
}

double Sampler::uniform() { return static_cast<double>(random_bits(options_.seed, count_++) >> 11) * 0x1p-53; }

int32_t Sampler::choose(std::span<const float> logits) {
  candidates_.clear();
  for (size_t i = 0; i < logits.size(); i++) {
    const auto token = static_cast<int32_t>(i);
    float logit = logits[i];
    if (!times_.empty() && times_.contains(token)) {
      const auto penalty = static_cast<float>(options_.repeat_penalty);
      logit = logit > 0 ? logit / penalty : logit * penalty;
    }
    if (std::isfinite(logit)) candidates_.push_back({token, logit, 0});
  }
  if (candidates_.empty())
    throw InternalError("sampler: none of the " + std::to_string(logits.size()) + " logits is finite");
  auto better = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  };
  // A temperature so small that logit / temperature overflows is greedy for every purpose.
  constexpr double kCold = 1e-4;
  if (options_.temperature < kCold) return std::ranges::min_element(candidates_, better)->token;

  size_t keep = options_.top_k > 0 ? std::min<size_t>(options_.top_k, candidates_.size()) : candidates_.size();
  std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(keep), candidates_.end(), better);
  candidates_.resize(keep);

  double total = 0;
  for (Candidate& c : candidates_) {
    c.weight = std::exp((static_cast<double>(c.logit) - candidates_.front().logit) / options_.temperature);
    total += c.weight;
  }
  double nucleus = 0;
  size_t used = 0;
  while (used < keep && (used == 0 || nucleus < options_.top_p * total)) {
    if (candidates_[used].weight < options_.min_p) break;  // the likeliest weighs 1
    nucleus += candidates_[used++].weight;
  }

  double at = uniform() * nucleus;
  for (size_t i = 0; i + 1 < used; i++) {
    at -= candidates_[i].weight;
    if (at < 0) return candidates_[i].token;
  }
  return candidates_[used - 1].token;
}

}  // namespace pg
