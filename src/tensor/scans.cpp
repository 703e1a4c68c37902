// Running sums and products along an axis: within blocks by a triangle of choices, then the blocks' totals by the same, so
// that n elements cost n * kBlock steps in about two kernels a level, and sums are as exact as those of a tree.
#include <algorithm>

#include "src/tensor/shape.h"

namespace pg {

namespace {

constexpr int64_t kBlock = 32;

/// A running reduction over the last axis: `reduce` reduces an axis, `join` combines two, `neutral` changes nothing.
struct Scan {
  Tensor (*reduce)(const Tensor&, int axis);
  Tensor (*join)(const Tensor&, const Tensor&);
  double neutral;
};
constexpr Scan kSum{[](const Tensor& x, int axis) { return x.sum({axis}); },
                    [](const Tensor& a, const Tensor& b) { return a + b; }, 0};
constexpr Scan kProduct{[](const Tensor& x, int axis) { return x.prod({axis}); },
                        [](const Tensor& a, const Tensor& b) { return a * b; }, 1};

/// y_i = x_0 .. x_i, or without x_i: of each i the last axis where j is not beyond it.
Tensor triangle(const Tensor& x, const Scan& scan, bool with_own) {
  const Dim n = x.shape().back();
  const Tensor i = Tensor::arange(n).unsqueeze(-1), j = Tensor::arange(n);
  return scan.reduce(Tensor::where(with_own ? j <= i : j < i, x.unsqueeze(-2), Tensor::full({}, scan.neutral, x.dtype())),
                     -1);
}

Tensor running(const Tensor& x, const Scan& scan, bool with_own) {
  const Shape shape = x.shape();
  const auto n = shape.back().number();
  if (!n || *n <= 2 * kBlock) return triangle(x, scan, with_own);
  const int64_t blocks = (*n + kBlock - 1) / kBlock;
  std::vector<std::pair<Dim, Dim>> around(shape.size(), {0, 0});
  around.back().second = blocks * kBlock - *n;
  Shape cut(shape.begin(), shape.end() - 1), whole = cut;
  cut.insert(cut.end(), {blocks, kBlock});
  whole.push_back(blocks * kBlock);
  const Tensor rows = x.pad(around, scan.neutral).reshape(cut);  // [.., blocks, kBlock]
  const Tensor before = running(scan.reduce(rows, -1), scan, false);
  const Tensor y = scan.join(triangle(rows, scan, with_own), before.unsqueeze(-1));
  return y.reshape(whole).slice(-1, 0, *n);
}

/// As sum() and prod(): integers in i64, 16-bit floats in f32, rounded once.
Tensor scanned(const char* op, const Tensor& x, int axis, const Scan& scan) {
  const int at = checked_axis(op, axis, x.shape());
  const Tensor wide = x.cast(x.dtype().is_float() ? dt::f32 : dt::i64).transpose(at, -1);
  const Tensor y = running(wide, scan, true).transpose(at, -1);
  return x.dtype().is_float() ? y.cast(x.dtype()) : y;
}

}  // namespace

Tensor Tensor::cumsum(int axis) const { return scanned("cumsum", *this, axis, kSum); }
Tensor Tensor::cumprod(int axis) const { return scanned("cumprod", *this, axis, kProduct); }

}  // namespace pg
