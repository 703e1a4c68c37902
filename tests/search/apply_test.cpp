// What is not allowed, and in which words.
#include <doctest/doctest.h>

#include "search/schedule.h"
#include "tests/uops/sample_kernels.h"

using namespace pg;
using namespace pg::test;

namespace {
std::string reason(const UOp& kernel, const char* opts) {
  const Expected<Schedule> s = Schedule(kernel).apply(parse_opts(opts));
  return s ? "" : s.reason();
}
std::string reason(const char* opts) { return reason(gemm(1000, 1000, 1000), opts); }
}  // namespace

TEST_CASE("tile: what it refuses") {
  CHECK(reason("tile(z,4)") == "tile: no axis z");
  CHECK(reason("tile(n,4,local)") == "tile: local needs a GPU");
  CHECK(reason("tile(n,4,tc)") == "tile: tc needs a GPU");
  CHECK(reason("tile(n,0)") == "tile: size 0 is not in 1..1048576");
  CHECK(reason("tile(n,-4)") == "tile: size -4 is not in 1..1048576");
  CHECK(reason("tile(n,1048577)") == "tile: size 1048577 is not in 1..1048576");
  CHECK(reason("tile(n,32) tile(n,12)") == "tile: 12 does not divide enclosing 32");
  CHECK(reason("tile(n,32) tile(n,32)") == "tile: 32 does not divide enclosing 32");
  CHECK(reason("tile(n,32) tile(n,64)") == "tile: 64 does not divide enclosing 32");
  CHECK(reason("tile(n,8,vec) tile(n,4,upcast)") == "tile: the vec range n:8 stays innermost");
  CHECK(reason("tile(n,16,upcast) tile(n,4)") == "tile: a loop below register tile 16 of n");
  CHECK(reason("tile(n,16,upcast) tile(n,4,unroll)") == "");
  CHECK(reason("tile(n,12)") == "");  // never for not dividing the axis
  CHECK(reason("tile(n,2000)") == "");
}

TEST_CASE("vec: what it refuses") {
  CHECK(reason("tile(n,1,vec)") == "vec: 1 lanes; a power of two in 2..64");
  CHECK(reason("tile(n,12,vec)") == "vec: 12 lanes; a power of two in 2..64");
  CHECK(reason("tile(n,128,vec)") == "vec: 128 lanes; a power of two in 2..64");
  CHECK(reason("tile(n,8,vec) tile(m,8,vec)") == "vec: second vec range");
  CHECK(reason("tile(n,8,vec) tile(k,8,vec)") == "vec: second vec range");
  CHECK(reason(softmax(8, 8), "tile(i,8,vec) tile(j,8,vec)") == "vec: second vec range");
}

TEST_CASE("tile: a register block has at most 512 instances") {
  CHECK(reason("tile(n,32,upcast) tile(m,16,upcast)") == "");
  CHECK(reason("tile(n,32,upcast) tile(m,17,upcast)") == "tile: 544 instances > 512");
  CHECK(reason("tile(m,8,upcast) tile(n,128,upcast)") == "tile: 1024 instances > 512");
  CHECK(reason("tile(m,8,upcast) tile(n,128,upcast) tile(n,16,vec)") == "");  // the whole schedule counts: these are 64
}

TEST_CASE("grid: what it refuses") {
  CHECK(reason("grid(z)") == "grid: no axis z");
  CHECK(reason("grid(k)") == "");  // each item has a part of the sum
  CHECK(reason("grid(m m)") == "grid: m named twice");
  CHECK(reason(softmax(8, 8), "grid(j)") == "");  // reduced in a definition, an output axis of the kernel
}

TEST_CASE("order: what it refuses") {
  CHECK(reason("order(m:96)") == "order: m:96 is no loop range");
  CHECK(reason("order(z)") == "order: z is no loop range");
  CHECK(reason("grid(m) order(m)") == "order: m is no loop range");
  CHECK(reason("tile(m,4,upcast) order(m:4)") == "order: m:4 is no loop range");
  CHECK(reason("order(m n m)") == "order: m named twice");
  CHECK(reason("tile(m,96) order(m:96 m)") == "order: m:96 outside m");
  CHECK(reason("tile(m,96) tile(m,32) order(m:32 m:96)") == "order: m:32 outside m:96");
  CHECK(reason("tile(m,96) order(m)") == "order: m:96 outside m");
  CHECK(reason(attention(8, 32, 6), "tile(e,2) order(e:2 e)") == "order: e:2 is no loop range");  // of the output's nest
  CHECK(reason(attention(8, 32, 6), "tile(e,2) order(S.e:2 e)") == "order: e:2 outside e");
  CHECK(reason(attention(8, 32, 6), "tile(S.j,8) order(j i)") == "");  // S stays as it is
  CHECK(reason(attention(8, 32, 6), "tile(S.j,8) order(S.j i)") == "order: j:8 outside j");
}

TEST_CASE("order: partial results stay near a core, or may not cross") {
  KernelWriter w;
  const UOp i = w.axis("i", 10'000'000), k = w.axis("k", 8), out = w.param("out", dt::f32, {10'000'000}),
            x = read(w.param("x", dt::f32, {10'000'000, 8}), {i, k});
  const UOp relu = w.output("relu", at(out, {i}), alu(Op::Max, w.reduce("sum", x, {k}), constant(dt::f32, 0.0)), {i});
  CHECK(reason(relu, "order(k i)") == "order: private memory of 39062 KB > 16384 KB");
  CHECK(reason(relu, "tile(i,1000) order(i k i:1000)") == "");
  CHECK(reason("order(k m n)") == "");  // merged in the output
  const UOp half = cast(w.reduce("sum", x, {k}), dt::f16), narrow = w.param("narrow", dt::f16, {10'000'000});
  CHECK(reason(KernelWriter().output("half", at(narrow, {i}), half, {i}), "order(k i)") ==
        "order: private memory of 39062 KB > 16384 KB");
  const UOp add = w.reduce("sum", x + read(out, {i}), {k});  // it reads what it would merge in
  CHECK(reason(KernelWriter().output("add", at(out, {i}), add, {i}), "order(k i)") ==
        "order: private memory of 39062 KB > 16384 KB");
  const UOp wide = w.reduce("sum", cast(x, dt::i64), {k}), big = w.param("big", dt::i64, {10'000'000});
  const UOp gate = alu(Op::Lt, i, iconst(5));
  CHECK(reason(KernelWriter().output("wide", at(big, {i}), wide, {i}, gate), "order(k i)") ==
        "order: private memory of 78125 KB > 16384 KB");
}

TEST_CASE("tile and order: one nest's own") {
  const UOp kernel = attention(8, 32, 6);
  CHECK(reason(kernel, "tile(Z.j,4)") == "tile: no nest Z");
  CHECK(reason(kernel, "tile(M.e,2)") == "tile: no axis e in M");
  CHECK(reason(kernel, "tile(S.e,4,vec) tile(S.j,4,vec)") == "vec: second vec range");
  CHECK(reason(kernel, "tile(S.e,4,vec) tile(L.j,4,vec)") == "");  // one a nest
  CHECK(reason(kernel, "tile(S.j,16) tile(L.j,8) tile(S.j,6)") == "tile: 6 does not divide enclosing 16");
  CHECK(reason(kernel, "order(Z.i)") == "order: no nest Z");
  CHECK(reason(kernel, "order(M.e)") == "order: e is no loop range");
  CHECK(reason(kernel, "tile(S.j,16) order(L.j:16)") == "order: j:16 is no loop range");
  CHECK(reason(kernel, "tile(S.j,16) order(S.j:16 j)") == "order: j:16 outside j");
  CHECK(reason(kernel, "grid(e)") == "grid: out has no axis e");
}

TEST_CASE("stage: what it refuses") {
  CHECK(reason("stage(B,k,mem=shared)") == "stage: shared memory needs a GPU");
  CHECK(reason("stage(B,k,mem=global)") == "stage: global memory needs a GPU");
  CHECK(reason("stage(B,k,stages=2)") == "stage: pipelined copies need a GPU");
  CHECK(reason("stage(B,k,copy=cp.async)") == "stage: pipelined copies need a GPU");
  CHECK(reason("stage(B,k) stage(B,k)") == "stage: B is staged there already");
  CHECK(reason("stage(B,k) stage(B,out.k)") == "stage: B is staged there already");
  CHECK(reason("stage(B,n) stage(B,k)") == "");
  CHECK(reason("stage(C,k)") == "stage: no buffer or definition is named C");
  CHECK(reason("stage(B,S.k)") == "stage: no nest is named S");
  CHECK(reason("stage(out,k)") == "stage: out is the output");
  CHECK(reason("stage(B,k:8)") == "stage: out has no loop k:8");
  CHECK(reason("tile(k,8,unroll) stage(B,k:8)") == "stage: out has no loop k:8");
  CHECK(reason("stage(B,k,layout=n)") == "");  // a row: k is open there
  CHECK(reason("stage(B,m,layout=n)") == "stage: the layout does not say each dimension once: 0");
  CHECK(reason("stage(B,k,layout=z)") == "stage: no dimension z");
  CHECK(reason(gemm(4096, 4096, 4096), "stage(B,top)") == "stage: private memory of 65536 KB > 16384 KB");
  CHECK(reason("tile(n,16,vec) order(k n m) stage(B,n,mem=reg)") == "");
  CHECK(reason("tile(n,64) stage(B,n,mem=reg)") == "stage: 258048 bytes > registers 2048");
  const UOp kernel = softmax(8, 8);
  CHECK(reason(kernel, "stage(M,i) stage(M,top)") == "stage: M is staged twice");
  CHECK(reason(kernel, "stage(M,j)") == "stage: L reads M outside j");
  CHECK(reason(kernel, "stage(L,M.j)") == "stage: M does not read L");
  CHECK(reason(kernel, "stage(E,top,layout=i)") == "stage: the layout does not say each dimension once: 1");
  CHECK(reason(attention(8, 32, 6), "stage(Q,L.j)") == "stage: no user of Q below j");
  CHECK(reason(product_of_sums(4, 6, 8), "stage(S,k)") == "stage: the epilogue of out reads S outside k");
  CHECK(reason(product_of_sums(4, 6, 8), "grid(k)") == "grid: the epilogue reads S, a part of which is in each item");
}

TEST_CASE("online: what it refuses") {
  const UOp kernel = attention(8, 32, 6);
  CHECK(reason(kernel, "online(j,8) order(i j d j:8)") == "");
  CHECK(reason(kernel, "online(j,8) online(j,4)") == "online: j is rescaled already");
  CHECK(reason(kernel, "online(e,2)") == "online: out has no axis e");
  CHECK(reason(kernel, "online(z,2)") == "online: out has no axis z");
  CHECK(reason(kernel, "tile(j,16,upcast) online(j,8)") == "online: j is tiled already");
  CHECK(reason(kernel, "tile(L.j,8) online(j,8) order(out.i j d j:8)") == "");  // another nest's
  CHECK(reason(kernel, "online(j,0)") == "tile: size 0 is not in 1..1048576");
  CHECK(reason(kernel, "online(j,8)") == "online: M has no axis d");
  CHECK(reason(kernel, "online(j,8) grid(i j)") == "online: j is no loop of out");
  CHECK(reason(kernel, "online(j,4) tile(out.j,2,upcast) grid(j)") == "online: no loop rescales behind the parts of j");
  CHECK(reason(softmax(8, 8), "online(j,4)") == "online: out does not reduce over j");
  CHECK(reason("online(k,8)") == "online: no maximum over k");
}

TEST_CASE("prefetch: once a loop; it is part of the schedule's identity") {
  CHECK(reason(softmax(8, 8), "prefetch(x,i) prefetch(x,out.i)") == "prefetch: x is asked for there already");
  CHECK(reason(softmax(8, 8), "prefetch(x,i) stage(E,i)") == "");
  const Expected<Schedule> s = Schedule(softmax(8, 8)).apply(parse_opts("prefetch(x,out.i) stage(E,i)"));
  REQUIRE(s);
  CHECK(text(s->opts()) == "stage(E,i) prefetch(x,i)");
}

TEST_CASE("fuse, pad and swap: what they refuse") {
  CHECK(reason(two_sums(8, 8), "fuse(j)") == "");
  CHECK(reason(two_sums(8, 8), "fuse(z)") == "fuse: no axis z");
  CHECK(reason(two_sums(8, 8), "fuse(j) fuse(j)") == "fuse: j named twice");
  CHECK(reason(two_sums(8, 8), "tile(A.j,4) fuse(j)") == "fuse: no two definitions reduce over j side by side");
  CHECK(reason(softmax(8, 8), "fuse(j)") == "fuse: no two definitions reduce over j side by side");
  CHECK(reason("pad(z,4)") == "pad: no axis z");
  CHECK(reason("pad(m,1048577)") == "pad: size 1048577 is not in 1..1048576");
  CHECK(reason("tile(m,6,upcast) pad(m,8)") == "pad: register tile 6 of m does not divide 8");
  CHECK(reason("tile(m,6,upcast) pad(m,12)") == "");
  CHECK(reason("pad(m,8) tile(m,6,upcast)") == "pad: register tile 6 of m does not divide 8");  // in any order
  CHECK(reason("swap(m,n)") == "swap: m is not in the grid");
  CHECK(reason("grid(m) swap(m,n)") == "swap: n is not in the grid");
  CHECK(reason("grid(m n) swap(m,n)") == "");
}

TEST_CASE("opts of a database that do not parse are illegal, not an error") {
  CHECK(read_schedule(gemm(8, 8, 8), "nonsense").reason() == "schedule: 'nonsense' is no opt: the form is name(arguments)");
  CHECK(read_schedule(gemm(8, 8, 8), "grid(z)").reason() == "grid: no axis z");
  CHECK(read_schedule(gemm(8, 8, 8), "grid(m)"));
}

TEST_CASE("apply: the first opt that is refused gives its reason, the schedule is as it was") {
  const Schedule s(gemm(8, 8, 8));
  CHECK(!s.apply(parse_opts("tile(m,4) tile(z,1) grid(z)")));
  CHECK(s.apply(parse_opts("tile(m,4) tile(z,1) grid(z)")).reason() == "tile: no axis z");
  CHECK(s.opts().empty());
}

namespace {
Target small_gpu(int sm = 90) {
  Target t;
  t.isa = "sm_90a", t.vector_bytes = 16;
  t.gpu = true, t.sm = sm, t.sms = 4;
  t.shared_block_bytes = 64 << 10, t.shared_sm_bytes = 100 << 10, t.max_threads = 256;
  return t;
}
std::string block_reason(const UOp& kernel, const std::string& opts, const Target& target = small_gpu()) {
  const Expected<Schedule> s = Schedule(kernel, target).apply(parse_opts(opts));
  return s ? "" : s.reason();
}
}  // namespace

TEST_CASE("blocks of threads: limits and what their opts refuse") {
  const UOp kernel = gemm(256, 256, 64);
  const auto why = [&](const std::string& opts) { return block_reason(kernel, opts); };
  CHECK(reason(kernel, "stage(A,k,layout=src+pad)") == "stage: banks need a GPU");
  CHECK(why("tile(m,64,local) tile(m,4,upcast) tile(n,64,local) tile(n,4,upcast) grid(m n)") == "");
  CHECK(why("tile(m,32,local) tile(n,32,local) grid(m n)") == "tile: 1024 threads > 256");
  CHECK(why("tile(m,20,upcast) tile(n,16,upcast)") == "tile: 320 registers > 255");
  CHECK(why("tile(k,32,local) tile(k,4)") == "tile: a loop below local tile 32 of k");
  CHECK(why("tile(m,8,tc)") == "tile: tc needs a GPU");
  CHECK(why("stage(B,top)") == "");
  CHECK(why("stage(A,top) stage(B,top)") == "stage: 128 KB > shared 64 KB");
  CHECK(why("stage(A,k,mem=reg)") == "stage: values are kept in shared memory here");
  CHECK(why("tile(k,8) stage(A,k,stages=9,copy=cp.async)") == "stage: 9 slots > 8");
  CHECK(why("tile(k,8) stage(A,k,stages=3)") == "stage: plain copies have at most 2 slots");
  CHECK(why("tile(k,8) stage(A,k,stages=3,copy=cp.async)") == "");
  CHECK(why("tile(k,64) stage(A,k,stages=3,copy=cp.async)") == "stage: a ring of copies needs a loop that turns");
  CHECK(why("grid(m) stage(A,m,stages=2)") == "stage: a ring of copies needs a loop that turns");
  CHECK(why("tile(k,8) stage(A,k,stages=3,copy=cp.async) stage(B,k,stages=2,copy=cp.async)") ==
        "stage: copies at one loop have the same slots and way");
  CHECK(block_reason(kernel, "tile(k,8) stage(A,k,copy=cp.async)", small_gpu(75)) == "stage: cp.async needs sm_80");
  CHECK(block_reason(gemm(64, 64, 64, false, false, dt::f16), "tile(k,8) stage(A,k,stages=2,copy=cp.async)") ==
        "stage: cp.async copies elements of 4 bytes");
  CHECK(block_reason(attention(64, 64, 16), "online(j,8) order(i j d j:8)").find("order: threads have no memory") == 0);
  CHECK(block_reason(attention(64, 64, 16), "online(j,8) tile(out.d,16,upcast)") == "");
  CHECK(block_reason(gemm(64, 64, 64), "lanes(q)") == "lanes: no threads along q");
  CHECK(block_reason(gemm(64, 64, 64), "lanes(Z.m)") == "lanes: no nest Z");
  CHECK(block_reason(gemm(64, 64, 64), "tile(m,8,local) lanes(k)") == "lanes: no threads along k");
  CHECK(block_reason(gemm(64, 64, 64), "tile(m,8,local) tile(k,8,local) lanes(k)") == "");
  CHECK(block_reason(attention(64, 64, 16), "order(S.e j)").find("order: threads have no memory") == 0);
  CHECK(why("tile(m,16,local) tile(n,16,local) bounds(2)") == "");
  CHECK(why("tile(m,16,local) tile(n,16,local) bounds(9)") == "bounds: 2304 threads > 2048");
  CHECK(why("stage(B,top) bounds(2)") == "bounds: 128 KB > shared 100 KB");
  CHECK(why("prefetch(B,m)") == "prefetch: a GPU has other threads to run meanwhile");
  CHECK(reason(kernel, "bounds(2)") == "bounds: needs a GPU");
  // In shared memory whether said or not: one canonical state.
  const Expected<Schedule> s = Schedule(kernel, small_gpu()).apply(parse_opts("tile(k,8) stage(B,k)"));
  REQUIRE(s);
  CHECK(text(s->opts()) == "tile(k,8) stage(B,k,mem=shared)");
}
