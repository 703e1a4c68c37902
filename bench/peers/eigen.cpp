// Eigen: its products, and its array expressions row by row. Rows are shared out by OpenMP, as Eigen shares out its
// products.
#include <omp.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>
#include <unsupported/Eigen/SpecialFunctions>

#include "peer.h"

namespace peer {

namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using In = Eigen::Map<const Matrix>;
using Out = Eigen::Map<Matrix>;
using Vector = Eigen::Map<const Eigen::ArrayXf>;
using Result = Eigen::Map<Eigen::ArrayXf>;

class Work final : public Problem {
 public:
  explicit Work(std::function<void()> f) : f_(std::move(f)) {}
  void run() override { f_(); }

 private:
  std::function<void()> f_;
};

template <class F>
void for_rows(long rows, F f) {
#pragma omp parallel for schedule(static)
  for (long i = 0; i < rows; ++i) f(i);
}

std::function<void()> gemm(Dims d, Inputs in, float* out) {
  const long m = d[0], n = d[1], k = d[2];
  const bool ta = d[3], tb = d[4];
  return [=] {
    Out c(out, m, n);
    const In a(in[0], ta ? k : m, ta ? m : k), b(in[1], tb ? n : k, tb ? k : n);
    if (ta && tb)
      c.noalias() = a.transpose() * b.transpose();
    else if (ta)
      c.noalias() = a.transpose() * b;
    else if (tb)
      c.noalias() = a * b.transpose();
    else
      c.noalias() = a * b;
  };
}

std::function<void()> gemv(Dims d, Inputs in, float* out) {
  const long n = d[0], k = d[1];
  const bool rows = d[2];
  return [=] {
    const Eigen::Map<const Eigen::VectorXf> x(in[1], k);
    Eigen::Map<Eigen::VectorXf> y(out, n);
    if (rows)
      y.noalias() = In(in[0], n, k) * x;
    else
      y.noalias() = In(in[0], k, n).transpose() * x;
  };
}

/// Patches as columns, then a product for each group.
std::function<void()> conv2d(Dims d, Inputs in, float* out) {
  struct Shape {
    long n, c, h, w, o, kh, kw, stride, top, bottom, left, right, dilation, groups;
  };
  const Shape s{d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12], d[13]};
  const long rows = (s.h + s.top + s.bottom - s.dilation * (s.kh - 1) - 1) / s.stride + 1;
  const long columns = (s.w + s.left + s.right - s.dilation * (s.kw - 1) - 1) / s.stride + 1;
  const long channels = s.c / s.groups, filters = s.o / s.groups, depth = channels * s.kh * s.kw, places = rows * columns;
  const auto patches = std::make_shared<Matrix>(depth, places);
  const float *x = in[0], *w = in[1];
  return [=] {
    for (long b = 0; b < s.n; ++b)
      for (long g = 0; g < s.groups; ++g) {
        for_rows(depth, [&](long r) {
          const long c = r / (s.kh * s.kw), ky = r / s.kw % s.kh, kx = r % s.kw;
          const float* plane = x + ((b * s.c + g * channels + c) * s.h) * s.w;
          float* to = patches->data() + r * places;
          for (long y = 0; y < rows; ++y, to += columns) {
            const long iy = y * s.stride + ky * s.dilation - s.top, first = kx * s.dilation - s.left;
            if (iy < 0 || iy >= s.h) {
              std::fill(to, to + columns, 0.0f);
              continue;
            }
            for (long q = 0; q < columns; ++q) {
              const long ix = q * s.stride + first;
              to[q] = ix < 0 || ix >= s.w ? 0.0f : plane[iy * s.w + ix];
            }
          }
        });
        Out(out + (b * s.o + g * filters) * places, filters, places).noalias() =
            In(w + g * filters * depth, filters, depth) * *patches;
      }
  };
}

std::function<void()> softmax(Dims d, Inputs in, float* out) {
  const long rows = d[0], n = d[1];
  return [=] {
    for_rows(rows, [&](long i) {
      const Vector x(in[0] + i * n, n);
      Result y(out + i * n, n);
      y = (x - x.maxCoeff()).exp();
      y *= 1 / y.sum();
    });
  };
}

std::function<void()> layernorm(Dims d, Inputs in, float* out) {
  const long rows = d[0], n = d[1];
  return [=] {
    const Vector weight(in[1], n), bias(in[2], n);
    for_rows(rows, [&](long i) {
      const Vector x(in[0] + i * n, n);
      const float mean = x.mean(), scale = 1 / std::sqrt((x - mean).square().mean() + kEpsilon);
      Result(out + i * n, n) = (x - mean) * scale * weight + bias;
    });
  };
}

std::function<void()> rmsnorm(Dims d, Inputs in, float* out) {
  const long rows = d[0], n = d[1];
  return [=] {
    const Vector weight(in[1], n);
    for_rows(rows, [&](long i) {
      const Vector x(in[0] + i * n, n);
      Result(out + i * n, n) = x * (1 / std::sqrt(x.square().mean() + kEpsilon)) * weight;
    });
  };
}

std::function<void()> groupnorm(Dims d, Inputs in, float* out) {
  const long pixels = d[1], groups = d[2], channels = d[0] / groups, n = channels * pixels;
  return [=] {
    for_rows(groups, [&](long g) {
      const Vector x(in[0] + g * n, n);
      const float mean = x.mean(), scale = 1 / std::sqrt((x - mean).square().mean() + kEpsilon);
      for (long c = g * channels; c < (g + 1) * channels; ++c)
        Result(out + c * pixels, pixels) = (Vector(in[0] + c * pixels, pixels) - mean) * (scale * in[1][c]) + in[2][c];
    });
  };
}

/// In pieces that stay in a cache, shared out over the threads.
constexpr long kPiece = 4096;

std::function<void()> gelu(Dims d, Inputs in, float* out) {
  const long n = d[0];
  return [=] {
    for_rows((n + kPiece - 1) / kPiece, [&](long i) {
      const long count = std::min(kPiece, n - i * kPiece);
      const Vector x(in[0] + i * kPiece, count);
      Result(out + i * kPiece, count) = 0.5f * x * (1 + (x * static_cast<float>(M_SQRT1_2)).erf());
    });
  };
}

std::function<void()> sum(Dims d, Inputs in, float* out) {
  const long n = d[0], parts = omp_get_max_threads();
  return [=] {
    std::vector<float> sums(parts);
    for_rows(parts, [&](long i) {
      const long begin = n * i / parts;
      sums[i] = Vector(in[0] + begin, n * (i + 1) / parts - begin).sum();
    });
    out[0] = 0;
    for (const float s : sums) out[0] += s;
  };
}

/// Head by head, the scores of one head in memory.
std::function<void()> attention(Dims d, Inputs in, float* out) {
  const long heads = d[0], tokens = d[1], width = d[2];
  const auto scores = std::make_shared<Matrix>(tokens, tokens);
  const float scale = 1 / std::sqrt(static_cast<float>(width));
  return [=] {
    for (long h = 0; h < heads; ++h) {
      const long at = h * tokens * width;
      const In q(in[0] + at, tokens, width), k(in[1] + at, tokens, width), v(in[2] + at, tokens, width);
      scores->noalias() = q * k.transpose();
      for_rows(tokens, [&](long i) {
        Result row(scores->data() + i * tokens, tokens);
        row = ((row - row.maxCoeff()) * scale).exp();
        row *= 1 / row.sum();
      });
      Out(out + at, tokens, width).noalias() = *scores * v;
    }
  };
}

using Make = std::function<void()> (*)(Dims, Inputs, float*);
Make maker(const std::string& kind) {
  const std::pair<const char*, Make> all[] = {{"gemm", gemm},       {"gemv", gemv},           {"conv2d", conv2d},
                                              {"conv1d", conv2d},   {"softmax", softmax},     {"layernorm", layernorm},
                                              {"rmsnorm", rmsnorm}, {"groupnorm", groupnorm}, {"gelu", gelu},
                                              {"sum", sum},         {"attention", attention}};
  for (const auto& [name, make] : all)
    if (kind == name) return make;
  return nullptr;
}

}  // namespace

std::string version(int threads) {
  omp_set_num_threads(threads);
  Eigen::setNbThreads(threads);
  return "Eigen " + std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
         std::to_string(EIGEN_MINOR_VERSION) + ", " + Eigen::SimdInstructionSetsInUse();
}
std::vector<std::string> variants(const std::string& kind, Dims d) {
  const bool blocked = kind == "conv2d" && d[14];
  return maker(kind) && !blocked ? std::vector<std::string>{""} : std::vector<std::string>{};
}
std::unique_ptr<Problem> prepare(const std::string& kind, const std::string&, Dims d, Inputs in, float* result) {
  return std::make_unique<Work>(maker(kind)(d, in, result));
}

}  // namespace peer

PICOGRAD_PEER
