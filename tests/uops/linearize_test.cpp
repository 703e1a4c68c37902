// The tree becomes a list.
#include <doctest/doctest.h>

#include "tests/uops/sample_kernels.h"
#include "tests/uops/scheduled.h"
#include "uops/linear.h"

using namespace pg;
using namespace pg::test;

namespace {
UOp element(const UOp& buffer, int64_t i) { return UOp(Op::Index, buffer.dtype(), {}, {buffer, iconst(i)}); }
int64_t entries(const UOp& linear, const UOp& entry) { return std::count(linear.src().begin(), linear.src().end(), entry); }
struct Buffers {
  KernelWriter w;
  UOp out = w.param("out", dt::f32, {8}), x = w.param("x", dt::f32, {8}), y = w.param("y", dt::f32, {8});
};
}  // namespace

TEST_CASE("linearize: a value that two stores use is computed once") {
  Buffers b;
  const UOp v = load(element(b.x, 0)) + load(element(b.y, 0));
  const UOp linear = linearized(block(UOps{store(element(b.out, 0), v), store(element(b.out, 1), v)}), {});
  CHECK(entries(linear, v) == 1);
  CHECK(linear.src().size() == 3 + 2);
}

TEST_CASE("linearize: a value is computed again after a store to a buffer that it reads") {
  Buffers b;
  const UOp old = load(element(b.out, 0)), v = old + load(element(b.x, 0));
  const UOp linear = linearized(block(UOps{store(element(b.out, 0), v), store(element(b.out, 1), v)}), {});
  CHECK(entries(linear, old) == 2);
  CHECK(entries(linear, v) == 2);
  CHECK(entries(linear, load(element(b.x, 0))) == 1);  // nobody wrote x
}

TEST_CASE("linearize: all values of a StoreAll come before its first store") {
  Buffers b;
  const UOp one = load(element(b.out, 0)), two = load(element(b.out, 1));
  const UOp swap(Op::StoreAll, dt::kVoid, {}, {store(element(b.out, 0), two), store(element(b.out, 1), one)});
  CHECK(pretty(linearized(swap, {})) == "Linear(out[1], out[0], out[0] = out[1], out[1] = out[0])");
}

TEST_CASE("linearize: a loop's second trip sees the first one's stores") {
  Buffers b;
  const UOp i = range("i", iconst(4)), old = load(element(b.out, 0));
  const UOp loop(Op::For, dt::kVoid, {}, {i, store(element(b.out, 0), old + load(element(b.x, 0)))});
  const UOp linear = linearized(block(UOps{store(element(b.out, 1), old), loop}), {});
  CHECK(entries(linear, old) == 2);  // before the loop, and anew in it
}

TEST_CASE("linearize: what a scope computed is gone when it closes, what its outside computed is not computed again") {
  Buffers b;
  const UOp i = range("i", iconst(4)), v = load(element(b.x, 0)), w = load(element(b.y, 0));
  const UOp inside(Op::For, dt::kVoid, {}, {i, store(UOp(Op::Index, dt::f32, {}, {b.out, i}), v + w)});
  const UOp linear = linearized(block(UOps{store(element(b.out, 5), v), inside, store(element(b.out, 6), w)}), {});
  CHECK(entries(linear, v) == 1);
  CHECK(entries(linear, w) == 2);
}

TEST_CASE("linearize: a gathered address that reads memory is read again once that was written") {
  KernelWriter k;
  const UOp ids = k.param("ids", dt::i64, {8}), x = k.param("x", dt::f32, {8});
  const UOp id = load(element(ids, 0)), v = load(UOp(Op::Index, dt::f32, {}, {x, id}));
  const UOp linear =
      linearized(block(UOps{store(element(x, 1), v), store(element(ids, 0), iconst(3)), store(element(x, 2), v)}), {});
  CHECK(entries(linear, id) == 2);
  CHECK(entries(linear, v) == 2);
}

TEST_CASE("linearize: every For and If is closed by its End, innermost first") {
  const UOp linear = lower(scheduled(gemm(10, 20, 9), {"m", "n", "k", "m:4 upcast", "n:8 vec", "k:2 unroll"}), {});
  UOps open;
  for (const UOp& e : linear.src()) {
    if (e.is(Op::For) || e.is(Op::If)) open.push_back(e);
    if (!e.is(Op::End)) continue;
    REQUIRE(!open.empty());
    CHECK(e.src(0) == open.back());
    open.pop_back();
  }
  CHECK(open.empty());
}
