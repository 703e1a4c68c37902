#include "src/tensor/gradient_rules.h"

#include <array>
#include <cmath>
#include <numbers>

#include "src/tensor/rows.h"
#include "src/tensor/shape.h"

namespace pg {

namespace {

using Gradients = std::vector<Tensor>;
using Pairs = std::vector<std::pair<Dim, Dim>>;

Tensor source(const UOp& u, size_t i) { return Tensor(u.src(i)); }
Tensor zeros_like(const Tensor& x) { return Tensor::zeros(x.shape(), x.dtype()); }

bool is_number(UOp u) {
  while (u.is(Op::Reshape) || u.is(Op::Expand)) u = u.src(0);
  return u.is(Op::Const);
}
/// Max and Min pass the gradient to the winner. Equal operands share it, but a number takes all (relu'(0) = 0).
Tensor winner(const Tensor& wins, const Tensor& x, const Tensor& other, const Tensor& g) {
  const Tensor tie = is_number(other.uop()) ? zeros_like(g) : g * 0.5;
  return Tensor::where(wins, g, Tensor::where(x == other, tie, zeros_like(g)));
}
Gradients max_gradients(const UOp& u, const Tensor& g) {
  const Tensor a = source(u, 0), b = source(u, 1);
  return {winner(b < a, a, b, g), winner(a < b, b, a, g)};
}
Gradients min_gradients(const UOp& u, const Tensor& g) {
  const Tensor a = source(u, 0), b = source(u, 1);
  return {winner(a < b, a, b, g), winner(b < a, b, a, g)};
}

Gradients expand_gradients(const UOp& u, const Tensor& g) {
  const Tensor x = source(u, 0);
  const Shape from = x.shape(), to = g.shape();
  std::vector<int> grown;
  for (size_t i = 0; i < from.size(); ++i)
    if (!same(from[i], to[i])) grown.push_back(static_cast<int>(i));
  return {grown.empty() ? g : g.sum(grown, true)};
}

Gradients permute_gradients(const UOp& u, const Tensor& g) {
  const Ints& axes = u.arg_as<Ints>();
  std::vector<int> inverse(axes.size());
  for (size_t i = 0; i < axes.size(); ++i) inverse[axes[i]] = static_cast<int>(i);
  return {g.permute(inverse)};
}

Gradients pad_gradients(const UOp& u, const Tensor& g) {
  const Shape inner = source(u, 0).shape();
  Pairs region;
  for (size_t i = 0; i < inner.size(); ++i) region.emplace_back(u.src(1 + 2 * i), Dim(u.src(1 + 2 * i)) + inner[i]);
  return {g.shrink(region)};
}
Gradients shrink_gradients(const UOp& u, const Tensor& g) {
  const Shape outer = source(u, 0).shape();
  Pairs around;
  for (size_t i = 0; i < outer.size(); ++i) around.emplace_back(u.src(1 + 2 * i), outer[i] - Dim(u.src(2 + 2 * i)));
  return {g.pad(around)};
}

Gradients flip_gradients(const UOp& u, const Tensor& g) {
  const Ints& axes = u.arg_as<Ints>();
  return {g.flip(std::vector<int>(axes.begin(), axes.end()))};
}

/// The product of the others: of all by division where no factor is 0, and where one is, of all but that one.
Gradients product_gradients(const Tensor& x, const Tensor& y, const std::vector<int>& axes, const Tensor& g) {
  const Tensor is_zero = x == 0, zeros = is_zero.sum(axes, true), one = Tensor::full({}, 1, x.dtype());
  const Tensor safe = Tensor::where(is_zero, one, x), others = safe.prod(axes, true);
  const Tensor nothing = zeros_like(x);
  const Tensor at_zero = Tensor::where(zeros == 1, others, nothing),
               elsewhere = Tensor::where(zeros == 0, y / safe, nothing);
  return {g * Tensor::where(is_zero, at_zero, elsewhere)};
}

/// sum: to every element. prod: the product of the others. max, min: shared by the elements that equal the result.
Gradients reduce_gradients(const UOp& u, const Tensor& g) {
  const ReduceArg& arg = u.arg_as<ReduceArg>();
  const Tensor x = source(u, 0);
  if (arg.reducer == "sum") return {g.expand(x.shape())};
  const std::vector<int> axes(arg.axes.begin(), arg.axes.end());
  if (arg.reducer == "prod") return product_gradients(x, Tensor(u), axes, g);
  if (arg.reducer != "max" && arg.reducer != "min")
    throw UserError("gradients: the reduction " + arg.reducer + " has no derivative");
  const Tensor is_extreme = (x == Tensor(u)).cast(x.dtype());
  return {is_extreme * (g / is_extreme.sum(axes, true))};
}

/// Row r collects the gradients of all places that read it: a sum over the ids with a one-hot choice, block by block.
Gradients gather_gradients(const UOp& u, const Tensor& g) {
  const Shape table = source(u, 0).shape();
  const Tensor ids = as_ids(source(u, 1));
  const int64_t* of_arg = std::get_if<int64_t>(&u.arg());
  const Dim blocks = of_arg ? *of_arg : 1, n = table[0] / blocks, reads = element_count(ids.shape()) / blocks;
  const Shape row(table.begin() + 1, table.end()), ones(row.size(), Dim(1));
  const auto shaped = [](Shape shape, const Shape& more) {
    shape.insert(shape.end(), more.begin(), more.end());
    return shape;
  };
  const Tensor numbers = Tensor::arange(table[0], ids.dtype()).reshape(shaped({blocks, 1, n}, ones));
  const Tensor hit = ids.reshape(shaped({blocks, reads, 1}, ones)) == numbers;
  const Tensor gradient = g.reshape(shaped({blocks, reads, 1}, row));
  return {Tensor::where(hit, gradient, zeros_like(gradient)).sum({1}).reshape(table)};  // [blocks, n, row..]
}

Gradients cast_gradients(const UOp& u, const Tensor& g) {
  return u.src(0).dtype().is_float() ? Gradients{g.cast(u.src(0).dtype())} : Gradients{};
}

constexpr double kTwoOverRootPi = 2 * std::numbers::inv_sqrtpi;

// clang-format off
// In the rows: u is the node y = op(a, b, c), g the gradient at y.
#define ROW(op, ...) {Op::op, [](const UOp& u, const Tensor& g) -> Gradients { (void)u, (void)g; return {__VA_ARGS__}; }}
#define Y Tensor(u)
#define A source(u, 0)
#define B source(u, 1)
#define C source(u, 2)
constexpr GradientRule kRules[] = {
    ROW(Neg,   -g),
    ROW(Exp,   g * Y),
    ROW(Log,   g / A),
    ROW(Sin,   g * A.cos()),
    ROW(Cos,   -(g * A.sin())),
    ROW(Tanh,  g * (1 - Y * Y)),
    ROW(Erf,   g * (-(A * A)).exp() * kTwoOverRootPi),
    ROW(Sqrt,  g / (Y * 2)),
    ROW(Recip, -(g * Y * Y)),
    ROW(Floor, ),
    ROW(Add,   g, g),
    ROW(Sub,   g, -g),
    ROW(Mul,   g * B, g * A),
    ROW(Div,   g / B, -(g * Y / B)),
    ROW(Where, Tensor(), Tensor::where(A, g, zeros_like(g)), Tensor::where(A, zeros_like(g), g)),
    ROW(Fma,   g * B, g * A, g),
    {Op::Max, max_gradients},
    {Op::Min, min_gradients},
    {Op::Cast, cast_gradients},
    ROW(Bitcast, ),  // Tensor::detach
    ROW(Reshape, g.reshape(A.shape())),
    {Op::Expand, expand_gradients},
    {Op::Permute, permute_gradients},
    {Op::Pad, pad_gradients},
    {Op::Shrink, shrink_gradients},
    {Op::Flip, flip_gradients},
    {Op::ReduceAxis, reduce_gradients},
    {Op::Gather, gather_gradients},
    ROW(Contiguous, g),
};
// clang-format on
#undef ROW
#undef Y
#undef A
#undef B
#undef C

}  // namespace

const GradientRule* gradient_rule(Op op) {
  static const auto by_op = [] {
    std::array<const GradientRule*, kOpCount> table{};
    for (const GradientRule& rule : kRules) table[static_cast<int>(rule.op)] = &rule;
    return table;
  }();
  return by_op[static_cast<int>(op)];
}

}  // namespace pg
