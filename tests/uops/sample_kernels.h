#pragma once
// The kernels that schedules are tried on, by name.
#include "tests/uops/kernel_writer.h"
#include "uops/interpret.h"

namespace pg::test {

/// out[m,n] = sum over k of A·B; a transposed operand is stored [k,m] / [n,k].
inline UOp gemm(UOp m_extent, UOp n_extent, UOp k_extent, bool transpose_a = false, bool transpose_b = false,
                DType t = dt::f32) {
  KernelWriter w;
  const UOp m = w.axis("m", m_extent), n = w.axis("n", n_extent), k = w.axis("k", k_extent);
  const UOp out = w.param("out", t, UOps{m_extent, n_extent});
  const UOp a = w.param("A", t, transpose_a ? UOps{k_extent, m_extent} : UOps{m_extent, k_extent});
  const UOp b = w.param("B", t, transpose_b ? UOps{n_extent, k_extent} : UOps{k_extent, n_extent});
  const UOp product = (transpose_a ? read(a, {k, m}) : read(a, {m, k})) * (transpose_b ? read(b, {n, k}) : read(b, {k, n}));
  return w.output("gemm", at(out, {m, n}), w.reduce("sum", product, {k}), {m, n});
}
inline UOp gemm(int64_t m, int64_t n, int64_t k, bool transpose_a = false, bool transpose_b = false, DType t = dt::f32) {
  return gemm(iconst(m), iconst(n), iconst(k), transpose_a, transpose_b, t);
}

/// out[m,n] = sum over k of A·W, with W[n,k] = Q·D: blocks of 34 bytes, an f16 scale D and 32 int8 Q (ggml's Q8_0).
inline UOp packed_gemm(UOp m_extent, int64_t n_extent, int64_t k_extent) {
  KernelWriter w;
  const UOp m = w.axis("m", m_extent), n = w.axis("n", n_extent), k = w.axis("k", k_extent);
  const UOp out = w.param("out", dt::f32, UOps{m_extent, iconst(n_extent)}),
            a = w.param("A", dt::f32, UOps{m_extent, iconst(k_extent)}),
            q = w.param("Q", dt::i8, {n_extent, k_extent / 32, 34}),
            d = w.param("D", dt::f16, {n_extent, k_extent / 32, 17});
  const UOp block = idiv(k, iconst(32)), number = mod(k, iconst(32)) + iconst(2);
  const UOp value = cast(read(q, {n, block, number}), dt::f32) * cast(read(d, {n, block, iconst(0)}), dt::f32);
  const UOp unpacked = w.define("W", value, {n, k});
  return w.output("packed", at(out, {m, n}), w.reduce("sum", read(a, {m, k}) * unpacked, {k}), {m, n});
}
inline UOp packed_gemm(int64_t m, int64_t n, int64_t k) { return packed_gemm(iconst(m), n, k); }
/// Its result by a program; numbers such that sums are exact in any order.
inline std::vector<float> packed_product(const UOp& program, int64_t m, int64_t n, int64_t k) {
  std::vector<float> out(m * n, -1), a(m * k);
  std::vector<int8_t> packed(n * k / 32 * 34);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i * 7 % 11) - 5;
  for (size_t i = 0; i < packed.size(); ++i) packed[i] = static_cast<int8_t>(i * 5 % 13) - 6;
  for (size_t block = 0; block < packed.size() / 34; ++block) {  // 0.5, 1, 2
    packed[block * 34] = 0;
    packed[block * 34 + 1] = static_cast<int8_t>(0x38 + block % 3 * 4);
  }
  interpret(program,
            std::vector<HostBuffer>{{out.data(), m * n},
                                    {a.data(), m * k},
                                    {packed.data(), static_cast<int64_t>(packed.size())},
                                    {packed.data(), static_cast<int64_t>(packed.size()) / 2}},
            {});
  return out;
}

/// out[i] = max(x[i] + 1, 0)
inline UOp relu(UOp extent) {
  KernelWriter w;
  const UOp i = w.axis("i", extent), out = w.param("out", dt::f32, UOps{extent}),
            x = read(w.param("x", dt::f32, UOps{extent}), {i});
  return w.output("relu", at(out, {i}), alu(Op::Max, x + constant(dt::f32, 1.0), constant(dt::f32, 0.0)), {i});
}

/// out[i,j] = exp(x - M[i]) / L[i]
inline UOp softmax(UOp rows, UOp columns) {
  KernelWriter w;
  const UOp i = w.axis("i", rows), j = w.axis("j", columns);
  const UOp out = w.param("out", dt::f32, UOps{rows, columns}), x = read(w.param("x", dt::f32, UOps{rows, columns}), {i, j});
  const UOp m = w.define("M", w.reduce("max", x, {j}), {i});
  const UOp e = w.define("E", alu(Op::Exp, x - m), {i, j});
  const UOp l = w.define("L", w.reduce("sum", e, {j}), {i});
  return w.output("softmax", at(out, {i, j}), alu(Op::Div, e, l), {i, j});
}
inline UOp softmax(int64_t rows, int64_t columns) { return softmax(iconst(rows), iconst(columns)); }

/// out[i,d] = sum over j of P·V / L: S = Q·K, M = max of S, P = exp(S - M), L = sum of P
inline UOp attention(int64_t rows, int64_t keys, int64_t width, int64_t depth = 4) {
  KernelWriter w;
  const UOp i = w.axis("i", rows), j = w.axis("j", keys), d = w.axis("d", width), e = w.axis("e", depth);
  const UOp out = w.param("out", dt::f32, {rows, width}), q = w.param("Q", dt::f32, {rows, depth}),
            k = w.param("K", dt::f32, {keys, depth}), v = w.param("V", dt::f32, {keys, width});
  const UOp s = w.define("S", w.reduce("sum", read(q, {i, e}) * read(k, {j, e}), {e}), {i, j});
  const UOp m = w.define("M", w.reduce("max", s, {j}), {i});
  const UOp p = w.define("P", alu(Op::Exp, s - m), {i, j});
  const UOp l = w.define("L", w.reduce("sum", p, {j}), {i});
  return w.output("attention", at(out, {i, d}), alu(Op::Div, w.reduce("sum", p * read(v, {j, d}), {j}), l), {i, d});
}

/// out[i] = sum of x[i, ..] times sum of y[i, ..], over axes of their own
inline UOp product_of_sums(int64_t rows, int64_t columns, int64_t others) {
  KernelWriter w;
  const UOp i = w.axis("i", rows), j = w.axis("j", columns), k = w.axis("k", others), out = w.param("out", dt::f32, {rows});
  const UOp x = read(w.param("x", dt::f32, {rows, columns}), {i, j}),
            y = read(w.param("y", dt::f32, {rows, others}), {i, k});
  const UOp s = w.define("S", w.reduce("sum", x, {j}), {i});
  return w.output("product_of_sums", at(out, {i}), w.reduce("sum", y, {k}) * s, {i});
}

/// out[i,j] = x * A[i] + B[i], with A the sum of the row and B that of its squares
inline UOp two_sums(int64_t rows, int64_t columns) {
  KernelWriter w;
  const UOp i = w.axis("i", rows), j = w.axis("j", columns), out = w.param("out", dt::f32, {rows, columns});
  const UOp x = read(w.param("x", dt::f32, {rows, columns}), {i, j});
  const UOp a = w.define("A", w.reduce("sum", x, {j}), {i}), b = w.define("B", w.reduce("sum", x * x, {j}), {i});
  return w.output("two_sums", at(out, {i, j}), x * a + b, {i, j});
}

/// out[] = sum of x
inline UOp total(UOp extent, DType t = dt::f32) {
  KernelWriter w;
  const UOp i = w.axis("i", extent), out = w.param("out", t, {1});
  return w.output("total", at(out, {iconst(0)}), w.reduce("sum", read(w.param("x", t, UOps{extent}), {i}), {i}), {});
}

/// out[i,j] = table[ids[i], j]
inline UOp gather(int64_t rows, int64_t columns, int64_t table) {
  KernelWriter w;
  const UOp i = w.axis("i", rows), j = w.axis("j", columns);
  const UOp out = w.param("out", dt::f32, {rows, columns}), ids = w.param("ids", dt::i32, {rows}),
            x = w.param("table", dt::f32, {table, columns});
  return w.output("gather", at(out, {i, j}), read(x, {cast(read(ids, {i}), dt::index), j}), {i, j});
}

/// out[i] = place of the first of the largest x[i, ..]
inline UOp argmax(int64_t rows, int64_t columns) {
  KernelWriter w;
  const UOp i = w.axis("i", rows), j = w.axis("j", columns), out = w.param("out", dt::i64, {rows});
  const UOp best = w.reduce("argmax", UOps{read(w.param("x", dt::f32, {rows, columns}), {i, j}), j}, {j});
  return w.output("argmax", at(out, {i}), w.project(best, 1), {i});
}

/// 3×3, padded by 1.
inline UOp convolution(int64_t channels, int64_t filters, int64_t height, int64_t width) {
  KernelWriter w;
  const UOp o = w.axis("o", filters), y = w.axis("y", height), x = w.axis("x", width), c = w.axis("c", channels),
            ky = w.axis("ky", 3), kx = w.axis("kx", 3);
  const UOp out = w.param("out", dt::f32, {filters, height, width}), in = w.param("X", dt::f32, {channels, height, width});
  const auto inside = [](const UOp& i, int64_t n) {
    return alu(Op::And, alu(Op::Lt, iconst(-1), i), alu(Op::Lt, i, iconst(n)));
  };
  const UOp iy = y + ky - iconst(1), ix = x + kx - iconst(1);
  const UOp pixel = load(at(in, {c, iy, ix}), alu(Op::And, inside(iy, height), inside(ix, width)));
  const UOp weight = read(w.param("W", dt::f32, {filters, channels, 3, 3}), {o, c, ky, kx});
  return w.output("convolution", at(out, {o, y, x}), w.reduce("sum", pixel * weight, {c, ky, kx}), {o, y, x});
}

}  // namespace pg::test
