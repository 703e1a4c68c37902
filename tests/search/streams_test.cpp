// Rows that are walked at several places at once.
#include "search/streams.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "search/moves.h"
#include "search/tune.h"
#include "tests/search/block_target.h"
#include "tests/uops/sample_kernels.h"
#include "uops/lower.h"
#include "uops/scope.h"
#include "uops/text.h"

using namespace pg;
using namespace pg::test;

namespace {
const Target kAvx512{.vector_bytes = 64, .registers = 32, .cores = 1, .l2_bytes = 2 << 20};

std::string reason(const UOp& kernel, const std::string& opts) {
  const Expected<Schedule> s = Schedule(kernel).apply(parse_opts(opts));
  return s ? "" : s.reason();
}
/// out[n] = sum over k of x[k]·W[n,k]
UOp vector_times_matrix(int64_t n, int64_t k) { return gemm(1, n, k, false, true); }
/// out[i] = M[i] + M[rows-1-i] with M[i] = sum over j of x[i,j]
UOp sums_mirrored(int64_t rows, int64_t columns) {
  KernelWriter w;
  const UOp i = w.axis("i", iconst(rows)), j = w.axis("j", iconst(columns));
  const UOp out = w.param("out", dt::f32, {rows}), x = w.param("x", dt::f32, {rows, columns});
  const UOp m = w.define("M", w.reduce("sum", read(x, {i, j}), {j}), {i});
  const UOp mirrored = load(index(m.src(0).src(0), UOps{iconst(rows - 1) - i}));
  return w.output("mirrored", at(out, {i}), m + mirrored, {i});
}
std::string chosen(const UOp& kernel) { return text(heuristic(kernel, kAvx512)); }
bool has_streams(const UOp& kernel) { return chosen(kernel).starts_with("streams("); }
}  // namespace

TEST_CASE("streams: an axis is two, and the rest of the schedule is of these") {
  const Schedule s = *Schedule(gemm(8, 64, 16)).apply(parse_opts("streams(n,4) tile(n,4,vec) tile(n_streams,4,upcast) grid(n)"));
  CHECK(text(s.opts()) == "streams(n,4) tile(n_streams,4,upcast) tile(n,4,vec) grid(n)");
  CHECK(pretty(s.kernel()) == pretty(gemm(8, 64, 16)));
  CHECK(pretty(s.ast()) ==
        "Kernel(Output(out[m, n_streams*16 + n] = sum(A[m, k]*B[k, n_streams*16 + n], k), m, n_streams, n))");
  CHECK(s.axis("n")->extent == iconst(16));
  CHECK(s.axis("n_streams")->extent == iconst(4));
}

TEST_CASE("streams: definitions that are read get both axes") {
  const Schedule s = *Schedule(softmax(8, 64)).apply(parse_opts("streams(i,2)"));
  for (const Definition& d : definitions(s.ast())) {
    CAPTURE(pretty(d.node));
    CHECK(axis_of(d.ranges[0]) == "i_streams");
    CHECK(axis_of(d.ranges[1]) == "i");
  }
}

TEST_CASE("streams: what they refuse") {
  CHECK(reason(gemm(8, 64, 16), "streams(n,4)") == "");
  CHECK(reason(gemm(8, 64, 16), "streams(z,4)") == "streams: the output has no axis z");
  CHECK(reason(gemm(8, 64, 16), "streams(k,4)") == "streams: the output has no axis k");
  CHECK(reason(gemm(6, 64, 16), "streams(m,4)") == "streams: 4 does not divide m");
  CHECK(reason(gemm(variable("T", 1, 64), iconst(64), iconst(16)), "streams(m,4)") == "streams: 4 does not divide m");
  CHECK(reason(gemm(4, 64, 16), "streams(m,4)") == "streams: m has no more than 4");
  CHECK(reason(gemm(64, 64, 16), "streams(m,32)") == "streams: 32 is not in 2..16");
  CHECK(reason(gemm(64, 64, 16), "streams(m,1)") == "streams: 1 is not in 2..16");
  CHECK(reason(gemm(64, 64, 16), "tile(k,4) streams(m,4)") == "streams: it goes before all other opts");
  CHECK(reason(gemm(64, 64, 16), "streams(n,4) streams(m,4)") == "streams: it goes before all other opts");
  CHECK(reason(softmax(8, 8), "streams(j,4)") == "streams: j is summed over");
  CHECK(reason(sums_mirrored(8, 8), "streams(i,4)") == "streams: i is read at other places");
  const Expected<Schedule> on_gpu = Schedule(gemm(64, 64, 16), gpu_target()).apply(parse_opts("streams(m,4)"));
  CHECK(on_gpu.reason() == "streams: a GPU's blocks are many streams already");
}

TEST_CASE("streams: the default takes them for rows that share pages and are read once") {
  CHECK(chosen(packed_gemm(1, 2048, 2048)).starts_with("streams(n,4) tile(n_streams,4,upcast)"));
  CHECK(has_streams(vector_times_matrix(4096, 512)));
  CHECK(!has_streams(vector_times_matrix(4096, 2048)));  // rows of 8 KB
  CHECK(!has_streams(vector_times_matrix(4095, 512)));   // no whole quarters
  CHECK(!has_streams(gemm(64, 512, 512, false, true)));  // read again for each row of A
  CHECK(!has_streams(packed_gemm(32, 2048, 2048)));
}

TEST_CASE("streams: results are those of the rows in order") {
  for (const auto& [n, k] : {std::array{36, 192}, std::array{96, 512}, std::array{128, 2048}}) {
    const UOp kernel = packed_gemm(1, n, k);
    const std::vector<float> wanted = packed_product(lower(Schedule(kernel).scheduled(), {}), 1, n, k);
    const Schedule s = *Schedule(kernel, kAvx512).apply(parse_opts(
        "streams(n,4) tile(n_streams,4,upcast) tile(k,32,unroll) tile(k,16,vec) grid(n) prefetch(Q,n)"));
    CHECK(packed_product(lower(s.scheduled(), kAvx512), 1, n, k) == wanted);
  }
}

TEST_CASE("streams: a move leads there and back") {
  const UOp kernel = vector_times_matrix(4096, 512);
  const Schedule with = *Schedule(kernel, kAvx512).apply(heuristic(kernel, kAvx512));
  REQUIRE(with.streams());
  const std::optional<Schedule> without = unstreamed(with);
  REQUIRE(without);
  CHECK(!without->streams());
  const auto leads_to = [](const Schedule& from, const Schedule& to) {
    const std::vector<Schedule> found = moves(from, kAvx512);
    return std::any_of(found.begin(), found.end(), [&](const Schedule& s) { return text(s.opts()) == text(to.opts()); });
  };
  CHECK(leads_to(with, *without));
  CHECK(leads_to(*without, with));
  CHECK(!unstreamed(*without));
  CHECK(!streamed(with, "n"));
}
