#include "models/llama_forward.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "src/tensor/buffers.h"

namespace pg {
namespace {

/// y = x·Wᵀ: [.., in] x [out, in] → [.., out]. An F16 matrix is converted by the kernel that reads it.
Tensor linear(const Tensor& x, const Tensor& weight) { return x.matmul(weight.transpose()); }

Tensor rmsnorm(const Tensor& x, const Tensor& weight, const LlamaConfig& c) {
  return x.rmsnorm(weight.cast(dt::f32), c.eps);
}

/// The positions that a step reads, and what follows from them.
struct Span {
  Dim begin, count, end;
  bool single;  // one token: no mask is needed, because it may see all that is there
  Tensor cosines,
      sines;    // [count, 1, head_dim / 2, 1]; the sine negative in a pair's first place: [count, 1, head_dim / 2, 2]
  Tensor mask;  // [count, end]: 0 where a position may look, −∞ ahead of it
};

Span span(const LlamaConfig& c, const LlamaState& state, const Dim& begin, const Dim& count) {
  Dim end = begin.uop() + count.uop();
  Span s{begin, count, end, count.number() == 1, {}, {}, {}};
  Shape pairs = {count, 1, c.head_dim / 2, 1};
  Tensor sign = Tensor::arange(2).cast(dt::f32) * 2 - 1;
  s.cosines = state.cosines.slice(0, begin, end).reshape(pairs);
  s.sines = state.sines.slice(0, begin, end).reshape(pairs) * sign;
  if (!s.single) {
    Tensor key = Tensor::arange(end), query = Tensor::arange(end).slice(0, begin, end).unsqueeze(1);
    s.mask = Tensor::where(query < key, Tensor::full({1}, -std::numeric_limits<double>::infinity()), Tensor::full({1}, 0));
  }
  return s;
}

/// Rotary embedding of x [count, heads, head_dim]: the pair (2i, 2i+1) turns by position · frequency_i.
Tensor rotated(const Tensor& x, const Span& s) {
  Shape shape = x.shape();
  Tensor pairs = x.reshape({shape[0], shape[1], *shape[2].number() / 2, 2});
  return (pairs * s.cosines + pairs.flip({3}) * s.sines).reshape(shape);
}

/// Appends x [count, kv_heads, head_dim] to a cache; all of it up to here, [kv_heads, 1, end, head_dim].
Tensor appended(const Tensor& cache, const Tensor& x, const Span& s) {
  Tensor whole = cache.slice(1, s.begin, s.end).assign(x.permute({1, 0, 2}));
  return whole.slice(1, 0, s.end).unsqueeze(1);
}

/// Grouped-query attention: `group` query heads share a key-value head by broadcasting, so keys and values are never copied.
Tensor attention(const LlamaConfig& c, const LlamaLayer& w, const LlamaState& state, size_t layer, const Tensor& x,
                 const Span& s) {
  Tensor q = rotated(linear(x, w.q).reshape({s.count, c.heads, c.head_dim}), s);
  Tensor k = rotated(linear(x, w.k).reshape({s.count, c.kv_heads, c.head_dim}), s);
  Tensor v = linear(x, w.v).reshape({s.count, c.kv_heads, c.head_dim});
  q = q.reshape({s.count, c.kv_heads, c.group(), c.head_dim}).permute({1, 2, 0, 3});
  Tensor seen = Tensor::attention(q, appended(state.keys[layer], k, s), appended(state.values[layer], v, s), s.mask,
                                  1 / std::sqrt(static_cast<double>(c.head_dim)));  // [kv_heads, group, count, head_dim]
  return linear(seen.permute({2, 0, 1, 3}).reshape({s.count, c.heads * c.head_dim}), w.o);
}

Tensor feed_forward(const LlamaLayer& w, const Tensor& x) {
  return linear(linear(x, w.gate).silu() * linear(x, w.up), w.down);
}

}  // namespace

LlamaState LlamaState::zeros(const LlamaConfig& c, Device& device) {
  int64_t half = c.head_dim / 2, rows = LlamaState::rows(c);
  std::vector<float> cosines(rows * half), sines(rows * half);
  for (int64_t i = 0; i < half; i++) {
    double frequency = std::pow(c.rope_base, -2.0 * static_cast<double>(i) / static_cast<double>(c.head_dim)) / c.rope_scale;
    if (!c.rope_factors.empty()) frequency /= c.rope_factors[i];
    for (int64_t p = 0; p < rows; p++) {
      cosines[p * half + i] = static_cast<float>(std::cos(static_cast<double>(p) * frequency));
      sines[p * half + i] = static_cast<float>(std::sin(static_cast<double>(p) * frequency));
    }
  }
  LlamaState state;
  state.cosines = Tensor::from(cosines, {rows, half}, device);
  state.sines = Tensor::from(sines, {rows, half}, device);
  UOps extents{iconst(c.kv_heads), iconst(rows), iconst(c.head_dim)};
  auto cache = [&] {
    return Tensor(new_buffer(Memory::zeroed(device, c.kv_heads * rows * c.head_dim * sizeof(float)), dt::f32, extents));
  };
  for (int64_t i = 0; i < c.layers; i++) {
    state.keys.push_back(cache());
    state.values.push_back(cache());
  }
  return state;
}

LlamaState LlamaState::placeholders(const LlamaConfig& c) {
  LlamaState state;
  state.cosines = placeholder({rows(c), c.head_dim / 2});
  state.sines = placeholder({rows(c), c.head_dim / 2});
  for (int64_t i = 0; i < c.layers; i++) {
    state.keys.push_back(placeholder({c.kv_heads, rows(c), c.head_dim}));
    state.values.push_back(placeholder({c.kv_heads, rows(c), c.head_dim}));
  }
  return state;
}

Dim llama_position(const LlamaConfig& c) { return variable("pos", 0, c.context - 1); }
Dim llama_count(const LlamaConfig& c) { return variable("T", 2, std::max<int64_t>(c.chunk, 2)); }

Tensor llama_forward(const LlamaConfig& c, const LlamaWeights& w, const LlamaState& state, const Tensor& tokens,
                     const Dim& begin, const Dim& count) {
  Span s = span(c, state, begin, count);
  // Materialised, so that the first layer runs the same kernels as the others.
  Tensor x = w.embedding.gather(tokens).cast(dt::f32).contiguous();  // [count, dim]
  for (size_t i = 0; i < w.layers.size(); i++) {
    const LlamaLayer& layer = w.layers[i];
    x = x + attention(c, layer, state, i, rmsnorm(x, layer.attention_norm, c), s);
    x = x + feed_forward(layer, rmsnorm(x, layer.ffn_norm, c));
  }
  Tensor last = x.slice(0, count.uop() - iconst(1), count);  // only the last token's logits are wanted
  return linear(rmsnorm(last, w.norm, c), w.output).reshape({c.vocab});
}

}  // namespace pg
