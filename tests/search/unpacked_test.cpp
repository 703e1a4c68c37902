// Products with a packed operand: schedules of the same product of floats, and what is added for unpacking.
#include "search/unpacked.h"

#include <doctest/doctest.h>

#include "search/moves.h"
#include "search/tune.h"
#include "tests/search/block_target.h"
#include "tests/uops/sample_kernels.h"
#include "uops/gathers.h"
#include "uops/lower.h"
#include "uops/text.h"

using namespace pg;
using namespace pg::test;

namespace {
const Target kAvx512{.vector_bytes = 64, .registers = 32, .cores = 1, .l2_bytes = 2 << 20};

std::string chosen(const UOp& kernel) { return text(heuristic(kernel, kAvx512)); }
}  // namespace

TEST_CASE("unpacked: the kernel as if its operand were floats is an ordinary product") {
  CHECK(pretty(as_if_unpacked(packed_gemm(8, 64, 128))) == "Kernel(Output(out[m, n] = sum(A[m, k]*W[n, k], k), m, n))");
  CHECK(!as_if_unpacked(gemm(8, 64, 128)));
  CHECK(unpacked_inline(gemm(8, 64, 128)) == gemm(8, 64, 128));
  CHECK(definitions(unpacked_inline(packed_gemm(8, 64, 128))).size() == 1);
  CHECK(definitions(unpacked_inline(softmax(8, 64))).size() == definitions(softmax(8, 64)).size());
}

TEST_CASE("unpacked: one row streams the operand, and asks for the next rows") {
  CHECK(chosen(packed_gemm(1, 2048, 2048)) ==
        "streams(n,4) tile(n_streams,4,upcast) tile(k,32,unroll) tile(k,16,vec) grid(n) prefetch(Q,n)");
}

TEST_CASE("unpacked: a block of rows unpacks it where it multiplies, more keep what a part of the sum unpacks to") {
  CHECK(chosen(packed_gemm(4, 2048, 2048)) ==
        "tile(m,4,upcast) tile(n,4,upcast) tile(k,32,unroll) tile(k,16,vec) grid(n) stage(A,top) prefetch(Q,n)");
  CHECK(chosen(packed_gemm(32, 2048, 2048)) ==
        "tile(m,3,upcast) tile(out.n,8,upcast) tile(W.k,32,unroll) tile(W.k,16,vec) tile(out.k,256) tile(out.k,16,vec) "
        "grid(n) order(k m k:256) stage(A,top) stage(W,k) prefetch(Q,n)");
}

TEST_CASE("unpacked: many rows read a panel that was turned in registers") {
  const std::string opts = chosen(packed_gemm(512, 2048, 2048));
  CAPTURE(opts);
  for (const char* part : {"tile(W.n,16,vec)", "tile(W.k,32,unroll) tile(W.k,16,upcast)", "stage(W,k,layout=n/64 k n%64)"})
    CHECK(opts.find(part) != opts.npos);
}

TEST_CASE("unpacked: the default and all templates are legal, and right where they are run") {
  const UOp t = variable("T", 2, 128);
  for (const Target& target : {kAvx512, Target{.vector_bytes = 32, .registers = 16, .cores = 8}, gpu_target()})
    for (const UOp& kernel : {packed_gemm(1, 5, 32), packed_gemm(1, 96, 512), packed_gemm(3, 37, 96),
                              packed_gemm(20, 50, 160), packed_gemm(256, 100, 256), packed_gemm(t, 96, 512)}) {
      CAPTURE(pretty(kernel));
      const Opts opts = heuristic(kernel, target);
      CAPTURE(text(opts));
      const Expected<Schedule> s = Schedule(kernel, target).apply(opts);
      REQUIRE_MESSAGE(s, s.reason());
      CHECK(text(s->opts()) == text(opts));
      const UOp linear = lower(s->scheduled(), target);
      if (!target.gpu) CHECK(inner_gathers(linear).empty());
      CHECK_NOTHROW(templates(kernel, target));
    }
  for (const auto& [m, n, k] : {std::array{1, 5, 32}, std::array{1, 36, 192}, std::array{3, 37, 96}, std::array{20, 50, 160},
                                std::array{200, 70, 64}}) {
    const UOp kernel = packed_gemm(m, n, k);
    const std::vector<float> wanted = packed_product(lower(Schedule(kernel).scheduled(), {}), m, n, k);
    const Schedule s = *Schedule(kernel, kAvx512).apply(heuristic(kernel, kAvx512));
    CAPTURE(text(s.opts()));
    CHECK(packed_product(lower(s.scheduled(), kAvx512), m, n, k) == wanted);
  }
}

TEST_CASE("unpacked: moves of the product leave alone how blocks are unpacked") {
  for (int64_t m : {32, 512}) {
    const UOp kernel = packed_gemm(m, 2048, 2048);
    const Schedule start = *Schedule(kernel, kAvx512).apply(heuristic(kernel, kAvx512));
    const auto own = [](const Schedule& s) { return s.nest("W")->chains.at("k"); };
    const std::vector<Schedule> all = moves(start, kAvx512);
    const auto staged = [](const Schedule& s) { return !s.stages().empty(); };
    CHECK(std::count_if(all.begin(), all.end(), staged) > 60);
    for (const Schedule& s : all)
      if (staged(s) && s.stages() == start.stages()) {
        CAPTURE(text(s.opts()));
        CHECK(own(s) == own(start));
      }
  }
}
