#pragma once
// Random kernels of every shape that partition makes, and some more.
#include <algorithm>
#include <string>

#include "search/schedule.h"
#include "tests/properties/random_values.h"
#include "uops/evaluate.h"

namespace pg::test {

struct RandomKernel {
  UOp kernel;
  Bindings64 bindings;    // of its Variables
  bool in_place = false;  // the output is read too: grid items may see what others wrote
};

class KernelGenerator {
 public:
  explicit KernelGenerator(RandomSource& random) : random_(random), v_(random), w_(v_.writer_) {}

  /// Small enough for the interpreter: the product of all extents is at most `most`.
  static RandomKernel make(RandomSource& random, int64_t most = 60'000) {
    while (true) {
      RandomKernel k = KernelGenerator(random).next();
      int64_t points = 1;
      for (const Axis& a : pg::axes(k.kernel))
        points *= std::max<int64_t>(1, evaluate(a.extent, values_of(k.kernel, k.bindings)));
      if (points <= most) return k;
    }
  }

 private:
  RandomKernel next() {
    v_.symbolic_ = random_.one_in(4);
    UOp kernel;
    switch (random_.below(14)) {
      case 0:
      case 1: kernel = gemm(); break;
      case 2: kernel = elementwise(); break;
      case 3: kernel = softmax(); break;
      case 4: kernel = norm(); break;
      case 5:
      case 6: kernel = convolution(); break;
      case 7:
      case 8: kernel = attention(); break;
      case 9: kernel = tuple(); break;
      case 10: kernel = two_sums(); break;
      case 11: kernel = random_.one_in(2) ? masked() : packed(); break;
      default: kernel = reduction();
    }
    // Not every value that was made is used; slots are without gaps.
    Substitution renumbered;
    for (const UOp& p : params_of(kernel))
      renumbered.emplace_back(p, UOp(Op::Param, p.dtype(),
                                     ParamArg{static_cast<int64_t>(renumbered.size()), p.arg_as<ParamArg>().name}, p.src()));
    return {substitute(kernel, renumbered), v_.bindings_, in_place_};
  }

  using Ops = RandomValues::Ops;

  /// The output: a whole buffer, or a part of one, shifted, transposed, behind a gate.
  UOp output(const std::string& name, DType t, const UOps& axes) {
    axes_ = axes, name_ = name;
    UOps order = axes, extents, indices;
    if (random_.one_in(3)) random_.shuffle(order);
    for (const UOp& a : order) {
      const int64_t shift = random_.one_in(10) ? 2 : 0;
      extents.push_back(RandomValues::extent_of(a) + iconst(2 * shift));
      indices.push_back(a + iconst(shift));
    }
    if (random_.one_in(15)) gate_ = v_.condition(axes);
    place_ = index(w_.param("out", t, extents), indices);
    return load(place_);
  }
  /// Sometimes the old value counts in.
  UOp finish(UOp value) {
    if (!place_.dtype().is_bool() && random_.one_in(6)) {
      in_place_ = true;
      value = value + RandomValues::converted(load(place_), value.dtype());
    }
    return w_.output(name_, place_, RandomValues::converted(value, place_.dtype()), axes_, gate_);
  }
  /// Nothing, a bias, an activation, another input.
  UOp epilogue(UOp value) {
    const DType t = value.dtype();
    if (t.is_bool()) return value;
    if (random_.one_in(3)) value = value + v_.loaded(t, axes_);
    if (random_.one_in(4)) value = alu(Op::Max, value, constant(t, int64_t{0}));
    if (random_.one_in(6)) value = value * v_.leaf(t, axes_);
    return value;
  }
  DType result_of(DType t) { return random_.one_in(4) ? v_.other(t) : t; }
  static DType summed(DType t) { return t.is_bool() ? dt::i32 : t == dt::f16 || t == dt::bf16 ? dt::f32 : t; }

  UOp gemm() {
    const UOp m = v_.axis("m", 20), n = v_.axis("n", 40), k = v_.axis("k", 20),
              b = random_.one_in(4) ? v_.axis("b", 3) : iconst(0);
    const DType t = v_.dtype(), sum = summed(t);
    output("gemm", result_of(sum), {b, m, n});
    const auto operand = [&](const char* name, const UOp& rows, const UOp& columns) {
      const bool transposed = random_.one_in(2);
      const UOp &x = transposed ? columns : rows, &y = transposed ? rows : columns;
      return cast(read(w_.param(name, t, UOps{v_.extent_of(b), v_.extent_of(x), v_.extent_of(y)}), {b, x, y}), sum);
    };
    return finish(epilogue(w_.reduce("sum", operand("A", m, k) * operand("B", k, n), {k})));
  }

  /// A product with an operand of blocks of small numbers, each with a scale.
  UOp packed() {
    const int64_t block = random_.pick({4, 8, 16}), blocks = random_.between(1, 48 / block), rows = random_.between(2, 40);
    const UOp m = v_.axis("m", 8), n = w_.axis("n", rows), k = w_.axis("k", block * blocks), at = idiv(k, iconst(block));
    output("packed", dt::f32, {m, n});
    const UOp a = read(w_.param("A", dt::f32, UOps{v_.extent_of(m), iconst(block * blocks)}), {m, k});
    const UOp q = read(w_.param("Q", dt::i8, {rows, blocks, block + 2}), {n, at, mod(k, iconst(block)) + iconst(2)}),
              d = read(w_.param("D", random_.pick({dt::f16, dt::bf16}), {rows, blocks}), {n, at});
    return finish(epilogue(w_.reduce("sum", a * w_.define("W", cast(q, dt::f32) * cast(d, dt::f32), {n, k}), {k})));
  }

  UOps axes(const std::string& prefix, int64_t least, int64_t most, int64_t extent) {
    UOps all;
    for (int64_t n = random_.between(least, most), i = 0; i < n; ++i)
      all.push_back(v_.axis(prefix + std::to_string(i), extent));
    return all;
  }

  UOp elementwise() {
    const UOps out = axes("i", 0, 3, 16);
    const DType t = v_.dtype();
    output("elementwise", result_of(t), out);
    return finish(v_.value(t, out, static_cast<int>(random_.between(1, 4))));
  }

  /// out[i..] = f(reduce over r.. of g)
  UOp reduction() {
    const UOps out = axes("i", 0, 2, 20), inner = axes("r", 1, 3, 10);
    UOps all = out;
    all.insert(all.end(), inner.begin(), inner.end());
    const std::string reducer = random_.pick({"sum", "sum", "sum", "max", "min", "prod"});
    DType t = v_.dtype();
    if (reducer == "sum" || reducer == "prod") t = summed(t);
    output("reduction", result_of(t), out);
    // A product is exact in any order when its factors are -1, 0 and 1.
    UOp body = v_.value(t, all, static_cast<int>(random_.below(4)), Ops::Integral);
    if (reducer == "prod" && t.is_float()) body = alu(Op::Min, alu(Op::Max, body, constant(t, -1.0)), constant(t, 1.0));
    return finish(epilogue(w_.reduce(reducer, body, inner)));
  }

  UOp softmax() {
    const UOps rows = axes("i", 0, 2, 9);
    const UOp j = v_.axis("j", 40);
    UOps all = rows;
    all.push_back(j);
    output("softmax", random_.pick({dt::f32, dt::f16}), all);
    UOp x = v_.loaded(dt::f32, all);
    if (random_.one_in(3)) x = alu(Op::Where, alu(Op::Lt, random_.pick(all), iconst(3)), x, constant(dt::f32, -1e30));
    if (random_.one_in(2)) x = w_.define("X", x, all);
    const UOp m = w_.define("M", w_.reduce("max", x, {j}), rows);
    UOp e = alu(Op::Exp, x - m);
    if (random_.one_in(3)) e = w_.define("E", e, all);
    const UOp l = w_.define("L", w_.reduce("sum", e, {j}), rows);
    return finish(alu(Op::Div, e, l));
  }

  /// RMS norm over the last axes; the row's sum is used elsewhere in the row, or over another shape, too.
  UOp norm() {
    const UOps rows = axes("i", 0, 2, 9), inner = axes("j", 1, 2, 20);
    UOps all = rows;
    all.insert(all.end(), inner.begin(), inner.end());
    output("norm", random_.pick({dt::f32, dt::bf16, dt::i32}), all);
    const UOp x = v_.loaded(dt::f32, all);
    const UOp s = w_.define("S", w_.reduce("sum", x * x, inner), rows);
    if (random_.one_in(3)) {  // a second row value made of the first
      const UOp t = w_.define("T", w_.reduce("sum", alu(Op::Min, x, s), inner), rows);
      return finish(x * t + s);
    }
    if (place_.dtype().is_int()) return finish(x + s);
    return finish(x * alu(Op::Recip, alu(Op::Sqrt, s + constant(dt::f32, 1.0))));
  }

  /// Two independent sums of the same rows, and what is made of both.
  UOp two_sums() {
    const UOps rows = axes("i", 0, 2, 9), inner = axes("j", 1, 2, 16);
    UOps all = rows;
    all.insert(all.end(), inner.begin(), inner.end());
    const bool elements = random_.one_in(2);
    output("two_sums", random_.pick({dt::f32, dt::i32, dt::f16}), elements ? all : rows);
    const UOp x = v_.loaded(dt::f32, all), y = random_.one_in(2) ? x * x : v_.loaded(dt::f32, all);
    const UOp a = w_.define("A", w_.reduce("sum", x, inner), rows),
              b = w_.define("B", w_.reduce(random_.pick({"sum", "sum", "max"}), y, inner), rows);
    UOp value = a + b * constant(dt::f32, 0.5);
    if (random_.one_in(4)) value = value + w_.define("C", w_.reduce("sum", alu(Op::Min, x, y), inner), rows);
    if (random_.one_in(4)) value = value + w_.define("D", w_.reduce("sum", alu(Op::Min, x, a), inner), rows);
    return finish(elements ? x * value : value);
  }

  /// A sum behind a mask that says nothing of a buffer's bounds: triangles, bands, holes.
  UOp masked() {
    const UOp i = v_.axis("i", 14), n = v_.axis("n", 20), j = w_.axis("j", random_.between(2, 24));
    output("masked", dt::f32, {i, n});
    const UOp mask =
        random_.pick({alu(Op::Lt, j, i + iconst(1)), alu(Op::Lt, i, j), alu(Op::Ne, mod(i + j, iconst(3)), iconst(0)),
                      alu(Op::And, alu(Op::Lt, j, i + iconst(3)), alu(Op::Lt, i, j + iconst(3)))});
    const UOp x = load(at(w_.param("X", dt::f32, UOps{v_.extent_of(i), v_.extent_of(j)}), {i, j}), mask);
    const UOp y = read(w_.param("Y", dt::f32, UOps{v_.extent_of(j), v_.extent_of(n)}), {j, n});
    return finish(epilogue(w_.reduce("sum", x * y, {j})));
  }

  /// Over one or two dimensions, with stride, dilation, padding of any kind on either side, and groups.
  UOp convolution() {
    const UOp g = random_.one_in(3) ? w_.axis("g", random_.between(2, 3)) : iconst(0), o = v_.axis("o", 6),
              c = v_.axis("c", 4);
    struct Dim {
      UOp out, window, extent, place, inside;
      int64_t size;
    };
    std::vector<Dim> dims;
    for (const char* name : random_.one_in(3) ? std::vector<const char*>{"x"} : std::vector<const char*>{"y", "x"}) {
      Dim& d = dims.emplace_back();
      d.size = random_.between(1, 3);
      const int64_t stride = random_.between(1, 3), dilation = random_.between(1, 2), reach = (d.size - 1) * dilation,
                    before = random_.below(reach + 1), after = random_.below(reach + 1);
      d.out = v_.axis(name, name[0] == 'y' ? 8 : 20);
      d.window = w_.axis(std::string("k") + name, d.size);
      d.extent =
          alu(Op::Max, (v_.extent_of(d.out) - iconst(1)) * iconst(stride) + iconst(reach + 1 - before - after), iconst(1));
      d.place = d.out * iconst(stride) + d.window * iconst(dilation) - iconst(before);
      d.inside = alu(Op::And, alu(Op::Lt, iconst(-1), d.place), alu(Op::Lt, d.place, d.extent));
    }
    UOps out{g, o}, reduced{c}, extents{v_.extent_of(g) * v_.extent_of(c)}, places{g * v_.extent_of(c) + c};
    UOps weights{v_.extent_of(g) * v_.extent_of(o), v_.extent_of(c)}, weight{g * v_.extent_of(o) + o, c};
    UOp inside;
    for (const Dim& d : dims) {
      out.push_back(d.out), reduced.push_back(d.window), extents.push_back(d.extent), places.push_back(d.place);
      weights.push_back(iconst(d.size)), weight.push_back(d.window);
      inside = inside ? alu(Op::And, inside, d.inside) : d.inside;
    }
    output("convolution", result_of(dt::f32), out);
    const UOp input = load(index(w_.param("X", dt::f32, extents), places), inside);
    return finish(epilogue(w_.reduce("sum", input * load(index(w_.param("W", dt::f32, weights), weight)), reduced)));
  }

  /// Scores, their maximum and sum, and the weighted values: reductions that read reductions, over other axes.
  UOp attention() {
    const UOp i = v_.axis("i", 7), j = w_.axis("j", random_.between(2, 12)), e = v_.axis("e", 6), d = v_.axis("d", 10);
    output("attention", dt::f32, {i, d});
    const UOp q = w_.param("Q", dt::f32, UOps{v_.extent_of(i), v_.extent_of(e)}),
              k = w_.param("K", dt::f32, UOps{v_.extent_of(j), v_.extent_of(e)});
    const UOp s =
        w_.define("S", w_.reduce("sum", read(q, {i, e}) * read(k, {j, e}) * constant(dt::f32, 0.125), {e}), {i, j});
    const UOp v = read(w_.param("V", dt::f32, UOps{v_.extent_of(j), v_.extent_of(d)}), {j, d});
    if (random_.one_in(4)) {
      const UOp o = w_.reduce("online_softmax", UOps{s, constant(dt::f32, 1.0), v}, {j});
      return finish(alu(Op::Div, w_.project(o, 2), w_.project(o, 1)));
    }
    const UOp m = w_.define("M", w_.reduce("max", s, {j}), {i});
    UOp p = alu(Op::Exp, s - m);
    if (random_.one_in(2)) p = w_.define("P", p, {i, j});
    const UOp l = w_.define("L", w_.reduce("sum", p, {j}), {i});
    return finish(alu(Op::Div, w_.reduce("sum", p * v, {j}), l));
  }

  /// argmax and Welford, as the output's reduction or as a row definition.
  UOp tuple() {
    const UOps rows = axes("i", 0, 2, 12);
    UOps inner = axes("r", 0, 1, 12);
    inner.push_back(w_.axis("s", random_.between(2, 12)));  // a tuple reduction has something to reduce
    UOps all = rows;
    all.insert(all.end(), inner.begin(), inner.end());
    if (random_.one_in(2)) {
      output("argmax", random_.pick({dt::i64, dt::i32, dt::f32}), rows);
      UOp flat = iconst(0);
      for (const UOp& r : inner) flat = flat * v_.extent_of(r) + r;
      const DType t = random_.pick({dt::f32, dt::i32, dt::f16});
      const UOp best = w_.reduce("argmax", UOps{v_.loaded(t, all), flat}, inner);
      if (!random_.one_in(3)) return finish(w_.project(best, 1));
      return finish(cast(w_.project(best, 1), dt::f32) + cast(best, dt::f32));
    }
    const UOp x = v_.loaded(dt::f32, all);
    if (random_.one_in(2)) {
      output("variance", dt::f32, rows);
      const UOp z = w_.reduce("welford", UOps{constant(dt::f32, 1.0), x, constant(dt::f32, 0.0)}, inner);
      return finish(alu(Op::Div, w_.project(z, 2), z));
    }
    output("centred", dt::f32, all);
    const UOp z = w_.reduce("welford", UOps{constant(dt::f32, 1.0), x, constant(dt::f32, 0.0)}, inner);
    const UOp mean = w_.define("mean", w_.project(z, 1), rows), spread = w_.define("spread", w_.project(z, 2), rows);
    return finish((x - mean) * alu(Op::Recip, spread + constant(dt::f32, 1.0)));
  }

  RandomSource& random_;
  RandomValues v_;
  KernelWriter& w_;
  UOp place_, gate_;
  UOps axes_;
  std::string name_;
  bool in_place_ = false;
};

}  // namespace pg::test
