// The tree of loops where values are kept nearer, as it reads.
#include <doctest/doctest.h>

#include "tests/uops/sample_kernels.h"
#include "tests/uops/scheduled.h"

using namespace pg;
using namespace pg::test;

namespace {
/// With vectors of 4 floats.
std::string nests(const UOp& kernel, const std::vector<std::string>& said) {
  return pretty(after("nests_opened", scheduled(kernel, said), Target{.vector_bytes = 16}));
}
}  // namespace

TEST_CASE("nests: a buffer is copied by rows of whole vectors, and read from there") {
  CHECK(nests(gemm(4, 8, 6), {"m", "n", "k", "stage(B,top,layout=k n)"}) ==
        "{ B_tile; for B_tile_0 < 6: B_tile[B_tile_0, B_tile_vectors:8*4 + B_tile_lane:4] = B[B_tile_0, "
        "B_tile_vectors:8*4 + B_tile_lane:4]; for m < 4: for n < 8: { acc; acc[0] = 0.0; for k < 6: acc[0] = acc[0] "
        "+ A[m, k]*B_tile[k, n]; out[m, n] = acc[0] } }");
}

TEST_CASE("nests: a copy stands at the entry of its loop's body") {
  CHECK(nests(gemm(4, 8, 6), {"n", "m", "k", "n:4", "stage(B,n,layout=k n)"}) ==
        "for n < 2: { B_tile; for B_tile_0 < 6: B_tile[B_tile_0, B_tile_lane:4] = B[B_tile_0, n*4 + B_tile_lane:4]; "
        "for m < 4: for k < 6: for n:4 < 4: { acc; acc[0] = 0.0; Prefetch(out[m, n*4 + n:4]); acc[0] = acc[0] + A[m, "
        "k]*B_tile[k, n:4]; if k == "
        "0: out[m, n*4 + n:4] = acc[0]; if !(k == 0): out[m, n*4 + n:4] = out[m, n*4 + n:4] + acc[0] } }");
}

TEST_CASE("nests: panels are walked by one index more") {
  CHECK(nests(gemm(4, 8, 6), {"n", "m", "k", "n:4 vec", "stage(B,top)"}) ==
        "{ B_tile; for B_tile_1 < 6: for B_tile_0 < 2: B_tile[B_tile_0, B_tile_1, B_tile_lane:4] = B[B_tile_1, "
        "B_tile_0*4 + B_tile_lane:4]; for n < 2: for m < 4: { acc; acc[0, n:4] = 0.0; for k < 6: acc[0, n:4] = "
        "acc[0, n:4] + A[m, k]*B_tile[n, k, n:4]; out[m, n*4 + n:4] = acc[0, n:4] } }");
}

TEST_CASE("nests: what a tile does not hold is zero: the end of the buffer, the padding of a row") {
  CHECK(nests(gemm(4, 6, 3), {"n", "m", "k", "n:4", "stage(B,n,layout=k n)"}) ==
        "for n < 2: { B_tile; for B_tile_0 < 3: B_tile[B_tile_0, B_tile_lane:4] = B[B_tile_0, n*4 + B_tile_lane:4] "
        "if n*4 + B_tile_lane:4 < 6; for m < 4: for k < 3: for n:4 < min(n*-4 + 6, 4): { acc; acc[0] = 0.0; Prefetch(out[m, "
        "n*4 + n:4]); acc[0] = "
        "acc[0] + A[m, k]*B_tile[k, n:4]; if k == 0: out[m, n*4 + n:4] = acc[0]; if !(k == 0): out[m, n*4 + n:4] = "
        "out[m, n*4 + n:4] + acc[0] } }");
}

TEST_CASE("nests: a padded window is copied with its zeros") {
  CHECK(nests(convolution(2, 2, 4, 4), {"y", "o", "x", "c", "ky", "kx", "stage(X,y)"}) ==
        "for y < 4: { X_tile; for X_tile_0 < 2: for X_tile_1 < 3: X_tile[X_tile_0, X_tile_1, X_tile_vectors:8*4 + "
        "X_tile_lane:4] = X[X_tile_0, y + -1 + X_tile_1, -1 + (X_tile_vectors:8*4 + X_tile_lane:4)] if "
        "X_tile_vectors:8*4 + X_tile_lane:4 < 6 & X_tile_1 + y < 5 & !(X_tile_1 + y < 1) & X_tile_vectors:8*4 + "
        "X_tile_lane:4 < 5 & !(X_tile_vectors:8*4 + X_tile_lane:4 < 1); for o < 2: for x < 4: { acc; acc[0] = 0.0; "
        "for c < 2: for ky < 3: for kx < 3: acc[0] = acc[0] + X_tile[c, ky, x + kx]*W[o, c, ky, kx]; out[o, y, x] = "
        "acc[0] } }");
}

TEST_CASE("nests: rows that an index picks are copied by the axes that pick them") {
  CHECK(nests(gather(3, 4, 9), {"i", "j", "stage(table,i)"}) ==
        "for i < 3: { table_tile; table_tile[table_tile_lane:4] = table[i64(ids[i]), table_tile_lane:4]; for j < 4: "
        "out[i, j] = table_tile[j] }");
}

TEST_CASE("nests: a staged elementwise definition has loops of its own") {
  CHECK(nests(softmax(3, 4), {"i", "j", "stage(E,i)"}) ==
        "for i < 3: { M; acc; acc[0] = -inf; for M_j < 4: acc[0] = max(acc[0], x[i, M_j]); M[0] = acc[0]; E; for E_j "
        "< 4: E[E_j] = exp(x[i, E_j] - M[0]); L; acc; acc[0] = 0.0; for L_j < 4: acc[0] = acc[0] + E[L_j]; L[0] = "
        "acc[0]; for j < 4: out[i, j] = E[j]/L[0] }");
}

TEST_CASE("nests: a definition's nest has its own tiles and order") {
  CHECK(nests(softmax(3, 8), {"i", "j", "M = i, j, j:4 vec"}) ==
        "for i < 3: { M; acc; acc[0, j:4] = -inf; for M_j < 2: acc[0, j:4] = max(acc[0, j:4], x[i, M_j*4 + j:4]); "
        "M[0] = max(acc[0, j:4], j:4); L; acc; acc[0] = 0.0; for L_j < 8: acc[0] = acc[0] + exp(x[i, L_j] - M[0]); "
        "L[0] = acc[0]; for j < 8: out[i, j] = exp(x[i, j] - M[0])/L[0] }");
}

TEST_CASE("nests: a definition computed inside its reader's reduce loop") {
  KernelWriter w;
  const UOp m = w.axis("m", 4), k = w.axis("k", 8), out = w.param("out", dt::f32, {4});
  const UOp d = w.define("D", alu(Op::Exp, read(w.param("x", dt::f32, {4, 8}), {m, k})), {m, k});
  const UOp kernel = w.output("sum", at(out, {m}), w.reduce("sum", d * d, {k}), {m});
  CHECK(nests(kernel, {"m", "k", "k:4", "stage(D,k)"}) ==
        "for m < 4: { acc; acc[0] = 0.0; for k < 2: { D; for D_k:4 < 4: D[D_k:4] = exp(x[m, k*4 + D_k:4]); for k:4 < "
        "4: acc[0] = acc[0] + D[k:4]*D[k:4] }; out[m] = acc[0] }");
}

TEST_CASE("nests: a copy asks for the lines of rows that it will come to") {
  CHECK(nests(gemm(4, 8, 16), {"n", "m", "k", "n:8 upcast", "n:8 vec", "stage(B,n)", "prefetch(B,n)"})
            .find("Prefetch(B[B_tile_0 + 8, ") != std::string::npos);
  CHECK(nests(gemm(4, 8, 16), {"n", "m", "k", "n:8 upcast", "n:8 vec", "stage(B,n)"}).find("Prefetch(B") ==
        std::string::npos);
}

TEST_CASE("nests: blocks of rows share out what is asked for of the next columns") {
  const auto hints = [](const UOp& rows, const std::vector<std::string>& said) {
    const UOp tree = after("registers_expanded", scheduled(gemm(rows, iconst(12), iconst(8), false, true), said));
    std::string all;
    for (const UOp& p : collect(tree, [](const UOp& u) { return u.is(Op::Prefetch); })) all += pretty(p) + " ";
    return all;
  };
  // Two blocks for four rows of B: two each. One: all of them.
  CHECK(hints(iconst(4), {"n", "m", "k", "m:2 upcast", "n:4 upcast", "k:8 vec", "prefetch(B,n)"}) ==
        "Prefetch(B[n*32 + m*16 + 32]) Prefetch(B[n*32 + m*16 + 40]) ");
  const std::string all = "Prefetch(B[n*32 + 32]) Prefetch(B[n*32 + 40]) Prefetch(B[n*32 + 48]) Prefetch(B[n*32 + 56]) ";
  CHECK(hints(iconst(2), {"n", "m", "k", "m:2 upcast", "n:4 upcast", "k:8 vec", "prefetch(B,n)"}) == all);
  // Three blocks for two rows: one each.
  CHECK(hints(iconst(6), {"n", "m", "k", "m:2 upcast", "n:2 upcast", "k:8 vec", "prefetch(B,n)"}) ==
        "Prefetch(B[n*16 + m*8 + 16]) ");
  // How many blocks there are is not known: each asks for all.
  CHECK(hints(variable("T", 1, 64), {"n", "m", "k", "m:2 upcast", "n:4 upcast", "k:8 vec", "prefetch(B,n)"}) == all);
}
