// Products: a matmul is one broadcast multiplication [.., M, N, K] summed over K; the scheduler makes it fast.
#include <cmath>

#include "src/tensor/shape.h"

namespace pg {

Tensor Tensor::matmul(const Tensor& o) const {
  const auto fail = [&](const std::string& what) {
    throw UserError("matmul: " + what + ": " + text(shape()) + " x " + text(o.shape()));
  };
  if (rank() == 0 || o.rank() == 0) fail("an operand has no axes");
  const Tensor a = rank() == 1 ? unsqueeze(0) : *this, b = o.rank() == 1 ? o.unsqueeze(1) : o;
  const Shape left = a.shape(), right = b.shape();
  if (!same(left.back(), right[right.size() - 2])) fail("inner sizes differ");
  try {
    broadcast_shape("", Shape(left.begin(), left.end() - 2), Shape(right.begin(), right.end() - 2));
  } catch (const UserError&) {
    fail("leading axes do not broadcast");
  }
  const DType dtype = promote(a.dtype(), b.dtype());
  const DType wide = dtype.is_float() ? dt::f32 : dtype;    // 16-bit floats add up in f32, rounded once
  const Tensor x = a.cast(wide).unsqueeze(-2);              // [.., M, 1, K]
  const Tensor w = b.cast(wide).transpose().unsqueeze(-3);  // [.., 1, N, K]
  Tensor y = (x * w).sum({-1}).cast(dtype);                 // [.., M, N]
  if (o.rank() == 1) y = y.squeeze(-1);
  if (rank() == 1) y = y.squeeze(o.rank() == 1 ? -1 : -2);
  return y;
}

Tensor Tensor::attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, double scale) {
  if (q.rank() < 2 || k.rank() < 2 || v.rank() < 2)
    throw UserError("attention: q " + text(q.shape()) + ", k " + text(k.shape()) + ", v " + text(v.shape()) +
                    " need at least 2 axes");
  if (scale == 0) scale = 1 / std::sqrt(static_cast<double>(known_count("attention", {q.shape().back()})));
  return with_context("attention of q " + text(q.shape()) + ", k " + text(k.shape()) + ", v " + text(v.shape()), [&] {
    Tensor scores = q.matmul(k.transpose()) * scale;  // [.., T, S]
    if (mask) scores = scores + mask;
    return scores.softmax(-1).matmul(v);
  });
}

}  // namespace pg
