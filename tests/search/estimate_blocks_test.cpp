// The cost model of a GPU, on pairs whose order is beyond doubt.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "search/moves.h"
#include "search/tune.h"
#include "tests/search/block_target.h"
#include "tests/uops/sample_kernels.h"

using namespace pg;
using namespace pg::test;

namespace {

double cost(const UOp& kernel, const std::string& opts, const Target& t = gpu_target()) {
  const Expected<Schedule> s = Schedule(kernel, t).apply(parse_opts(opts));
  REQUIRE_MESSAGE(s, s.reason());
  const double c = estimate(*s, t);
  CHECK(std::isfinite(c));
  CHECK(c > 0);
  return c;
}
const UOp kLarge = gemm(4096, 4096, 4096);
const std::string kTile =
    "tile(m,128,upcast) tile(m,64,local) tile(m,4,upcast) tile(n,128,upcast) tile(n,64,local) tile(n,4,upcast) ";
const std::string kSmall = "tile(m,16,local) tile(n,16,local) grid(m n)";

}  // namespace

TEST_CASE("estimate of blocks: registers, shared memory and copies ahead pay in a large product") {
  const double unstaged = cost(kLarge, kSmall);
  const double staged = cost(kLarge, kTile + "tile(k,8,unroll) grid(m n) stage(A,k,layout=1 0+pad) stage(B,k)");
  const double ring = cost(kLarge, kTile +
                                       "tile(k,8,unroll) grid(m n) stage(A,k,layout=src+swizzle,stages=3,copy=cp.async) "
                                       "stage(B,k,stages=3,copy=cp.async)");
  CHECK(staged < unstaged / 3);
  CHECK(ring <= staged);
  // 137 GFLOP at 132 x 128 FMA a cycle of 1.8 GHz: no estimate is faster than the arithmetic.
  CHECK(ring > 4096.0 * 4096 * 4096 / (132 * 128) / 1.8);
  CHECK(cost(kLarge, "tile(m,16,local) tile(n,16,local) grid(m n)") < cost(kLarge, "grid(m n)"));
  CHECK(cost(kLarge, "tile(m,16,local) tile(n,32,local) grid(m n)") <
        cost(kLarge, "tile(n,16,local) tile(m,32,local) grid(m n)") * 4);
}
TEST_CASE("estimate of blocks: conflicts and spills cost") {
  const std::string rest = "tile(k,32) tile(k,8,unroll) grid(m n) ";
  CHECK(cost(kLarge, kTile + rest + "stage(A,k,layout=src+swizzle) stage(B,k)") <=
        cost(kLarge, kTile + rest + "stage(A,k) stage(B,k)"));
  CHECK(cost(kLarge, kTile + "tile(k,8,unroll) grid(m n) stage(A,k,layout=1 0+pad) stage(B,k) bounds(4)") >
        cost(kLarge, kTile + "tile(k,8,unroll) grid(m n) stage(A,k,layout=1 0+pad) stage(B,k) bounds(2)"));
}
TEST_CASE("estimate of blocks: few blocks leave the machine idle, and parts of the sum fill it") {
  const UOp thin = gemm(64, 64, 65536);
  const std::string tile = "tile(m,64,local) tile(m,4,upcast) tile(n,64,local) tile(n,4,upcast) ";
  const double whole = cost(thin, tile + "tile(k,16) tile(k,8,unroll) grid(m n) stage(A,k,layout=1 0+pad) stage(B,k)");
  const double parts = cost(thin, tile +
                                      "tile(k,512) tile(k,16) tile(k,8,unroll) grid(m n k) stage(A,k:512,layout=1 0+pad) "
                                      "stage(B,k:512)");
  CHECK(parts < whole / 10);
  // One block more than processors is as long as twice as many; and smaller tiles fill a small product.
  const UOp row = gemm(128, 128 * 132, 1024), more = gemm(128, 128 * 133, 1024), twice = gemm(128, 128 * 264, 1024);
  const std::string columns = kTile +
                              "tile(k,8,unroll) grid(m n) stage(A,k,layout=src+swizzle,stages=4,copy=cp.async) "
                              "stage(B,k,stages=4,copy=cp.async)";
  CHECK(cost(more, columns) > 1.4 * cost(row, columns));
  CHECK(cost(more, columns) == doctest::Approx(cost(twice, columns)).epsilon(0.1));
  const UOp small = gemm(512, 512, 512);
  CHECK(cost(small, tile + "tile(k,8,unroll) grid(m n) stage(A,k,layout=1 0+pad) stage(B,k)") <
        cost(small, kTile + "tile(k,8,unroll) grid(m n) stage(A,k,layout=1 0+pad) stage(B,k)"));
}
TEST_CASE("estimate of blocks: rows, sums and elements are bound by memory") {
  const double bytes_ns = 8.0 * (1 << 26) / 3350;  // read and written once
  const UOp elements = relu(iconst(1 << 26));
  const double wide = cost(elements, "tile(i,1024,local) tile(i,4,vec) grid(i)");
  CHECK(wide > bytes_ns);
  CHECK(wide < 1.5 * bytes_ns);
  CHECK(wide < cost(elements, "grid(i)") / 4);  // one thread a block
  const UOp sum = total(iconst(1 << 26));
  CHECK(cost(sum, "tile(i,262144) tile(i,1024,local) tile(i,4,vec) grid(i)") <
        cost(sum, "tile(i,1024,local) tile(i,4,vec)") / 10);
  const UOp rows = softmax(1024, 4096);
  CHECK(cost(rows, "tile(j,1024,local) tile(j,4,vec) grid(i)") < cost(rows, "grid(i)") / 10);
}
TEST_CASE(
    "estimate of blocks: what the slowest part does not tell apart, reads of shared memory, barriers and registers do") {
  // All three are bound by arithmetic.
  const std::string wide =
      "tile(m,128,upcast) tile(m,64,local) tile(m,4,upcast) tile(n,128,upcast) tile(n,32,local) tile(n,4,upcast) ";
  const auto ring = [](const std::string& depth) {
    return depth + "grid(m n) stage(A,k,layout=src+swizzle,stages=3,copy=cp.async) stage(B,k,stages=3,copy=cp.async)";
  };
  const double usual = cost(kLarge, kTile + ring("tile(k,16) tile(k,8,unroll) "));
  CHECK(cost(kLarge, wide + ring("tile(k,16) tile(k,4,unroll) ")) < usual);   // 8 x 16 results a thread: fewer reads
  CHECK(cost(kLarge, kTile + ring("tile(k,32) tile(k,8,unroll) ")) < usual);  // half as many barriers
  CHECK(cost(kLarge, kTile + ring("tile(k,16) tile(k,8,unroll) ") + " bounds(2)") == doctest::Approx(usual));
}
TEST_CASE("estimate of blocks: templates are told apart") {
  std::set<double> different;
  const std::vector<Schedule> all = templates(kLarge, gpu_target());
  for (const Schedule& s : all) different.insert(estimate(s, gpu_target()));
  CHECK(different.size() > all.size() * 3 / 4);
}
TEST_CASE("estimate of blocks: the best of the templates are what hands would write") {
  std::vector<std::pair<double, std::string>> ranked;
  for (const Schedule& s : templates(kLarge, gpu_target())) ranked.emplace_back(estimate(s, gpu_target()), text(s.opts()));
  std::sort(ranked.begin(), ranked.end());
  for (size_t i = 0; i < 5; ++i) CHECK(ranked[i].second.find("stage(A") != std::string::npos);
  CHECK(ranked[0].first < 1.6 * 4096.0 * 4096 * 4096 / (132 * 128) / 1.8);  // GHz
}
