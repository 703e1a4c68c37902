#include "src/cli/bench_kernels.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "src/cli/kernel_shapes.h"
#include "src/graph/axes.h"
#include "src/graph/partition.h"
#include "src/tensor/buffers.h"
#include "uops/kernel_writer.h"

namespace pg {

namespace {

constexpr double kMaxBytes = 8e9, kEps = 1e-5;
constexpr int64_t kBlock = 16;  // channels of a block of nchw16c

/// An operand without memory: the benchmark gives it some.
Tensor operand(Shape shape, DType type = dt::f32) {
  UOps extents;
  for (const Dim& d : shape) extents.push_back(d.uop());
  return Tensor(new_virtual_buffer(type, extents));
}

/// What partition makes of a tensor.
void from_tensor(BenchKernel& k, const Tensor& result, const std::vector<Tensor>& operands) {
  const Plan plan = partition({result.uop()}, {.rounding = 1});
  if (plan.kernels.size() != 1)
    throw InternalError(k.kind + " " + k.shape + " takes " + std::to_string(plan.kernels.size()) + " kernels");
  k.ast = plan.kernels[0].ast;
  const UOps& buffers = plan.kernels[0].buffers;
  for (const Tensor& t : operands)
    k.inputs.push_back(static_cast<size_t>(std::find(buffers.begin(), buffers.end(), t.uop()) - buffers.begin()));
}

// ---- products ----

void gemm(BenchKernel& k) {
  const Extents e = parse_extents(k.kind, k.shape, "MxNxK");
  const bool ta = k.layout[0] == 't', tb = k.layout[1] == 't';
  k.dims = {e[0], e[1], e[2], ta, tb};
  const Tensor a = operand(ta ? Shape{e[2], e[0]} : Shape{e[0], e[2]}),
               b = operand(tb ? Shape{e[1], e[2]} : Shape{e[2], e[1]});
  from_tensor(k, (ta ? a.transpose() : a).matmul(tb ? b.transpose() : b), {a, b});
}
void gemv(BenchKernel& k) {
  const Extents e = parse_extents(k.kind, k.shape, "NxK");
  const bool rows = k.layout == "nt";
  k.dims = {e[0], e[1], rows};
  const Tensor w = operand(rows ? Shape{e[0], e[1]} : Shape{e[1], e[0]}), x = operand({1, e[1]});
  from_tensor(k, x.matmul(rows ? w.transpose() : w), {w, x});
}

// ---- convolutions ----

std::vector<int64_t> dims_of(const ConvShape& s, bool blocked) {
  const auto [top, bottom, left, right] = s.how.padding;
  return {s.n,          s.c,    s.h, s.w, s.o, s.kh, s.kw, s.how.stride, top, bottom, left, right, s.how.dilation,
          s.how.groups, blocked};
}
/// Channels in blocks that lie innermost: X[b, c/16, h, w, 16], W[o/16, c/16, kh, kw, c%16, o%16], Y as X.
UOp blocked_convolution(const ConvShape& s) {
  KernelWriter w;
  const UOp b = w.axis("b", s.n), o = w.axis("o", s.o / kBlock), y = w.axis("y", s.rows()), x = w.axis("x", s.columns()),
            oi = w.axis("oi", kBlock), c = w.axis("c", s.c / kBlock), ky = w.axis("ky", s.kh), kx = w.axis("kx", s.kw),
            ci = w.axis("ci", kBlock);
  const UOp out = w.param("Y", dt::f32, {s.n, s.o / kBlock, s.rows(), s.columns(), kBlock});
  const UOp in = w.param("X", dt::f32, {s.n, s.c / kBlock, s.h, s.w, kBlock});
  const UOp weight = w.param("W", dt::f32, {s.o / kBlock, s.c / kBlock, s.kh, s.kw, kBlock, kBlock});
  UOp gate;
  const auto inside = [&](const UOp& place, const UOp& window, int64_t before, int64_t after, int64_t extent) {
    const UOp at = place * iconst(s.how.stride) + window * iconst(s.how.dilation);
    const auto require = [&](const UOp& condition) { gate = gate ? alu(Op::And, gate, condition) : condition; };
    if (before > 0) require(alu(Op::Lt, iconst(before - 1), at));
    if (after > 0) require(alu(Op::Lt, at, iconst(before + extent)));
    return at - iconst(before);
  };
  const auto [top, bottom, left, right] = s.how.padding;
  const UOp row = inside(y, ky, top, bottom, s.h), column = inside(x, kx, left, right, s.w);
  const UOp product = load(w.at(in, {b, c, row, column, ci}), gate) * w.read(weight, {o, c, ky, kx, ci, oi});
  const std::string name = fmt::format("conv16c_{}x{}x{}_{}x{}x{}", s.o, s.rows(), s.columns(), s.c, s.kh, s.kw);
  return kernel_simplified(
      w.output(name, w.at(out, {b, o, y, x, oi}), w.reduce("sum", product, {c, ky, kx, ci}), {b, o, y, x, oi}));
}
void conv2d(BenchKernel& k) {
  const ConvShape s = parse_conv2d(k.shape);
  const bool blocked = k.layout == "nchw16c";
  k.dims = dims_of(s, blocked);
  const Tensor x = operand({s.n, s.c, s.h, s.w}), w = operand({s.o, std::max<int64_t>(s.c / s.how.groups, 1), s.kh, s.kw});
  const Tensor y = x.conv2d(w, {}, s.how);  // also checks the shape
  if (!blocked) return from_tensor(k, y, {x, w});
  if (s.c % kBlock != 0 || s.o % kBlock != 0 || s.how.groups != 1)
    throw UserError("bench kernel: nchw16c wants one group and channels in sixteens, not " + k.shape);
  k.ast = blocked_convolution(s);
  k.inputs = {1, 2};
}
void conv1d(BenchKernel& k) {
  const ConvShape s = parse_conv1d(k.shape);
  k.dims = dims_of(s, false);
  const Tensor x = operand({s.n, s.c, s.w}), w = operand({s.o, std::max<int64_t>(s.c / s.how.groups, 1), s.kw});
  const Conv1d how{.stride = s.how.stride,
                   .padding = {s.how.padding[2], s.how.padding[3]},
                   .dilation = s.how.dilation,
                   .groups = s.how.groups};
  from_tensor(k, x.conv1d(w, {}, how), {x, w});
}

// ---- rows ----

void softmax(BenchKernel& k) {
  const Extents e = parse_extents(k.kind, k.shape, "ROWSxCOLUMNS");
  k.dims = e.of;
  const Tensor x = operand({e[0], e[1]});
  from_tensor(k, x.softmax(), {x});
}
void layernorm(BenchKernel& k) {
  const Extents e = parse_extents(k.kind, k.shape, "ROWSxCOLUMNS");
  k.dims = e.of;
  const Tensor x = operand({e[0], e[1]}), weight = operand({e[1]}), bias = operand({e[1]});
  from_tensor(k, x.layernorm(weight, bias, kEps), {x, weight, bias});
}
void rmsnorm(BenchKernel& k) {
  const Extents e = parse_extents(k.kind, k.shape, "ROWSxCOLUMNS");
  k.dims = e.of;
  const Tensor x = operand({e[0], e[1]}), weight = operand({e[1]});
  from_tensor(k, x.rmsnorm(weight, kEps), {x, weight});
}
void groupnorm(BenchKernel& k) {
  const Extents e = parse_extents(k.kind, k.shape, "CxHxW,GROUPS");
  k.dims = {e[0], e[1] * e[2], e[3]};
  const Tensor x = operand({1, e[0], e[1], e[2]}), weight = operand({e[0]}), bias = operand({e[0]});
  from_tensor(k, x.groupnorm(e[3], weight, bias, kEps), {x, weight, bias});
}

// ---- streams ----

void gelu(BenchKernel& k) {
  k.dims = parse_extents(k.kind, k.shape, "N").of;
  const Tensor x = operand({k.dims[0]});
  from_tensor(k, x.gelu(), {x});
}
void sum(BenchKernel& k) {
  k.dims = parse_extents(k.kind, k.shape, "N").of;
  const Tensor x = operand({k.dims[0]});
  from_tensor(k, x.sum(), {x});
}

/// Rows of a table by their numbers: an embedding.
void gather(BenchKernel& k) {
  const Extents e = parse_extents(k.kind, k.shape, "ROWSxCOLUMNS,IDS");
  k.dims = e.of;
  const Tensor table = operand({e[0], e[1]}), ids = operand({e[2]}, dt::i32);
  from_tensor(k, table.gather(ids), {table, ids});
}

// ---- attention ----

/// As one kernel, which partition does not make: O = softmax(Q·Kᵀ/√d)·V with its scores as definitions.
void attention(BenchKernel& k) {
  const Extents n = parse_extents(k.kind, k.shape, "HEADSxTOKENSxD");
  k.dims = n.of;
  k.inputs = {1, 2, 3};
  KernelWriter w;
  const UOp h = w.axis("h", n[0]), i = w.axis("i", n[1]), d = w.axis("d", n[2]), j = w.axis("j", n[1]),
            e = w.axis("e", n[2]);
  const UOp out = w.param("O", dt::f32, {n[0], n[1], n[2]}), q = w.param("Q", dt::f32, {n[0], n[1], n[2]}),
            keys = w.param("K", dt::f32, {n[0], n[1], n[2]}), values = w.param("V", dt::f32, {n[0], n[1], n[2]});
  const UOp scale = constant(dt::f32, 1 / std::sqrt(static_cast<double>(n[2])));
  const UOp s = w.define("S", w.reduce("sum", w.read(q, {h, i, e}) * w.read(keys, {h, j, e}), {e}) * scale, {h, i, j});
  const UOp m = w.define("M", w.reduce("max", s, {j}), {h, i});
  const UOp p = w.define("P", alu(Op::Exp, s - m), {h, i, j});
  const UOp l = w.define("L", w.reduce("sum", p, {j}), {h, i});
  const UOp o = w.reduce("sum", p * w.read(values, {h, j, d}), {j}) * alu(Op::Recip, l);
  k.ast =
      kernel_simplified(w.output(fmt::format("attention_{}x{}x{}", n[0], n[1], n[2]), w.at(out, {h, i, d}), o, {h, i, d}));
}

struct Row {
  BenchKind kind;
  void (*make)(BenchKernel&);
};
const std::vector<Row>& rows() {
  static const std::vector<Row> all = {
      {{"gemm", "MxNxK", "nn nt tn tt"}, gemm},
      {{"gemv", "NxK", "nt nn"}, gemv},
      {{"conv2d", "CxHxW,OxKHxKW,..", "nchw nchw16c"}, conv2d},
      {{"conv1d", "CxW,OxKW,..", ""}, conv1d},
      {{"softmax", "ROWSxCOLUMNS", ""}, softmax},
      {{"layernorm", "ROWSxCOLUMNS", ""}, layernorm},
      {{"rmsnorm", "ROWSxCOLUMNS", ""}, rmsnorm},
      {{"groupnorm", "CxHxW,GROUPS", ""}, groupnorm},
      {{"gelu", "N", ""}, gelu},
      {{"sum", "N", ""}, sum},
      {{"gather", "ROWSxCOLUMNS,IDS", ""}, gather},
      {{"attention", "HEADSxTOKENSxD", ""}, attention},
  };
  return all;
}

/// The asked one if it is among those of the kind.
std::string checked_layout(const BenchKind& kind, const std::string& asked) {
  const std::string known = kind.layouts;
  if (asked.empty()) return known.substr(0, known.find(' '));
  if ((" " + known + " ").find(" " + asked + " ") != std::string::npos) return asked;
  throw UserError("bench kernel: '" + asked + "' is no layout of " + kind.name +
                  (known.empty() ? ", which has one only" : "; known are " + known));
}

}  // namespace

const std::vector<BenchKind>& bench_kinds() {
  static const std::vector<BenchKind> all = [] {
    std::vector<BenchKind> kinds;
    for (const Row& r : rows()) kinds.push_back(r.kind);
    return kinds;
  }();
  return all;
}

BenchKernel bench_kernel(const std::string& kind, const std::string& shape, const std::string& layout) {
  for (const Row& row : rows()) {
    if (kind != row.kind.name) continue;
    BenchKernel k{.kind = kind, .shape = shape, .layout = checked_layout(row.kind, layout)};
    row.make(k);
    k.work = work(k.ast, {}, {});
    if (k.work.bytes > kMaxBytes)
      throw UserError(fmt::format("bench kernel: {} {} needs {:.1f} GB, more than {:.0f} GB", kind, shape,
                                  k.work.bytes * 1e-9, kMaxBytes * 1e-9));
    return k;
  }
  std::string known;
  for (const Row& row : rows()) known += (known.empty() ? "" : ", ") + std::string(row.kind.name);
  throw UserError("bench kernel: no kind is named '" + kind + "'; known are " + known);
}

}  // namespace pg
