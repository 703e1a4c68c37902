#pragma once
// Programs for the threads of a block, which are run and kept as golden texts.
#include "tests/renderers/linear_runs.h"
#include "uops/kernel.h"
#include "uops/simplify.h"

namespace pg {

/// The blocks and the threads of each, opened; memories are declared in between.
struct Threads {
  UOp block, thread;
  template <class Declare>
  Threads(LinearBuilder& p, int64_t blocks, int64_t threads, Declare declare) {
    block = p.open(range("g", iconst(blocks), 0, Kind::Grid));
    declare();
    thread = p.open(range("t", iconst(threads), 0, Kind::Local));
  }
};

/// y[i] = a·x[i] + y[i] for i < n, four a thread; n a Variable.
inline UOp axpy() {
  LinearBuilder p;
  constexpr int kLanes = 4, kThreads = 64;
  const DType v = dt::f32.vec(kLanes);
  const UOp y = p.param("y", dt::f32, 1024), x = p.param("x", dt::f32, 1024), a = p.param("a", dt::f32, 1);
  const UOp n = variable("n", 0, 1024);
  const UOp g = p.open(range("g", ceildiv(n, kThreads * kLanes), 0, Kind::Grid));
  const UOp t = p.open(range("t", iconst(kThreads), 0, Kind::Local));
  const UOp i = g * iconst(kThreads * kLanes) + t * iconst(kLanes);
  const UOp inside = alu(Op::Lt, broadcast(i, kLanes) + p.lanes(kLanes), broadcast(n, kLanes));
  const UOp scale = broadcast(load(p.at(a, iconst(0))), kLanes);
  p.store(p.at(y, i, v), alu(Op::Fma, scale, load(p.at(x, i, v), inside), load(p.at(y, i, v), inside)), inside);
  return p.finish("axpy");
}

/// Each block turns its part of the input round, through shared memory.
inline UOp reverse() {
  LinearBuilder p;
  constexpr int64_t kThreads = 96;
  const UOp out = p.param("out", dt::i32, 4 * kThreads), in = p.param("in", dt::i32, 4 * kThreads);
  UOp tile;
  const Threads o(p, 4, kThreads, [&] { tile = p.memory("tile", dt::i32, kThreads); });
  const UOp start = o.block * iconst(kThreads);
  p.store(p.at(tile, o.thread), load(p.at(in, start + o.thread)));
  p.barrier();
  p.store(p.at(out, start + o.thread), p.again(load(p.at(tile, iconst(kThreads - 1) - o.thread))));
  return p.finish("reverse");
}

/// The sum of each block's 128 elements: within warps by exchange, then of the warps' sums in shared memory.
inline UOp block_sums(DType of = dt::f32) {
  LinearBuilder p;
  constexpr int64_t kThreads = 128, kWarp = 32;
  const UOp out = p.param("out", of, 3), in = p.param("in", of, 3 * kThreads);
  UOp sums;
  const Threads o(p, 3, kThreads, [&] { sums = p.memory("sums", of, kThreads / kWarp); });
  UOp sum = load(p.at(in, o.block * iconst(kThreads) + o.thread));
  for (int64_t mask = kWarp / 2; mask > 0; mask /= 2) sum = alu(Op::Add, sum, p.lane_xor(sum, mask));
  const UOp warp = idiv(o.thread, iconst(kWarp));
  p.store(p.at(sums, warp), sum, alu(Op::Eq, mod(o.thread, iconst(kWarp)), iconst(0)));
  p.barrier();
  UOp total = constant(of, int64_t{0});
  for (int64_t w = 0; w < kThreads / kWarp; ++w) total = alu(Op::Add, total, p.again(load(p.at(sums, iconst(w)))));
  p.store(p.at(out, o.block), total, alu(Op::Eq, o.thread, iconst(0)));
  return p.finish("block sums");
}

/// c = a·bᵀ of m × n × k: blocks of 16 × 16, 32 threads with 2 × 4 each, tiles of 8 columns in a ring of three which
/// asynchronous copies fill with zeros beyond the end.
inline UOp ring_matmul(int64_t m, int64_t n, int64_t k) {
  LinearBuilder p;
  constexpr int64_t kBlock = 16, kDepth = 8, kStages = 3, kThreads = 32, kRows = 2, kColumns = 4;
  const UOp c = p.param("c", dt::f32, m * n), a = p.param("a", dt::f32, m * k), b = p.param("b", dt::f32, n * k);
  const int64_t across = (n + kBlock - 1) / kBlock, turns = (k + kDepth - 1) / kDepth;
  UOp as, bs;
  const Threads o(p, (m + kBlock - 1) / kBlock * across, kThreads, [&] {
    as = p.memory("as", dt::f32, kStages * kBlock * kDepth);
    bs = p.memory("bs", dt::f32, kStages * kBlock * kDepth);
  });
  const UOp &t = o.thread, row0 = idiv(o.block, iconst(across)) * iconst(kBlock),
            column0 = mod(o.block, iconst(across)) * iconst(kBlock);
  const DType four = dt::f32.vec(4);
  // A thread copies half a row of each tile: 16 rows of two fours.
  const auto fill = [&](const UOp& turn) {
    const UOp row = idiv(t, iconst(2)), at = mod(t, iconst(2)) * iconst(4), depth = turn * iconst(kDepth) + at;
    const UOp stage = mod(turn, iconst(kStages)) * iconst(kBlock * kDepth) + row * iconst(kDepth) + at;
    const auto copy = [&](const UOp& to, const UOp& from, const UOp& first, int64_t rows) {
      const UOp inside = alu(Op::And, alu(Op::Lt, first + row, iconst(rows)), alu(Op::Lt, depth, iconst(k)));
      p.copy(p.at(to, stage, four), p.at(from, (first + row) * iconst(k) + depth, four), inside);
    };
    copy(as, a, row0, m), copy(bs, b, column0, n);
    p.commit();
  };
  const UOp acc = p.memory("acc", dt::f32, kRows * kColumns);
  const auto each = [&](auto f) {
    for (int64_t i = 0; i < kRows; ++i)
      for (int64_t j = 0; j < kColumns; ++j) f(i, j, p.at(acc, iconst(i * kColumns + j)));
  };
  each([&](int64_t, int64_t, const UOp& place) { p.store(place, constant(dt::f32, 0.0)); });
  for (int64_t s = 0; s < kStages - 1; ++s) fill(iconst(s));
  const UOp row = idiv(t, iconst(4)) * iconst(kRows), column = mod(t, iconst(4)) * iconst(kColumns);
  const UOp turn = p.open(range("turn", iconst(turns)));
  p.wait(kStages - 2);
  p.barrier();
  fill(turn + iconst(kStages - 1));  // into the tile that all are done with; beyond the end zeros
  const UOp stage = mod(turn, iconst(kStages)) * iconst(kBlock * kDepth);
  for (int64_t d = 0; d < kDepth; d += 4)
    for (int64_t i = 0; i < kRows; ++i) {
      const UOp x = load(p.at(as, stage + row * iconst(kDepth) + iconst(i * kDepth + d), four));
      for (int64_t j = 0; j < kColumns; ++j) {
        const UOp y = load(p.at(bs, stage + column * iconst(kDepth) + iconst(j * kDepth + d), four));
        for (int64_t l = 0; l < 4; ++l) {
          const auto lane = [&](const UOp& v) { return p.value(UOp(Op::Shuffle, dt::f32, Ints{l}, {v})); };
          const UOp place = p.at(acc, iconst(i * kColumns + j)), u = lane(x), v = lane(y);
          p.store(place, alu(Op::Fma, u, v, p.again(load(place))));
        }
      }
    }
  p.close();
  p.wait(0);
  each([&](int64_t i, int64_t j, const UOp& place) {
    const UOp r = row0 + row + iconst(i), q = column0 + column + iconst(j);
    const UOp inside = alu(Op::And, alu(Op::Lt, r, iconst(m)), alu(Op::Lt, q, iconst(n)));
    p.store(p.at(c, simplify(r * iconst(n) + q)), p.again(load(place)), inside);
  });
  return p.finish("ring matmul");
}

/// Two phases: sums of quarters by 64 threads a block, then of the quarters by 32.
inline UOp two_phases() {
  LinearBuilder p;
  constexpr int64_t kParts = 4, kWide = 64, kNarrow = 32;
  const UOp out = p.param("out", dt::f32, kNarrow), in = p.param("in", dt::f32, kParts * kWide * 2);
  const UOp parts(Op::Param, dt::f32, ParamArg{kWorkspaceSlot, "parts"}, {iconst(kParts * kWide)});
  {
    const Threads o(p, kParts, kWide, [] {});
    const UOp i = o.block * iconst(kWide) + o.thread;
    p.store(p.at(parts, i), load(p.at(in, i * iconst(2))) + load(p.at(in, i * iconst(2) + iconst(1))));
    p.close(), p.close();
  }
  {
    UOp tile;
    const UOp block = p.open(range("h", iconst(1), 0, Kind::Grid));
    tile = p.memory("tile", dt::f32, kNarrow);
    const UOp t = p.open(range("u", iconst(kNarrow), 0, Kind::Local));
    UOp sum = constant(dt::f32, 0.0);
    for (int64_t part = 0; part < 2 * kParts; ++part) sum = sum + load(p.at(parts, t + block + iconst(part * kNarrow)));
    p.store(p.at(tile, t), sum);
    p.barrier();
    p.store(p.at(out, t), p.again(load(p.at(tile, iconst(kNarrow - 1) - t))));
  }
  return p.finish("two phases");
}

/// Shared memory of vectors, of narrow types, and an exchange of all types.
inline UOp exchange(DType of) {
  LinearBuilder p;
  constexpr int64_t kThreads = 64;
  const DType v = of.vec(4);
  const UOp out = p.param("out", of, kThreads * 4), in = p.param("in", of, kThreads * 4);
  UOp tile;
  const Threads o(p, 1, kThreads, [&] { tile = p.memory("tile", v, kThreads); });
  const UOp x = p.value(load(p.at(in, o.thread * iconst(4), v)));
  p.store(p.at(tile, o.thread, v), p.lane_xor(p.lane_xor(x, 5), 16));
  p.barrier();
  const UOp other = mod(o.thread * iconst(5) + iconst(3), iconst(kThreads));
  p.store(p.at(out, o.thread * iconst(4), v), p.again(load(p.at(tile, other, v))));
  return p.finish("exchange " + text(of));
}

}  // namespace pg
