// The default schedule: always legal, and sensible on the kernels that matter.
#include <doctest/doctest.h>

#include "search/tune.h"
#include "tests/properties/random_kernels.h"
#include "tests/uops/sample_kernels.h"
#include "uops/lower.h"
#include "uops/text.h"

using namespace pg;
using namespace pg::test;

namespace {
const Target kAvx512{.vector_bytes = 64, .registers = 32, .cores = 8};
const Target kAvx2{.vector_bytes = 32, .registers = 16, .cores = 1};

/// Legal, canonical, and it lowers.
void check_legal(const UOp& kernel) {
  for (const Target& t : {kAvx512, kAvx2}) {
    const Opts opts = heuristic(kernel, t);
    CAPTURE(pretty(kernel));
    CAPTURE(text(opts));
    const Expected<Schedule> s = Schedule(kernel).apply(opts);
    REQUIRE_MESSAGE(s, s.reason());
    CHECK(text(s->opts()) == text(opts));
    CHECK_NOTHROW(lower(s->scheduled(), t));
  }
}
std::string chosen(const UOp& kernel, const Target& t = kAvx512) { return text(heuristic(kernel, t)); }
std::string vec_axis(const UOp& kernel) {
  for (const Opt& o : heuristic(kernel, kAvx512))
    if (const auto* tile = std::get_if<Tile>(&o); tile && tile->kind == Kind::Vec) return tile->axis;
  return "";
}
}  // namespace

TEST_CASE("heuristic: legal for matmuls of every shape and layout") {
  for (int64_t m : {1, 2, 7, 64, 1023})
    for (int64_t n : {1, 3, 31, 1024})
      for (int64_t k : {1, 2, 100, 4099})
        for (bool transpose_b : {false, true})
          if (m * n * k > 1) check_legal(gemm(m, n, k, k % 2 == 1, transpose_b, n % 2 ? dt::f32 : dt::i32));
}
TEST_CASE("heuristic: legal for symbolic sizes") {
  const UOp n = variable("n", 1, 4096), m = variable("m", 1, 1);
  check_legal(gemm(n, iconst(512), iconst(64)));
  check_legal(gemm(iconst(64), iconst(512), n, false, true));
  check_legal(gemm(m, n, n + iconst(1)));
  check_legal(softmax(iconst(32), n));
  check_legal(softmax(n, n));
  check_legal(relu(n * iconst(16)));
  check_legal(total(n));
}
TEST_CASE("heuristic: legal for rows, scalars, gathers, windows, tuples") {
  for (int64_t rows : {1, 5, 512})
    for (int64_t columns : {2, 17, 1000}) check_legal(softmax(rows, columns));
  for (DType t : {dt::f32, dt::i64, dt::f16, dt::u8}) check_legal(total(iconst(100'003), t));
  check_legal(gather(100, 768, 30'000));
  check_legal(gather(1, 3, 5));
  check_legal(argmax(17, 33'000));
  check_legal(convolution(16, 32, 56, 57));
  check_legal(relu(iconst(3)));
}
TEST_CASE("heuristic: legal for random kernels") {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    RandomSource random(seed);
    check_legal(KernelGenerator::make(random).kernel);
  }
}

TEST_CASE("heuristic: a matmul's columns are the lanes, its rows the registers, both the grid") {
  CHECK(chosen(gemm(240, 240, 240)) == "tile(m,6,upcast) tile(n,64,upcast) tile(n,16,vec) tile(k,4,unroll) grid(n m)");
  const Schedule s = *Schedule(gemm(1024, 1024, 1024)).apply(heuristic(gemm(1024, 1024, 1024), kAvx512));
  CHECK(register_pressure(s, kAvx512) <= kAvx512.registers);
}
TEST_CASE("heuristic: of a large matmul a block of columns by a part of the sum stays in the L2, the rows are shared out") {
  Target one = kAvx512;
  one.cores = 1;
  CHECK(chosen(gemm(1024, 1024, 1024), one) ==
        "tile(m,30) tile(m,6,upcast) tile(n,256) tile(n,64,upcast) tile(n,16,vec) tile(k,512) tile(k,4,unroll) "
        "order(n k m n:256 m:30 k:512) stage(B,k)");
  one.l2_bytes = 2 << 20;
  CHECK(chosen(gemm(2048, 2048, 2048), one).find("tile(k,1024)") != std::string::npos);
  CHECK(chosen(gemm(1024, 1024, 1024)) ==
        "tile(m,132) tile(m,6,upcast) tile(n,256) tile(n,64,upcast) tile(n,16,vec) tile(k,256) tile(k,4,unroll) "
        "grid(m) order(k n:256 m:132 k:256)");
}
TEST_CASE("heuristic: of products of few rows whose lanes lie along the sum") {
  const auto nt = [](int64_t m, int64_t n, int64_t k) { return gemm(m, n, k, false, true); };
  // Few rows are one block; of more, blocks pass parts of the sum. With many rows, or a short sum, panels are turned.
  CHECK(chosen(nt(2, 640, 512)) == "tile(m,2,upcast) tile(n,8,upcast) tile(k,16,vec) grid(n) stage(A,top) prefetch(B,n)");
  CHECK(chosen(nt(6, 640, 512)) == "tile(m,6,upcast) tile(n,4,upcast) tile(k,16,vec) grid(n) stage(A,top) prefetch(B,n)");
  CHECK(chosen(nt(8, 640, 512)) == "tile(m,8,upcast) tile(n,3,upcast) tile(k,16,vec) grid(n) stage(A,top) prefetch(B,n)");
  CHECK(chosen(nt(8, 640, 512), kAvx2) ==
        "tile(m,3,upcast) tile(n,4,upcast) tile(k,256) tile(k,8,vec) grid(n) order(k m k:256) stage(A,top) prefetch(B,n)");
  for (int64_t rows : {9, 24, 32, 47})
    CHECK(chosen(nt(rows, 2048, 5632)) ==
          "tile(m,3,upcast) tile(n,8,upcast) tile(k,256) tile(k,16,vec) grid(n) order(k m k:256) stage(A,top) prefetch(B,n)");
  CHECK(chosen(nt(48, 2048, 5632)).find("stage(B,k)") != std::string::npos);
  Target large = kAvx512;
  large.l2_bytes = 2 << 20;  // the panel's whole sum stays there
  CHECK(chosen(nt(48, 2048, 5632), large).find("stage(B,n)") != std::string::npos);
  CHECK(chosen(nt(32, 640, 128)) == "tile(m,8,upcast) tile(n,48,upcast) tile(n,16,vec) tile(k,4,unroll) grid(n) stage(B,n)");
  CHECK(
      chosen(nt(128, 2048, 5632)) ==
      "tile(m,8,upcast) tile(n,48,upcast) tile(n,16,vec) tile(k,944) tile(k,4,unroll) grid(n) order(k m k:944) stage(B,k)");
  CHECK(chosen(nt(128, 640, 512), kAvx2) ==
        "tile(m,6,upcast) tile(n,16,upcast) tile(n,8,vec) tile(k,4,unroll) order(n m k) stage(B,n)");
  const UOp rows = variable("rows", 1, 128);
  CHECK(chosen(gemm(rows, iconst(640), iconst(512), false, true)) ==
        "tile(m,8,upcast) tile(n,48,upcast) tile(n,16,vec) tile(k,4,unroll) grid(n) stage(B,n)");
}
TEST_CASE("heuristic: the lanes lie along what is contiguous") {
  CHECK(vec_axis(gemm(1, 4096, 4096)) == "n");               // a row times a matrix: its columns
  CHECK(vec_axis(gemm(1, 4096, 4096, false, true)) == "k");  // its transpose: both are contiguous along the sum
  CHECK(vec_axis(softmax(64, 512)) == "j");
  CHECK(vec_axis(gather(64, 512, 1000)) == "j");
  CHECK(vec_axis(convolution(16, 32, 56, 56)) == "x");
  CHECK(vec_axis(total(iconst(4096))) == "i");
}
TEST_CASE("heuristic: a few long rows are shared by rows, not recomputed item by item") {
  CHECK(chosen(softmax(8, 100'000)).find("grid(i)") != std::string::npos);
  CHECK(chosen(softmax(1000, 1000)).find("grid(i)") != std::string::npos);
}
TEST_CASE("heuristic: what is small stays on one core") {
  CHECK(chosen(relu(iconst(64))).find("grid") == std::string::npos);
  CHECK(chosen(relu(iconst(1 << 20))).find("grid(i)") != std::string::npos);
}
TEST_CASE(
    "heuristic: an axis that chooses between expressions is written out, and what lies between its places is shuffled") {
  KernelWriter w;
  const UOp i = w.axis("i", iconst(4)), j = w.axis("j", iconst(64));
  const UOp out = w.param("out", dt::f32, UOps{iconst(4), iconst(64)}), x = w.param("X", dt::f32, UOps{iconst(64 * 4)});
  const auto element = [&](int64_t place) { return read(x, {j * iconst(4) + iconst(place)}); };
  UOp value = element(3) - element(0);
  for (int64_t place = 2; place >= 0; --place)
    value = alu(Op::Where, alu(Op::Lt, i, iconst(place + 1)), element(place) + element(place + 1), value);
  const UOp kernel = w.output("choice", at(out, {i, j}), value, {i, j});
  check_legal(kernel);
  CHECK(chosen(kernel) == "tile(i,4,upcast) tile(j,16,vec)");
  const UOp linear = lower(Schedule(kernel).apply(heuristic(kernel, kAvx512))->scheduled(), kAvx512);
  for (const UOp& u : linear.src()) {
    CHECK(!u.is(Op::Where));
    if (u.is(Op::Load)) CHECK(u.src(0).src(1).dtype().lanes == 1);
  }
}
TEST_CASE("heuristic: a batch of products goes one by one") {
  const auto batched = [](int64_t batch, int64_t m, int64_t n, int64_t k) {
    KernelWriter w;
    const UOp b = w.axis("b", iconst(batch)), row = w.axis("m", iconst(m)), column = w.axis("n", iconst(n));
    const UOp sum = w.axis("k", iconst(k));
    const UOp c = w.param("C", dt::f32, UOps{iconst(batch), iconst(m), iconst(n)});
    const UOp x = w.param("A", dt::f32, UOps{iconst(batch), iconst(m), iconst(k)});
    const UOp y = w.param("B", dt::f32, UOps{iconst(batch), iconst(k), iconst(n)});
    return w.output("batched", at(c, {b, row, column}),
                    w.reduce("sum", read(x, {b, row, sum}) * read(y, {b, sum, column}), {sum}), {b, row, column});
  };
  Target one = kAvx512;
  one.cores = 1;
  CHECK(chosen(batched(36, 640, 64, 640), one).find("grid(b m)") != std::string::npos);
  const std::string panels = chosen(batched(36, 320, 256, 320), one);
  CHECK(panels.find("stage(B,n)") != panels.npos);
  check_legal(batched(36, 320, 256, 320));
}
TEST_CASE("heuristic: attention by blocks of rows, few rows by blocks of keys; no score is computed twice") {
  for (const int64_t keys : {300, 4096})
    for (const int64_t width : {40, 64, 512}) {
      CAPTURE(keys);
      CAPTURE(width);
      const UOp many = attention(keys, keys, width, width);
      check_legal(many);
      const std::string blocks = chosen(many);
      CHECK(blocks.find("stage(S,") != blocks.npos);
      CHECK(blocks.find("stage(P,") != blocks.npos);
      CHECK((blocks.find("online(") != blocks.npos) == (keys > 1024));
      // Columns stand inside the keys: outside, each block of them would ask for all scores again.
      const size_t order = blocks.find("order(");
      REQUIRE(order != blocks.npos);
      const std::string loops = blocks.substr(order, blocks.find(')', order) - order);
      CHECK(loops.find(" d") > loops.find("i:60"));

      const UOp few = attention(8, keys, width, width);
      check_legal(few);
      CHECK(chosen(few).find("stage(S,") != std::string::npos);
      CHECK(chosen(few).find("online(") == std::string::npos);
    }
}

TEST_CASE("heuristic: panels that many rows read lie beside each other in half the L2, and cores get as many each") {
  Target target{.vector_bytes = 64, .registers = 32, .cores = 1, .l2_bytes = 2 << 20};
  const auto product = [](int64_t rows, int64_t columns) {
    return gemm(variable("T", 1, rows), iconst(columns), iconst(2048), false, true);
  };
  CHECK(chosen(product(512, 5632), target) ==
        "tile(m,8,upcast) tile(n,240) tile(n,48,upcast) tile(n,16,vec) tile(k,1024) tile(k,4,unroll) "
        "order(n k m n:240 k:1024) stage(B,k)");
  CHECK(chosen(product(64, 5632), target).find("tile(n,240)") == std::string::npos);  // these rows stay in the L2
  target.cores = 2;
  CHECK(chosen(product(512, 2048), target).find("tile(n,96) tile(n,48,upcast)") != std::string::npos);
  target.l2_bytes = 256 << 10;
  CHECK(chosen(product(512, 5632), target).find("tile(n,48,upcast)") != std::string::npos);  // one is more than half of it
}
