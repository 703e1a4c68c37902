// What einsum and attention are lowered to (values: operators_test.cpp).
#include "src/tensor/einsum.h"

#include <doctest/doctest.h>

#include "src/graph/partition.h"
#include "src/tensor/shape.h"

using namespace pg;

namespace {
size_t kernels(const Tensor& t) { return partition({t.uop()}).kernels.size(); }
}  // namespace

TEST_CASE("einsum: a matmul is the same graph as matmul's") {
  const Tensor a = Tensor::empty({4, 5}), b = Tensor::empty({5, 6}), c = Tensor::empty({3, 4, 5}),
               d = Tensor::empty({3, 5, 6});
  CHECK(einsum("ik,kj->ij", {a, b}).uop() == a.matmul(b).uop());
  CHECK(einsum("ik, kj", {a, b}).uop() == a.matmul(b).uop());
  CHECK(einsum("bik,bkj->bij", {c, d}).uop() == c.matmul(d).uop());
  CHECK(einsum("...ik,...kj->...ij", {c, d}).uop() == c.matmul(d).uop());
  CHECK(einsum("bik,kj->bij", {c, b}).uop() == c.matmul(b).uop());
  const Tensor half = a.cast(dt::f16), other = b.cast(dt::f16);
  CHECK(einsum("ik,kj->ij", {half, other}).uop() == half.matmul(other).uop());
}

TEST_CASE("einsum: one kernel a product, and none for views") {
  const Tensor a = Tensor::empty({4, 5}), b = Tensor::empty({5, 6}), c = Tensor::empty({6, 2}),
               square = Tensor::empty({5, 5});
  CHECK(kernels(einsum("ik,jk->ji", {a, a})) == 1);
  CHECK(kernels(einsum("ik,kj,jl->il", {a, b, c})) == 2);
  CHECK(kernels(einsum("bthd,bshd->bhts", {Tensor::empty({2, 3, 4, 5}), Tensor::empty({2, 7, 4, 5})})) == 1);
  CHECK(kernels(einsum("ii,ij->ij", {square, square})) == 1);
  CHECK(einsum("ij->ji", {a}).uop() == a.transpose().uop());
  CHECK(einsum("ij->ij", {a}).uop() == a.uop());
}

TEST_CASE("attention: heads that share keys take as many kernels, and no memory for repeated keys") {
  const Tensor q = Tensor::empty({8, 16, 32}), k = Tensor::empty({2, 64, 32}), all = Tensor::empty({8, 64, 32});
  const Plan plan = partition({Tensor::attention(q, k, k).uop()});
  CHECK(plan.kernels.size() == partition({Tensor::attention(q, all, all).uop()}).kernels.size());
  for (const PlannedKernel& kernel : plan.kernels)
    for (const UOp& buffer : kernel.buffers) CHECK(element_count(shape_of(buffer)).number().value() != 8 * 64 * 32);
  CHECK(kernels(Tensor::attention(q, k, k, {}, 0, true)) == plan.kernels.size());  // the mask is computed where it is used
}
