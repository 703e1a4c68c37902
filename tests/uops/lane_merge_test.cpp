// Results of vectors along a sum: merged together, and computed on together.
#include "uops/lane_merge.h"

#include <doctest/doctest.h>

#include "tests/uops/sample_kernels.h"
#include "tests/uops/scheduled.h"

using namespace pg;
using namespace pg::test;

namespace {

/// What is stored to the output: lanes of each store.
std::vector<int> lanes_stored(const UOp& kernel, const std::vector<std::string>& said) {
  std::vector<int> lanes;
  for (const UOp& s : collect(after("registers_expanded", scheduled(kernel, said)),
                              [](const UOp& u) { return u.is(Op::Store) && u.src(0).src(0).is(Op::Param); }))
    lanes.push_back(s.src(1).dtype().lanes);
  return lanes;
}
/// max(sum + bias[n], 0), out[m,n], or stored the other way round.
UOp biased(int64_t rows, int64_t columns, int64_t depth, bool turned = false) {
  KernelWriter w;
  const UOp m = w.axis("m", iconst(rows)), n = w.axis("n", iconst(columns)), k = w.axis("k", iconst(depth));
  const UOp out =
      w.param("out", dt::f32, turned ? UOps{iconst(columns), iconst(rows)} : UOps{iconst(rows), iconst(columns)});
  const UOp a = read(w.param("A", dt::f32, UOps{iconst(rows), iconst(depth)}), {m, k}),
            b = read(w.param("B", dt::f32, UOps{iconst(columns), iconst(depth)}), {n, k}),
            bias = read(w.param("bias", dt::f32, UOps{iconst(columns)}), {n});
  return w.output("biased", turned ? at(out, {n, m}) : at(out, {m, n}),
                  alu(Op::Max, w.reduce("sum", a * b, {k}) + bias, constant(dt::f32, 0.0)), {m, n});
}
/// By a schedule, in the interpreter; numbers such that sums are exact in any order.
std::vector<float> result(const UOp& kernel, int64_t rows, int64_t columns, int64_t depth,
                          const std::vector<std::string>& said) {
  std::vector<float> out(rows * columns, -1), a(rows * depth), b(columns * depth), bias(columns);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i * 7 % 11) - 5;
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i * 5 % 13) - 6;
  for (size_t i = 0; i < bias.size(); ++i) bias[i] = static_cast<float>(i * 3 % 7);
  interpret(lower(scheduled(kernel, said), {}),
            std::vector<HostBuffer>{
                {out.data(), rows * columns}, {a.data(), rows * depth}, {b.data(), columns * depth}, {bias.data(), columns}},
            {});
  return out;
}

}  // namespace

TEST_CASE("lane merge: each result's lanes are combined in the order in which it would be alone") {
  const Reducer& sum = reducer("sum");
  for (const int lanes : {2, 4, 8, 16})
    for (int count = 1; count <= lanes; count *= 2) {
      UOps memories;
      std::vector<UOps> results;
      for (int i = 0; i < count; ++i)
        results.push_back({load(UOp(Op::Index, dt::f32.vec(lanes), {},
                                    {UOp(Op::Memory, dt::f32.vec(lanes), ParamArg{i, "acc"}, {iconst(1)}), iconst(0)}))});
      const UOp together = lanes_merged(sum, results)[0];
      CHECK(together.dtype().lanes == count);
      // Two results share the two shuffles and the combination of a turn.
      int64_t turns = 0;
      for (int width = lanes, vectors = count; width > 1; width /= 2) turns += vectors = std::max(1, vectors / 2);
      CHECK(pg::test::count(together, Op::Add) == turns);
      CHECK(pg::test::count(together, Op::Shuffle) == 2 * turns);
    }
}

TEST_CASE("lane merge: 2, 4, 8 neighbours are stored as one, others one by one") {
  CHECK(lanes_stored(gemm(2, 8, 32, false, true), {"m", "n", "k", "n:4 upcast", "k:16 vec"}) == std::vector{4});
  CHECK(lanes_stored(gemm(2, 8, 32, false, true), {"m", "n", "k", "n:8 upcast", "k:8 vec"}) == std::vector{8});
  CHECK(lanes_stored(gemm(4, 8, 32, false, true), {"m", "n", "k", "m:2 upcast", "n:2 upcast", "k:16 vec"}) ==
        std::vector{2, 2});
  CHECK(lanes_stored(gemm(2, 6, 32, false, true), {"m", "n", "k", "n:3 upcast", "k:16 vec"}) == std::vector{1, 1, 1});
  CHECK(lanes_stored(gemm(2, 16, 32, false, true), {"m", "n", "k", "n:8 upcast", "k:4 vec"}) == std::vector<int>(8, 1));
  CHECK(lanes_stored(biased(2, 8, 32, true), {"m", "n", "k", "n:4 upcast", "k:16 vec"}) == std::vector<int>(4, 1));
}

TEST_CASE("lane merge: what is computed on the results is computed on all of them, also of a sum in parts") {
  CHECK(lanes_stored(biased(2, 8, 32), {"m", "n", "k", "n:4 upcast", "k:16 vec"}) == std::vector{4});
  CHECK(lanes_stored(biased(2, 8, 64), {"k", "n", "m", "k:32", "n:4 upcast", "k:16 vec"}) == std::vector{4});
}

TEST_CASE("lane merge: variables that stand for accumulators stay single numbers") {
  CHECK(lanes_stored(gemm(4, 8, 32), {"m", "n", "k", "n:4 upcast"}) == std::vector<int>(4, 1));
}

TEST_CASE("lane merge: results are those of the kernel, in tails too") {
  for (const auto& [m, n, k] : {std::array{2, 4, 48}, std::array{3, 7, 33}, std::array{5, 22, 70}, std::array{8, 16, 64}}) {
    const UOp kernel = biased(m, n, k);
    const std::vector<float> wanted = result(kernel, m, n, k, {"m", "n", "k"});
    for (const std::vector<std::string>& said : {std::vector<std::string>{"m", "n", "k", "n:4 upcast", "k:16 vec"},
                                                 {"m", "n", "k", "m:2 upcast", "n:8 upcast", "k:8 vec"},
                                                 {"n", "k", "m", "k:32", "m:2 upcast", "n:4 upcast", "k:16 vec"},
                                                 {"n", "m", "k", "n:8 upcast", "n:4 upcast", "k:32 upcast", "k:16 vec"}})
      CHECK(result(kernel, m, n, k, said) == wanted);
  }
}
