// Products: a matmul is one broadcast multiplication [.., M, N, K] summed over K; the scheduler makes it fast.
#include <cmath>
#include <limits>

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

namespace {
/// The keys that each query may see, [T, S].
Tensor causal_mask(const Dim& queries, const Dim& keys) {
  const Tensor last = Tensor::arange(queries, dt::i64) + Tensor::scalar(keys - queries, dt::i64);
  return Tensor::arange(keys, dt::i64) <= last.unsqueeze(-1);
}
/// [.., T, S] → [.., G, H/G, T, S]: as the heads of q are taken apart. A mask for all heads alike has an extent of 1 there.
Tensor grouped(const Tensor& mask, const Dim& groups, const Dim& each) {
  if (mask.rank() < 3) return mask;
  Shape shape = mask.shape();
  const size_t heads = shape.size() - 3;
  const bool alike = shape[heads].number() == 1;
  shape[heads] = alike ? Dim(1) : groups;
  shape.insert(shape.begin() + static_cast<int64_t>(heads) + 1, alike ? Dim(1) : each);
  return mask.reshape(std::move(shape));
}
}  // namespace

Tensor Tensor::attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, double scale, bool causal) {
  if (q.rank() < 2 || k.rank() < 2 || v.rank() < 2)
    throw UserError("attention: q " + text(q.shape()) + ", k " + text(k.shape()) + ", v " + text(v.shape()) +
                    " need at least 2 axes");
  if (scale == 0) scale = 1 / std::sqrt(static_cast<double>(known_count("attention", {q.shape().back()})));
  const Shape of_q = q.shape(), of_k = k.shape();
  if (q.rank() > 2 && q.rank() == k.rank() && q.rank() == v.rank()) {
    const size_t at = of_q.size() - 3;
    const auto heads = of_q[at].number(), groups = of_k[at].number();
    if (heads && groups && *heads != *groups && *groups > 1) {
      if (*heads % *groups != 0)
        throw UserError("attention: " + std::to_string(*heads) + " heads of q " + text(of_q) + " do not share the " +
                        std::to_string(*groups) + " of k " + text(of_k) + " evenly");
      Shape split = of_q;
      split[at] = *groups;
      split.insert(split.begin() + static_cast<int64_t>(at) + 1, *heads / *groups);
      const Tensor y = attention(q.reshape(split), k.unsqueeze(-3), v.unsqueeze(-3),
                                 mask ? grouped(mask, *groups, *heads / *groups) : mask, scale, causal);
      Shape merged = y.shape();
      merged.erase(merged.begin() + static_cast<int64_t>(at));
      merged[at] = *heads;
      return y.reshape(merged);
    }
  }
  return with_context("attention of q " + text(of_q) + ", k " + text(of_k) + ", v " + text(v.shape()), [&] {
    Tensor scores = q.matmul(k.transpose()) * scale;  // [.., T, S]
    const Tensor never = full({}, -std::numeric_limits<double>::infinity(), scores.dtype());
    if (mask) scores = mask.dtype().is_bool() ? where(mask, scores, never) : scores + mask;
    if (causal) scores = where(causal_mask(of_q[of_q.size() - 2], of_k[of_k.size() - 2]), scores, never);
    return scores.softmax(-1).matmul(v);
  });
}

}  // namespace pg
