// Each message of a UserError of the tensor ops: what was wrong, with the shapes.
#include <doctest/doctest.h>

#include <array>
#include <cmath>

#include "src/tensor/tensor.h"

using namespace pg;

namespace {
Tensor zeros(Shape s, DType t = dt::f32) { return Tensor::zeros(std::move(s), t); }

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

TEST_CASE("errors of elementwise ops") {
  CHECK(ERROR(zeros({3}) + zeros({4})) == "add: shapes [3] and [4] do not broadcast");
  CHECK(ERROR(zeros({2, 3}) < zeros({2})) == "less: shapes [2, 3] and [2] do not broadcast");
  CHECK(ERROR(zeros({2, 3}).maximum(zeros({4, 3}))) == "maximum: shapes [2, 3] and [4, 3] do not broadcast");
  CHECK(ERROR(Tensor::where(zeros({2}), zeros({2}), zeros({2}))) ==
        "where: the condition is f32, not bool; compare it first");
  CHECK(ERROR(zeros({2}) & zeros({2}, dt::i32)) == "and: f32 and i32 must be integers or bool");
  CHECK(ERROR(zeros({2}, dt::kBool) - zeros({2}, dt::kBool)) ==
        "sub: not defined on bool; cast to a number or use logical_not, ^");
  CHECK(ERROR(-zeros({2}, dt::kBool)).rfind("neg: not defined on bool", 0) == 0);
  CHECK(ERROR(zeros({2}).cast(dt::f32.vec(4))) == "cast: f32x4 is not an element type");
  const Tensor i = zeros({2}, dt::i32);
  CHECK(ERROR(zeros({2}).bitcast(dt::i64)) == "bitcast: f32 has 4 bytes an element, i64 has 8");
  CHECK(ERROR(zeros({2}, dt::u8).bitcast(dt::kBool)) == "bitcast: not every byte is a bool; cast, or compare with 0");
  CHECK(ERROR(i.bitcast(dt::f32.vec(4))) == "bitcast: f32x4 is not an element type");
  CHECK(ERROR(zeros({2}) << 3) == "shift left: f32 is not an integer type");
  CHECK(ERROR(zeros({2}, dt::kBool) >> i) == "shift right: bool by i32 bits must be integers");
  CHECK(ERROR(i << zeros({2}, dt::u64)) == "shift left: i32 and u64 have no common integer type; cast one of them");
  CHECK(ERROR(i >> 32) == "shift right: by 32 of the 32 bits of i32");
  CHECK(ERROR(zeros({2}, dt::i8) << -1) == "shift left: by -1 of the 8 bits of i8");
  CHECK(ERROR(i << zeros({3}, dt::i32)) == "shift left: shapes [2] and [3] do not broadcast");
  CHECK(ERROR(zeros({2}) + Tensor()) == "the Tensor is empty (default-constructed): give it a value first");
}

TEST_CASE("errors of movement ops") {
  const Tensor x = zeros({2, 3});
  CHECK(ERROR(x.reshape({4, 2})) == "reshape: [2, 3] has 6 elements and does not fit [4, 2]");
  CHECK(ERROR(x.reshape({4, -1})) == "reshape: [2, 3] has 6 elements and does not fit [4, -1]");
  CHECK(ERROR(x.reshape({-1, -1})) == "reshape: more than one extent is -1");
  CHECK(ERROR(x.reshape({-2, -3})) == "reshape: negative extent in [-2, -3]");
  CHECK(ERROR(zeros({0, 3}).reshape({-1, 0})) == "reshape: -1 beside an extent of 0 is ambiguous");
  CHECK(ERROR(x.expand({2, 6})) == "expand: [2, 3] to [2, 6]: only extents of 1 grow");
  CHECK(ERROR(x.expand({3})) == "expand: [2, 3] has more axes than [3]");
  CHECK(ERROR(x.permute({0, 0})) == "permute: the axes must name each axis of [2, 3] once");
  CHECK(ERROR(x.permute({0})) == "permute: the axes must name each axis of [2, 3] once");
  CHECK(ERROR(x.permute({0, 2})) == "permute: axis 2 is out of range for shape [2, 3]");
  CHECK(ERROR(x.transpose(0, 5)) == "transpose: axis 5 is out of range for shape [2, 3]");
  CHECK(ERROR(x.pad({{1, 1}})) == "pad: 1 pairs for the shape [2, 3]");
  CHECK(ERROR(x.pad({{0, 0}, {-1, 0}})) == "pad: (-1, 0) is negative; use shrink");
  CHECK(ERROR(x.shrink({{0, 2}})) == "shrink: 1 pairs for the shape [2, 3]");
  CHECK(ERROR(x.slice(1, 1, 4)) == "shrink: [1, 4) is not within axis 1 of [2, 3]");
  CHECK(ERROR(x.slice(1, 2, 1)) == "shrink: [2, 1) is not within axis 1 of [2, 3]");
  CHECK(ERROR(x.slice(1, -1, 2)) == "shrink: [-1, 2) is not within axis 1 of [2, 3]");
  CHECK(ERROR(x.slice(2, 0, 1)) == "slice: axis 2 is out of range for shape [2, 3]");
  CHECK(ERROR(x.slice(1, 0, Dim(variable("n", 4, 9)))) == "shrink: [0, n) is not within axis 1 of [2, 3]");
  CHECK(ERROR(x.flip({-3})) == "flip: axis -3 is out of range for shape [2, 3]");
  CHECK(ERROR(x.unsqueeze(4)) == "unsqueeze: axis 4 is out of range for a new axis of [2, 3]");
  CHECK(ERROR(x.squeeze(0)) == "squeeze: axis 0 of [2, 3] is not of extent 1");
  CHECK(ERROR(Tensor::cat({x, zeros({3, 4})}, 0)) == "cat: shapes [2, 3] and [3, 4] differ beside axis 0");
  CHECK(ERROR(Tensor::cat({x, zeros({3})}, 0)) == "cat: shapes [2, 3] and [3] differ beside axis 0");
  CHECK(ERROR(Tensor::cat({})) == "cat, stack: no tensors given");
  CHECK(ERROR(Tensor::stack({x, zeros({2, 4})})) == "stack: shapes [2, 3] and [2, 4] differ");
}

TEST_CASE("errors of reductions") {
  const Tensor x = zeros({2, 3});
  CHECK(ERROR(x.sum({2})) == "sum: axis 2 is out of range for shape [2, 3]");
  CHECK(ERROR(x.mean({0, -2})) == "mean: axis 0 is given twice");
  CHECK(ERROR(zeros({2, 0}).max({1})) == "max: axis 1 of [2, 0] is empty");
  CHECK(ERROR(zeros({0}).argmax(0)) == "argmax: axis 0 of [0] is empty");
  CHECK(ERROR(x.argmax(-3)) == "argmax: axis -3 is out of range for shape [2, 3]");
  CHECK(ERROR(x.softmax(2)) == "max: axis 2 is out of range for shape [2, 3]");
  CHECK(ERROR(x.rmsnorm(zeros({2}), 1e-5)) == "rmsnorm: the weight [2] must be as long as the last axis of [2, 3]");
}

TEST_CASE("errors of products and gathers") {
  CHECK(ERROR(zeros({4, 8}).matmul(zeros({9, 2}))) == "matmul: inner sizes differ: [4, 8] x [9, 2]");
  CHECK(ERROR(zeros({8}).matmul(zeros({9}))) == "matmul: inner sizes differ: [8] x [9]");
  CHECK(ERROR(zeros({2, 4, 8}).matmul(zeros({3, 8, 2}))) == "matmul: leading axes do not broadcast: [2, 4, 8] x [3, 8, 2]");
  CHECK(ERROR(zeros({}).matmul(zeros({3}))) == "matmul: an operand has no axes: [] x [3]");
  CHECK(ERROR(Tensor::attention(zeros({5, 16}), zeros({9, 8}), zeros({9, 8}))) ==
        "matmul: inner sizes differ: [5, 16] x [8, 9]\n  while attention of q [5, 16], k [9, 8], v [9, 8]");
  CHECK(ERROR(Tensor::attention(zeros({16}), zeros({9, 8}), zeros({9, 8}))) ==
        "attention: q [16], k [9, 8], v [9, 8] need at least 2 axes");
  CHECK(ERROR(zeros({4, 8}).gather(zeros({2}))) == "gather: the ids are f32, not integers");
  CHECK(ERROR(zeros({}).gather(Tensor::arange(2))) == "gather: the tensor has no rows");
}

TEST_CASE("errors of convolutions and norms") {
  const Tensor x = zeros({1, 4, 8, 8}), w = zeros({6, 4, 3, 3});
  CHECK(ERROR(zeros({8, 8}).conv2d(w)) ==
        "conv2d: x is [N, C, H, W] or [C, H, W], the weight [O, C/groups, KH, KW]: x [8, 8], weight [6, 4, 3, 3]");
  CHECK(ERROR(zeros({4, 8}).conv1d(w)) ==
        "conv1d: x is [N, C, W] or [C, W], the weight [O, C/groups, KW]: x [4, 8], weight [6, 4, 3, 3]");
  const std::string shapes = ": x [1, 4, 8, 8], weight [6, 4, 3, 3]";
  CHECK(ERROR(zeros({1, 5, 8, 8}).conv2d(w)) ==
        "conv2d: the weight takes 4 channels, x has 5: x [1, 5, 8, 8], weight [6, 4, 3, 3]");
  CHECK(ERROR(x.conv2d(w, {}, {.groups = 2})) == "conv2d: the weight takes 8 channels in 2 groups, x has 4" + shapes);
  CHECK(ERROR(x.conv2d(w, {}, {.groups = 0})) == "conv2d: 0 groups" + shapes);
  CHECK(ERROR(x.conv2d(zeros({5, 2, 3, 3}), {}, {.groups = 2})) ==
        "conv2d: 5 filters do not fall into 2 groups: x [1, 4, 8, 8], weight [5, 2, 3, 3]");
  CHECK(ERROR(x.conv2d(w, zeros({4}))) == "conv2d: the bias [4] is not one number for each of 6 filters" + shapes);
  CHECK(ERROR(x.conv2d(w, {}, {.stride = 0})) == "conv2d: stride and dilation are at least 1" + shapes);
  CHECK(ERROR(x.conv2d(w, {}, {.padding = {1, 1, -1, 0}})) == "conv2d: padding is not negative" + shapes);
  CHECK(ERROR(x.conv2d(w, {}, {.dilation = 4})) == "conv2d: a window of 9 does not fit the padded extent 8" + shapes);
  CHECK(ERROR(zeros({1, 4, 8, Dim(variable("n", 4, 9))}).conv2d(w)) ==
        "conv2d: axis 3 of the input [1, 4, 8, n] holds Variables");
  CHECK(ERROR(zeros({}).layernorm({}, {}, 1e-5)) == "layernorm: the tensor has no axes");
  CHECK(ERROR(zeros({2, 3}).layernorm(zeros({3}), zeros({2}), 1e-5)) ==
        "layernorm: weight and bias must be as long as the last axis of [2, 3], not [2]");
  CHECK(ERROR(zeros({3}).groupnorm(1, {}, {}, 1e-5)) == "groupnorm: [3] is not [N, C, ..]");
  CHECK(ERROR(x.groupnorm(3, {}, {}, 1e-5)) == "groupnorm: 4 channels of [1, 4, 8, 8] do not fall into 3 groups");
  CHECK(ERROR(x.groupnorm(2, zeros({8}), {}, 1e-5)) ==
        "groupnorm: weight and bias must be one number for each channel of [1, 4, 8, 8], not [8]");
}

TEST_CASE("errors of creation") {
  const std::array<float, 5> five{};
  const Dim n(variable("n", 1, 8));
  CHECK(ERROR(Tensor::from(std::span<const float>(five), {2, 3})) == "from: 5 values for the shape [2, 3] of 6 elements");
  CHECK(ERROR(Tensor::from(std::span<const float>(five), {n})) ==
        "from: the shape [n] holds Variables; shrink the tensor to known extents first");
  CHECK(ERROR(Tensor::full({2}, 2.5, dt::i32)) == "full: 2.5 is not a value of i32");
  CHECK(ERROR(Tensor::full({2}, INFINITY, dt::kBool)) == "full: inf is not a value of bool");
  CHECK(ERROR(Tensor::arange(3, dt::f32)) == "arange: f32 is not an integer type; cast the result instead");
  CHECK(ERROR(Tensor::arange(-3)) == "arange: -3 elements");
  CHECK(ERROR(Tensor::wrap(std::make_shared<Memory>(default_device(), 8), dt::f32, {3})) ==
        "wrap: [3] of f32 needs 12 bytes, the memory has 8");
  CHECK(ERROR(Tensor::wrap(nullptr, dt::f32, {3})) == "wrap: [3] of f32 needs 12 bytes, the memory has 0");
}

TEST_CASE("errors of leaving laziness") {
  CHECK(ERROR(zeros({2}, dt::i32).to_floats()) == "to_floats: the tensor is i32; cast it or use to_ints");
  CHECK(ERROR(zeros({2}).to_ints()) == "to_ints: the tensor is f32; cast it or use to_floats");
  CHECK(ERROR(zeros({2}).item()) == "item: the shape [2] has more than one element");
  CHECK(ERROR(Tensor().realize()) == "the Tensor is empty (default-constructed): give it a value first");
  CHECK(ERROR(Tensor::empty({Dim(variable("n", 1, 8))}).to_floats()) ==
        "to_floats: the shape [n] holds Variables; shrink the tensor to known extents first");
}

TEST_CASE("errors of gradients") {
  const Tensor x = Tensor::empty({2, 3}), ids = Tensor::empty({2}, dt::i32);
  CHECK(ERROR(gradients(x, {x})) == "gradients: the loss has the shape [2, 3]; reduce it to one element");
  CHECK(ERROR(gradients(ids.sum(), {x})) == "gradients: the loss is i64, not a float");
  CHECK(ERROR(gradients(x.sum(), {ids})) == "gradients: a tensor of wrt is i32, not a float");
  CHECK(ERROR(gradients(Tensor::empty({2, 3}).assign(x).sum(), {x})) ==
        "gradients: Assign has no derivative; use detach() where none is meant");
}

TEST_CASE("errors of functions and of what is made of views") {
  const Tensor x = zeros({2, 3}), n = zeros({Dim(variable("n", 4, 9)), 3});
  CHECK(ERROR(x.clamp(2, 1)) == "clamp: the lower limit 2.000000 is above the upper one, 1.000000");
  CHECK(ERROR(x.masked_fill(x, 1)) == "where: the condition is f32, not bool; compare it first");
  CHECK(ERROR(x.var({2})) == "var: axis 2 is out of range for shape [2, 3]");
  CHECK(ERROR(x.logsumexp({-3})) == "max: axis -3 is out of range for shape [2, 3]");
  CHECK(ERROR(x.slice_step(0, 0, 2, 0)) == "slice: a step of 0");
  CHECK(ERROR(n.slice_step(0, 0, 2, 1)) == "slice: axis 0 of [n, 3] is no number");
  CHECK(ERROR(x.repeat({2})) == "repeat: needs a number of times, 0 or more, for each axis of [2, 3]");
  CHECK(ERROR(x.repeat({2, -1})) == "repeat: needs a number of times, 0 or more, for each axis of [2, 3]");
  CHECK(ERROR(x.repeat_interleave(-1, 0)) == "repeat_interleave: -1 times");
  CHECK(ERROR(x.split(std::vector<int64_t>{1, 3}, 1)) == "split: the sizes must add up to the 3 of axis 1");
  CHECK(ERROR(x.split(std::vector<int64_t>{4, -1}, 1)) == "split: the sizes must add up to the 3 of axis 1");
  CHECK(ERROR(x.split(0, 1)) == "split: parts of 0");
  CHECK(ERROR(zeros({3}).tril()) == "tril: [3] has no rows and columns");
  CHECK(ERROR(x.pad_reflect(1, 3, 0)) ==
        "pad_reflect: 3 and 0 must be 0 or more and less than the 3 elements that are mirrored");
  CHECK(ERROR(zeros({0}).pad_replicate(0, 1, 0)) == "pad_replicate: 1 and 0 beside 0 elements");
  CHECK(ERROR(Tensor::linspace(0, 1, 0)) == "linspace: 0 numbers");
  CHECK(ERROR(x.one_hot(3)) == "one_hot: ids are integers, not f32");
}
