// What a kernel and its winner are called in the database.
#include "search/keys.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/renderers/linear_runs.h"
#include "tests/uops/sample_kernels.h"
#include "uops/text.h"

using namespace pg;
using namespace pg::test;

namespace {
UOp sized(int64_t bound) { return gemm(iconst(64), variable("T", 1, bound), variable("pos", 1, bound)); }
}  // namespace

TEST_CASE("bucket: each size rounded up to a power of two, by name") {
  const auto of = [](const Bindings64& bindings) { return bucket(sizing_variables(sized(512)), bindings); };
  CHECK(of({}) == "");
  CHECK(of({{"pos", 511}, {"T", 64}}) == "T=64,pos=512");
  CHECK(of({{"T", 64}, {"pos", 512}}) == "T=64,pos=512");
  CHECK(of({{"T", 65}}) == "T=128");
  CHECK(of({{"T", 1}}) == "T=1");
}

TEST_CASE("bucket: a Variable that is no axis' size is not in it") {
  KernelWriter w;
  const UOp i = w.axis("i", 8), pos = variable("pos", 0, 100);
  const UOp out = w.param("out", dt::f32, {8}), x = w.param("x", dt::f32, {200});
  CHECK(sizing_variables(w.output("slice", at(out, {i}), read(x, {i + pos}), {i})).empty());
}

TEST_CASE("winner key: what changes the answer, and nothing else") {
  TestCpu one("native", 1), two("native", 2);
  const WinnerKey a = winner_key(sized(512), {{"T", 60}, {"pos", 500}}, *one.device);
  CHECK(a.kernel == content_id(sized(512)));
  CHECK(a.bucket == "T=64,pos=512");
  CHECK(a.threads == 1);
  CHECK(a.precision == "fp32");
  CHECK(winner_key(sized(512), {{"pos", 400}, {"T", 33}, {"unused", 7}}, *one.device).bucket == a.bucket);
  CHECK(winner_key(gemm(4, 4, 4), {{"T", 60}}, *one.device).bucket == "");  // another kernel's Variable
  CHECK(winner_key(sized(512), {}, *two.device).threads == 2);
  CHECK(winner_key(gemm(4, 4, 4), {}, *one.device).kernel != winner_key(gemm(4, 4, 5), {}, *one.device).kernel);
}

TEST_CASE("template hash: sizes and the name do not matter, anything else does") {
  CHECK(template_hash(gemm(4, 8, 16)) == template_hash(gemm(1000, 31, 7)));
  CHECK(template_hash(sized(64)) == template_hash(sized(4096)));
  CHECK(template_hash(gemm(4, 8, 16)) != template_hash(gemm(4, 8, 16, false, true)));
  CHECK(template_hash(gemm(4, 8, 16)) != template_hash(gemm(4, 8, 16, false, false, dt::i32)));
  const UOp k = gemm(4, 8, 16);
  CHECK(template_hash(k) == template_hash(UOp(Op::Kernel, k.dtype(), std::string("another_name"), k.src())));
}

TEST_CASE("kernel row: shape, work and text of the kernel with its Variables bound") {
  const KernelRow row = kernel_row(sized(512), {{"T", 100}, {"pos", 200}});
  CHECK(row.name == "gemm");
  CHECK(row.shape == "m=64 n=100 k=200");
  CHECK(row.flops == 2.0 * 64 * 100 * 200);
  CHECK(row.bytes == 4.0 * (64 * 100 + 64 * 200 + 100 * 200));
  CHECK(parse(row.ir) == sized(512));
  CHECK(kernel_row(sized(512), {}).shape == "m=64 n=512 k=512");  // unbound: the upper bound
}

TEST_CASE("shape distance: in octaves, large where the axes differ") {
  CHECK(shape_distance("m=64 n=64", "m=64 n=64") == 0);
  CHECK(shape_distance("m=64 n=64", "m=128 n=16") == doctest::Approx(3));
  CHECK(shape_distance("m=64", "m=100") == doctest::Approx(std::log2(100.0 / 64)));
  CHECK(shape_distance("m=64", "m=64 n=2") >= 100);
  CHECK(shape_distance("m=64 n=2", "m=64") == shape_distance("m=64", "m=64 n=2"));
  CHECK(shape_distance("", "") == 0);
}
