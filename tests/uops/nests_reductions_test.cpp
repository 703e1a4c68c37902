// The tree of loops of reductions that share loops, are rescaled, padded or computed in parts, as it reads.
#include <doctest/doctest.h>

#include "tests/uops/sample_kernels.h"
#include "tests/uops/scheduled.h"

using namespace pg;
using namespace pg::test;

namespace {
std::string nests(const UOp& kernel, const std::vector<std::string>& said) {
  return pretty(after("nests_opened", scheduled(kernel, said)));
}
}  // namespace

TEST_CASE("nests: fused definitions share their loops") {
  CHECK(nests(two_sums(3, 4), {"i", "j", "fuse(j)"}) ==
        "for i < 3: { A; B; acc; acc[0] = 0.0; acc; acc[0] = 0.0; for A_j < 4: { acc[0] = acc[0] + x[i, A_j]; acc[0] "
        "= acc[0] + x[i, A_j]*x[i, A_j] }; A[0] = acc[0]; B[0] = acc[0]; for j < 4: out[i, j] = x[i, j]*A[0] + B[0] }");
}

TEST_CASE("nests: rescaled, the running maximum and sums live outside the loop") {
  KernelWriter w;
  const UOp i = w.axis("i", 2), j = w.axis("j", 8), out = w.param("out", dt::f32, {2}),
            x = read(w.param("x", dt::f32, {2, 8}), {i, j});
  const UOp m = w.define("M", w.reduce("max", x, {j}), {i});
  const UOp kernel = w.output("sum", at(out, {i}), w.reduce("sum", alu(Op::Exp, x - m), {j}), {i});
  CHECK(nests(kernel, {"i", "j", "j:4", "online(j)"}) ==
        "for i < 2: { out_partial; M; M[0] = -3.4028234663852886e+38; M_scale; for j < 2: { acc; acc[0] = -inf; for "
        "M_j:4 < 4: acc[0] = max(acc[0], x[i, j*4 + M_j:4]); StoreAll(M_scale[0] = exp(M[0] - max(M[0], acc[0])), "
        "M[0] = max(M[0], acc[0])); acc; acc[0] = 0.0; Prefetch(out_partial[0]); for j:4 < 4: acc[0] = acc[0] + exp(x[i, "
        "j*4 + j:4] - M[0]); "
        "if j == 0: out_partial[0] = acc[0]; if !(j == 0): out_partial[0] = out_partial[0]*M_scale[0] + acc[0]; if "
        "!(j < 1): out[i] = out_partial[0] } }");
}

TEST_CASE("nests: a padded axis runs over its end, behind a gate") {
  CHECK(nests(relu(iconst(10)), {"i", "i:4 upcast", "pad(i,4)"}) ==
        "for i < 3: out[i*4 + i:4] = max((x[i*4 + i:4] if i*4 + i:4 < 10) + 1.0, 0.0) if i*4 + i:4 < 10");
  CHECK(nests(relu(iconst(8)), {"i", "i:4 upcast", "pad(i,4)"}) == nests(relu(iconst(8)), {"i", "i:4 upcast"}));
  CHECK(nests(total(iconst(10)), {"i", "i:4 upcast", "pad(i,4)"}) ==
        "{ acc; acc[i:4] = 0.0; for i < 3: acc[i:4] = acc[i:4] + (i*4 + i:4 < 10 ? (x[i*4 + i:4] if i*4 + i:4 < 10) "
        ": 0.0) if i*4 + i:4 < 10; out[0] = sum(acc[i:4], i:4) }");
}

TEST_CASE("nests: parts of a sum, then a second grid that adds them") {
  CHECK(nests(total(iconst(8)), {"i grid", "i:4"}) ==
        "{ for item < 2: { acc; acc[0] = 0.0; for i:4 < 4: acc[0] = acc[0] + x[item*4 + i:4]; parts0[item] = acc[0] "
        "}; for item < 1: { acc; acc[0] = 0.0; for part < 2: acc[0] = acc[0] + parts0[part]; out[0] = acc[0] } }");
  CHECK(nests(gemm(2, 3, 8), {"m grid", "k grid", "n", "k:4"}) ==
        "{ for item < 4: for n < 3: { acc; acc[0] = 0.0; for k:4 < 4: acc[0] = acc[0] + A[item/2, item%2*4 + "
        "k:4]*B[item%2*4 + k:4, n]; parts0[item%2, item/2, n] = acc[0] }; for item < 2: for n < 3: { acc; acc[0] = "
        "0.0; for part < 2: acc[0] = acc[0] + parts0[part, item, n]; out[item, n] = acc[0] } }");
}

TEST_CASE("nests: the epilogue comes with the second grid") {
  KernelWriter w;
  const UOp i = w.axis("i", 8), out = w.param("out", dt::f32, {1}), x = read(w.param("x", dt::f32, {8}), {i});
  const UOp kernel = w.output("root", at(out, {iconst(0)}), alu(Op::Sqrt, w.reduce("sum", x * x, {i})), {});
  CHECK(nests(kernel, {"i grid", "i:4"}) ==
        "{ for item < 2: { acc; acc[0] = 0.0; for i:4 < 4: acc[0] = acc[0] + x[item*4 + i:4]*x[item*4 + i:4]; "
        "parts0[item] = acc[0] }; for item < 1: { acc; acc[0] = 0.0; for part < 2: acc[0] = acc[0] + parts0[part]; "
        "out[0] = sqrt(acc[0]) } }");
}

TEST_CASE("nests: parts that an output loop crosses are merged before they are kept") {
  CHECK(nests(gemm(2, 3, 16), {"k grid", "k:8", "m", "n", "k:2"}) ==
        "{ for item < 2: { out_partial; for k:8 < 4: for m < 2: for n < 3: { acc; acc[0] = 0.0; Prefetch(out_partial[m, "
        "n]); for k:2 < 2: acc[0] "
        "= acc[0] + A[m, item*8 + k:8*2 + k:2]*B[item*8 + k:8*2 + k:2, n]; if k:8 == 0: out_partial[m, n] = acc[0]; "
        "if !(k:8 == 0): out_partial[m, n] = out_partial[m, n] + acc[0]; if !(item*4 + k:8 < 7) | k:8 == 3: "
        "parts0[item, m, n] = out_partial[m, n] } }; for item < 1: for m < 2: for n < 3: { acc; acc[0] = 0.0; for "
        "part < 2: acc[0] = acc[0] + parts0[part, m, n]; out[m, n] = acc[0] } }");
}

TEST_CASE("nests: steps of a sum that share a factor from memory are summed before it") {
  const UOp kernel = packed_gemm(1, 4, 128);
  const Target target{.vector_bytes = 64};
  const auto arithmetic = [&](const std::vector<std::string>& said, Op op) {
    return count(lower(scheduled(kernel, said), target), op);
  };
  // A block: q·a, + q·a, · d + acc, where by itself each step multiplies by d.
  const std::vector<std::string> shared = {"n", "k", "k:32 unroll", "k:16 vec"},
                                 apart = {"n", "k", "k:32 upcast", "k:16 vec"};
  CHECK(arithmetic(shared, Op::Mul) - arithmetic(apart, Op::Mul) < 0);
  CHECK(arithmetic(shared, Op::Fma) == 2);
  CHECK(arithmetic(apart, Op::Fma) == 2);
  const std::vector<float> wanted = packed_product(lower(scheduled(kernel, {"n", "k"}), {}), 1, 4, 128);
  for (const auto& said : {shared,
                           apart,
                           {"n", "k", "n:4 upcast", "k:64 upcast", "k:32 unroll", "k:16 vec"},
                           {"n", "k", "k:128 unroll", "k:16 vec"}})
    CHECK(packed_product(lower(scheduled(kernel, said), target), 1, 4, 128) == wanted);
}
TEST_CASE("nests: a product that several results share is not taken apart") {
  const UOp kernel = packed_gemm(4, 4, 64);
  const Target target{.vector_bytes = 64};
  const UOp together = lower(scheduled(kernel, {"m", "n", "k", "m:2 upcast", "k:32 unroll", "k:16 vec"}), target);
  CHECK(count(together, Op::Fma) == 4);  // one for each result and step
  CHECK(packed_product(together, 4, 4, 64) == packed_product(lower(scheduled(kernel, {"m", "n", "k"}), {}), 4, 4, 64));
}
