// What a kernel's outputs must be: planted wrong kernels are found, right ones pass.
#include "search/reference.h"

#include <doctest/doctest.h>

#include <cstring>

#include "runtime/config.h"
#include "search/build.h"
#include "search/runner.h"
#include "tests/renderers/linear_runs.h"
#include "tests/search/tune_fixture.h"
#include "tests/uops/sample_kernels.h"
#include "uops/evaluate.h"

using namespace pg;
using namespace pg::test;

namespace {

struct Bench {
  explicit Bench(UOp k, Bindings64 b = {}) : kernel(std::move(k)), bindings(std::move(b)) {
    use_built_runner();
    runner = std::make_unique<Runner>(RunnerOptions{.threads = 1});
    const std::vector<BufferSpec> specs = buffer_specs(kernel, bindings);
    runner->set_buffers(specs, 1);
    std::vector<std::span<const std::byte>> inputs;
    for (size_t slot = 0; slot < specs.size(); ++slot)
      inputs.push_back(specs[slot].use == BufferUse::Output ? std::span<const std::byte>() : runner->input(slot));
    reference = std::make_unique<Reference>(kernel, bindings, specs, inputs, 1);
  }
  /// What the reference says of this program's output.
  std::string verdict(Source source) {
    const RunProgram program = RunProgram::of(cpu.device->compile(source), source.launch, bindings);
    const RunResult r = runner->check(program);
    return r.status == RunStatus::Ok ? reference->check_samples(runner->output()) : r.reason;
  }
  std::string verdict(const UOp& k, const char* opts) { return verdict(render_kernel(k, parse_opts(opts), *cpu.device)); }

  UOp kernel;
  Bindings64 bindings;
  TestCpu cpu;
  std::unique_ptr<Runner> runner;
  std::unique_ptr<Reference> reference;
};

/// With one occurrence of `what` in the source replaced.
Source modified(Source s, const std::string& what, const std::string& by) {
  const size_t at = s.text.rfind(what);
  REQUIRE_MESSAGE(at != std::string::npos, s.text);
  s.text.replace(at, what.size(), by);
  return s;
}

}  // namespace

TEST_CASE("reference: right kernels pass under every schedule") {
  Bench matmul(gemm(30, 50, 70));
  for (const char* opts : {"", "tile(m,4,upcast) tile(n,16,vec)", "tile(k,8,vec)", "order(k m n)",
                           "tile(n,32,upcast) tile(n,16,vec) grid(n m)"})
    CHECK(matmul.verdict(matmul.kernel, opts) == "");
  Bench rows(softmax(9, 100));
  CHECK(rows.verdict(rows.kernel, "tile(j,16,vec)") == "");
  Bench ids(gather(20, 30, 40));
  CHECK(ids.verdict(ids.kernel, "tile(j,8,vec)") == "");
  Bench symbolic(gemm(iconst(8), variable("n", 1, 64), iconst(9)), {{"n", 23}});
  CHECK(symbolic.verdict(symbolic.kernel, "tile(n,8,vec)") == "");
  Bench integers(total(iconst(1000), dt::i64));
  CHECK(integers.verdict(integers.kernel, "tile(i,8,vec)") == "");
}

TEST_CASE("reference: a long sum into one accumulator passes, one term less does not") {
  const int64_t terms = 20'000;  // 4 √K roundings are not enough for it
  Bench b(gemm(16, 16, terms));
  CHECK(b.verdict(b.kernel, "") == "");
  KernelWriter w;
  const UOp m = w.axis("m", 16), n = w.axis("n", 16), k = w.axis("k", terms - 1);
  const UOp out = w.param("out", dt::f32, {16, 16}), a = read(w.param("A", dt::f32, {16, terms}), {m, k}),
            x = read(w.param("B", dt::f32, {terms, 16}), {k, n});
  CHECK(b.verdict(w.output("short", at(out, {m, n}), w.reduce("sum", a * x, {k}), {m, n}), "").find("element ") == 0);
}

TEST_CASE("reference: a modified source is wrong") {
  Bench b(relu(iconst(1000)));
  const Source good = render_kernel(b.kernel, parse_opts("tile(i,8,vec)"), *b.cpu.device);
  CHECK(b.verdict(good) == "");
  const std::string wrong = b.verdict(modified(good, "1.0f", "1.001f"));
  CHECK(wrong.find("element ") == 0);
  CHECK(wrong.find(", expected ") != wrong.npos);
  CHECK(wrong.find(", allowed ") != wrong.npos);
}

TEST_CASE("reference: kernels that leave a term, a row or a column out are wrong") {
  Bench b(gemm(30, 50, 70));
  KernelWriter w;
  const UOp m = w.axis("m", 30), n = w.axis("n", 50), k = w.axis("k", 69);  // one term short
  const UOp out = w.param("out", dt::f32, {30, 50}), a = read(w.param("A", dt::f32, {30, 70}), {m, k}),
            x = read(w.param("B", dt::f32, {70, 50}), {k, n});
  CHECK(b.verdict(w.output("short", at(out, {m, n}), w.reduce("sum", a * x, {k}), {m, n}), "").find("element ") == 0);
  CHECK(b.verdict(w.output("shifted", at(out, {m, n}), w.reduce("sum", a * x + constant(dt::f32, 0.001), {k}), {m, n}), "")
            .find("element ") == 0);
  const UOp whole = b.kernel.src(0).src(0).src(1);
  const auto without = [&](const UOp& axis, int64_t last) {
    return alu(Op::Where, alu(Op::Lt, axis, iconst(last)), whole, constant(dt::f32, 0.0));
  };
  CHECK(b.verdict(w.output("column", at(out, {m, n}), without(n, 49), {m, n}), "").find("element ") == 0);
  CHECK(b.verdict(w.output("row", at(out, {m, n}), without(m, 29), {m, n}), "").find("element ") == 0);
}

TEST_CASE("reference: one wrong element of the whole is found") {
  Bench b(gemm(40, 50, 60));
  REQUIRE(b.verdict(b.kernel, "tile(n,16,vec)") == "");
  const auto output = b.runner->output();
  std::vector<std::byte> verified(output.begin(), output.end()), other = verified;
  CHECK(b.reference->check_whole(other, verified) == "");
  float x;
  std::memcpy(&x, other.data() + 4 * 1234, 4);
  x += 1e-7f;
  std::memcpy(other.data() + 4 * 1234, &x, 4);
  CHECK(b.reference->check_whole(other, verified) == "");  // a rounding
  x += 0.01f;
  std::memcpy(other.data() + 4 * 1234, &x, 4);
  CHECK(b.reference->check_whole(other, verified).find("element 1234 is ") == 0);
  x = NAN;
  std::memcpy(other.data() + 4 * 1234, &x, 4);
  CHECK(b.reference->check_whole(other, verified).find("element 1234 is ") == 0);
}

TEST_CASE("buffer specs: what each buffer is filled with") {
  const std::vector<BufferSpec> specs = buffer_specs(gather(20, 30, 40), {});
  REQUIRE(specs.size() == 3);
  CHECK(specs[0] == BufferSpec{600, dt::f32, BufferUse::Output, 0});
  CHECK(specs[1] == BufferSpec{20, dt::i32, BufferUse::Ids, 40});
  CHECK(specs[2] == BufferSpec{1200, dt::f32, BufferUse::Input, 0});
  CHECK(buffer_specs(gemm(iconst(4), variable("n", 1, 64), iconst(8)), {{"n", 10}})[2].elements == 80);
  CHECK_THROWS_WITH_AS(buffer_specs(gemm(iconst(4), variable("n", 1, 64), iconst(8)), {}), "Variable n has no value",
                       UserError);
  KernelWriter w;
  const UOp i = w.axis("i", 5), out = w.param("out", dt::f32, {8}), x = read(w.param("x", dt::f32, {5}), {i});
  CHECK(buffer_specs(w.output("part", at(out, {i}), x, {i}), {})[0].use ==
        BufferUse::InOut);  // elements 5..7 keep their values
  KernelWriter v;
  const UOp sum = v.param("sum", dt::f32, {5}), term = v.param("x", dt::f32, {5});
  CHECK(buffer_specs(v.output("add", at(sum, {i}), read(sum, {i}) + read(term, {i}), {i}), {})[0].use == BufferUse::InOut);
  KernelWriter g;
  const UOp gated = g.param("out", dt::f32, {5}), in = g.param("x", dt::f32, {5});
  CHECK(buffer_specs(g.output("gated", at(gated, {i}), read(in, {i}), {i}, alu(Op::Lt, i, iconst(3))), {})[0].use ==
        BufferUse::InOut);
}
