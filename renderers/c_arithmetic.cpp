// Elementwise ops in C: what has a sign is written with it, scalars and vectors alike; the rest is a function of the
// dialect.
#include <bit>
#include <cmath>

#include "renderers/c_style.h"
#include "uops/simplify.h"

namespace pg {

namespace {

struct Sign {
  const char* text;
  Precedence precedence;
};
Sign sign_of(Op op) {
  switch (op) {
    case Op::Add: return {"+", Precedence::Sum};
    case Op::Sub: return {"-", Precedence::Sum};
    case Op::Mul: return {"*", Precedence::Product};
    case Op::Div: return {"/", Precedence::Product};
    case Op::And: return {"&", Precedence::And};
    case Op::Or: return {"|", Precedence::Or};
    case Op::Xor: return {"^", Precedence::Xor};
    case Op::Shl: return {"<<", Precedence::Shift};
    case Op::Shr: return {">>", Precedence::Shift};
    case Op::Lt: return {"<", Precedence::Relational};
    case Op::Eq: return {"==", Precedence::Equality};
    case Op::Ne: return {"!=", Precedence::Equality};
    default: return {nullptr, Precedence::Postfix};
  }
}

CText binary(Op op, const CText& a, const CText& b) {
  const auto [sign, p] = sign_of(op);
  const bool arithmetic = p == Precedence::Sum || p == Precedence::Product;
  const bool chain = op == Op::And || op == Op::Or || op == Op::Xor;
  // Mixed signs that people misread are parenthesised although C would not need it.
  const Precedence left = arithmetic || (chain && a.precedence == p) ? p : Precedence::Sum;
  const Precedence right = arithmetic ? static_cast<Precedence>(static_cast<int>(p) + 1) : Precedence::Sum;
  return {a.at(left) + " " + sign + " " + b.at(right), p};
}
CText unary(const char* sign, const CText& a) {
  // A second minus would become a decrement.
  return {sign + (a.text[0] == sign[0] ? "(" + a.text + ")" : a.at(Precedence::Unary)), Precedence::Unary};
}

bool is_comparison(Op op) { return op == Op::Lt || op == Op::Eq || op == Op::Ne; }
/// C computes these in int.
bool is_promoted(DType t) { return t.lanes == 1 && t.is_int() && t.element_bytes() < 4; }

bool is_number(const UOp& u) {
  if (!is_constant_value(u)) return false;
  const double* x = std::get_if<double>(&(u.is(Op::Broadcast) ? u.src(0) : u).arg());
  return x && !std::isnan(*x);
}

}  // namespace

CTexts CStyle::value(const UOp& u) {
  std::vector<CTexts> x;
  for (const UOp& s : u.src()) x.push_back(operand(s));
  if (!info(u.op()).has(op_flag::Elementwise) && !u.is(Op::LaneXor)) return vector(u, x);
  CTexts result;
  for (int p = 0; p < parts(u.dtype()); ++p) {
    std::vector<CText> mine;
    for (const CTexts& s : x) mine.push_back(s.at(static_cast<size_t>(p)));
    result.push_back(u.is(Op::LaneXor) ? exchange(u, mine[0]) : elementwise(u, std::move(mine)));
  }
  return result;
}

/// The type that C computes the op in. Where some i64s are held in 32 bits: the widest that the result or a source is in;
/// the first source is brought to it, C does so with the others.
DType CStyle::computed_in(const UOp& u, std::vector<CText>& x) {
  DType in = part(held(u));
  if (u.dtype().scalar != Scalar::Int64) return in;
  for (const UOp& s : u.src())
    if (const DType t = part(held(s)); t.element_bytes() > in.element_bytes()) in = t;
  x[0] = convert(part(held(u.src(0))), in, x[0]);
  return in;
}

CText CStyle::elementwise(const UOp& u, std::vector<CText> x) {
  const DType t = part(held(u)), from = part(held(u.src(0)));
  switch (u.op()) {
    case Op::Cast: return convert(from, t, x[0]);
    case Op::Bitcast: return bitcast(from, t, x[0]);
    case Op::Where:
      if (t.lanes != 1) return select(t, x[0], x[1], x[2]);
      return {x[0].at(Precedence::Or) + " ? " + x[1].at(Precedence::Or) + " : " + x[2].at(Precedence::Or),
              Precedence::Ternary};
    case Op::Fma: {
      // Clang's builtin wants one type to the qualifier, and a shuffle is as const as what it is made from.
      const auto operand = [&](size_t i) {
        const bool is_const = t.lanes != 1 && u.src(i).is(Op::Shuffle);
        return is_const ? CText{"(" + type(t) + ")" + x[i].at(Precedence::Unary), Precedence::Unary} : x[i];
      };
      return c_call(function(u.op(), t), {operand(0), operand(1), operand(2)});
    }
    case Op::Sqrt:
    case Op::Floor: return c_call(function(u.op(), t), {x[0]});
    default: break;
  }
  if (from.is_bool()) return logic(u.op(), from, x);
  const DType in = computed_in(u, x);
  return convert(in, t, arithmetic(u, in, x));
}

/// `t`: the result's type, and that of its sources but for comparisons.
CText CStyle::arithmetic(const UOp& u, DType t, const std::vector<CText>& x) {
  if (!t.is_unsigned() && wraps_by_hand(u)) {
    const DType bits(t.scalar == Scalar::Int32 ? Scalar::UInt32 : Scalar::UInt64, t.lanes);
    std::vector<CText> y;
    for (const CText& s : x) y.push_back(convert(t, bits, s));
    return convert(bits, t, arithmetic(u, bits, y));
  }
  const DType from = part(u.src(0).dtype());
  switch (u.op()) {
    case Op::IDiv:
    case Op::Mod: return division(u, t, x);
    case Op::Max:
    case Op::Min:
      // With the constant in front, the function's test of it for NaN folds away.
      if (is_number(u.src(1))) return c_call(function(u.op(), t), {x[1], x[0]});
      return c_call(function(u.op(), t), {x[0], x[1]});
    case Op::Neg:
      return is_promoted(t) ? CText{"(" + type(t) + ")" + unary("-", x[0]).text, Precedence::Unary} : unary("-", x[0]);
    case Op::Not:
      return is_promoted(t) ? CText{"(" + type(t) + ")" + unary("~", x[0]).text, Precedence::Unary} : unary("~", x[0]);
    case Op::Shl:
    case Op::Shr: {
      const DType by = part(u.src(1).dtype());
      const CText shifted = binary(u.op(), x[0], t.lanes == 1 || by == t ? x[1] : convert(by, t, x[1]));
      return is_promoted(t) ? CText{"(" + type(t) + ")(" + shifted.text + ")", Precedence::Unary} : shifted;
    }
    default: break;
  }
  if (!sign_of(u.op()).text)
    throw InternalError(std::string("rendering: ") + info(u.op()).name + " has no C form (legalisation left it)");
  if (is_comparison(u.op()) && t.lanes != 1) return c_call(function(u.op(), from), {x[0], x[1]});
  const CText plain = binary(u.op(), x[0], x[1]);
  return is_promoted(t) ? CText{"(" + type(t) + ")(" + plain.text + ")", Precedence::Unary} : plain;
}

/// Scalars are 0 or 1, the lanes of vectors 0 or -1.
CText CStyle::logic(Op op, DType t, const std::vector<CText>& x) {
  const char* negation = t.lanes == 1 ? "!" : "~";
  switch (op) {
    case Op::Neg: return x[0];
    case Op::Not: return unary(negation, x[0]);
    case Op::Add:
    case Op::Max:
    case Op::Or: return binary(Op::Or, x[0], x[1]);
    case Op::Mul:
    case Op::Min:
    case Op::And: return binary(Op::And, x[0], x[1]);
    case Op::Sub:
    case Op::Ne:
    case Op::Xor: return binary(Op::Xor, x[0], x[1]);
    case Op::Eq: return unary(negation, {binary(Op::Xor, x[0], x[1]).text, Precedence::Xor});
    case Op::Lt: return binary(Op::And, unary(negation, x[0]), x[1]);
    default: throw InternalError(std::string("rendering: ") + info(op).name + " of bool");
  }
}

/// C rounds towards zero; the same as ours where neither operand is negative.
CText CStyle::division(const UOp& u, DType t, const std::vector<CText>& x) {
  const UOp &a = u.src(0), &b = u.src(1);
  const bool divides = u.is(Op::IDiv);
  const auto plain = [&] {
    const char* sign = divides ? " / " : " % ";
    const CText q{x[0].at(Precedence::Product) + sign + x[1].at(Precedence::Unary), Precedence::Product};
    return is_promoted(t) ? CText{"(" + type(t) + ")(" + q.text + ")", Precedence::Unary} : q;
  };
  if (t.is_unsigned()) return plain();
  if (t.lanes == 1) {
    if (bounds(a).lo >= 0 && bounds(b).lo >= 0) return plain();
    const auto n = const_int(b);
    if (n && *n > 0 && (*n & (*n - 1)) == 0 && !is_promoted(t)) {
      const auto bits = std::to_string(std::countr_zero(static_cast<uint64_t>(*n)));
      return divides ? binary(Op::Shr, x[0], {bits}) : binary(Op::And, x[0], {std::to_string(*n - 1)});
    }
  }
  return c_call(function(u.op(), t), {x[0], x[1]});
}

}  // namespace pg
