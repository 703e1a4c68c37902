// What the threads of a block mean to the interpreter (uops/linear.h), one rule after the other.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/uops/block_kernels.h"
#include "tests/uops/one_block.h"

using namespace pg;
using namespace pg::test;

TEST_CASE("blocks: a transposition by tiles of shared memory") {
  constexpr int64_t blocks = 3;
  BlockBuffers buffers{noise(256 * blocks), bytes_of(counted(256 * blocks))};
  CHECK(check_blocks(transposed(blocks), buffers) == "");
  const std::vector<float> out = elements_of<float>(buffers[0]);
  for (size_t y = 0; y < 16 * blocks; ++y)
    for (size_t x = 0; x < 16; ++x) REQUIRE(out[x * 16 * blocks + y] == static_cast<float>(y * 16 + x + 1));
}

TEST_CASE("blocks: numbers of items pick blocks, whatever their threads do") {
  const UOp linear = reversed_blocks(3, 32);
  std::vector<float> out(96, 0), in = counted(96);
  const std::vector<HostBuffer> host{{out.data(), 96}, {in.data(), 96}};
  interpret(linear, host, {}, {}, 1, 2);
  for (size_t i = 0; i < 96; ++i) CHECK(out[i] == (i / 32 == 1 ? in[95 - i] : 0));
  CHECK_THROWS_AS(interpret(linear, host, {}, {}, 2, 4), InternalError);
}

TEST_CASE("blocks: several grids, one after the other, with a workspace between") {
  LinearBuilder b;
  const UOp out = b.param("out", dt::f32), in = b.param("in", dt::f32);
  const UOp parts(Op::Param, dt::f32, ParamArg{kWorkspaceSlot, "parts"}, {iconst(4)});
  {
    const UOp g = b.grid(4), tile = b.memory("tile", dt::f32, 32), t = b.threads(32);
    b.store(at(tile, t), b.load(at(in, times(g, 32) + t)));
    b.barrier();
    b.open_if(less(t, 1));
    b.store(at(parts, g), b.load(at(tile, iconst(31))) - b.load(at(tile, iconst(0))) + cast(g, dt::f32));
    b.close(3);
  }
  {
    const UOp g = b.grid(2, "h"), tile = b.memory("tile2", dt::f32, 4), t = b.threads(4, "u");
    b.store(at(tile, t), b.load(at(parts, t)));
    b.barrier();
    b.store(at(out, times(g, 4) + t), b.load(at(tile, iconst(3) - t)));
  }
  BlockBuffers buffers{noise(8), bytes_of(counted(128))};
  CHECK(check_blocks(b.finish(), buffers) == "");
  CHECK(elements_of<float>(buffers[0]) == std::vector<float>{34, 33, 32, 31, 34, 33, 32, 31});
}

TEST_CASE("blocks: shared memory is poisoned at each block, private memory at each thread") {
  OneBlock b(4, 4, 2);
  const UOp mine = b.memory("mine", dt::i32, 2);
  b.store(at(b.out, times(b.g, 8) + b.t), b.load(at(b.tile, b.t)));
  b.store(at(b.out, plus(times(b.g, 8) + b.t, 4)), cast(b.load(at(mine, iconst(1))), dt::f32));
  b.store(at(b.tile, b.t), kOne);
  b.store(at(mine, iconst(1)), constant(dt::i32, int64_t{7}));
  b.store(at(b.in, times(b.g, 4) + b.t),
          b.load(at(b.tile, b.t)) + cast(b.load(at(mine, iconst(1))) + constant(dt::i32, int64_t{1}), dt::f32));
  BlockBuffers buffers{noise(16), noise(8)};
  const UOp linear = b.finish();
  CHECK(check_blocks(linear, buffers) == "");
  const std::vector<float> out = elements_of<float>(buffers[0]);
  for (size_t i = 0; i < 16; ++i) CHECK((i / 4 % 2 ? out[i] == static_cast<float>(0x5a5a5a5a) : std::isnan(out[i])));
  CHECK(elements_of<float>(buffers[1]) == std::vector<float>(8, 9));
}

TEST_CASE("blocks: threads race for shared memory and for buffers, and the error says who and where") {
  OneBlock two_write(64);
  two_write.store(at(two_write.tile, iconst(5)), kOne);
  const std::string error = error_of(two_write.finish(), {noise(64), noise(64)}, "wrote since the last barrier");
  CHECK(
      error ==
      "interpreter: block 0, thread 1: writes element 5 of tile that thread 0 wrote since the last barrier: tile[5] = 1.0");

  OneBlock second(64, 64, 2);  // the error counts blocks
  second.open_if(alu(Op::Eq, second.g, iconst(1)));
  second.store(at(second.tile, quotient(second.t, 2)), kOne);
  error_of(second.finish(), {noise(64), noise(64)}, "interpreter: block 1, thread ");

  OneBlock reads(64);  // of a neighbour's element
  reads.store(at(reads.tile, reads.t), kOne);
  reads.value(reads.load(at(reads.tile, rest(plus(reads.t, 1), 64))));
  error_of(reads.finish(), {noise(64), noise(64)}, "since the last barrier");

  OneBlock global(64);  // buffers are watched alike, without `races` too
  global.store(at(global.out, global.t), kOne);
  global.load(at(global.out, iconst(9)));
  const UOp racing = global.finish();
  error_of(racing, {noise(64), noise(64)}, " element 9 of out that thread ");
  error_of(racing, {noise(64), noise(64)}, "", {.thread_races = false});

  OneBlock lanes(32);  // an exchange orders nothing in memory
  lanes.store(at(lanes.tile, lanes.t), kOne);
  const UOp x = lanes.lane_xor(lanes.load(at(lanes.in, lanes.t)), 1);
  lanes.store(at(lanes.out, lanes.t), x + lanes.load(at(lanes.tile, rest(plus(lanes.t, 1), 32))));
  error_of(lanes.finish(), {noise(64), noise(64)}, "since the last barrier");
}

TEST_CASE("blocks: whoever read an element first may still not write it when another one has read it too") {
  OneBlock b(2);
  const UOp x = b.load(at(b.tile, iconst(0)));
  b.lane_xor(x, 1);  // both have read, and no barrier is between
  b.open_if(alu(Op::Eq, b.t, iconst(0)));
  b.store(at(b.tile, iconst(0)), kOne);
  error_of(b.finish(), {noise(1), noise(1)}, "thread 0: writes element 0 of tile that thread 1 read");
}

TEST_CASE("blocks: what does not race") {
  OneBlock b(64);
  b.store(at(b.tile, b.t),
          b.load(at(b.in, iconst(0))));  // all read one element, each writes its own, reads it and writes again
  b.store(at(b.tile, b.t), b.load(at(b.tile, b.t)) + kOne);
  b.barrier();
  const UOp other = b.load(at(b.tile, rest(plus(b.t, 1), 64)));
  b.barrier();  // all have read
  b.store(at(b.tile, b.t), other);
  b.store(at(b.out, b.t), kOne);
  b.barrier();  // orders buffers as well
  b.store(at(b.out, iconst(63) - b.t), b.load(at(b.out, iconst(63) - b.t)) + b.load(at(b.tile, b.t)));
  BlockBuffers buffers{noise(64), bytes_of(counted(64))};
  CHECK(check_blocks(b.finish(), buffers) == "");
  CHECK(elements_of<float>(buffers[0]) == std::vector<float>(64, 3));
}

TEST_CASE("blocks: items race as they do without threads") {
  OneBlock b(4, 4, 2);
  b.store(at(b.out, b.t), kOne);
  const UOp linear = b.finish();
  error_of(linear, {noise(4), noise(4)}, "item 1 writes element ", {.races = true});
  error_of(linear, {noise(4), noise(4)}, "");
}

TEST_CASE("blocks: threads that wait for each other at different places") {
  OneBlock b(64);
  b.open_if(less(b.t, 3));
  b.barrier();
  b.close();
  b.barrier();
  CHECK(
      error_of(b.finish(), {noise(1), noise(1)}, "wait in vain") ==
      "interpreter: block 0: threads wait in vain: threads 0..2 at entry 7, Barrier(); threads 3..63 at entry 9, Barrier()");

  OneBlock lanes(64);
  lanes.open_if(alu(Op::Eq, rest(lanes.t, 32), iconst(7)));
  lanes.barrier();
  lanes.close();
  lanes.lane_xor(cast(lanes.t, dt::f32), 4);
  const std::string error = error_of(lanes.finish(), {noise(1), noise(1)}, "wait in vain");
  CAPTURE(error);
  CHECK(error.find("threads 7, 39 at entry 8, Barrier(); threads 0..6, 8..38, 40..63 at entry 11, LaneXor(") != error.npos);
}

TEST_CASE("blocks: warps exchange at their own pace") {
  // The second warp is at a barrier that the first one reaches only behind its exchanges.
  OneBlock b(64);
  b.open_if(less(b.t, 32));
  UOp sum = cast(b.t, dt::f32);
  for (const int64_t mask : {16, 8, 4, 2, 1}) sum = b.value(sum + b.lane_xor(sum, mask));
  b.store(at(b.tile, b.t), sum);
  b.close();
  b.barrier();
  b.store(at(b.out, b.t), b.load(at(b.tile, rest(b.t, 32))));
  BlockBuffers buffers{noise(64), noise(1)};
  CHECK(check_blocks(b.finish(), buffers) == "");
  CHECK(elements_of<float>(buffers[0]) == std::vector<float>(64, 31 * 16));
}

TEST_CASE("blocks: vectors are exchanged, and a lane needs its partner") {
  const auto swapped = [](int64_t threads) {
    OneBlock b(threads);
    const UOp v = b.lane_xor(b.load(at(b.in, times(b.t, 2), 2)), 1);
    b.store(at(b.out, times(b.t, 2), 2), v);
    return b.finish();
  };
  BlockBuffers buffers{noise(8), bytes_of(counted(8))};
  CHECK(check_blocks(swapped(4), buffers) == "");
  CHECK(elements_of<float>(buffers[0]) == std::vector<float>{3, 4, 1, 2, 7, 8, 5, 6});
  error_of(swapped(3), {noise(6), noise(6)}, "lane 3 has no thread");
}

TEST_CASE("blocks: threads that meet in different turns of a loop") {
  OneBlock b(2);  // one skips the barrier of the first turn, the other one that of the last
  const UOp i = b.open(range("i", iconst(2)));
  b.open_if(alu(Op::Eq, i, b.t));
  b.barrier();
  error_of(b.finish(), {noise(1), noise(1)}, " of a loop where thread ");
}

TEST_CASE("blocks: random orders repeat with their seed") {
  // Who is last writes: unwatched, the result tells the order.
  OneBlock b(64);
  for (int i = 0; i < 8; ++i) b.store(at(b.out, iconst(i)), cast(plus(b.t, i), dt::f32));
  const UOp linear = b.finish();
  const BlockMode random{InterpretOptions::Order::Random, InterpretOptions::Landing::Random, 5};
  BlockMode another = random;
  another.seed = 6;
  const auto run = [&](const BlockMode& mode) {
    return run_block(linear, mode, {noise(8), noise(1)}, {}, {.thread_races = false}).buffers[0];
  };
  CHECK(run(random) == run(random));
  CHECK(run(random) != run(another));
}

TEST_CASE("blocks: the step limit counts the instructions of all threads") {
  const UOp linear = reversed_blocks(2, 32);
  for (const BlockMode& mode : block_modes()) {
    CHECK_THROWS_WITH_AS(run_block(linear, mode, {noise(64), noise(64)}, {}, {.max_steps = 300}),
                         doctest::Contains("step limit of 300"), UserError);
    CHECK(run_block(linear, mode, {noise(64), noise(64)}, {}, {.max_steps = 1000}).error == "");
  }
}

TEST_CASE("blocks: programs that the contract does not allow") {
  const BlockBuffers none;
  LinearBuilder serial;
  serial.barrier();
  error_of(serial.finish(), none, "only the threads of a block do this: Barrier()");

  LinearBuilder twice;
  twice.grid(1);
  twice.threads(4), twice.close();
  twice.threads(4, "u");
  error_of(twice.finish(), none, "a second For over the threads of a block");

  LinearBuilder looped;
  looped.grid(1);
  looped.open(range("i", iconst(2)));
  looped.threads(4);
  error_of(looped.finish(), none, "only a grid stands round the threads");

  LinearBuilder own;
  const UOp in = own.param("in", dt::f32);
  own.grid(1), own.threads(4);
  const UOp mine = own.memory("mine", dt::f32, 4);
  own.copy(at(mine, iconst(0)), at(in, iconst(0)));
  error_of(own.finish(), {noise(1)}, "a copy goes to the shared memory of a block");
}
