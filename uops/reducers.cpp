#include "uops/reducers.h"

#include <limits>

namespace pg {

namespace {
using T = std::span<const DType>;
using S = std::span<const UOp>;

UOp lowest(DType t) {
  if (t.is_float()) return constant(t, -std::numeric_limits<double>::infinity());
  if (t.is_unsigned() || t.is_bool()) return constant(t, int64_t{0});
  return constant(t, std::numeric_limits<int64_t>::min() >> (64 - 8 * t.element_bytes()));
}
UOp highest(DType t) {
  if (t.is_float()) return constant(t, std::numeric_limits<double>::infinity());
  if (t.is_bool()) return constant(t, int64_t{1});
  if (t.is_unsigned()) return constant(t, int64_t{-1});
  return constant(t, std::numeric_limits<int64_t>::max() >> (64 - 8 * t.element_bytes()));
}
UOp zero(DType t) { return constant(t, int64_t{0}); }
/// 0 where the other factor makes no sense (∞ − ∞ of two neutral states): exp(min(a − m, 0)) with a == m == −∞ taken as 1.
UOp rescale(const UOp& from, const UOp& to) {
  return alu(Op::Where, alu(Op::Eq, from, to), constant(from.dtype(), 1.0), alu(Op::Exp, from - to));
}

template <Op op>
UOps combine_with(S a, S b) {
  return {alu(op, a[0], b[0])};
}

/// The larger value; of equal ones the smaller index; a NaN wins over a number as in PyTorch.
UOps argmax_combine(S a, S b) {
  const UOp a_nan = alu(Op::Ne, a[0], a[0]), b_nan = alu(Op::Ne, b[0], b[0]);
  const UOp equal = alu(Op::Or, alu(Op::Eq, a[0], b[0]), alu(Op::And, a_nan, b_nan));
  const UOp greater = alu(Op::Or, alu(Op::Lt, b[0], a[0]), alu(Op::And, a_nan, alu(Op::Not, b_nan)));
  const UOp first = alu(Op::Lt, a[1], b[1]);
  const UOp take_a = alu(Op::Or, greater, alu(Op::And, equal, first));
  return {alu(Op::Where, take_a, a[0], b[0]), alu(Op::Where, take_a, a[1], b[1])};
}

/// Chan's parallel update of (count, mean, sum of squared deviations); an empty side changes nothing.
UOps welford_combine(S a, S b) {
  const UOp n = a[0] + b[0], one = constant(n.dtype(), 1.0);
  const UOp empty = alu(Op::Eq, n, zero(n.dtype()));
  const UOp share = alu(Op::Div, b[0], alu(Op::Where, empty, one, n));
  const UOp delta = b[1] - a[1];
  return {n, a[1] + delta * share, a[2] + b[2] + delta * delta * a[0] * share};
}

/// (m, l, o): both sides rescaled to the common maximum.
UOps online_softmax_combine(S a, S b) {
  const UOp m = alu(Op::Max, a[0], b[0]);
  const UOp ca = rescale(a[0], m), cb = rescale(b[0], m);
  return {m, a[1] * ca + b[1] * cb, a[2] * ca + b[2] * cb};
}
}  // namespace

const std::vector<Reducer>& reducers() {
  static const std::vector<Reducer> rows = {
      {"sum", 1, [](T t) { return UOps{zero(t[0])}; }, combine_with<Op::Add>},
      {"prod", 1, [](T t) { return UOps{constant(t[0], int64_t{1})}; }, combine_with<Op::Mul>},
      {"max", 1, [](T t) { return UOps{lowest(t[0])}; }, combine_with<Op::Max>},
      {"min", 1, [](T t) { return UOps{highest(t[0])}; }, combine_with<Op::Min>},
      {"argmax", 2,
       [](T t) {
         return UOps{lowest(t[0]), highest(t[1])};
       },
       argmax_combine},
      {"welford", 3,
       [](T t) {
         return UOps{zero(t[0]), zero(t[1]), zero(t[2])};
       },
       welford_combine},
      {"online_softmax", 3,
       [](T t) {
         return UOps{lowest(t[0]), zero(t[1]), zero(t[2])};
       },
       online_softmax_combine},
  };
  return rows;
}

const Reducer& reducer(std::string_view name) {
  for (const Reducer& r : reducers())
    if (name == r.name) return r;
  throw InternalError("no reducer is named " + std::string(name));
}

}  // namespace pg
