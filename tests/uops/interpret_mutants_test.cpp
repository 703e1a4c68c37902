// Mistakes in kernels of thread blocks, each of which the interpreter must catch: by an error, or by what is computed.
#include <doctest/doctest.h>

#include <random>

#include "tests/uops/block_kernels.h"
#include "tests/uops/blocks.h"

using namespace pg;
using namespace pg::test;

namespace {

/// Small integers: every order of a sum is exact.
std::vector<float> numbers(int64_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> v(static_cast<size_t>(n));
  for (float& x : v) x = static_cast<float>(static_cast<int>(random() % 9) - 4);
  return v;
}

/// A kernel, what it is run on and what its first buffer must hold then.
struct Sample {
  UOp linear;
  BlockBuffers buffers;
  std::vector<unsigned char> want;
};

Sample sample(const RingMatmul& r) {
  const std::vector<float> a = numbers(r.m * r.k, 1), b = numbers(r.k * r.n, 2);
  std::vector<float> c(static_cast<size_t>(r.m * r.n), 0), noise(c.size(), -77);
  for (int64_t y = 0; y < r.m; ++y)
    for (int64_t x = 0; x < r.n; ++x)
      for (int64_t k = 0; k < r.k; ++k)
        c[static_cast<size_t>(y * r.n + x)] += a[static_cast<size_t>(y * r.k + k)] * b[static_cast<size_t>(k * r.n + x)];
  return {r.linear(), {bytes_of(noise), bytes_of(a), bytes_of(b)}, bytes_of(c)};
}
Sample sample(const TreeReduction& r) {
  const std::vector<float> in = numbers(64 * r.blocks, 3);
  std::vector<float> sums(static_cast<size_t>(r.blocks), 0);
  for (size_t i = 0; i < in.size(); ++i) sums[i / 64] += in[i];
  return {r.linear(), {bytes_of(std::vector<float>(sums.size(), -77)), bytes_of(in)}, bytes_of(sums)};
}
Sample reversed(Mistake mistake) {
  const std::vector<float> in = numbers(3 * 64, 4);
  std::vector<float> out(in.size());
  for (size_t i = 0; i < in.size(); ++i) out[i] = in[i / 64 * 64 + 63 - i % 64];
  return {reversed_blocks(3, 64, mistake), {bytes_of(std::vector<float>(in.size(), -77)), bytes_of(in)}, bytes_of(out)};
}

/// What a mode shows: "" (nothing), "wrong result" or the error.
std::string symptom(const Sample& s, const BlockMode& mode, bool watched = true) {
  const BlockResult r = run_block(s.linear, mode, s.buffers, {}, {.races = watched, .thread_races = watched});
  return !r.error.empty() ? r.error : r.buffers[0] == s.want ? "" : "wrong result";
}

/// What mutants are caught by.
enum class Catch { Race, Bounds, Result, Deadlock };
bool is(Catch kind, const std::string& symptom) {
  const auto says = [&](const char* part) { return symptom.find(part) != symptom.npos; };
  switch (kind) {
    case Catch::Race: return says("on its way") || says("since the last barrier") || says("that item");
    case Catch::Bounds: return says("outside of");
    case Catch::Result: return symptom == "wrong result";
    case Catch::Deadlock: return says("wait in vain");
  }
  return false;
}
void check_caught(const Sample& s, Catch kind) {
  for (const BlockMode& mode : block_modes()) {
    const std::string got = symptom(s, mode);
    CAPTURE(mode.text());
    CAPTURE(got);
    CHECK(is(kind, got));
  }
}

/// Three turns of the ring and a tail, or without one.
int64_t three_turns(int slots, bool tail) { return RingMatmul::kTile * 3 * slots + (tail ? 3 : 0); }

struct RingMutant {
  Mistake mistake;
  Catch by;
  bool two_barriers = false, tail = true;
};
const RingMutant kRingMutants[] = {
    {Mistake::NoBarrierBehindWait, Catch::Race},
    {Mistake::NoBarrierBehindWait, Catch::Race, true},
    {Mistake::NoBarrierBeforeReuse, Catch::Race, true},
    {Mistake::BarrierBeforeWait, Catch::Race},
    {Mistake::BarrierBeforeWait, Catch::Race, true},
    {Mistake::WeakWait, Catch::Race},
    {Mistake::WeakWait, Catch::Race, true},
    {Mistake::NoWait, Catch::Race},
    {Mistake::NoWait, Catch::Race, true},
    {Mistake::NoCommit, Catch::Race},
    {Mistake::NoCommit, Catch::Race, true},
    {Mistake::CopyIntoReadSlot, Catch::Race},
    {Mistake::CopyIntoReadSlot, Catch::Race, true},
    {Mistake::ReadWrongSlot, Catch::Race},
    {Mistake::ReadWrongSlot, Catch::Race, true},
    {Mistake::SourceOverwritten, Catch::Race},
    {Mistake::SwizzleOfReader, Catch::Result},
    {Mistake::SwizzleOfUpperHalf, Catch::Result},
    {Mistake::NoTailGate, Catch::Bounds},
    {Mistake::NoStoreGate, Catch::Race},
    {Mistake::NoTripGuard, Catch::Bounds, false, false},
    {Mistake::NoTripGuard, Catch::Bounds, true, false},
};

}  // namespace

TEST_CASE("blocks: a matmul through a ring of asynchronous copies is right in every mode") {
  for (const int slots : {2, 3, 4})
    for (const bool two_barriers : {false, true})
      // shorter than the ring, one and several turns of it, with and without a tail
      for (const int64_t k :
           {int64_t{3}, int64_t{8}, int64_t{8} * slots, three_turns(slots, false), three_turns(slots, true)}) {
        Sample s = sample(RingMatmul{11, 12, k, slots, two_barriers});
        CAPTURE(slots);
        CAPTURE(k);
        CHECK(check_blocks(s.linear, s.buffers) == "");
        CHECK(s.buffers[0] == s.want);
      }
}

TEST_CASE("blocks: every mistake with a ring of asynchronous copies is caught, in every mode") {
  for (const int slots : {2, 3, 4})
    for (const RingMutant& m : kRingMutants) {
      CAPTURE(slots);
      CAPTURE(static_cast<int>(m.mistake));
      check_caught(sample(RingMatmul{11, 12, three_turns(slots, m.tail), slots, m.two_barriers, m.mistake, !m.tail}), m.by);
    }
  for (const int slots : {3, 4})  // a ring that is longer than the loop
    check_caught(sample(RingMatmul{11, 12, RingMatmul::kTile, slots, false, Mistake::NoPrologueGuard}), Catch::Bounds);
}

TEST_CASE("blocks: trees, reversals and their mistakes") {
  for (Sample s : {sample(TreeReduction{}), reversed(Mistake::None)}) {
    CHECK(check_blocks(s.linear, s.buffers) == "");
    CHECK(s.buffers[0] == s.want);
  }
  check_caught(sample(TreeReduction{3, Mistake::WrongMask}), Catch::Result);
  check_caught(sample(TreeReduction{3, Mistake::DivergentLanes}), Catch::Deadlock);
  check_caught(sample(TreeReduction{3, Mistake::DivergentBarrier}), Catch::Deadlock);
  check_caught(sample(TreeReduction{3, Mistake::NoBarrierOfTree}), Catch::Race);
  check_caught(sample(TreeReduction{3, Mistake::OneWriterTooMany}), Catch::Race);  // both write the same value
  check_caught(reversed(Mistake::NoBarrierOfTree), Catch::Race);
  check_caught(reversed(Mistake::PrivateMemory), Catch::Result);
}

// While races are watched, each mode by itself finds all mutants: whatever is on its way is known, landed or not. Here
// nothing is watched, and only results tell. That each of the modes still finds what the others miss is why all of them are
// run: a hole in the watch must not be a hole in the tests.
TEST_CASE("blocks: by results alone, late copies, early ones and the order of threads each find what the others miss") {
  const auto found = [](const Sample& s, InterpretOptions::Order order, InterpretOptions::Landing landing) {
    return symptom(s, {order, landing}, false) == "wrong result";
  };
  constexpr auto Forward = InterpretOptions::Order::Forward, Reverse = InterpretOptions::Order::Reverse;
  constexpr auto Early = InterpretOptions::Landing::Early, Late = InterpretOptions::Landing::Late;
  for (const int slots : {2, 3, 4}) {
    CAPTURE(slots);
    const auto ring = [&](Mistake m, bool two_barriers = false) {
      return sample(RingMatmul{11, 12, three_turns(slots, true), slots, two_barriers, m, true});
    };
    for (const auto order : {Forward, Reverse}) {
      for (const Mistake m : {Mistake::NoWait, Mistake::WeakWait, Mistake::BarrierBeforeWait}) {
        CAPTURE(static_cast<int>(m));
        CHECK(found(ring(m), order, Late));
        CHECK(!found(ring(m), order, Early));
      }
      const Sample reuse = ring(Mistake::NoBarrierBeforeReuse, true);
      CHECK(found(reuse, order, Early));
      CHECK(!found(reuse, order, Late));
    }
  }
  const Sample tree = sample(TreeReduction{3, Mistake::NoBarrierOfTree});
  CHECK(found(tree, Forward, Late));
  CHECK(!found(tree, Reverse, Late));
  for (const BlockMode& mode : block_modes())  // and this one only the watch
    CHECK(symptom(sample(TreeReduction{3, Mistake::OneWriterTooMany}), mode, false) == "");
}
