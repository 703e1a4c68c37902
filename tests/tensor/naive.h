#pragma once
// A tensor graph evaluated node by node, element by element, straight from the definitions in ops.def: the oracle for what
// partition makes of it. Known extents; f32, i32, i64 and bool; values are doubles, rounded to f32 after each float op.
#include <cmath>
#include <cstring>
#include <functional>
#include <unordered_map>

#include "src/tensor/buffers.h"
#include "src/tensor/tensor.h"

namespace pg::naive {

using Values = std::vector<double>;
using Index = std::vector<int64_t>;

inline Index extents(const UOp& u) {
  Index e;
  for (const Dim& d : shape_of(u)) e.push_back(d.number().value());
  return e;
}
inline int64_t size(const Index& extents) {
  int64_t n = 1;
  for (const int64_t e : extents) n *= e;
  return n;
}
inline int64_t flat(const Index& extents, const Index& at) {
  int64_t i = 0;
  for (size_t d = 0; d < extents.size(); ++d) i = i * extents[d] + at[d];
  return i;
}
inline Index unflat(const Index& extents, int64_t i) {
  Index at(extents.size());
  for (size_t d = extents.size(); d-- > 0; i /= extents[d]) at[d] = i % extents[d];
  return at;
}

class Evaluation {
 public:
  const Values& operator()(const UOp& root) {
    for (const UOp& u : toposort(root))
      if (!values_.contains(u.id())) values_.emplace(u.id(), evaluate(u));
    keep_.push_back(root);
    return values_.at(root.id())[0];
  }

 private:
  using States = std::vector<Values>;  // one, or those of a tuple reducer

  const Values& source(const UOp& u, size_t i) const { return values_.at(u.src(i).id())[0]; }

  States evaluate(const UOp& u) const {
    switch (u.op()) {
      case Op::ReduceAxis: return reduce(u);
      case Op::Assign: return {assign(u)};
      case Op::Project: return {values_.at(u.src(0).id())[u.arg_as<int64_t>()]};
      case Op::Buffer: return {contents(u)};
      case Op::Const: return {{std::holds_alternative<double>(u.arg()) ? u.arg_as<double>() : double(u.arg_as<int64_t>())}};
      default: break;
    }
    const Index to = extents(u);
    Values y(size(to));
    for (size_t i = 0; i < y.size(); ++i) y[i] = rounded(u.dtype(), element(u, to, static_cast<int64_t>(i)));
    return {y};
  }

  static double rounded(DType t, double v) { return t.is_float() ? static_cast<float>(v) : v; }

  static Values contents(const UOp& buffer) {
    const MemoryRef memory = memory_of(buffer);
    const int64_t n = size(extents(buffer));
    Values v(n);
    std::vector<std::byte> bytes(n * buffer.dtype().bytes());
    memory->device().copy_out(bytes.data(), memory->data(), bytes.size());
    for (int64_t i = 0; i < n; ++i) {
      float f;
      int32_t k;
      if (buffer.dtype() == dt::f32)
        std::memcpy(&f, &bytes[i * 4], 4), v[i] = f;
      else if (buffer.dtype() == dt::i32)
        std::memcpy(&k, &bytes[i * 4], 4), v[i] = k;
      else
        throw InternalError("naive: a buffer of " + text(buffer.dtype()));
    }
    return v;
  }

  /// Where a movement op reads its source; false: in the padding.
  static bool moved(const UOp& u, const Index& from, Index& at) {
    const auto number = [&](size_t i) { return const_int(u.src(i)).value(); };
    bool inside = true;
    switch (u.op()) {
      case Op::Expand:
        for (size_t d = 0; d < at.size(); ++d)
          if (from[d] == 1) at[d] = 0;
        break;
      case Op::Permute: {
        const Index to = at;
        for (size_t d = 0; d < at.size(); ++d) at[u.arg_as<Ints>()[d]] = to[d];
        break;
      }
      case Op::Flip:
        for (const int64_t d : u.arg_as<Ints>()) at[d] = from[d] - 1 - at[d];
        break;
      case Op::Shrink:
        for (size_t d = 0; d < at.size(); ++d) at[d] += number(1 + 2 * d);
        break;
      case Op::Pad:
        for (size_t d = 0; d < at.size(); ++d) {
          at[d] -= number(1 + 2 * d);
          inside &= 0 <= at[d] && at[d] < from[d];
        }
        break;
      default: throw InternalError(std::string("naive: ") + info(u.op()).name);
    }
    return inside;
  }

  double element(const UOp& u, const Index& to, int64_t i) const {
    const auto x = [&](size_t s) { return source(u, s)[i]; };
    switch (u.op()) {
      case Op::Reshape:
      case Op::Contiguous:
      case Op::Bitcast: return x(0);
      case Op::Arange: return static_cast<double>(i);
      case Op::Gather: {
        const int64_t row = size(to) / static_cast<int64_t>(source(u, 1).size());
        return source(u, 0)[static_cast<int64_t>(source(u, 1)[i / row]) * row + i % row];
      }
      case Op::Neg: return -x(0);
      case Op::Exp: return std::exp(x(0));
      case Op::Recip: return 1 / x(0);
      case Op::Not: return x(0) == 0;
      case Op::Cast: return u.dtype().is_float() ? x(0) : std::trunc(x(0));
      case Op::Add: return x(0) + x(1);
      case Op::Sub: return x(0) - x(1);
      case Op::Mul: return x(0) * x(1);
      case Op::Div: return x(0) / x(1);
      case Op::Max: return std::max(x(0), x(1));
      case Op::Min: return std::min(x(0), x(1));
      case Op::Lt: return x(0) < x(1);
      case Op::Eq: return x(0) == x(1);
      case Op::Ne: return x(0) != x(1);
      case Op::And: return x(0) != 0 && x(1) != 0;
      case Op::Or: return x(0) != 0 || x(1) != 0;
      case Op::Where: return x(0) != 0 ? x(1) : x(2);
      default: break;
    }
    const Index from = extents(u.src(0));
    Index at = unflat(to, i);
    return moved(u, from, at) ? source(u, 0)[flat(from, at)] : 0;
  }

  States reduce(const UOp& u) const {
    const ReduceArg& arg = u.arg_as<ReduceArg>();
    const Index from = extents(u.src(0)), to = extents(u);
    States y(u.src().size(), Values(size(to)));
    std::vector<bool> begun(size(to));
    for (int64_t i = 0; i < size(from); ++i) {
      Index at = unflat(from, i);
      for (const int64_t axis : arg.axes) at[axis] = 0;
      const int64_t o = flat(to, at);
      const double x = source(u, 0)[i];
      double& best = y[0][o];
      const bool first = !begun[o];
      begun[o] = true;
      if (arg.reducer == "sum")
        best += x;
      else if (arg.reducer == "max")
        best = first ? x : std::max(best, x);
      else if (arg.reducer == "min")
        best = first ? x : std::min(best, x);
      else if (arg.reducer != "argmax")
        throw InternalError("naive: the reducer " + arg.reducer);
      else if (first || x > best)
        best = x, y[1][o] = source(u, 1)[i];
    }
    for (double& v : y[0]) v = rounded(u.dtype(), v);
    return y;
  }

  /// Follows each element of the view down to its place.
  Values assign(const UOp& u) const {
    const Index view = extents(u.src(0));
    UOp base = u.src(0);
    std::vector<UOp> chain;
    while (!base.is(Op::Buffer) && !base.is(Op::Assign)) chain.push_back(base), base = base.src(0);
    Values whole = values_.at(base.id())[0];
    for (int64_t i = 0; i < size(view); ++i) {
      int64_t place = i;
      for (const UOp& step : chain) {
        if (step.is(Op::Reshape)) continue;
        Index at = unflat(extents(step), place);
        const Index from = extents(step.src(0));
        moved(step, from, at);
        place = flat(from, at);
      }
      whole[place] = source(u, 1)[i];
    }
    return whole;
  }

  std::unordered_map<const void*, States> values_;
  std::vector<UOp> keep_;  // nodes by address must stay alive
};

}  // namespace pg::naive
