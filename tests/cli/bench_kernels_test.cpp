#include "src/cli/bench_kernels.h"

#include <doctest/doctest.h>

#include <ctime>

#include "runtime/device.h"
#include "src/cli/interleave.h"
#include "src/cli/kernel_shapes.h"
#include "uops/kernel.h"
#include "uops/verify.h"

using namespace pg;

namespace {
std::string axis_names(const UOp& kernel) {
  const Definition out = definitions(kernel).back();
  std::string s;
  for (const UOp& r : out.ranges) s += r.arg_as<RangeArg>().axis + " ";
  s += "|";
  for (const UOp& r : out.reduce_ranges) s += " " + r.arg_as<RangeArg>().axis;
  return s;
}
template <class F>
std::string error(F f) {
  try {
    f();
  } catch (const UserError& e) {
    return e.what();
  }
  return "no error";
}
#define ERROR(expression) error([&] { (void)(expression); })
}  // namespace

TEST_CASE("every kind is a sound kernel that reads what it says it reads") {
  const std::vector<std::vector<std::string>> all = {
      {"gemm", "5x6x7", "tn", "m n | k"},
      {"gemv", "5x6", "", "n | k"},
      {"conv2d", "3x8x9,4x3x3,s2,p1", "", "o y x | c ky kx"},
      {"conv2d", "32x8x9,48x3x3,p1:0:0:1", "nchw16c", "o y x oi | c ky kx ci"},
      {"conv1d", "3x20,4x3,p1:0,g1", "", "o x | c kx"},
      {"softmax", "4x6", "", "i j |"},
      {"layernorm", "4x6", "", "i j |"},
      {"rmsnorm", "4x6", "", "i j |"},
      {"groupnorm", "6x4x5,2", "", "i j l |"},
      {"gelu", "30", "", "i |"},
      {"sum", "30", "", "| r"},
      {"gather", "9x6,5", "", "i j |"},
      {"attention", "2x5x4", "", "h i d | j"},
  };
  std::vector<std::string> seen;
  for (const auto& row : all) {
    CAPTURE(row[0]);
    const BenchKernel k = bench_kernel(row[0], row[1], row[2]);
    verify(k.ast, Stage::Kernel, "bench_kernels_test");
    CHECK(axis_names(k.ast) == row[3]);
    REQUIRE(k.inputs.size() + 1 == params_of(k.ast).size());
    for (const size_t slot : k.inputs) CHECK((slot > 0 && slot <= k.inputs.size()));
    CHECK(k.work.bytes > 0);
    if (seen.empty() || seen.back() != row[0]) seen.push_back(row[0]);
  }
  REQUIRE(seen.size() == bench_kinds().size());
  for (size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == bench_kinds()[i].name);
}
TEST_CASE("work counts each definition once") {
  CHECK(bench_kernel("gemm", "5x6x7", "").work.flops == 2 * 5 * 6 * 7);
  CHECK(bench_kernel("gemm", "5x6x7", "").work.bytes == 4 * (5 * 6 + 6 * 7 + 5 * 7));
  CHECK(bench_kernel("conv2d", "3x8x8,4x3x3,p1", "").work.flops == 2 * 4 * 8 * 8 * 3 * 3 * 3);
  // maximum, difference, exp, sum, product; and a quotient a row
  CHECK(bench_kernel("softmax", "4x6", "").work.flops == 5 * 4 * 6 + 4);
  CHECK(bench_kernel("softmax", "4x6", "").work.bytes == 2 * 4 * 4 * 6);
}
TEST_CASE("shapes of convolutions") {
  const ConvShape s = parse_conv2d("2x4x10x12,8x3x5,s2,p0:1:2:3,d2,g4");
  CHECK(s.n == 2);
  CHECK(s.c == 4);
  CHECK(s.kh == 3);
  CHECK(s.kw == 5);
  CHECK(s.how.stride == 2);
  CHECK(s.how.padding == std::array<int64_t, 4>{0, 1, 2, 3});
  CHECK(s.how.dilation == 2);
  CHECK(s.how.groups == 4);
  CHECK(s.rows() == 4);
  CHECK(s.columns() == 5);
  const ConvShape line = parse_conv1d("4x10,8x3,p1");
  CHECK(line.h == 1);
  CHECK(line.how.padding == std::array<int64_t, 4>{0, 0, 1, 1});
}
TEST_CASE("what makes no sense is told") {
  CHECK(ERROR(bench_kernel("softmix", "3", "")) ==
        "bench kernel: no kind is named 'softmix'; known are gemm, gemv, conv2d, conv1d, softmax, layernorm, rmsnorm, "
        "groupnorm, "
        "gelu, sum, gather, attention");
  for (const char* shape : {"", "4", "4x", "0x4", "4x4x4", "axb", "4x4,4", "-1x4"})
    CHECK(ERROR(bench_kernel("softmax", shape, "")) ==
          "bench kernel: '" + std::string(shape) + "' is no shape of softmax: ROWSxCOLUMNS, extents from 1");
  for (const char* shape :
       {"3x4,4", "3x8x8,4x3", "3x8x8", "3x8x8,4x3x3,q2", "3x8x8,4x3x3,p1:2", "3x8x8,4x3x3,s0", "3x8x8,4x3x3,"})
    CHECK(ERROR(bench_kernel("conv2d", shape, ""))
              .starts_with("bench kernel: '" + std::string(shape) + "' is no shape of conv2d"));
  CHECK(ERROR(bench_kernel("conv2d", "3x8x8,4x3x3,g2", "")).starts_with("conv2d: the weight takes"));
  CHECK(ERROR(bench_kernel("conv2d", "3x2x2,4x3x3", "")).starts_with("conv2d: a window of 3 does not fit"));
  CHECK(ERROR(bench_kernel("conv2d", "3x8x8,4x3x3", "nhwc")) ==
        "bench kernel: 'nhwc' is no layout of conv2d; known are nchw nchw16c");
  CHECK(ERROR(bench_kernel("conv2d", "3x8x8,4x3x3", "nchw16c")) ==
        "bench kernel: nchw16c wants one group and channels in sixteens, not 3x8x8,4x3x3");
  CHECK(ERROR(bench_kernel("gelu", "8", "nn")) == "bench kernel: 'nn' is no layout of gelu, which has one only");
  CHECK(ERROR(bench_kernel("gelu", "4000000000", "")) == "bench kernel: gelu 4000000000 needs 32.0 GB, more than 8 GB");
}
TEST_CASE("a share is the median of the quotients of the same rounds") {
  const std::vector<double> ours{2, 4, 8}, ceiling{1, 2, 2};  // the third round was disturbed
  const Share s = share_of(10, ours, 10, ceiling);
  CHECK(s.median == doctest::Approx(0.5));
  CHECK(share_of(10, ours, 20, ceiling).median == doctest::Approx(0.25));
}
TEST_CASE("a ceiling's samples last as long as the first contestant's") {
  const auto busy = [](double ms) {  // by the thread's clock, which one core is timed by
    timespec t;
    const auto now = [&] {
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
      return 1e3 * static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_nsec);
    };
    for (const double until = now() + ms; now() < until;) {}
  };
  std::vector<Contestant> all{
      {.name = "slow", .version = "", .run = [&] { busy(8); }},
      {.name = "ceiling", .version = "", .run = [&] { busy(1); }, .as_long_as_first = true}};
  interleave(all, 1);
  CHECK(all[0].repeat == 1);
  CHECK(all[1].repeat > 1);
  CHECK(all[1].repeat <= 8);
}
TEST_CASE("cold contestants run once a sample, each time prepared; fast warm ones are repeated") {
  int runs = 0, sweeps = 0, fast = 0;
  std::vector<Contestant> all{{.name = "cold", .version = "", .run = [&] { ++runs; }, .before = [&] { ++sweeps; }},
                              {.name = "warm", .version = "", .run = [&] { ++fast; }}};
  interleave(all, 5);
  CHECK(runs == sweeps);
  CHECK(all[0].repeat == 1);
  CHECK(all[0].ms.size() == 5);
  CHECK(all[1].repeat > 10);
  CHECK(fast >= 5 * (1 + all[1].repeat));
}
