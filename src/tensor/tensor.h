#pragma once
// Lazy tensors with value semantics: an operation records a UOp; nothing runs before realize() (src/graph/realize.h).
#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/device.h"
#include "runtime/memory.h"
#include "uops/uop.h"

namespace pg {

/// One extent or index: a number or an index expression of Variables.
class Dim {
 public:
  Dim(int64_t n) : value_(iconst(n)) {}
  Dim(int n) : value_(iconst(n)) {}
  Dim(UOp expression) : value_(std::move(expression)) {}
  const UOp& uop() const { return value_; }
  std::optional<int64_t> number() const { return const_int(value_); }
  friend bool operator==(const Dim& a, const Dim& b) { return a.value_ == b.value_; }

 private:
  UOp value_;
};
using Shape = std::vector<Dim>;
/// "4", "pos + T".
std::string text(const Dim&);
/// "[4, T, 8]".
std::string text(const Shape&);

// Simplified index arithmetic; division rounds down.
Dim operator+(const Dim&, const Dim&);
Dim operator-(const Dim&, const Dim&);
Dim operator*(const Dim&, const Dim&);
Dim operator/(const Dim&, const Dim&);

/// How the window of a convolution moves; padding is with zeros.
struct Conv2d {
  int64_t stride = 1;
  std::array<int64_t, 4> padding = {};  // top, bottom, left, right
  int64_t dilation = 1;                 // elements from one of the window to the next
  int64_t groups = 1;                   // filters of a group see the channels of their group only
};
struct Conv1d {
  int64_t stride = 1;
  std::array<int64_t, 2> padding = {};  // left, right
  int64_t dilation = 1;
  int64_t groups = 1;
};

class Tensor {
 public:
  Tensor() = default;  // empty handle
  explicit Tensor(UOp uop) : uop_(std::move(uop)) {}

  // ---- creation ----
  /// Copies `data` (row-major). UserError when the count does not match the shape.
  static Tensor from(std::span<const float> data, Shape shape, Device& = default_device());
  static Tensor from(std::span<const int32_t> data, Shape shape, Device& = default_device());
  /// Wraps device memory of `dtype` (weights in a mapped file); row-major.
  static Tensor wrap(MemoryRef, DType, Shape shape);
  /// A realised tensor of uninitialised memory; symbolic extents are allocated at their upper bounds.
  static Tensor empty(Shape shape, DType = dt::f32, Device& = default_device());
  static Tensor full(Shape shape, double value, DType = dt::f32);
  static Tensor zeros(Shape shape, DType dtype = dt::f32) { return full(std::move(shape), 0, dtype); }
  static Tensor arange(Dim n, DType = dt::i32);  // [n]
  /// n numbers from first to last, both included.
  static Tensor linspace(double first, double last, int64_t n);
  /// [n, n], ones on the diagonal.
  static Tensor eye(Dim n, DType = dt::f32);
  /// An index expression as a value of rank 0: `Tensor::arange(T) + Tensor::scalar(pos)`.
  static Tensor scalar(Dim, DType = dt::i32);
  /// Seeded uniform [0,1) / standard normal numbers, filled on the host.
  static Tensor rand(Shape shape, uint64_t seed, Device& = default_device());
  static Tensor randn(Shape shape, uint64_t seed, Device& = default_device());

  // ---- facts ----
  const UOp& uop() const { return uop_; }
  Shape shape() const;
  int rank() const { return static_cast<int>(shape().size()); }
  DType dtype() const;
  explicit operator bool() const { return static_cast<bool>(uop_); }

  // ---- movement (axes may be negative) ----
  Tensor reshape(Shape) const;  // one extent may be -1
  Tensor expand(Shape) const;   // extents of 1 grow; leading axes may be added
  Tensor permute(std::vector<int> axes) const;
  Tensor transpose(int a = -2, int b = -1) const;
  Tensor pad(std::vector<std::pair<Dim, Dim>> before_after) const;  // with zeros
  Tensor shrink(std::vector<std::pair<Dim, Dim>> begin_end) const;
  /// [begin, end) of one axis.
  Tensor slice(int axis, Dim begin, Dim end) const;
  Tensor flip(std::vector<int> axes) const;
  Tensor unsqueeze(int axis) const;
  Tensor squeeze(int axis) const;
  static Tensor stack(const std::vector<Tensor>&, int axis = 0);
  static Tensor cat(const std::vector<Tensor>&, int axis = 0);
  // Made of those above (rearrange.cpp).
  /// Python's x[begin:end:step] of one axis: negative ones count from the end, what lies outside is cut off; none: the
  /// whole. A negative step walks from begin down to end, which it excludes. The extent must be a number. UserError: a step
  /// of 0.
  Tensor slice_step(int axis, std::optional<int64_t> begin, std::optional<int64_t> end, int64_t step) const;
  Tensor repeat(std::vector<int64_t> times) const;          // the whole, so often along each axis; leading axes may be added
  Tensor repeat_interleave(int64_t times, int axis) const;  // each element so often in a row
  Tensor roll(int64_t by, int axis) const;                  // element i moves to i + by, round the end
  /// Parts of these extents, which add up to the axis; of `size` each, the last may be shorter.
  std::vector<Tensor> split(const std::vector<int64_t>& sizes, int axis = 0) const;
  std::vector<Tensor> split(int64_t size, int axis = 0) const;
  Tensor tril(int64_t diagonal = 0) const;  // zeros above this diagonal of the last two axes
  Tensor triu(int64_t diagonal = 0) const;  // .. below it
  /// (before, after) along one axis: mirrored without the edge; the edge again.
  Tensor pad_reflect(int axis, int64_t before, int64_t after) const;
  Tensor pad_replicate(int axis, int64_t before, int64_t after) const;
  Tensor contiguous() const;  // materialised here
  /// The same values, through which no gradient flows.
  Tensor detach() const;

  // ---- elementwise (broadcasting and dtype promotion as PyTorch) ----
  Tensor neg() const;
  Tensor exp() const;
  Tensor log() const;
  Tensor sqrt() const;
  Tensor rsqrt() const;
  Tensor reciprocal() const;
  Tensor sin() const;
  Tensor cos() const;
  Tensor tanh() const;
  Tensor erf() const;
  Tensor floor() const;
  Tensor abs() const;
  Tensor relu() const;
  Tensor sigmoid() const;
  Tensor silu() const;
  Tensor gelu() const;  // exact (erf)
  Tensor gelu_tanh() const;
  Tensor logical_not() const;
  Tensor cast(DType) const;
  /// The same bits as another type of as many bytes an element; no gradient flows through. UserError: other sizes, to bool.
  Tensor bitcast(DType) const;
  Tensor maximum(const Tensor&) const;
  Tensor minimum(const Tensor&) const;
  // Made of those above (functions.cpp); of integers and bool in f32, but for square, sign, roundings, and
  // clamp and masked_fill, whose numbers follow the rule of operators below.
  Tensor square() const;
  Tensor pow(double exponent) const;
  Tensor pow(const Tensor& exponent) const;  // of a negative number by a fraction: NaN
  Tensor exp2() const;
  Tensor expm1() const;  // exp(x) - 1, exact near 0
  Tensor log2() const;
  Tensor log10() const;
  Tensor log1p() const;  // log(1 + x), exact near 0
  Tensor tan() const;
  Tensor asin() const;
  Tensor acos() const;
  Tensor atan() const;
  Tensor atan2(const Tensor& x) const;  // this is y; 0 at the origin
  Tensor sinh() const;
  Tensor cosh() const;
  Tensor asinh() const;
  Tensor acosh() const;
  Tensor atanh() const;
  Tensor ceil() const;
  Tensor trunc() const;
  Tensor round() const;  // halves to even
  Tensor frac() const;   // what trunc leaves
  Tensor sign() const;
  Tensor clamp(double low, double high) const;
  Tensor leaky_relu(double slope = 0.01) const;
  Tensor elu(double alpha = 1) const;
  Tensor softplus() const;  // log(1 + exp(x))
  Tensor logsigmoid() const;
  Tensor mish() const;
  Tensor relu6() const;
  Tensor hardsigmoid() const;
  Tensor hardswish() const;
  Tensor isnan() const;  // bool, as the two below
  Tensor isinf() const;
  Tensor isfinite() const;
  /// Where `mask` (bool) is true, `value`.
  Tensor masked_fill(const Tensor& mask, double value) const;
  /// condition (bool) ? a : b
  static Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

  // ---- reductions ----
  Tensor sum(std::vector<int> axes = {}, bool keepdim = false) const;  // no axes: all
  Tensor mean(std::vector<int> axes = {}, bool keepdim = false) const;
  Tensor max(std::vector<int> axes = {}, bool keepdim = false) const;
  Tensor min(std::vector<int> axes = {}, bool keepdim = false) const;
  Tensor argmax(int axis, bool keepdim = false) const;  // int32; the first of equal ones
  Tensor argmin(int axis, bool keepdim = false) const;
  Tensor any(std::vector<int> axes = {}, bool keepdim = false) const;  // bool
  Tensor all(std::vector<int> axes = {}, bool keepdim = false) const;
  /// Sum of squared deviations / max(count - correction, 0), as PyTorch: NaN of one element.
  Tensor var(std::vector<int> axes = {}, bool keepdim = false, int64_t correction = 1) const;
  Tensor std(std::vector<int> axes = {}, bool keepdim = false, int64_t correction = 1) const;
  Tensor logsumexp(std::vector<int> axes, bool keepdim = false) const;
  Tensor softmax(int axis = -1) const;
  Tensor log_softmax(int axis = -1) const;
  Tensor rmsnorm(const Tensor& weight, double eps) const;  // over the last axis
  /// (x - mean) / √(variance + eps) over the last axis, times weight [n], plus bias [n]; either may be empty.
  Tensor layernorm(const Tensor& weight, const Tensor& bias, double eps) const;
  /// x [N, C, ..]: the same over each of `groups` runs of C/groups channels and all that follows; weight and bias [C].
  Tensor groupnorm(int64_t groups, const Tensor& weight, const Tensor& bias, double eps) const;

  // ---- products, indexing ----
  /// [.., M, K] x [.., K, N] → [.., M, N]; leading axes broadcast; a 1-D operand as in PyTorch.
  Tensor matmul(const Tensor&) const;
  /// Cross-correlation. This [N, C, H, W] or [C, H, W], weight [O, C/groups, KH, KW], bias [O] or empty →
  /// [N, O, (H + top + bottom - dilation*(KH-1) - 1)/stride + 1, the same of W].
  Tensor conv2d(const Tensor& weight, const Tensor& bias = {}, const Conv2d& = {}) const;
  /// This [N, C, W] or [C, W], weight [O, C/groups, KW] → [N, O, places].
  Tensor conv1d(const Tensor& weight, const Tensor& bias = {}, const Conv1d& = {}) const;
  /// Rows of this [n, ..] by int ids [..i] → [..i, ..].
  Tensor gather(const Tensor& ids) const;
  /// [..i] → [..i, classes] of i64: 1 where the id is the class.
  Tensor one_hot(Dim classes) const;
  /// softmax(q·kᵀ·scale + mask)·v: q [.., T, d], k, v [.., S, d]; an optional mask broadcasts to [.., T, S]
  /// and is added. Scale 0: 1/√d.
  static Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask = {}, double scale = 0);

  /// Writes `value` into this view of a realised tensor; the whole tensor afterwards:
  /// `cache.slice(1, pos, pos+T).assign(k)`. Reads through the result see the new values.
  Tensor assign(const Tensor& value) const;

  // ---- leaving laziness: realises, throws if Variables are unbound ----
  std::vector<float> to_floats() const;  // any float dtype; row-major
  std::vector<int64_t> to_ints() const;  // any integer dtype, bool
  float item() const;
  /// Computes this tensor now; the handle then refers to its memory.
  Tensor& realize();

 private:
  UOp uop_;
};

Tensor operator+(const Tensor&, const Tensor&);
Tensor operator-(const Tensor&, const Tensor&);
Tensor operator*(const Tensor&, const Tensor&);
Tensor operator/(const Tensor&, const Tensor&);
Tensor operator-(const Tensor&);
// A number takes the tensor's dtype when that can hold it: a fraction makes integers f32, any number makes bool i64.
Tensor operator+(const Tensor&, double);
Tensor operator-(const Tensor&, double);
Tensor operator*(const Tensor&, double);
Tensor operator/(const Tensor&, double);
Tensor operator+(double, const Tensor&);
Tensor operator-(double, const Tensor&);
Tensor operator*(double, const Tensor&);
Tensor operator/(double, const Tensor&);
Tensor operator<(const Tensor&, const Tensor&);
Tensor operator<=(const Tensor&, const Tensor&);
Tensor operator>(const Tensor&, const Tensor&);
Tensor operator>=(const Tensor&, const Tensor&);
Tensor operator==(const Tensor&, const Tensor&);
Tensor operator!=(const Tensor&, const Tensor&);
Tensor operator<(const Tensor&, double);
Tensor operator<(double, const Tensor&);
Tensor operator==(const Tensor&, double);
Tensor operator!=(const Tensor&, double);
Tensor operator&(const Tensor&, const Tensor&);  // bitwise on integers, logical on bool
Tensor operator|(const Tensor&, const Tensor&);
Tensor operator^(const Tensor&, const Tensor&);
// Integers only; right is arithmetic on signed ones. Amounts that are negative or no less than the bits shift everything out
// (of a negative number to the right: -1); as a number they are a UserError.
Tensor operator<<(const Tensor&, const Tensor&);
Tensor operator>>(const Tensor&, const Tensor&);
Tensor operator<<(const Tensor&, int64_t bits);
Tensor operator>>(const Tensor&, int64_t bits);

/// d(loss)/d(x) for each x of `wrt`; loss has one element. Zeros where the loss does not depend on x.
std::vector<Tensor> gradients(const Tensor& loss, const std::vector<Tensor>& wrt);

/// Shape of a tensor-level UOp (cached per node).
Shape shape_of(const UOp&);

}  // namespace pg
