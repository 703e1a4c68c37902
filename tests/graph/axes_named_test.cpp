// What convolutions and norms look like as kernels: affine indices, gates that are bounds of those indices, names.
#include <doctest/doctest.h>

#include <unordered_set>

#include "src/graph/partition.h"
#include "src/tensor/buffers.h"
#include "tests/graph/tensor_evaluator.h"
#include "uops/simplify.h"
#include "uops/text.h"

using namespace pg;
using pg::test::input;

namespace {
/// The one kernel of a tensor, checked against the tensor's definition.
UOp only_kernel(const Tensor& t) {
  const UOps roots{t.uop()};
  const Plan plan = partition(roots);
  REQUIRE(plan.kernels.size() == 1);
  CHECK(test::difference(roots, plan, {}, 7) == "");
  return plan.kernels[0].ast;
}
std::string names(const UOps& ranges) {
  std::string s;
  for (const UOp& r : ranges) s += (s.empty() ? "" : " ") + r.arg_as<RangeArg>().axis;
  return s;
}
/// "o y x | c ky kx".
std::string axes(const UOp& kernel) {
  const Definition out = definitions(kernel).back();
  return names(out.ranges) + " | " + names(out.reduce_ranges);
}
/// The load of a Param by name.
UOp load_of(const UOp& kernel, const std::string& param) {
  const UOps all = collect(kernel, [&](const UOp& u) {
    return u.is(Op::Load) && u.src(0).src(0).is(Op::Param) && u.src(0).src(0).arg_as<ParamArg>().name == param;
  });
  REQUIRE(all.size() == 1);
  return all[0];
}
UOps axes_by_name(const UOp& kernel, const std::vector<std::string>& wanted) {
  UOps found;
  for (const std::string& name : wanted)
    for (const UOp& r : collect(kernel, [&](const UOp& u) { return u.is(Op::Range) && u.arg_as<RangeArg>().axis == name; }))
      found.push_back(r);
  REQUIRE(found.size() == wanted.size());
  return found;
}
/// The comparisons that a gate is the conjunction of.
std::unordered_set<UOp> conjuncts(const UOp& gate) {
  if (!gate.is(Op::And)) return {gate};
  std::unordered_set<UOp> all = conjuncts(gate.src(0));
  all.merge(conjuncts(gate.src(1)));
  return all;
}
bool affine(const UOp& kernel) {
  return collect(kernel, [](const UOp& u) { return u.is(Op::IDiv) || u.is(Op::Mod) || u.is(Op::Where); }).empty();
}
}  // namespace

TEST_CASE("a convolution is one kernel over o y x | c ky kx, its padding a gate of bounds of the index") {
  const UOp k = only_kernel(input({1, 3, 6, 7}).conv2d(input({4, 3, 3, 3}), {}, {.padding = {1, 1, 1, 1}}));
  CHECK(k.arg_as<std::string>() == "conv_4x6x7_3x3x3");
  CHECK(axes(k) == "o y x | c ky kx");
  CHECK(affine(k));
  const UOps r = axes_by_name(k, {"o", "c", "y", "ky", "x", "kx"});
  const UOp y = simplify(r[2] + r[3]), x = simplify(r[4] + r[5]), read = load_of(k, "X");
  CHECK(read.src(0).src(1) == r[1]);
  CHECK(read.src(0).src(2) == simplify(y - iconst(1)));
  CHECK(read.src(0).src(3) == simplify(x - iconst(1)));
  REQUIRE(read.src().size() == 2);
  const auto above = [](const UOp& i) { return simplify(alu(Op::Lt, iconst(0), i)); };
  const auto below = [](const UOp& i, int64_t n) { return simplify(alu(Op::Lt, i, iconst(n))); };
  CHECK(conjuncts(read.src(1)) == std::unordered_set<UOp>{above(y), below(y, 7), above(x), below(x, 8)});
  const UOp weight = load_of(k, "W").src(0);
  CHECK(weight.src(1) == r[0]);
  CHECK(weight.src(2) == r[1]);
  CHECK(weight.src(3) == r[3]);
  CHECK(weight.src(4) == r[5]);
}
TEST_CASE("stride, dilation and one-sided padding stay affine") {
  const UOp k = only_kernel(
      input({1, 2, 11, 9}).conv2d(input({3, 2, 3, 3}), input({3}), {.stride = 2, .padding = {0, 1, 2, 0}, .dilation = 2}));
  CHECK(axes(k) == "o y x | c ky kx");
  CHECK(affine(k));
  const UOps r = axes_by_name(k, {"y", "ky", "x", "kx"});
  const UOp read = load_of(k, "X");
  CHECK(read.src(0).src(2) == simplify(r[0] * iconst(2) + r[1] * iconst(2)));
  CHECK(read.src(0).src(3) == simplify(r[2] * iconst(2) + r[3] * iconst(2) - iconst(2)));
  CHECK(load_of(k, "B").src(0).src(1) == axes_by_name(k, {"o"})[0]);
}
TEST_CASE("groups and batches have axes of their own; a depthwise convolution has one axis of channels") {
  const UOp k =
      only_kernel(input({2, 6, 5, 5}).conv2d(input({4, 3, 3, 3}), input({4}), {.padding = {1, 1, 1, 1}, .groups = 2}));
  CHECK(axes(k) == "b g o y x | c ky kx");
  CHECK(affine(k));
  const UOps r = axes_by_name(k, {"b", "g", "o", "c"});
  CHECK(load_of(k, "X").src(0).src(1) == r[0]);
  CHECK(load_of(k, "X").src(0).src(2) == simplify(r[1] * iconst(3) + r[3]));
  CHECK(load_of(k, "W").src(0).src(1) == simplify(r[1] * iconst(2) + r[2]));
  const UOp depthwise = only_kernel(input({5, 6, 6}).conv2d(input({5, 1, 3, 3}), {}, {.groups = 5}));
  CHECK(axes(depthwise) == "g y x | ky kx");
  CHECK(affine(depthwise));
}
TEST_CASE("1-D convolutions, windows of one row or column, patches") {
  CHECK(axes(only_kernel(input({1, 4, 12}).conv1d(input({5, 4, 3}), {}, {.stride = 2, .padding = {1, 1}}))) == "o x | c kx");
  CHECK(axes(only_kernel(input({4, 5, 6}).conv2d(input({3, 4, 3, 1})))) == "o y x | c ky");
  CHECK(axes(only_kernel(input({4, 5, 6}).conv2d(input({3, 4, 1, 3})))) == "o y x | c kx");
  CHECK(axes(only_kernel(input({2, 3, 8, 8}).conv2d(input({5, 3, 4, 4}), {}, {.stride = 4}))) == "b o y x | c ky kx");
  CHECK(axes(only_kernel(input({1, 7, 7}).conv2d(input({3, 1, 3, 3})))) == "o y x | ky kx");
}
TEST_CASE("a 1x1 convolution is a matmul") {
  const UOp k = only_kernel(input({4, 5, 6}).conv2d(input({3, 4, 1, 1})));
  CHECK(k.arg_as<std::string>() == "matmul_3x30x4");
}
TEST_CASE("bias, activation and residual are a convolution's epilogue") {
  const Tensor x = input({1, 4, 6, 6});
  const UOp k = only_kernel(x + x.conv2d(input({4, 4, 3, 3}), input({4}), {.padding = {1, 1, 1, 1}}).relu());
  CHECK(axes(k) == "o y x | c ky kx");
  CHECK(affine(k));
}
