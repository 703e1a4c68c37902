// The tree of loops, as it reads.
#include <doctest/doctest.h>

#include "tests/uops/sample_kernels.h"
#include "tests/uops/scheduled.h"

using namespace pg;
using namespace pg::test;

namespace {
std::string nests(const UOp& kernel, const std::vector<std::string>& ranges) {
  return pretty(after("nests_opened", scheduled(kernel, ranges)));
}
}  // namespace

TEST_CASE("nests: accumulators live outside the reduce loop, the store comes after it") {
  CHECK(nests(gemm(4, 4, 8), {"m", "n", "k"}) ==
        "for m < 4: for n < 4: { acc; acc[0] = 0.0; for k < 8: acc[0] = acc[0] + A[m, k]*B[k, n]; out[m, n] = acc[0] }");
}

TEST_CASE("nests: an accumulator for each element of the register block") {
  const UOp tree =
      after("nests_opened", scheduled(gemm(8, 64, 8), {"m", "n", "k", "m:4 upcast", "n:32 upcast", "n:16 vec"}));
  const UOps memories = collect(tree, [](const UOp& u) { return u.is(Op::Memory); });
  REQUIRE(memories.size() == 1);
  CHECK(memories[0].dtype() == dt::f32.vec(16));
  CHECK(pretty(memories[0].src(0)) == "4");  // rows
  CHECK(pretty(memories[0].src(1)) == "2");  // vectors of a row
}

TEST_CASE("nests: an unrolled reduce range shares its accumulator, an upcast or vec one has its own and is merged") {
  CHECK(nests(total(iconst(8)), {"i", "i:4 unroll"}) ==
        "{ acc; acc[0] = 0.0; for i < 2: for i:4 < 4: acc[0] = acc[0] + x[i*4 + i:4]; out[0] = acc[0] }");
  CHECK(nests(total(iconst(8)), {"i", "i:4 upcast"}) ==
        "{ acc; acc[i:4] = 0.0; for i < 2: acc[i:4] = acc[i:4] + x[i*4 + i:4]; out[0] = sum(acc[i:4], i:4) }");
  CHECK(nests(total(iconst(8)), {"i", "i:4 vec"}) ==
        "{ acc; acc[0, i:4] = 0.0; for i < 2: acc[0, i:4] = acc[0, i:4] + x[i*4 + i:4]; out[0] = sum(acc[0, i:4], i:4) }");
}

TEST_CASE("nests: a ragged axis has one tail, peeled after its loop") {
  CHECK(nests(relu(iconst(10)), {"i", "i:4 upcast"}) ==
        "{ for i < 2: out[i*4 + i:4] = max(x[i*4 + i:4] + 1.0, 0.0); "
        "out[8 + i:4] = max((x[8 + i:4] if i:4 < 2) + 1.0, 0.0) if i:4 < 2 }");
}

TEST_CASE("nests: an axis that its register tile divides has no tail, one shorter than it only a tail") {
  CHECK(nests(relu(iconst(8)), {"i", "i:4 upcast"}) == "for i < 2: out[i*4 + i:4] = max(x[i*4 + i:4] + 1.0, 0.0)");
  CHECK(nests(relu(iconst(4)), {"i", "i:4 upcast"}) == "out[i:4] = max(x[i:4] + 1.0, 0.0)");
  CHECK(nests(relu(iconst(3)), {"i", "i:4 upcast"}) == "out[i:4] = max((x[i:4] if i:4 < 3) + 1.0, 0.0) if i:4 < 3");
}

TEST_CASE("nests: loop tiles without a register tile are clipped, not peeled") {
  CHECK(nests(relu(iconst(10)), {"i", "i:4"}) ==
        "for i < 3: for i:4 < min(i*-4 + 10, 4): out[i*4 + i:4] = max(x[i*4 + i:4] + 1.0, 0.0)");
}

TEST_CASE("nests: the tail stands in the innermost loop of its axis") {
  CHECK(nests(relu(iconst(22)), {"i", "i:8", "i:4 upcast"}).find("for i < 3: { for i:8 < min(i*-8 + 22, 8)/4: ") == 0);
}

TEST_CASE("nests: tails nest: two ragged axes have four bodies, three have eight") {
  const auto stores = [](const UOp& kernel, const std::vector<std::string>& ranges) {
    return collect(after("nests_opened", scheduled(kernel, ranges)),
                   [](const UOp& u) { return u.is(Op::Store) && u.src(0).src(0).is(Op::Param); })
        .size();
  };
  CHECK(stores(gemm(8, 8, 8), {"m", "n", "k", "m:4 upcast", "n:4 upcast"}) == 1);
  CHECK(stores(gemm(9, 8, 8), {"m", "n", "k", "m:4 upcast", "n:4 upcast"}) == 2);
  CHECK(stores(gemm(9, 9, 8), {"m", "n", "k", "m:4 upcast", "n:4 upcast"}) == 4);
  CHECK(stores(convolution(2, 5, 5, 5), {"o", "y", "x", "c", "ky", "kx", "o:4 upcast", "y:4 upcast", "x:4 upcast"}) == 8);
}

TEST_CASE("nests: in a reduction's tail the body's value is neutral, after it was evaluated") {
  const std::string tree = nests(softmax(3, 6), {"i", "j", "j:4 upcast"});
  CHECK(tree.find("max(acc[j:4], j:4 < 2 ? (x[i, 4 + j:4] if j:4 < 2) : -inf)") != tree.npos);
  CHECK(tree.find("acc[j:4] + (j:4 < 2 ? exp((x[i, 4 + j:4] if j:4 < 2) - M[0]) : 0.0)") != tree.npos);
}

TEST_CASE("nests: row reductions are computed at the row loop, before the elements") {
  CHECK(nests(softmax(3, 4), {"i", "j"}) ==
        "for i < 3: { M; acc; acc[0] = -inf; for M_j < 4: acc[0] = max(acc[0], x[i, M_j]); M[0] = acc[0]; "
        "L; acc; acc[0] = 0.0; for L_j < 4: acc[0] = acc[0] + exp(x[i, L_j] - M[0]); L[0] = acc[0]; "
        "for j < 4: out[i, j] = exp(x[i, j] - M[0])/L[0] }");
}

TEST_CASE("nests: with the elements' loop outermost the rows are computed before it, all of them") {
  const std::string tree = nests(softmax(3, 4), {"j", "i"});
  CHECK(tree.find("for j < 4: for i < 3: { acc[0] = -inf") == tree.npos);
  CHECK(tree.ends_with("for j < 4: for i < 3: out[i, j] = exp(x[i, j] - M[i])/L[i] }"));
}

TEST_CASE("nests: a reduce loop outside an output loop merges in the output when nothing follows the sum") {
  CHECK(nests(gemm(4, 4, 8), {"k", "m", "n"}) ==
        "for k < 8: for m < 4: for n < 4: { acc; acc[0] = 0.0; Prefetch(out[m, n]); acc[0] = acc[0] + A[m, k]*B[k, n]; "
        "if k == 0: out[m, n] = acc[0]; if !(k == 0): out[m, n] = out[m, n] + acc[0] }");
}

TEST_CASE("nests: with an epilogue it merges in private memory, and the last part stores") {
  KernelWriter w;
  const UOp i = w.axis("i", 4), k = w.axis("k", 8), out = w.param("out", dt::f32, {4}),
            x = read(w.param("x", dt::f32, {4, 8}), {i, k});
  const UOp kernel = w.output("relu", at(out, {i}), alu(Op::Max, w.reduce("sum", x, {k}), constant(dt::f32, 0.0)), {i});
  CHECK(nests(kernel, {"k", "i"}) ==
        "{ out_partial; for k < 8: for i < 4: { acc; acc[0] = 0.0; Prefetch(out_partial[i]); acc[0] = acc[0] + x[i, k]; "
        "if k == 0: out_partial[i] = acc[0]; if !(k == 0): out_partial[i] = out_partial[i] + acc[0]; "
        "if !(k < 7): out[i] = max(out_partial[i], 0.0) } }");
}

TEST_CASE("nests: the grid is one loop over items, and its ranges are the item's digits") {
  const std::string tree = nests(gemm(6, 10, 8), {"n grid", "m grid", "k"});
  CHECK(tree.find("for item < 60: ") == 0);
  CHECK(tree.find("out[item%6, item/6] = acc[0]") != tree.npos);
}

TEST_CASE("nests: a symbolic axis tests at run time whether there is a tail") {
  const UOp n = variable("n", 1, 100);
  CHECK(nests(relu(n), {"i", "i:4 upcast"}) ==
        "{ for i < n/4: out[i*4 + i:4] = max(x[i*4 + i:4] + 1.0, 0.0); "
        "if n/4*4 < n: out[n/4*4 + i:4] = max((x[n/4*4 + i:4] if i:4 < n%4) + 1.0, 0.0) if i:4 < n%4 }");
  CHECK(nests(relu(n * iconst(4)), {"i", "i:4 upcast"}) == "for i < n: out[i*4 + i:4] = max(x[i*4 + i:4] + 1.0, 0.0)");
}

TEST_CASE("nests: a symbolic extent's private memory has room for its bound") {
  const UOp tree = after("nests_opened", scheduled(softmax(variable("n", 1, 10), iconst(4)), {"j", "i", "i:4 upcast"}));
  const UOps memories = collect(tree, [](const UOp& u) { return u.is(Op::Memory) && u.arg_as<ParamArg>().name != "acc"; });
  CHECK(memories.size() == 4);  // M and L, and where they are merged: j stands outside i in their nests too
  for (const UOp& m : memories) CHECK(pretty(m.src(0)) == "12");
}

TEST_CASE("nests: hints name what the next turn reads, where there is a next turn") {
  CHECK(nests(softmax(3, 4), {"i", "j", "stage(E,i)", "prefetch(x,i)"}).find(
            "for E_j < 4: { Prefetch(x[i + 1, E_j]); E[E_j] = exp(x[i, E_j] - M[0]) }") != std::string::npos);
  CHECK(nests(relu(iconst(10)), {"i", "i:4 upcast", "prefetch(x,i)"}) ==
        "{ for i < 2: { Prefetch(x[(i + 1)*4 + i:4]); out[i*4 + i:4] = max(x[i*4 + i:4] + 1.0, 0.0) }; "
        "out[8 + i:4] = max((x[8 + i:4] if i:4 < 2) + 1.0, 0.0) if i:4 < 2 }");
  // The clipped loop inside is the same loop, whatever turn the one outside is at.
  CHECK(nests(relu(iconst(10)), {"i", "i:4", "prefetch(x,i)"}) ==
        "for i < 3: for i:4 < min(i*-4 + 10, 4): { Prefetch(x[(i + 1)*4 + i:4]); out[i*4 + i:4] = max(x[i*4 + i:4] + "
        "1.0, 0.0) }");
  // Of a grid: the next item.
  CHECK(nests(relu(iconst(8)), {"i grid", "i:4 vec", "prefetch(x,i)"}) ==
        "for item < 2: { Prefetch(x[(item + 1)*4 + i:4]); out[item*4 + i:4] = max(x[item*4 + i:4] + 1.0, 0.0) }");
}
