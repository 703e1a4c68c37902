#pragma once
// Programs that are both run and kept as golden texts.
#include "tests/renderers/linear_runs.h"
#include "uops/transcendental.h"

namespace pg {

/// c[m, n] = max(sum_k a[m, k] * b[k, n], 0): rows 2 × 32 columns in registers, a masked tail of columns, rows over the
/// grid.
inline UOp matmul(int64_t m, int64_t n, int64_t k) {
  LinearBuilder p;
  constexpr int kRows = 2, kVectors = 2, kLanes = 16;
  const DType v = dt::f32.vec(kLanes);
  const UOp c = p.param("c", dt::f32, m * n), a = p.param("a", dt::f32, m * k), b = p.param("b", dt::f32, k * n);
  const UOp rows = p.open(range("m", iconst(m / kRows), 0, Kind::Grid));
  const UOp columns = p.open(range("n", iconst((n + kLanes * kVectors - 1) / (kLanes * kVectors))));
  const UOp acc = p.memory("acc", v, kRows * kVectors);
  const auto each = [&](auto f) {
    for (int i = 0; i < kRows; ++i)
      for (int j = 0; j < kVectors; ++j) f(i, j, p.at(acc, iconst(i * kVectors + j), v));
  };
  const UOp row = rows * iconst(kRows);
  const auto column = [&](int j) { return columns * iconst(kLanes * kVectors) + iconst(kLanes * j); };
  const auto gate = [&](int j) {
    return alu(Op::Lt, broadcast(column(j), kLanes) + p.lanes(kLanes), broadcast(iconst(n), kLanes));
  };
  for (int j = 0; j < kVectors; ++j) p.value(gate(j));
  each([&](int, int, const UOp& place) { p.store(place, constant(v, 0.0)); });
  const UOp r = p.open(range("k", iconst(k)));
  each([&](int i, int j, const UOp& place) {
    const UOp x = broadcast(load(p.at(a, (row + iconst(i)) * iconst(k) + r)), kLanes);
    const UOp y = load(p.at(b, r * iconst(n) + column(j), v), gate(j));
    p.value(x), p.value(y);
    p.store(place, alu(Op::Fma, x, y, p.again(load(place))));
  });
  p.close();
  each([&](int i, int j, const UOp& place) {
    p.store(p.at(c, (row + iconst(i)) * iconst(n) + column(j), v), alu(Op::Max, p.again(load(place)), constant(v, 0.0)),
            gate(j));
  });
  return p.finish("matmul");
}

/// Variables as trips, conditions, an accumulator in a loop, values shadowed in inner scopes.
inline UOp prefix_sums() {
  LinearBuilder p;
  const UOp out = p.param("out", dt::i32, 64), in = p.param("in", dt::i32, 64);
  const UOp count = variable("count", 0, 64), step = variable("step", 1, 8);
  const UOp total = p.memory("total", dt::i32, 1);
  const UOp place = p.at(total, iconst(0));
  p.store(place, constant(dt::i32, int64_t{0}));
  const UOp i = p.open(range("i", ceildiv(count, 2)));
  const UOp first = i * iconst(2);
  p.store(place, alu(Op::Add, p.again(load(place)), load(p.at(in, first))));
  p.store(p.at(out, first), p.again(load(place)));
  p.open_if(alu(Op::Lt, first + iconst(1), count));
  const UOp second = load(p.at(in, first + iconst(1)));
  p.open_if(alu(Op::Eq, mod(first - iconst(5), step), iconst(0)));
  p.store(place, alu(Op::Mul, p.again(load(place)), constant(dt::i32, int64_t{-1})));
  p.close();
  p.store(place, alu(Op::Add, p.again(load(place)), second));
  p.store(p.at(out, first + iconst(1)), p.again(load(place)));
  p.close();
  p.close();
  return p.finish("prefix sums");
}

/// 16-bit floats in and out, a gather, masks: most of the prelude.
inline UOp mixed() {
  LinearBuilder p;
  constexpr int kLanes = 8;
  const UOp out = p.param("out", dt::bf16, 64), x = p.param("x", dt::f16, 64), ids = p.param("ids", dt::i32, 64),
            keep = p.param("keep", dt::kBool, 64);
  const UOp n = variable("n", 0, 64);
  const UOp i = p.open(range("i", ceildiv(n, kLanes)));
  const UOp start = i * iconst(kLanes),
            inside = alu(Op::Lt, broadcast(start, kLanes) + p.lanes(kLanes), broadcast(n, kLanes));
  const UOp id = cast(load(p.at(ids, start, dt::i32.vec(kLanes)), inside), dt::index.vec(kLanes));
  const UOp a = cast(load(p.at(x, id, dt::f16.vec(kLanes)), inside), dt::f32.vec(kLanes));
  const UOp kept = load(p.at(keep, start, dt::kBool.vec(kLanes)), inside);
  const UOp y = alu(Op::Where, kept, alu(Op::Sqrt, alu(Op::Max, a, alu(Op::Neg, a))), constant(a.dtype(), 0.1));
  p.store(p.at(out, start, dt::bf16.vec(kLanes)), cast(y, dt::bf16.vec(kLanes)), inside);
  return p.finish("mixed types");
}

/// The functions that programs are given in place of an op: what they consist of is generated code too.
inline UOp elementary() {
  LinearBuilder p;
  const DType t = dt::f32.vec(4);
  const UOp out = p.param("out", dt::f32, 24), x = p.value(load(p.at(p.param("x", dt::f32, 4), iconst(0), t)));
  for (int64_t at = 0; UOp (*f)(const UOp&) : {exp_f32, log_f32, sin_f32, cos_f32, tanh_f32, erf_f32})
    p.store(p.at(out, iconst(4 * at++), t), f(x));
  return p.finish("elementary");
}

}  // namespace pg
