// Scheduled → Linear as a whole.
#include "uops/lower.h"

#include <doctest/doctest.h>

#include "tests/uops/sample_kernels.h"
#include "tests/uops/scheduled.h"
#include "uops/kernel.h"

using namespace pg;
using namespace pg::test;

TEST_CASE("lower: the passes run in their order, each seen by the observer") {
  std::vector<std::string> names;
  lower(scheduled(gemm(4, 4, 4), {"m", "n", "k"}), {}, [&](const Pass& p, const UOp& u) {
    names.push_back(p.name);
    CHECK(u);
  });
  CHECK(names == std::vector<std::string>{"nests_opened", "products_fused", "ops_legalized", "indices_flattened",
                                          "registers_expanded", "linearized", "accesses_widened"});
}

TEST_CASE("lower: a multiply-add is one Fma, also on the other side of the sum") {
  const UOp linear = lower(scheduled(gemm(4, 4, 4), {"m", "n", "k"}), {});
  CHECK(count(linear, Op::Fma) == 1);
  CHECK(collect(linear, [](const UOp& u) { return u.is(Op::Mul) && u.dtype().is_float(); }).empty());
  KernelWriter w;
  const UOp i = w.axis("i", 4), out = w.param("out", dt::f32, {4}), x = read(w.param("x", dt::f32, {4}), {i}),
            y = read(w.param("y", dt::f32, {4}), {i});
  CHECK(count(lower(scheduled(w.output("axpy", at(out, {i}), x * y + x, {i}), {"i"}), {}), Op::Fma) == 1);
}

TEST_CASE("lower: integers are multiplied and added") {
  const UOp linear = lower(scheduled(gemm(4, 4, 4, false, false, dt::i32), {"m", "n", "k"}), {});
  CHECK(count(linear, Op::Fma) == 0);
  CHECK(collect(linear, [](const UOp& u) { return u.is(Op::Mul) && u.dtype() == dt::i32; }).size() == 1);
}

TEST_CASE("lower: exp has become arithmetic for the compiler and stays itself for the reference") {
  const UOp s = scheduled(softmax(4, 20), {"i", "j", "j:8 vec"});
  CHECK(count(lower(s, {}), Op::Exp) == 0);
  CHECK(count(lower(s, Target{.isa = "ref"}), Op::Exp) > 0);
}

TEST_CASE("lower: the name is an identifier, and launch info is read off the program") {
  const UOp n = variable("n", 1, 64);
  const LaunchInfo launch =
      launch_info(lower(scheduled(gemm(iconst(4), n, iconst(8)), {"n grid", "m", "k", "n:8 vec"}), {}));
  CHECK(launch.name == "gemm");
  CHECK(launch.params.size() == 3);
  CHECK(launch.variables == UOps{n});
  CHECK(pretty(launch.items) == "(n + 7)/8");
  CHECK(const_int(launch_info(lower(scheduled(gemm(4, 4, 4), {"m", "n", "k"}), {})).items) == 1);
}

TEST_CASE("lower: an error names the kernel and the pass") {
  const UOp kernel = gemm(4, 4, 4);
  CHECK_THROWS_AS(lower(scheduled(kernel, {"m", "n"}), {}), InternalError);  // k has no range
  try {
    lower(scheduled(kernel, {"m", "n"}), {});
  } catch (const InternalError& e) {
    CHECK(std::string(e.what()).find("axis k has no range") != std::string::npos);
    CHECK(std::string(e.what()).find("while lowering gemm, pass nests_opened") != std::string::npos);
  }
}

TEST_CASE("lower: the same schedule gives the same program") {
  const auto make = [] { return lower(scheduled(gemm(10, 40, 7), {"n grid", "m", "k", "m:4 upcast", "n:16 vec"}), {}); };
  CHECK(make() == make());
}
