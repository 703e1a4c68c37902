#pragma once
// Random programs: what is inlined where, and how signs nest, must not change what is computed.
#include "tests/renderers/linear_runs.h"

namespace pg {

class Fuzzer {
 public:
  /// `lanes` 0: some.
  explicit Fuzzer(unsigned seed, int lanes = 0) : random_(seed), lanes_(lanes) {}

  UOp program(const std::string& name) {
    if (lanes_ == 0) lanes_ = pick({1, 1, 4, 16});
    const UOp i = p_.open(range("i", iconst(kTrips)));
    start_ = i * iconst(lanes_);
    for (DType t : {dt::i32, dt::i64, dt::i8, dt::u16, dt::f32, dt::kBool})
      for (int k = 0; k < 2; ++k) keep(load(p_.at(p_.param("in_" + text(t), t, kTrips * lanes_), start_, t.vec(lanes_))));
    const DType f = dt::f32.vec(lanes_);
    for (int64_t k = 0; k < 2; ++k) registers_.push_back(p_.memory("acc", f, 2));
    for (const UOp& r : registers_)
      for (int64_t k = 0; k < 2; ++k) p_.store(p_.at(r, iconst(k)), any(f));
    statements(40);
    for (DType t : {dt::i32, dt::i64, dt::i8, dt::u16, dt::f32, dt::kBool}) {
      output(any(t.vec(lanes_)));
      output(tree(t.vec(lanes_), 5));
    }
    return p_.finish(name);
  }

 private:
  static constexpr int kTrips = 3;

  void statements(int n) {
    const size_t known = values_.size();
    for (int k = 0; k < n; ++k) switch (below(8)) {
        case 0: output(any(one_of_types())); break;
        case 1: p_.store(place(), any(dt::f32.vec(lanes_))); break;
        case 2: keep(p_.again(load(place()))); break;
        case 3:
          if (depth_ < 3) {
            ++depth_;
            if (below(2))
              p_.open(range("j" + std::to_string(depth_), iconst(2)));
            else
              p_.open_if(scalar_condition());
            const size_t outside = values_.size();
            statements(6);
            values_.resize(outside);  // the scope's values are gone
            p_.close();
            --depth_;
          }
          break;
        default: keep(node());
      }
    if (depth_ > 0) values_.resize(known);
  }

  /// Every node of it is used once: the deepest nesting of signs.
  UOp tree(DType t, int depth) {
    if (depth == 0) return any(t);
    const auto sub = [&](DType of) { return tree(of, depth - 1); };
    return node(t, sub);
  }
  UOp node() {
    return node(one_of_types(), [&](DType of) { return any(of); });
  }
  template <class Source>
  UOp node(DType t, Source source) {
    const UOp a = source(t), b = source(t);
    if (t.is_bool() && below(3) == 0) {
      const DType of = pick({dt::i32, dt::f32, dt::u16}).vec(lanes_);
      return alu(pick({Op::Lt, Op::Eq, Op::Ne}), source(of), source(of));
    }
    if (t.is_bool()) return below(4) == 0 ? alu(Op::Not, a) : alu(pick({Op::And, Op::Or, Op::Xor, Op::Eq, Op::Lt}), a, b);
    switch (below(6)) {
      case 0: return alu(Op::Where, alu(pick({Op::Lt, Op::Eq, Op::Ne}), a, b), b, source(t));
      case 1: return alu(Op::Where, source(dt::kBool.vec(lanes_)), a, b);
      case 2: return cast(source(one_of_types(true)), t);
      case 3: return t.is_float() ? alu(Op::Fma, a, b, source(t)) : alu(pick({Op::And, Op::Or, Op::Xor}), a, b);
      case 4:
        if (t.is_int()) return alu(pick({Op::Shl, Op::Shr}), a, alu(Op::And, b, constant(t, int64_t{3})));
        return alu(Op::Neg, a);
      default:
        return alu(pick({Op::Add, Op::Sub, Op::Mul, Op::Max, Op::Min}), a,
                   below(4) ? b : constant(t, int64_t{below(7) - (t.is_unsigned() ? 0 : 3)}));
    }
  }
  UOp scalar_condition() {
    const UOp c = any(dt::kBool.vec(lanes_));
    return lanes_ == 1 ? c : UOp(Op::Shuffle, dt::kBool, Ints{below(lanes_)}, {c});
  }
  UOp place() { return p_.at(registers_[static_cast<size_t>(below(2))], iconst(below(2))); }
  void output(const UOp& v) {
    const DType t = v.dtype().element();
    p_.store(p_.at(p_.param("out_" + text(t), t, kTrips * lanes_), start_, v.dtype()), v);
  }
  /// Sources are entered late, at random distances from their users.
  void keep(const UOp& v) {
    if (below(6) == 0) p_.value(v);
    values_.push_back(v);
  }
  UOp any(DType t) {
    // Mostly one of the latest, so that expressions grow deep.
    for (size_t k = values_.size(); k-- > 0;)
      if (values_[k].dtype() == t && below(3) == 0) return values_[k];
    return constant(t, int64_t{1});
  }
  DType one_of_types(bool no_floats = false) {
    return pick({dt::i32, dt::i64, dt::i8, dt::u16, dt::kBool, no_floats ? dt::i32 : dt::f32}).vec(lanes_);
  }
  int below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }
  template <class T>
  T pick(std::initializer_list<T> all) {
    return all.begin()[below(static_cast<int>(all.size()))];
  }

  std::mt19937 random_;
  int lanes_;
  LinearBuilder p_;
  int depth_ = 0;
  UOp start_;
  UOps values_, registers_;
};

}  // namespace pg
