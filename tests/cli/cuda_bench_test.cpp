// Benchmarks of a GPU, on the fake driver.
#include "src/cli/cuda_bench.h"

#include "search/build.h"
#include "src/cli/bench_kernels.h"
#include "src/cli/guarded_run.h"
#include "src/cli/selftest_kernels.h"
#include "tests/runtime/cuda_fixture.h"

using namespace pg;
using namespace pg::test;

TEST_CASE("gpu bench: sets of buffers are twice the L2 cache together, or one that exceeds it") {
  FakeGpu gpu;
  const CudaBench bench(gpu.open());  // 50 MB of L2
  CHECK(bench.sets(200 << 20) == 1);
  CHECK(bench.sets(100 << 20) == 1);
  CHECK(bench.sets(99 << 20) == 2);
  CHECK(bench.sets(10 << 20) == 10);
  CHECK(bench.sets(4) == 2048);  // enough is enough
}

TEST_CASE("gpu bench: the peak says what it assumes") {
  FakeGpu gpu;
  CudaFacts facts = gpu.open().facts();
  CHECK(fp32_peak(facts).assumes == "132 SMs x 128 FMA x 1.98 GHz");
  CHECK(fp32_peak(facts).flops_per_ms * 1e-9 == doctest::Approx(66.9).epsilon(0.001));  // TFLOP/s
  facts.major = 8, facts.minor = 0;
  CHECK(fp32_peak(facts).assumes == "132 SMs x 64 FMA x 1.98 GHz");
}

TEST_CASE("gpu bench: what is short is timed in batches, each set of buffers equally often") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  const auto program = device.load(fake_artifact("k", "k 0\n"), fake_launch(0));
  CudaStopwatch watch(device);
  watch.set_sets(30);
  int runs = 0;
  const Contestant c{.name = "k", .version = "", .run = [&] {
                       ++runs;
                       program->enqueue({}, {}, 1);
                     }};
  gpu.fake->kernel_ms = 0.01;
  CHECK(watch.milliseconds(c, 100, true) == doctest::Approx(0.01));
  CHECK(runs == 120);  // recorded once
  CHECK(watch.milliseconds(c, 100, true) == doctest::Approx(0.01));
  CHECK(runs == 120);
  CHECK(gpu.fake->launches.size() == 4 * 120);  // each time after one that is not timed
  runs = 0;
  gpu.fake->kernel_ms = 0.25;
  CHECK(watch.milliseconds(c, 4, true) == doctest::Approx(0.25));
  CHECK(runs == 5);  // one untimed
}

TEST_CASE("gpu bench: shares of peak, copy and read stand in the line") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  if (!device.compiler().nvrtc) {
    MESSAGE("skipped: " << device.compiler().missing);
    return;
  }
  const BenchKernel k = bench_kernel("gelu", "1048576", "");
  CudaBench bench(device);
  Operands operands(k.ast, device);
  operands.make_sets(bench.sets(operands.bytes()));
  CHECK(operands.sets().size() == 13);
  std::vector<Contestant> all{{.name = "picograd", .version = "", .run = [] {}}};
  for (Contestant& c : bench.ceilings(operands)) all.push_back(c);
  REQUIRE(all.size() == 3);
  for (size_t i : {1, 2})
    for (int round = 0; round < 2; ++round) all[i].ms.push_back(bench.stopwatch().milliseconds(all[i], 1, true));
  CHECK(all[1].ms[0] == doctest::Approx(gpu.fake->copy_ms));
  CHECK(all[2].ms[0] == doctest::Approx(gpu.fake->kernel_ms));
  all[0].ms = {1, 1};
  Json line;
  bench.report(line, k.work, all);
  const double bytes = 200.0 * (1 << 20);
  CHECK(line["gpu"] == "Fake GPU");
  CHECK(line["driver"] == "13.0");
  CHECK(line["sets"] == 13);
  CHECK(line["copy"]["gbs"] == doctest::Approx(2 * bytes / 0.5 * 1e-6));
  CHECK(line["read"]["gbs"] == doctest::Approx(bytes / 0.25 * 1e-6));
  CHECK(line["ours"]["share_of_copy"]["median"] == doctest::Approx(k.work.bytes / (2 * bytes / 0.5)));
  CHECK(line["ours"]["share_of_peak"]["median"] == doctest::Approx(k.work.flops / 66.9e9).epsilon(0.001));
  CHECK(line["peak"]["assumes"] == "132 SMs x 128 FMA x 1.98 GHz");
}

TEST_CASE("gpu bench: a row says what registers, stack and spills the compiler gave our kernel") {
  FakeGpu gpu;
  const std::string log =
      "ptxas info    : Compiling entry function 'part' for 'sm_90a'\n"
      "ptxas info    : Function properties for part\n"
      "    64 bytes stack frame, 48 bytes spill stores, 20 bytes spill loads\n"
      "ptxas info    : Used 168 registers\n"
      "ptxas info    : Compiling entry function 'merge' for 'sm_90a'\n"
      "ptxas info    : Function properties for merge\n"
      "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
      "ptxas info    : Used 32 registers\n";
  Json row;
  CudaBench(gpu.open()).describe(row, {"part", pack({"sm_90a", 13000, log, "fake\n"}), 0});
  CHECK(row.dump() == R"({"registers":168,"stack_bytes":64,"spill_bytes":68})");
}

TEST_CASE("gpu bench: peers that are not there, or not for GPUs, are told") {
  FakeGpu gpu;
  CudaBench bench(gpu.open());
  std::string why;
  CHECK(bench.peers("cublas", bench_kernel("softmax", "4x4", ""), {}, why).empty());
  CHECK(why == "it has no softmax");
  CHECK(bench.peers("openblas", bench_kernel("gemm", "4x4x4", ""), {}, why).empty());
  CHECK(why == "it computes on CPUs: --device CPU");
  CHECK_THROWS_WITH_AS(bench.peers("cudnn", bench_kernel("gemm", "4x4x4", ""), {}, why),
                       "bench: no peer is named 'cudnn'; known are eigen, onednn, openblas, cublas", UserError);
  CHECK_THROWS_WITH_AS(bench.sweep(), doctest::Contains("buffers take turns"), UserError);
}

TEST_CASE("selftest: a kernel is rendered, compiled, loaded and watched on a GPU; one that does nothing is found out") {
  FakeGpu gpu;
  CudaDevice& device = gpu.open();
  if (!device.compiler().nvrtc) {
    MESSAGE("skipped: " << device.compiler().missing);
    return;
  }
  for (const SelftestKernel& test : selftest_kernels()) {
    CAPTURE(test.kind);
    CAPTURE(test.shape);
    CAPTURE(test.opts);
    const BenchKernel k = bench_kernel(test.kind, test.shape, test.layout);
    const Built built = build(k.ast, selftest_opts(test, k.ast, device.target()), device);
    for (const KernelResources& r : cuda_resources(built.artifact)) CHECK(!r.spills());
    GuardedRun run(device, k.ast);
    CHECK(run.check(*built.program, evaluate(built.source.launch.items, {}, {})) == "element 0 was not written");
  }
}
