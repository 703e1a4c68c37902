#pragma once
// A llama as plain loops over doubles, written from the papers and from nothing in models/: the other side of every
// comparison.
#include <cmath>
#include <vector>

#include "models/llama_weights.h"

namespace pg::tests {

class NaiveLlama {
 public:
  using Vec = std::vector<double>;
  struct Matrix {
    int64_t rows = 0, columns = 0;
    std::vector<float> data;
    Vec operator()(const Vec& x) const {
      Vec y(rows);
      for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < columns; c++) y[r] += static_cast<double>(data[r * columns + c]) * x[c];
      }
      return y;
    }
  };

  NaiveLlama(const LlamaConfig& config, const LlamaWeights& w)
      : c_(config), embedding_(matrix(w.embedding)), output_(matrix(w.output)) {
    norm_ = w.norm.to_floats();
    for (const LlamaLayer& l : w.layers) {
      layers_.push_back({l.attention_norm.to_floats(),
                         l.ffn_norm.to_floats(),
                         matrix(l.q),
                         matrix(l.k),
                         matrix(l.v),
                         matrix(l.o),
                         matrix(l.gate),
                         matrix(l.up),
                         matrix(l.down),
                         {},
                         {}});
    }
  }

  /// Reads one token more; the logits after it.
  Vec next(int32_t token) {
    Vec x(c_.dim);
    for (int64_t i = 0; i < c_.dim; i++) x[i] = embedding_.data[token * c_.dim + i];
    for (Layer& l : layers_) {
      Vec h = normalised(x, l.attention_norm);
      Vec q = l.q(h), k = l.k(h), v = l.v(h);
      rotate(q);
      rotate(k);
      l.keys.push_back(k);
      l.values.push_back(v);
      add(x, l.o(attended(l, q)));
      h = normalised(x, l.ffn_norm);
      Vec gate = l.gate(h), up = l.up(h);
      for (size_t i = 0; i < gate.size(); i++) gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
      add(x, l.down(gate));
    }
    position_++;
    return output_(normalised(x, norm_));
  }

 private:
  struct Layer {
    std::vector<float> attention_norm, ffn_norm;
    Matrix q, k, v, o, gate, up, down;
    std::vector<Vec> keys, values;  // by position
  };
  static Matrix matrix(const Tensor& t) { return {*t.shape()[0].number(), *t.shape()[1].number(), t.to_floats()}; }
  static void add(Vec& x, const Vec& y) {
    for (size_t i = 0; i < x.size(); i++) x[i] += y[i];
  }
  Vec normalised(const Vec& x, const std::vector<float>& weight) const {
    double squares = 0;
    for (double v : x) squares += v * v;
    Vec y(x.size());
    for (size_t i = 0; i < x.size(); i++)
      y[i] = x[i] / std::sqrt(squares / static_cast<double>(x.size()) + c_.eps) * weight[i];
    return y;
  }
  void rotate(Vec& x) const {
    for (size_t i = 0; i < x.size(); i += 2) {
      size_t pair = i % c_.head_dim / 2;
      double angle = position_ *
                     std::pow(c_.rope_base, -2.0 * static_cast<double>(pair) / static_cast<double>(c_.head_dim)) /
                     c_.rope_scale;
      if (!c_.rope_factors.empty()) angle /= c_.rope_factors[pair];
      double a = x[i], b = x[i + 1];
      x[i] = a * std::cos(angle) - b * std::sin(angle);
      x[i + 1] = a * std::sin(angle) + b * std::cos(angle);
    }
  }
  Vec attended(const Layer& l, const Vec& q) const {
    Vec out(q.size());
    int64_t d = c_.head_dim;
    for (int64_t head = 0; head < c_.heads; head++) {
      int64_t kv = head / (c_.heads / c_.kv_heads);
      Vec weight;
      double sum = 0;
      for (const Vec& key : l.keys) {
        double score = 0;
        for (int64_t i = 0; i < d; i++) score += q[head * d + i] * key[kv * d + i];
        weight.push_back(std::exp(score / std::sqrt(static_cast<double>(d))));
        sum += weight.back();
      }
      for (size_t p = 0; p < weight.size(); p++) {
        for (int64_t i = 0; i < d; i++) out[head * d + i] += weight[p] / sum * l.values[p][kv * d + i];
      }
    }
    return out;
  }

  LlamaConfig c_;
  Matrix embedding_, output_;
  std::vector<float> norm_;
  std::vector<Layer> layers_;
  double position_ = 0;
};

}  // namespace pg::tests
