// Asynchronous copies of the threads of a block: when they land, and who may touch what meanwhile.
#include <doctest/doctest.h>

#include "tests/uops/one_block.h"

using namespace pg;
using namespace pg::test;

TEST_CASE("blocks: a copy lands at its wait") {
  OneBlock b(4, 16);
  const UOp four = times(b.t, 4);
  b.copy(at(b.tile, four, 4), at(b.in, four, 4));
  b.commit();
  b.wait(0);
  b.store(at(b.out, four, 4), b.load(at(b.tile, four, 4)));
  BlockBuffers buffers{noise(16), bytes_of(counted(16))};
  CHECK(check_blocks(b.finish(), buffers) == "");
  CHECK(elements_of<float>(buffers[0]) == counted(16));
}

TEST_CASE("blocks: a copy whose gate is false lands zeros and reads nothing") {
  OneBlock b(4, 16);
  const UOp four = times(b.t, 4), gate = less(b.t, 2);
  b.copy(at(b.tile, four, 4), at(b.in, four + cast(less(iconst(1), b.t), dt::index) * iconst(1001), 4), gate);
  b.commit();
  b.wait(0);
  b.store(at(b.out, four, 4), b.load(at(b.tile, four, 4)));
  BlockBuffers buffers{noise(16), bytes_of(counted(8))};
  CHECK(check_blocks(b.finish(), buffers) == "");
  CHECK(elements_of<float>(buffers[0]) == std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("blocks: nobody touches what a copy is on its way to, nor writes its source") {
  enum class Touch { OwnRead, OwnWrite, OtherRead, ReadBehindItsWait, SecondCopy, WriteSource, OtherWritesSource };
  const auto program = [](Touch touch) {
    OneBlock b(32, 32);
    const UOp other = rest(plus(b.t, 1), 32);
    b.copy(at(b.tile, b.t), at(b.in, b.t));
    b.commit();
    if (touch == Touch::OtherRead || touch == Touch::OtherWritesSource) b.barrier();
    switch (touch) {
      case Touch::OwnRead: b.load(at(b.tile, b.t)); break;
      case Touch::OwnWrite: b.store(at(b.tile, b.t), kOne); break;
      case Touch::OtherRead: b.load(at(b.tile, other)); break;
      case Touch::SecondCopy: b.copy(at(b.tile, b.t), at(b.in, b.t)); break;
      case Touch::WriteSource: b.store(at(b.in, b.t), kOne); break;
      case Touch::OtherWritesSource: b.store(at(b.in, other), kOne); break;
      case Touch::ReadBehindItsWait: break;
    }
    b.wait(0);
    if (touch == Touch::ReadBehindItsWait) b.load(at(b.tile, other));  // a wait is the issuing thread's own business
    return b.finish();
  };
  const BlockBuffers buffers{noise(32), noise(32)};
  for (const Touch touch : {Touch::OwnRead, Touch::OtherRead}) {
    const std::string error = error_of(program(touch), buffers, " of tile to which a copy of thread ");
    CHECK(error.find("reads element") != error.npos);
  }
  for (const Touch touch : {Touch::OwnWrite, Touch::SecondCopy}) error_of(program(touch), buffers, "writes element ");
  for (const Touch touch : {Touch::WriteSource, Touch::OtherWritesSource})
    error_of(program(touch), buffers, " of in from which a copy is on its way");
  for (const BlockMode& mode : block_modes()) CHECK(run_block(program(Touch::ReadBehindItsWait), mode, buffers).error != "");
}

TEST_CASE("blocks: behind its wait a copy counts as written and read in that moment") {
  // Thread 1 issued it before a barrier, but it may have been at work until just now: thread 0 needs another barrier.
  const auto program = [](bool source, bool barrier) {
    OneBlock b(2, 2);
    b.open_if(alu(Op::Eq, b.t, iconst(1)));
    b.copy(at(b.tile, b.t), at(b.in, b.t));
    b.commit();
    b.close();
    b.barrier();
    b.wait(0);
    if (barrier) b.barrier();
    b.open_if(alu(Op::Eq, b.t, iconst(0)));
    if (source)
      b.store(at(b.in, iconst(1)), kOne);
    else
      b.load(at(b.tile, iconst(1)));
    return b.finish();
  };
  const BlockBuffers buffers{noise(2), noise(2)};
  for (const bool source : {false, true}) {
    error_of(program(source, true), buffers, "");
    error_of(program(source, false), buffers, source ? "writes element 1 of in" : "reads element 1 of tile");
    const BlockMode reverse{InterpretOptions::Order::Reverse,
                            InterpretOptions::Landing::Early};  // it has been waited for then
    const std::string error = run_block(program(source, false), reverse, buffers).error;
    CAPTURE(error);
    CHECK(error.find(source ? "that thread 1 read since the last barrier" : "that thread 1 wrote since the last barrier") !=
          error.npos);
  }
}

TEST_CASE("blocks: copies that are left, not aligned or out of bounds") {
  const BlockBuffers buffers{noise(16), noise(16)};
  const auto copy = [](const UOp& to, const UOp& from, int lanes, bool commits = true, bool waits = true) {
    OneBlock b(1, 16);
    b.copy(at(b.tile, to, lanes), at(b.in, from, lanes));
    if (commits) b.commit();
    if (waits) b.wait(0);
    return b.finish();
  };
  const UOp zero = iconst(0), two = iconst(2), far = iconst(16);
  error_of(copy(zero, zero, 4), buffers, "");
  const std::string left =
      error_of(copy(zero, zero, 4, true, false), buffers, "block 0, thread 0: nobody waited for a copy: ");
  CHECK(left.find("CopyAsync(tile[0], in[0]") != left.npos);
  error_of(copy(zero, zero, 4, false, true), buffers, "nobody waited for a copy");
  error_of(copy(two, zero, 4), buffers, "a copy of 16 bytes at element 2 of tile is not aligned: CopyAsync(");
  error_of(copy(zero, two, 4), buffers, "a copy of 16 bytes at element 2 of in is not aligned");
  error_of(copy(two, two, 2), buffers, "");
  error_of(copy(iconst(3), two, 2), buffers, "a copy of 8 bytes at element 3 of tile is not aligned");
  error_of(copy(iconst(3), iconst(1), 1), buffers, "");
  error_of(copy(far, zero, 4), buffers, "index 16 is outside of 0 .. 15: CopyAsync(");
  error_of(copy(zero, far, 4), buffers, "index 16 is outside of 0 .. 15");
  error_of(copy(zero, iconst(-4), 4), buffers, "index -4 is outside of 0 .. 15");
  error_of(copy(zero, iconst(12), 4), {noise(16), noise(14)}, "index 14 is outside of 0 .. 13");
  error_of(copy(zero, zero, 8), buffers, "a copy of 32 bytes");
}

TEST_CASE("blocks: a wait covers all but the newest groups of its own thread") {
  const auto program = [](int64_t read, int64_t newest) {
    OneBlock b(1, 4);
    for (const int64_t group : {0, 1, 2, 3}) {
      if (group != 2) b.copy(at(b.tile, iconst(group)), at(b.in, iconst(group)));  // an empty group counts too
      b.commit();
    }
    b.wait(newest);
    b.store(at(b.out, iconst(0)), b.load(at(b.tile, iconst(read))));
    b.wait(0);
    return b.finish();
  };
  const BlockBuffers buffers{noise(1), bytes_of(counted(4))};
  for (int64_t newest = 0; newest <= 4; ++newest)
    for (const int64_t group : {0, 1, 3}) {
      CAPTURE(newest);
      CAPTURE(group);
      error_of(program(group, newest), buffers, group < 4 - newest ? "" : "is on its way");
    }
}
