#pragma once
// Layers' arithmetic beside what Tensor itself has: transposed convolutions, pooling, resizing, batch norm. Leading axes, as
// [N, C, ..] or [C, ..], are free where only the last ones are named.
#include "src/tensor/tensor.h"

namespace pg {

/// The gradient of a convolution as a layer: how far the window moves in the *result*; padding is cut off, output_padding
/// added to its end (less than stride or dilation).
struct ConvTranspose1d {
  int64_t stride = 1;
  std::array<int64_t, 2> padding = {};  // left, right
  int64_t output_padding = 0;
  int64_t dilation = 1;
  int64_t groups = 1;
};
struct ConvTranspose2d {
  int64_t stride = 1;
  std::array<int64_t, 4> padding = {};         // top, bottom, left, right
  std::array<int64_t, 2> output_padding = {};  // bottom, right
  int64_t dilation = 1;
  int64_t groups = 1;
};
/// x [N, C, W] or [C, W], weight [C, O/groups, KW], bias [O] or empty →
/// [N, O, (W - 1)*stride - left - right + dilation*(KW - 1) + output_padding + 1]. A convolution of x with stride - 1 zeros
/// between its elements, which are multiplied too.
Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const ConvTranspose1d& = {});
/// x [N, C, H, W] or [C, H, W], weight [C, O/groups, KH, KW]: the same along both axes.
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const ConvTranspose2d& = {});
/// The windows of a convolution as columns: x [N, C, H, W] → [N, C*KH*KW, places].
Tensor im2col(const Tensor& x, std::array<int64_t, 2> window, const Conv2d& = {});

/// How a window of pooling moves over the last axis (1d) or two (2d); padding is at most half of the window.
struct Pool1d {
  int64_t window = 2;
  int64_t stride = 0;                   // 0: the window
  std::array<int64_t, 2> padding = {};  // left, right
  int64_t dilation = 1;                 // maximum only
  bool ceil = false;                    // a last place whose window hangs over the end, if it begins within
  bool count_padding = true;            // average: divide by what lies in the padding too
};
struct Pool2d {
  std::array<int64_t, 2> window = {2, 2};  // height, width
  std::array<int64_t, 2> stride = {};      // 0: the window
  std::array<int64_t, 4> padding = {};     // top, bottom, left, right
  int64_t dilation = 1;
  bool ceil = false;
  bool count_padding = true;
};
/// [.., H, W] → [.., (H + top + bottom - dilation*(window - 1) - 1)/stride + 1, the same of W]. Padding never wins. Equal
/// maxima of a window share the gradient.
Tensor max_pool1d(const Tensor& x, const Pool1d&);
Tensor max_pool2d(const Tensor& x, const Pool2d&);
Tensor avg_pool1d(const Tensor& x, const Pool1d&);
Tensor avg_pool2d(const Tensor& x, const Pool2d&);
/// The last axes as so many means: number i of m is over [i n / m, (i + 1) n / m), rounded outwards. m n steps a row.
Tensor adaptive_avg_pool(const Tensor& x, const std::vector<int64_t>& sizes);

enum class Resize { Nearest, Linear };
/// The last axes resized to these extents, each by itself: linear, bilinear, .. Nearest: element i of m is i n / m, rounded
/// down. Linear: pixels are areas, or, with align_corners, points from the first to the last.
Tensor interpolate(const Tensor& x, const std::vector<int64_t>& sizes, Resize, bool align_corners = false);

/// (x - mean) / √(variance + eps) for each channel of x [N, C, ..], times weight, plus bias: all [C], the last two may be
/// empty.
Tensor batch_norm(const Tensor& x, const Tensor& mean, const Tensor& variance, const Tensor& weight, const Tensor& bias,
                  double eps);
/// The same by the statistics of x itself, which are given too: the mean, and the variance of n elements over n - 1, as they
/// go into running statistics, new = old + momentum * (these - old).
struct BatchNorm {
  Tensor y, mean, variance;
};
BatchNorm batch_norm_training(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps);

}  // namespace pg
