#pragma once
// Random values of a kernel: loads at affine, padded, reversed, reshaped and gathered places, and expressions over them.
#include <string>
#include <vector>

#include "search/tune.h"
#include "tests/properties/random_source.h"
#include "tests/uops/kernel_writer.h"
#include "uops/evaluate.h"
#include "uops/simplify.h"

namespace pg::test {

inline Values values_of(const UOp& root, const Bindings64& bindings) {
  Values values;
  for (const UOp& v : variables_of(root))
    for (const VariableBinding& b : bindings)
      if (b.name == v.arg_as<VariableArg>().name) values.emplace_back(v, b.value);
  return values;
}

class RandomValues {
 public:
  explicit RandomValues(RandomSource& random) : random_(random) {}

  /// Which ops an expression may hold. A reassociated sum is a little different; behind it only Smooth ones tell no lies.
  enum class Ops { Any, Integral, Smooth };

  UOp extent(int64_t most) {
    const int64_t n = random_.one_in(6) ? random_.between(1, 2) : random_.between(2, most);
    if (!symbolic_ || random_.below(3)) return iconst(n);
    const std::string name = "v" + std::to_string(bindings_.size());
    const UOp v = variable(name, 1, n + random_.below(5));
    bindings_.push_back({name, random_.between(1, v.arg_as<VariableArg>().hi)});
    switch (random_.below(4)) {
      case 0: return v + iconst(1);
      case 1: return v * iconst(4);
      default: return v;
    }
  }
  UOp axis(const std::string& name, int64_t most) { return writer_.axis(name, extent(most)); }

  static UOp extent_of(const UOp& axis) { return axis.is(Op::Range) ? axis.src(0) : iconst(1); }
  static UOps extents_of(const UOps& axes) {
    UOps all;
    for (const UOp& a : axes) all.push_back(extent_of(a));
    return all;
  }

  /// Negative floats have no u64: machines and lanes differ.
  static UOp converted(const UOp& x, DType t) {
    return cast(t == dt::u64 && x.dtype().is_float() ? cast(x, dt::i64) : x, t);
  }

  UOp leaf(DType t, const UOps& axes) {
    const int64_t what = random_.below(12);
    if (what == 0) return constant(t, t.is_bool() ? random_.below(2) : random_.between(t.is_unsigned() ? 0 : -2, 3));
    if (what == 1 && !axes.empty() && !t.is_bool()) return cast(random_.pick(axes), t);
    if (what == 2) return converted(loaded(other(t), axes), t);
    return loaded(t, axes);
  }

  UOp value(DType t, const UOps& axes, int depth, Ops ops = Ops::Any) {
    if (depth == 0) return leaf(t, axes);
    const auto sub = [&](DType of) { return value(of, axes, static_cast<int>(random_.below(depth)), ops); };
    const UOp a = sub(t);
    if (t.is_bool()) {
      const DType of = random_.pick({dt::f32, dt::i32});
      if (random_.one_in(2)) return alu(random_.pick({Op::Lt, Op::Eq, Op::Ne}), sub(of), sub(of));
      return random_.one_in(3) ? alu(Op::Not, a) : alu(random_.pick({Op::And, Op::Or}), a, sub(t));
    }
    switch (random_.below(ops == Ops::Any ? 8 : ops == Ops::Integral ? 6 : 4)) {
      case 0: return alu(Op::Mul, a, sub(t));
      case 1: return alu(Op::Add, a, sub(t));
      case 2: return alu(Op::Sub, a, sub(t));
      case 3: return alu(random_.pick({Op::Max, Op::Min}), a, sub(t));
      case 4: return alu(Op::Where, condition(axes), a, sub(t));
      case 5: return alu(Op::Where, sub(dt::kBool), a, sub(t));
      case 6:
        return t.is_float() ? alu(random_.pick({Op::Exp, Op::Tanh, Op::Floor, Op::Neg}), alu(Op::Min, a, constant(t, 4.0)))
                            : alu(Op::Neg, a);
      default: return converted(sub(random_.pick({dt::f32, dt::i32, dt::f16, dt::u8, dt::i64})), t);
    }
  }

  /// At a random place that depends on some of the axes.
  UOp loaded(DType t, const UOps& axes) {
    UOps left = axes, extents, indices;
    random_.shuffle(left);
    if (!left.empty() && random_.one_in(4))
      left.resize(static_cast<size_t>(random_.below(static_cast<int64_t>(left.size()) + 1)));
    UOp gate;
    while (!left.empty()) {
      const UOp i = left.back(), n = extent_of(i);
      left.pop_back();
      const auto next = [&] {
        const UOp j = left.back();
        left.pop_back();
        return j;
      };
      const auto dimension = [&](const UOp& e, const UOp& at) { extents.push_back(e), indices.push_back(at); };
      switch (random_.below(left.empty() ? 7 : 9)) {
        case 0: dimension(n, n - iconst(1) - i); break;                                     // reversed
        case 1: dimension(n * iconst(2), i * iconst(2) + iconst(random_.below(2))); break;  // strided
        case 2: {                                                                           // padded
          const int64_t size = random_.between(1, 9);
          const UOp place = i - iconst(random_.between(0, 3));
          gate = both(gate, within(place, size));
          dimension(iconst(size), place);
          break;
        }
        case 3: dimension(iconst(5), gathered(i)); break;
        case 7: {  // a window
          const UOp k = next();
          dimension(n + extent_of(k) - iconst(1), i + k);
          break;
        }
        case 8: {  // two axes as one, cut elsewhere
          const UOp j = next(), flat = i * extent_of(j) + j;
          const int64_t cut = random_.between(2, 6);
          dimension(ceildiv(n * extent_of(j), cut), idiv(flat, iconst(cut)));
          dimension(iconst(cut), mod(flat, iconst(cut)));
          break;
        }
        default: dimension(n, i);
      }
    }
    const UOp buffer = writer_.param("in" + std::to_string(inputs_++), t, extents);
    if (random_.one_in(12)) gate = both(gate, condition(axes));
    return load(index(buffer, indices), gate);
  }
  /// Of axes alone: a mask like the causal one.
  UOp condition(const UOps& axes) {
    if (axes.empty()) return constant(dt::kBool, random_.below(2));
    const UOp a = random_.pick(axes), b = random_.one_in(2) ? random_.pick(axes) : iconst(random_.below(6));
    return alu(random_.pick({Op::Lt, Op::Ne}), a + iconst(random_.below(2)), b);
  }

  static UOp both(const UOp& a, const UOp& b) { return a ? alu(Op::And, a, b) : b; }
  static UOp within(const UOp& i, int64_t n) { return alu(Op::And, alu(Op::Lt, iconst(-1), i), alu(Op::Lt, i, iconst(n))); }

  DType dtype() {
    if (random_.one_in(2)) return dt::f32;
    return random_.pick(
        {dt::f16, dt::bf16, dt::i32, dt::i64, dt::u8, dt::i8, dt::u16, dt::i16, dt::u32, dt::u64, dt::kBool});
  }
  DType other(DType t) {
    const DType o = dtype();
    return o == t ? dt::i32 : o;
  }

  RandomSource& random_;
  KernelWriter writer_;
  Bindings64 bindings_;
  bool symbolic_ = false;

 private:
  /// Ids of [0, 5): integer inputs are below that in absolute value.
  UOp gathered(const UOp& i) {
    const UOp ids =
        writer_.param("ids" + std::to_string(inputs_++), random_.pick({dt::i32, dt::i64, dt::u8}), UOps{extent_of(i)});
    return cast(load(index(ids, UOps{i})), dt::index);
  }
  int64_t inputs_ = 0;
};

}  // namespace pg::test
