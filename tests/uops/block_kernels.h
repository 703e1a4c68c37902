#pragma once
// Kernels of thread blocks as a renderer's or a schedule's tests need them, each with the mistakes that somebody could make.
#include <cstdint>

#include "tests/uops/linear_builder.h"

namespace pg::test {

enum class Mistake {
  None,
  // a ring of tiles
  NoBarrierBehindWait,
  NoBarrierBeforeReuse,
  BarrierBeforeWait,
  WeakWait,
  NoWait,
  NoCommit,
  CopyIntoReadSlot,
  ReadWrongSlot,
  SwizzleOfReader,
  SwizzleOfUpperHalf,
  NoTailGate,
  NoStoreGate,
  NoTripGuard,
  NoPrologueGuard,
  SourceOverwritten,
  // exchanges
  WrongMask,
  DivergentLanes,
  DivergentBarrier,
  PrivateMemory,
  NoBarrierOfTree,
  OneWriterTooMany,
};

/// C[m,n] = A[m,k] B[k,n], f32, rows contiguous. A block of 64 threads makes an 8 x 8 tile; tiles of 8 k go through a ring
/// of slots.
struct RingMatmul {
  static constexpr int64_t kTile = 8, kThreads = 64;
  int64_t m, n, k;
  int slots;
  /// One barrier a turn: wait, barrier, issue, compute. Two: issue, wait, barrier, compute, barrier.
  bool two_barriers = false;
  Mistake mistake = Mistake::None;
  bool drained = false;  // waits for all copies at the end: that none is left tells nothing then

  int64_t tiles() const { return (k + kTile - 1) / kTile; }
  UOp linear() const {
    LinearBuilder b;
    const UOp c = b.param("C", dt::f32), a = b.param("A", dt::f32), bb = b.param("B", dt::f32);
    const int64_t across = (n + kTile - 1) / kTile, down = (m + kTile - 1) / kTile;
    const UOp g = b.grid(across * down);
    const UOp as = b.memory("As", dt::f32, slots * kTile * kTile), bs = b.memory("Bs", dt::f32, slots * kTile * kTile);
    const UOp t = b.threads(kThreads);
    const UOp y = quotient(t, kTile), x = rest(t, kTile);
    const UOp row = times(quotient(g, across), kTile) + y, first_column = times(rest(g, across), kTile),
              column = first_column + x;
    const bool gated_k = k % kTile != 0 && !is(Mistake::NoTailGate);

    /// This thread's part of tile `tile` of A and B into slot `slot`: 4 bytes of A, and of every fourth thread 16 of B.
    const auto issue = [&](const UOp& tile, const UOp& slot) {
      const UOp ka = times(tile, kTile) + x;
      UOp gate = less(row, m);
      if (gated_k) gate = both(gate, less(ka, k));
      b.copy(LinearBuilder::at(as, times(slot, kTile * kTile) + t), LinearBuilder::at(a, times(row, k) + ka), gate);
      b.open_if(less(t, kTile * 2));
      const UOp kb = quotient(t, 2), four = rest(t, 2), k_of_b = times(tile, kTile) + kb;
      UOp turned = rest(kb, 2);
      if (is(Mistake::SwizzleOfUpperHalf)) turned = bit_xor(turned, quotient(kb, 4));
      const UOp to = times(slot, kTile * kTile) + times(kb, kTile) + times(bit_xor(four, turned), 4),
                from = times(k_of_b, n) + first_column + times(four, 4);
      UOp gate_b = less(first_column + times(four, 4), n);
      if (gated_k) gate_b = both(gate_b, less(k_of_b, k));
      b.copy(LinearBuilder::at(bs, to, 4), LinearBuilder::at(bb, from, 4), gate_b);
      b.close();
    };

    const UOp acc = b.memory("acc", dt::f32, 1), sum = LinearBuilder::at(acc, iconst(0));
    b.store(sum, constant(dt::f32, 0.0));
    const UOp p = b.open(range("p", iconst(slots - 1)));
    const bool guarded = k < (slots - 1) * kTile && !is(Mistake::NoPrologueGuard);
    if (guarded) b.open_if(less(p, tiles()));
    issue(p, p);
    if (guarded) b.close();
    b.commit();
    b.close();

    const UOp i = b.open(range("k", iconst(tiles())));
    const auto wait = [&](int64_t newest) {
      if (is(Mistake::BarrierBeforeWait)) b.barrier();
      if (!is(Mistake::NoWait)) b.wait(newest + (is(Mistake::WeakWait) ? 1 : 0));
      if (!is(Mistake::NoBarrierBehindWait) && !is(Mistake::BarrierBeforeWait)) b.barrier();
    };
    const auto next = [&] {
      const UOp ahead = plus(i, slots - 1);
      if (!is(Mistake::NoTripGuard)) b.open_if(less(ahead, tiles()));
      issue(ahead, rest(is(Mistake::CopyIntoReadSlot) ? i : ahead, slots));
      if (!is(Mistake::NoTripGuard)) b.close();
      if (!is(Mistake::NoCommit)) b.commit();
    };
    if (two_barriers) next(), wait(slots - 1);
    if (!two_barriers) wait(slots - 2), next();
    // The source of a copy must stay as it is until the copy is waited for.
    if (is(Mistake::SourceOverwritten)) {
      const UOp ka = times(plus(i, slots - 1), kTile) + x;
      b.store(LinearBuilder::at(a, times(row, k) + ka), constant(dt::f32, 100.0), both(less(row, m), less(ka, k)));
    }
    const UOp slot = rest(is(Mistake::ReadWrongSlot) ? plus(i, 1) : i, slots);
    const UOp j = b.open(range("j", iconst(kTile)));
    UOp turned = rest(j, 2);
    if (is(Mistake::SwizzleOfReader)) turned = rest(quotient(j, 2), 2);
    const UOp left = b.load(LinearBuilder::at(as, times(slot, kTile * kTile) + times(y, kTile) + j));
    const UOp right = b.load(LinearBuilder::at(
        bs, times(slot, kTile * kTile) + times(j, kTile) + times(bit_xor(quotient(x, 4), turned), 4) + rest(x, 4)));
    b.store(sum, b.load(sum) + left * right);
    b.close();
    if (two_barriers && !is(Mistake::NoBarrierBeforeReuse)) b.barrier();
    b.close();
    if (drained) b.wait(0);
    const UOp gate = is(Mistake::NoStoreGate) ? UOp() : both(less(row, m), less(column, n));
    b.store(LinearBuilder::at(c, times(row, n) + column), b.load(sum), gate);
    return b.finish("ring_matmul");
  }

 private:
  bool is(Mistake one) const { return mistake == one; }
};

/// out[block] = the sum of 64 numbers a block: lanes by LaneXor, warps by shared memory.
struct TreeReduction {
  int64_t blocks = 3;
  Mistake mistake = Mistake::None;

  UOp linear() const {
    LinearBuilder b;
    const auto is = [&](Mistake one) { return mistake == one; };
    const UOp out = b.param("out", dt::f32), in = b.param("in", dt::f32);
    const UOp g = b.grid(blocks);
    const UOp parts = b.memory("parts", dt::f32, 2), t = b.threads(64);
    UOp sum = b.load(LinearBuilder::at(in, times(g, 64) + t));
    if (is(Mistake::DivergentLanes)) b.open_if(less(rest(t, 32), 16));
    if (is(Mistake::DivergentBarrier)) b.open_if(less(t, 32));
    for (const int64_t mask : {16, 8, 4, 2, 1})
      sum = b.value(sum + b.lane_xor(sum, is(Mistake::WrongMask) && mask == 4 ? 2 : mask));
    const UOp warp = quotient(t, 32);
    const UOp first = is(Mistake::OneWriterTooMany) ? less(rest(t, 32), 2) : alu(Op::Eq, rest(t, 32), iconst(0));
    b.open_if(first);
    b.store(LinearBuilder::at(parts, warp), sum);
    b.close();
    if (!is(Mistake::NoBarrierOfTree)) b.barrier();
    if (is(Mistake::DivergentLanes) || is(Mistake::DivergentBarrier)) b.close();
    b.open_if(alu(Op::Eq, t, iconst(0)));
    b.store(LinearBuilder::at(out, g),
            b.load(LinearBuilder::at(parts, iconst(0))) + b.load(LinearBuilder::at(parts, iconst(1))));
    return b.finish("tree_reduction");
  }
};

/// out = in with each block of `threads` elements reversed.
inline UOp reversed_blocks(int64_t blocks, int64_t threads, Mistake mistake = Mistake::None) {
  LinearBuilder b;
  const UOp out = b.param("out", dt::f32), in = b.param("in", dt::f32), g = b.grid(blocks);
  UOp tile;
  if (mistake != Mistake::PrivateMemory) tile = b.memory("tile", dt::f32, threads);
  const UOp t = b.threads(threads);
  if (mistake == Mistake::PrivateMemory) tile = b.memory("tile", dt::f32, threads);
  b.store(LinearBuilder::at(tile, t), b.load(LinearBuilder::at(in, times(g, threads) + t)));
  if (mistake != Mistake::NoBarrierOfTree) b.barrier();
  b.store(LinearBuilder::at(out, times(g, threads) + t), b.load(LinearBuilder::at(tile, iconst(threads - 1) - t)));
  return b.finish("reversed");
}

/// out[x,y] = in[y,x] of 16 * `blocks` x 16, by tiles of 16 x 16, rows padded by one.
inline UOp transposed(int64_t blocks) {
  LinearBuilder b;
  const UOp out = b.param("out", dt::f32), in = b.param("in", dt::f32), g = b.grid(blocks);
  const UOp tile = b.memory("tile", dt::f32, 16 * 17), t = b.threads(64);
  const UOp y = quotient(t, 16), x = rest(t, 16);
  const UOp i = b.open(range("i", iconst(4)));
  const UOp row = times(i, 4) + y;
  b.store(LinearBuilder::at(tile, times(row, 17) + x), b.load(LinearBuilder::at(in, times(times(g, 16) + row, 16) + x)));
  b.close();
  b.barrier();
  const UOp j = b.open(range("j", iconst(4)));
  const UOp line = times(j, 4) + y;
  b.store(LinearBuilder::at(out, times(line, 16 * blocks) + times(g, 16) + x),
          b.load(LinearBuilder::at(tile, times(x, 17) + line)));
  return b.finish("transposed");
}

}  // namespace pg::test
