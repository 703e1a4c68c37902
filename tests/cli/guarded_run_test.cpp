#include "src/cli/guarded_run.h"

#include <doctest/doctest.h>

#include <cstring>
#include <functional>

#include "search/build.h"
#include "src/cli/bench_kernels.h"
#include "src/cli/selftest_kernels.h"

using namespace pg;

namespace {

/// The right kernel, and then something else.
struct Spoiled final : Program {
  std::shared_ptr<Program> right;
  std::function<void(std::span<void* const>)> spoil;
  void launch(std::span<void* const> buffers, std::span<const int64_t> variables, int64_t items) override {
    right->launch(buffers, variables, items);
    if (spoil) spoil(buffers);
  }
};
std::string verdict(std::function<void(float* out, float* in)> spoil) {
  Device& ref = device("REF");
  const BenchKernel k = bench_kernel("gelu", "100", "");
  const Built built = build(k.ast, {}, ref);
  Spoiled program;
  program.right = built.program;
  program.spoil = [&](std::span<void* const> b) { spoil(static_cast<float*>(b[0]), static_cast<float*>(b[1])); };
  return GuardedRun(ref, k.ast).check(program, evaluate(built.source.launch.items, {}, {}));
}

}  // namespace

TEST_CASE("guarded run: what a kernel may not do is seen") {
  CHECK(verdict([](float*, float*) {}) == "");
  CHECK(verdict([](float* out, float*) { out[100] = 1; }).starts_with("buffer 0: written 0 bytes past its end"));
  CHECK(verdict([](float* out, float*) { out[-2] = 1; }).starts_with("buffer 0: written 8 bytes before its start"));
  CHECK(verdict([](float*, float* in) { in[3] = 1; }).starts_with("buffer 1: an operand was written, at byte 1"));
  CHECK(verdict([](float* out, float*) { out[99] *= 1.01f; }).starts_with("element 99 is"));
  int calls = 0;
  CHECK(verdict([&](float* out, float*) { out[7] += static_cast<float>(++calls); }) == "element 7 differs from run to run");
  int run = 0;
  CHECK(verdict([&](float* out, float*) {
          const uint32_t poison = run++ == 0 ? 0x7fad7fad : 0xffb5ffb5;
          std::memcpy(&out[42], &poison, 4);
        }) == "element 42 was not written");
}

TEST_CASE("selftest: at least forty kernels, of every kind, and rings of two to four") {
  CHECK(selftest_kernels().size() >= 40);
  std::string all;
  for (const SelftestKernel& k : selftest_kernels()) all += std::string(k.kind) + " " + k.layout + " " + k.opts + "\n";
  for (const BenchKind& kind : bench_kinds()) {
    CAPTURE(kind.name);
    CHECK(all.find(std::string(kind.name) + " ") != all.npos);
  }
  for (const char* what : {"gemm nn", "gemm nt", "gemm tn", "gemm tt", "stages=2,copy=cp.async", "stages=3,copy=cp.async",
                           "stages=4,copy=cp.async", "swizzle", "+pad", "grid(m n k)"}) {
    CAPTURE(what);
    CHECK(all.find(what) != all.npos);
  }
}
