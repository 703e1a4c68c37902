#pragma once
// Seeded random scalar and vector expressions, and their value lane by lane under random bindings.
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <random>

#include "uops/evaluate.h"
#include "uops/sum.h"
#include "uops/uop.h"

namespace pg::test {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  int64_t operator()(int64_t lo, int64_t hi) { return std::uniform_int_distribution<int64_t>(lo, hi)(engine_); }
  bool chance(int percent) { return (*this)(0, 99) < percent; }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[static_cast<size_t>((*this)(0, static_cast<int64_t>(from.size()) - 1))];
  }

 private:
  std::mt19937_64 engine_;
};

/// Lane `i` of an expression as a scalar expression.
inline UOp lane_of(const UOp& u, int64_t i) {
  if (u.dtype().lanes == 1) return u;
  switch (u.op()) {
    case Op::Lanes: return constant(u.dtype().element(), i);
    case Op::Broadcast: return u.src(0);
    case Op::Stack: return u.src(static_cast<size_t>(i));
    case Op::Shuffle: {
      const int64_t lane = u.arg_as<Ints>()[static_cast<size_t>(i)], lanes = u.src(0).dtype().lanes;
      return lane_of(u.src(static_cast<size_t>(lane / lanes)), lane % lanes);
    }
    default: break;
  }
  UOps src;
  for (const UOp& s : u.src()) src.push_back(lane_of(s, i));
  return UOp(u.op(), u.dtype().element(), u.arg(), src);
}

/// Values for Variables, Ranges and Loads, drawn when first asked for and kept.
class Binding {
 public:
  explicit Binding(Random& random) : random_(random) {}

  /// Null where the expression divides by zero or shifts too far.
  std::optional<Number> value(const UOp& scalar) {
    try {
      return evaluate_number(scalar, [this](const UOp& u) { return leaf(u); });
    } catch (const InternalError&) {
      return std::nullopt;
    }
  }

 private:
  std::optional<Number> leaf(const UOp& u) {
    if (u.is(Op::Load) && u.src().size() == 2 && std::get<int64_t>(*value(u.src(1))) == 0)
      return u.dtype().is_float() ? Number(0.0) : Number(int64_t{0});
    const UOp key = u.is(Op::Load) ? u.src(0) : u;
    if (!u.is(Op::Variable) && !u.is(Op::Range) && !u.is(Op::Load)) return std::nullopt;
    if (const auto it = known_.find(key.id()); it != known_.end()) return it->second;
    const Number n = u.is(Op::Load) ? data(u.dtype()) : Number(index(u));
    known_.emplace(key.id(), n);
    return n;
  }
  int64_t between(int64_t lo, int64_t hi) {
    const int64_t kind = random_(0, 9);
    return kind < 2 ? lo : kind < 4 ? hi : random_(lo, hi);
  }
  int64_t index(const UOp& u) {
    if (u.is(Op::Variable)) return between(u.arg_as<VariableArg>().lo, u.arg_as<VariableArg>().hi);
    return between(0, std::max<int64_t>(0, std::get<int64_t>(*value(u.src(0))) - 1));
  }
  Number data(DType t) {
    if (!t.is_float()) {
      Interval r = type_range(t);
      if (random_.chance(60)) r = t.is_unsigned() || t.is_bool() ? Interval{0, std::min<int64_t>(r.hi, 40)} : Interval{-40, 40};
      const int64_t v = between(r.lo, r.hi);
      return std::get<int64_t>(evaluate_number(constant(t, v), [](const UOp&) { return std::nullopt; }));
    }
    constexpr double inf = std::numeric_limits<double>::infinity();
    static const std::vector<double> special{0.0, -0.0, 1.0, -1.0, inf, -inf, std::nan(""), 1e-40, 0x1p-149, 3e38, -3e38};
    const double v = random_.chance(40) ? random_.pick(special) : static_cast<double>(random_(-4000, 4000)) / 64;
    return std::get<double>(evaluate_number(constant(t, v), [](const UOp&) { return std::nullopt; }));
  }

  Random& random_;
  std::map<const void*, Number> known_;
};

inline bool same_value(const Number& a, const Number& b) {
  if (a.index() != b.index()) return false;
  if (const double* x = std::get_if<double>(&a)) {
    const double y = std::get<double>(b);
    return (std::isnan(*x) && std::isnan(y)) || (*x == y && std::signbit(*x) == std::signbit(y));
  }
  return std::get<int64_t>(a) == std::get<int64_t>(b);
}

class Expressions {
 public:
  explicit Expressions(Random& random) : random_(random) {
    const UOp n = variable("n", 1, 70), pos = variable("pos", 0, 9);
    index_leaves_ = {n, pos, variable("s", -13, 21), range("i", iconst(8)), range("j", iconst(32)), range("k", iconst(5)),
                     range("one", iconst(1)), range("u", n), range("v", n), range("w", pos + iconst(1))};
  }
  Random& random() { return random_; }

  UOp of(DType t, int depth) {
    if (t.lanes > 1) return vector(t, depth);
    if (t.is_bool()) return boolean(depth);
    return t.is_float() ? real(t, depth) : integer(t, depth);
  }
  UOp number(DType t) {
    static const std::vector<int64_t> usual{0, 1, 2, 3, 4, 5, 6, 8, 12, 16, 32, 64, -1, -2, -4, 7, 31, 33};
    static const std::vector<double> reals{0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 4.0, 3.0, 0.1, 1e30, 0x1p-126};
    return t.is_float() ? constant(t, random_.pick(reals)) : constant(t, random_.pick(usual));
  }
  UOp positive(DType t) {
    static const std::vector<int64_t> usual{1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 64};
    return constant(t, random_.pick(usual));
  }
  UOp element(DType t) {
    const UOp buffer(Op::Param, t, ParamArg{1, "a"}, {iconst(1000)});
    return load(UOp(Op::Index, t, {}, {buffer, iconst(random_(0, 3))}));
  }
  DType integer_type() {
    static const std::vector<DType> types{dt::i64, dt::i64, dt::i64, dt::i64, dt::i32, dt::u32, dt::i16, dt::u8, dt::i8, dt::u64};
    return random_.pick(types);
  }

 private:
  UOp integer(DType t, int depth) {
    if (depth == 0 || random_.chance(15)) {
      if (random_.chance(20)) return number(t);
      if (t == dt::index && random_.chance(90)) return random_.pick(index_leaves_);
      return random_.chance(50) ? element(t) : cast(random_.pick(index_leaves_), t);
    }
    auto sub = [&] { return integer(t, depth - 1); };
    switch (random_(0, 17)) {
      case 0: case 1: case 2: case 3: return sub() + sub();
      case 4: case 5: return sub() - sub();
      case 6: case 7: case 8: return sub() * number(t);
      case 9: return sub() * sub();
      case 10: case 11: return idiv(sub(), random_.chance(80) ? positive(t) : sub());
      case 12: case 13: return mod(sub(), random_.chance(80) ? positive(t) : sub());
      case 14: return alu(random_.chance(50) ? Op::Max : Op::Min, sub(), random_.chance(50) ? number(t) : sub());
      case 15: return alu(Op::Where, boolean(depth - 1), sub(), sub());
      case 16: {
        static const std::vector<Op> ops{Op::And, Op::Or, Op::Xor, Op::Shl, Op::Shr, Op::Neg, Op::Not};
        const Op op = random_.pick(ops);
        if (op == Op::Neg || op == Op::Not) return alu(op, sub());
        return alu(op, sub(), op == Op::Shl || op == Op::Shr ? constant(t, random_(0, 7)) : sub());
      }
      default: return cast(of(random_.chance(20) ? dt::kBool : integer_type(), depth - 1), t);
    }
  }
  UOp boolean(int depth) {
    if (depth == 0) return random_.chance(30) ? constant(dt::kBool, random_(0, 1)) : element(dt::kBool);
    static const std::vector<Op> comparisons{Op::Lt, Op::Lt, Op::Eq, Op::Ne}, logic{Op::And, Op::Or, Op::Xor};
    if (random_.chance(65)) {
      const DType t = random_.chance(15) ? dt::f32 : integer_type();
      return alu(random_.pick(comparisons), of(t, depth - 1), random_.chance(50) ? number(t) : of(t, depth - 1));
    }
    if (random_.chance(25)) return alu(Op::Not, boolean(depth - 1));
    return alu(random_.pick(logic), boolean(depth - 1), boolean(depth - 1));
  }
  UOp real(DType t, int depth) {
    if (depth == 0 || random_.chance(15)) return random_.chance(30) ? number(t) : element(t);
    auto sub = [&] { return real(t, depth - 1); };
    static const std::vector<Op> binary{Op::Add, Op::Sub, Op::Mul, Op::Div, Op::Max, Op::Min}, unary{Op::Neg, Op::Floor, Op::Recip, Op::Sqrt};
    switch (random_(0, 6)) {
      case 0: case 1: case 2: case 3: return alu(random_.pick(binary), sub(), sub());
      case 4: return alu(random_.pick(unary), sub());
      case 5: return alu(Op::Where, boolean(depth - 1), sub(), sub());
      default: {
        static const std::vector<DType> from{dt::f32, dt::f16, dt::bf16, dt::kBool, dt::i8, dt::u8, dt::i32, dt::i64};
        return cast(of(random_.pick(from), depth - 1), t);
      }
    }
  }
  UOp vector(DType t, int depth) {
    if (depth == 0 || random_.chance(30)) {
      if (t.is_int() && random_.chance(50)) return UOp(Op::Lanes, t, {}, {});
      return broadcast(of(t.element(), 1), t.lanes);
    }
    auto sub = [&] { return vector(t, depth - 1); };
    static const std::vector<Op> ints{Op::Add, Op::Add, Op::Sub, Op::Mul, Op::Max, Op::Min}, reals{Op::Add, Op::Sub, Op::Mul, Op::Max};
    if (t.is_bool()) {
      const DType o = (random_.chance(20) ? dt::f32 : dt::index).vec(t.lanes);
      return random_.chance(70) ? alu(Op::Lt, vector(o, depth - 1), vector(o, depth - 1)) : alu(Op::And, sub(), sub());
    }
    if (t.is_int() && random_.chance(30)) return alu(random_.chance(50) ? Op::IDiv : Op::Mod, sub(), broadcast(positive(t.element()), t.lanes));
    if (random_.chance(10)) return alu(Op::Where, vector(dt::kBool.vec(t.lanes), depth - 1), sub(), sub());
    if (random_.chance(10)) return UOp(Op::Shuffle, t, Ints{3, 0, 0, 1}, {sub()});
    if (random_.chance(5)) return UOp(Op::Shuffle, t, Ints{5, 0, 7, 2}, {sub(), sub()});
    return alu(random_.pick(t.is_int() ? ints : reals), sub(), sub());
  }

  Random& random_;
  std::vector<UOp> index_leaves_;
};

}  // namespace pg::test
