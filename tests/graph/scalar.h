#pragma once
// Elementwise ops on doubles, for the test evaluators: integers are exact up to 2^53, floats are not rounded to their dtype.
#include <cmath>
#include <span>

#include "uops/uop.h"

namespace pg::test {

inline double scalar_op(Op op, DType to, std::span<const double> x) {
  switch (op) {
    case Op::Neg: return -x[0];
    case Op::Exp: return std::exp(x[0]);
    case Op::Log: return std::log(x[0]);
    case Op::Sin: return std::sin(x[0]);
    case Op::Cos: return std::cos(x[0]);
    case Op::Tanh: return std::tanh(x[0]);
    case Op::Erf: return std::erf(x[0]);
    case Op::Sqrt: return std::sqrt(x[0]);
    case Op::Recip: return 1 / x[0];
    case Op::Floor: return std::floor(x[0]);
    case Op::Not: return x[0] == 0;
    case Op::Cast: return to.is_float() ? x[0] : to.is_bool() ? x[0] != 0 : std::trunc(x[0]);
    case Op::Bitcast: return x[0];
    case Op::Add: return x[0] + x[1];
    case Op::Sub: return x[0] - x[1];
    case Op::Mul: return x[0] * x[1];
    case Op::Div: return x[0] / x[1];
    case Op::IDiv: return std::floor(x[0] / x[1]);
    case Op::Mod: return x[0] - x[1] * std::floor(x[0] / x[1]);
    case Op::Max: return std::max(x[0], x[1]);
    case Op::Min: return std::min(x[0], x[1]);
    case Op::Lt: return x[0] < x[1];
    case Op::Eq: return x[0] == x[1];
    case Op::Ne: return x[0] != x[1];
    case Op::And: return x[0] != 0 && x[1] != 0;
    case Op::Or: return x[0] != 0 || x[1] != 0;
    case Op::Where: return x[0] != 0 ? x[1] : x[2];
    case Op::Fma: return x[0] * x[1] + x[2];
    default: throw InternalError(std::string("scalar_op: ") + info(op).name);
  }
}

}  // namespace pg::test
