// Products of a few rows with a matrix that lies along the sum.
#include "search/heuristic_few_rows.h"

#include <doctest/doctest.h>

#include "search/build.h"
#include "search/tune.h"
#include "tests/renderers/linear_runs.h"
#include "tests/uops/sample_kernels.h"
#include "uops/evaluate.h"
#include "uops/kernel.h"
#include "uops/lower.h"

using namespace pg;
using namespace pg::test;

namespace {

const Target kAvx512{.vector_bytes = 64, .registers = 32, .cores = 8};
const Target kAvx2{.vector_bytes = 32, .registers = 16, .cores = 1};

bool few(const UOp& kernel, const Target& t = kAvx512) { return few_rows_heuristic(Schedule(kernel, t), "k").has_value(); }
UOp product(int64_t m, int64_t n, int64_t k) { return gemm(m, n, k, false, true); }

struct Operands {
  Operands(int64_t m, int64_t n, int64_t k) : out(m * n, -1), a(m * k), b(n * k) {
    for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i * 7 % 11) - 5;  // sums are exact in any order
    for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i * 5 % 13) - 6;
    wanted.resize(m * n);
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j)
        for (int64_t l = 0; l < k; ++l) wanted[i * n + j] += a[i * k + l] * b[j * k + l];
  }
  std::vector<float> out, a, b, wanted;
};
void check_interpreted(const UOp& kernel, const Target& target, Operands o, const std::vector<int64_t>& variables) {
  const Schedule s = *Schedule(kernel, target).apply(heuristic(kernel, target));
  CAPTURE(text(s.opts()));
  const auto buffer = [](std::vector<float>& v) { return HostBuffer{v.data(), static_cast<int64_t>(v.size())}; };
  interpret(lower(s.scheduled(), target), std::vector<HostBuffer>{buffer(o.out), buffer(o.a), buffer(o.b)}, variables);
  CHECK(o.out == o.wanted);
}
void check_compiled(const UOp& kernel, Device& device, Operands o, const UOps& names,
                    const std::vector<int64_t>& variables) {
  const Opts opts = heuristic(kernel, device.target());
  CAPTURE(text(opts));
  const Built b = build(kernel, opts, device);
  b.program->launch(std::vector<void*>{o.out.data(), o.a.data(), o.b.data()}, variables,
                    evaluate(b.source.launch.items, names, variables));
  CHECK(o.out == o.wanted);
}

}  // namespace

TEST_CASE("few rows: of a long sum, a large matrix and not too many rows") {
  CHECK(few(product(2, 640, 512)));
  CHECK(few(product(63, 640, 512)));
  CHECK(few(gemm(variable("T", 1, 40), iconst(640), iconst(512), false, true)));
  CHECK(few(packed_gemm(8, 640, 512)) == false);  // as if it were floats: search/unpacked.h
  CHECK(!few(product(64, 640, 512)));             // panels
  CHECK(!few(product(8, 640, 128)));              // a short sum
  CHECK(!few(product(32, 128, 512)));             // to copy the rows costs what it saves
  CHECK(!few(product(1, 640, 512)));              // nothing is shared
  CHECK(!few(product(2, 16, 512)));               // too little to do
  CHECK(!few(gemm(iconst(8), iconst(640), variable("K", 1, 512), false, true)));
}

TEST_CASE("few rows: heads stand in the grid, in front of their columns") {
  KernelWriter w;
  const UOp h = w.axis("h", iconst(32)), m = w.axis("m", iconst(8)), n = w.axis("n", iconst(64)),
            k = w.axis("k", iconst(512));
  const UOp out = w.param("out", dt::f32, UOps{iconst(32), iconst(8), iconst(64)}),
            a = read(w.param("A", dt::f32, UOps{iconst(8), iconst(512)}), {m, k}),
            b = read(w.param("B", dt::f32, UOps{iconst(32), iconst(64), iconst(512)}), {h, n, k});
  const UOp kernel = w.output("heads", at(out, {h, m, n}), w.reduce("sum", a * b, {k}), {h, m, n});
  CHECK(text(heuristic(kernel, kAvx512)) ==
        "tile(m,8,upcast) tile(n,3,upcast) tile(k,16,vec) grid(h n) stage(A,top) prefetch(B,n)");
}

TEST_CASE("few rows: right for ragged sizes, interpreted and compiled") {
  TestCpu cpu;
  for (int64_t m = 2; m <= 64; m += m < 10 ? 1 : 9)
    for (const auto& [n, k] : {std::array<int64_t, 2>{8 * m + 3, 531}, std::array<int64_t, 2>{8 * m + 16, 768}}) {
      CAPTURE(m);
      CAPTURE(n);
      CAPTURE(k);
      const Operands o(m, n, k);
      check_compiled(product(m, n, k), *cpu.device, o, {}, {});
      if (m > 12) continue;  // slow
      for (const Target& t : {kAvx512, kAvx2}) check_interpreted(product(m, n, k), t, o, {});
    }
}

TEST_CASE("few rows: right for every number of rows up to a limit") {
  TestCpu cpu;
  const UOp t = variable("T", 1, 20);
  const UOp kernel = gemm(t, iconst(165), iconst(531), false, true);
  for (int64_t m : {1, 2, 3, 7, 16, 19, 20}) {
    CAPTURE(m);
    const Operands o(m, 165, 531);
    check_compiled(kernel, *cpu.device, o, {t}, {m});
    if (m < 4) check_interpreted(kernel, kAvx2, o, {m});
  }
}

TEST_CASE("few rows: a bucket of few rows has a default of its own, larger ones share that of the limit") {
  const UOp t = variable("T", 1, 512);
  const UOp kernel = gemm(t, iconst(640), iconst(512), false, true);
  const auto chosen = [&](int64_t rows) { return text(heuristic(kernel, kAvx512, {{"T", rows}})); };
  const std::string many = text(heuristic(kernel, kAvx512));
  CHECK(many.find("stage(B,n)") != many.npos);
  CHECK(chosen(512) == many);
  CHECK(chosen(33) == many);
  CHECK(text(heuristic(kernel, kAvx512, {{"pos", 2}})) == many);
  for (int64_t rows : {2, 8, 16, 32}) CHECK(chosen(rows) == text(heuristic(product(rows, 640, 512), kAvx512)));
  CHECK(chosen(5) == chosen(8));
  CHECK(chosen(9) == chosen(16));
  CHECK(within_bucket(kernel, {{"T", 5}}) == gemm(variable("T", 1, 8), iconst(640), iconst(512), false, true));
  CHECK(within_bucket(kernel, {{"T", 33}}) == kernel);
  // Right for all values, not only those of the bucket.
  TestCpu cpu;
  const UOp small = gemm(t, iconst(165), iconst(531), false, true);
  const Opts opts = heuristic(small, cpu.device->target(), {{"T", 3}});
  const Built b = build(small, opts, *cpu.device);
  for (int64_t m : {1, 4, 70}) {
    Operands o(m, 165, 531);
    b.program->launch(std::vector<void*>{o.out.data(), o.a.data(), o.b.data()}, std::vector{m},
                      evaluate(b.source.launch.items, UOps{t}, std::vector{m}));
    CHECK(o.out == o.wanted);
  }
}
