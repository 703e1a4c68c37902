#pragma once
// Programs of every op, cast and access on a type, for every dialect, and the check of what a dialect's compiler makes of them.
#include <doctest/doctest.h>

#include "tests/renderers/linear_runs.h"

namespace pg {

inline constexpr DType kNumbers[] = {dt::i8,  dt::u8,  dt::i16, dt::u16,  dt::i32, dt::u32,
                                     dt::i64, dt::u64, dt::f16, dt::bf16, dt::f32};
inline constexpr int kTrips = 3;

inline std::string message(const std::string& what, DType t) { return what + " of " + text(t); }

/// Gives a buffer of indices, `order`, ones that every buffer has.
inline void keep_indices_inside(const UOp& linear, Buffers& buffers) {
  const UOps params = launch_info(linear).params;
  for (size_t b = 0; b < params.size(); ++b)
    if (params[b].arg_as<ParamArg>().name == "order")
      for (size_t k = 0; k < buffers[b].size() / 8; ++k) put(buffers[b], k, dt::i64, static_cast<double>(k % 7));
}

struct NamedProgram {
  UOp linear;
  std::string name;
  std::vector<int64_t> variables = {};
};
/// `run(i, buffers)` runs the i-th program and says what went wrong ("": nothing): its buffers are to be the interpreter's.
template <class Run>
void check_programs(const std::vector<NamedProgram>& programs, Run&& run) {
  for (size_t i = 0; i < programs.size(); ++i)
    for (unsigned seed : {1u, 2u}) {
      const NamedProgram& p = programs[i];
      CAPTURE(p.name);
      CAPTURE(seed);
      Buffers expected = random_buffers(p.linear, seed);
      keep_indices_inside(p.linear, expected);
      Buffers got = expected;
      run_reference(p.linear, expected, p.variables);
      CHECK(run(i, got) == std::string());
      CHECK(difference(p.linear, expected, got) == "");
    }
}

/// One program a type: every op on loads of a, b, c, each into a buffer of its own.
inline UOp ops_on(DType t) {
  LinearBuilder p;
  const int64_t n = kTrips * t.lanes;
  std::vector<std::pair<std::string, UOp>> results;
  const UOp r = range("i", iconst(kTrips));
  const UOp i = r * iconst(t.lanes);
  const auto input = [&](const char* name, DType of) { return load(p.at(p.param(name, of.element(), n), i, of)); };
  const UOp a = input("a", t), b = input("b", t), c = input("c", t), q = input("q", dt::kBool.vec(t.lanes));
  const bool narrow = t.element() == dt::f16 || t.element() == dt::bf16;  // only moved about
  const auto add = [&](Op op, UOp v) { results.emplace_back(info(op).name, std::move(v)); };
  add(Op::Where, alu(Op::Where, q, a, b));
  add(Op::Cast, cast(a, (t.element() == dt::i32 ? dt::i64 : dt::i32).vec(t.lanes)));
  if (!narrow) {
    for (Op op : {Op::Add, Op::Sub, Op::Mul, Op::Max, Op::Min, Op::Lt, Op::Eq, Op::Ne}) add(op, alu(op, a, b));
    add(Op::Neg, alu(Op::Neg, a));
    add(Op::Max, alu(Op::Max, a, constant(t, int64_t{3})));
  }
  if (t.is_float() && !narrow) {
    for (Op op : {Op::Sqrt, Op::Floor}) add(op, alu(op, a));
    add(Op::Div, alu(Op::Div, a, b));  // by zero too: infinities and NaNs
    add(Op::Fma, alu(Op::Fma, a, b, c));
    const UOp nan = alu(Op::Div, alu(Op::Sub, a, a), alu(Op::Sub, b, b));
    add(Op::Max, alu(Op::Max, nan, b));
    add(Op::Min, alu(Op::Min, a, nan));
    add(Op::Bitcast, UOp(Op::Bitcast, dt::u32.vec(t.lanes), {}, {a}));
  }
  if (t.is_int()) {
    for (Op op : {Op::And, Op::Or, Op::Xor}) add(op, alu(op, a, b));
    add(Op::Not, alu(Op::Not, a));
    const UOp divisor = alu(Op::Add, alu(Op::Max, b, constant(t, int64_t{-7})), constant(t, int64_t{8}));  // at least 1
    const UOp d = t.is_unsigned() ? alu(Op::Or, b, constant(t, int64_t{1})) : divisor;
    for (Op op : {Op::IDiv, Op::Mod}) add(op, alu(op, a, d));
    if (!t.is_unsigned())
      for (Op op : {Op::IDiv, Op::Mod}) add(op, alu(op, a, alu(Op::Neg, d)));
    for (Op op : {Op::IDiv, Op::Mod}) add(op, alu(op, a, constant(t, int64_t{8})));
    for (Op op : {Op::Shl, Op::Shr}) add(op, alu(op, a, alu(Op::And, b, constant(t, int64_t{7}))));
    if (t.element() == dt::i32) add(Op::Bitcast, UOp(Op::Bitcast, dt::f32.vec(t.lanes), {}, {a}));
  }
  p.open(r);
  for (auto& [name, v] : results) {
    const UOp out = p.param("out_" + name, v.dtype().element(), n);
    p.store(p.at(out, i, v.dtype()), v);
  }
  return p.finish("ops on " + text(t));
}

inline UOp logic_on(int lanes) {
  LinearBuilder p;
  const DType t = dt::kBool.vec(lanes);
  const UOp r = range("i", iconst(4));
  const UOp i = r * iconst(lanes);
  const UOp a = load(p.at(p.param("a", dt::kBool, 4 * lanes), i, t)),
            b = load(p.at(p.param("b", dt::kBool, 4 * lanes), i, t));
  UOps values = {alu(Op::Not, a), alu(Op::Where, a, b, alu(Op::Not, b)), cast(a, dt::f32.vec(lanes)),
                 cast(a, dt::i8.vec(lanes)), cast(cast(a, dt::i64.vec(lanes)), t)};
  for (Op op : {Op::And, Op::Or, Op::Xor, Op::Eq, Op::Ne, Op::Lt, Op::Max, Op::Min, Op::Add, Op::Mul})
    values.push_back(alu(op, a, b));
  p.open(r);
  for (const UOp& v : values) p.store(p.at(p.param("out", v.dtype().element(), 4 * lanes), i, v.dtype()), v);
  return p.finish("logic on " + text(t));
}

inline UOp casts_from(DType t) {
  LinearBuilder p;
  const UOp r = range("i", iconst(kTrips));
  const UOp i = r * iconst(t.lanes);
  const UOp x = load(p.at(p.param("x", t.element(), kTrips * t.lanes), i, t));
  p.open(r);
  const auto out = [&](const UOp& v) {
    p.store(p.at(p.param("out_" + text(v.dtype()), v.dtype().element(), kTrips * t.lanes), i, v.dtype()), v);
  };
  for (DType to : kNumbers) {
    // A negative float has no u64; the interpreter and the hardware each have an opinion.
    const bool no_negative = t.is_float() && to == dt::u64;
    const UOp wide = cast(x, dt::f32.vec(t.lanes));
    out(no_negative ? cast(alu(Op::Max, wide, constant(wide.dtype(), 0.0)), to.vec(t.lanes)) : cast(x, to.vec(t.lanes)));
  }
  out(cast(x, dt::kBool.vec(t.lanes)));
  return p.finish("casts from " + text(t));
}

/// Everything that an access can be: masked, gathered, scattered, on buffers and on private arrays.
inline UOp accesses_of(DType t) {
  LinearBuilder p;
  const int n = t.lanes;
  const DType element = t.element(), mask = dt::kBool.vec(n), index = dt::index.vec(n);
  const UOp r = range("i", iconst(4));
  const UOp in = p.param("in", element, 6 * n + 8), order = p.param("order", dt::i64, 4 * n),
            keep = p.param("keep", dt::kBool, 4 * n);
  const UOp masked = p.param("masked", element, 4 * n), gathered = p.param("gathered", element, 4 * n),
            some = p.param("some", element, 4 * n), scattered = p.param("scattered", element, 8 * n),
            turned = p.param("turned", element, 4 * n), swapped = p.param("swapped", element, 4 * n);
  p.open(r);
  const UOp i = r * iconst(n);
  const UOp m = load(p.at(keep, i, mask)), where = load(p.at(order, i, index));
  // Unaligned, and partly before the buffer where the gate is false.
  const UOp inside = alu(Op::Lt, broadcast(iconst(-1), n), broadcast(i + iconst(-3), n) + p.lanes(n));
  const UOp x = load(p.at(in, i + iconst(-3), t), alu(Op::And, m, inside));
  p.store(p.at(masked, i, t), x, m);
  const UOp spot = alu(Op::Mod, where, broadcast(iconst(4), n));
  p.store(p.at(gathered, i, t), load(p.at(in, spot, t)));
  const UOp wild = alu(Op::Where, m, spot, broadcast(iconst(1 << 30), n));  // nowhere where the gate is false
  p.store(p.at(some, i, t), load(p.at(in, wild, t), m));
  const UOp lane_of = broadcast(i, n) + p.lanes(n);
  p.store(p.at(scattered, lane_of * broadcast(iconst(2), n), t), x);
  p.store(p.at(scattered,
               alu(Op::Where, m, lane_of * broadcast(iconst(2), n) + broadcast(iconst(1), n), broadcast(iconst(-9), n)), t),
          x, m);
  // A private array, written element by element, read as a vector at an odd place.
  const UOp tile = p.memory("tile", element, 2 * n + 1);
  const UOp j = p.open(range("j", iconst(2 * n + 1)));
  p.store(p.at(tile, j), load(p.at(in, i + j)));
  p.close();
  const UOp from_tile = load(p.at(tile, iconst(1), t));
  p.value(from_tile);
  Ints reversed;
  for (int l = n - 1; l >= 0; --l) reversed.push_back(l);
  // The reverse, the second half of it from another vector that has the same lanes.
  for (int l = n / 2; l < n; ++l) reversed[l] += n;
  const UOp same = n == 1 ? from_tile : p.value(UOp(Op::Shuffle, t, reversed, {from_tile, p.again(load(p.at(tile, iconst(1), t)))}));
  p.store(p.at(turned, i, t), same);
  // An array of vector registers behind a run-time index, and named ones.
  const UOp registers = p.memory("acc", t, 2), named = p.memory("named", t, 3);
  for (int k = 0; k < 2; ++k) p.store(p.at(registers, iconst(k), t), k ? from_tile : x);
  const UOp turn = load(p.at(registers, alu(Op::Mod, r, iconst(2)), t));
  p.store(p.at(named, iconst(0), t), turn);
  p.store(p.at(named, iconst(2), t), from_tile);
  if (n > 1 && !t.is_bool()) p.store(p.at(named, iconst(2), t), load(p.at(named, iconst(0), t), m), alu(Op::Not, m));
  p.store(p.at(swapped, i, t), p.again(load(p.at(named, iconst(2), t))));
  return p.finish("accesses of " + text(t));
}

}  // namespace pg
