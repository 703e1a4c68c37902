// The canonical state of a schedule.
#include "search/schedule.h"

#include <doctest/doctest.h>

#include "tests/properties/random_kernels.h"
#include "tests/properties/random_schedules.h"
#include "tests/uops/sample_kernels.h"
#include "uops/text.h"

using namespace pg;
using namespace pg::test;

namespace {
std::string canonical(const UOp& kernel, const char* opts) {
  const Expected<Schedule> s = Schedule(kernel).apply(parse_opts(opts));
  return s ? text(s->opts()) : "illegal: " + s.reason();
}
std::string names(const std::vector<RangeRef>& ranges) {
  std::string s;
  for (const RangeRef& r : ranges) s += (s.empty() ? "" : " ") + text(r);
  return s;
}
}  // namespace

TEST_CASE("axes: outputs in order, then what is only reduced") {
  const std::vector<Axis> all = axes(softmax(4, 8));
  REQUIRE(all.size() == 2);
  CHECK(all[0].name == "i");
  CHECK(all[0].output);
  CHECK(!all[0].reduce);
  CHECK(all[1].name == "j");
  CHECK(all[1].output);
  CHECK(all[1].reduce);
  CHECK(axes(total(iconst(8)))[0].reduce);
  CHECK(!axes(total(iconst(8)))[0].output);
}

TEST_CASE("an unscheduled kernel: one loop an axis, reductions innermost, no opts") {
  const Schedule s(gemm(8, 8, 8));
  CHECK(names(s.order()) == "m n k");
  CHECK(s.opts().empty());
  CHECK(s.register_tile("m") == 1);
}

TEST_CASE("the order is grid, loops, registers") {
  const Schedule s =
      *Schedule(gemm(64, 64, 64)).apply(parse_opts("tile(m,32) tile(m,4,upcast) tile(n,16,vec) tile(k,8) grid(n)"));
  CHECK(names(s.order()) == "n m m:32 k k:8 m:4 n:16");
  CHECK(s.kind({"n", 0}) == Kind::Grid);
  CHECK(s.kind({"m", 32}) == Kind::Loop);
  CHECK(s.kind({"m", 4}) == Kind::Upcast);
  CHECK(s.register_tile("m") == 4);
  CHECK(s.register_tile("k") == 1);
  CHECK(pretty(s.scheduled()).find("Scheduled(") == 0);
}

TEST_CASE("different ways to the same schedule have the same opts") {
  const UOp k = gemm(64, 64, 64);
  CHECK(canonical(k, "tile(n,8,vec) tile(m,4,upcast)") == "tile(m,4,upcast) tile(n,8,vec)");
  CHECK(canonical(k, "grid(m n) tile(m,4,upcast)") == canonical(k, "tile(m,4,upcast) grid(m n)"));
  CHECK(canonical(k, "grid(n) grid(m) grid(m n)") == "grid(m n)");
  CHECK(canonical(k, "grid(n) grid()") == "");
  CHECK(canonical(k, "order(k m) order(m n k)") == "");
  CHECK(canonical(k, "order(m n k)") == "");
  CHECK(canonical(k, "order(k)") == "");            // it is innermost already
  CHECK(canonical(k, "order(n)") == "order(k n)");  // unnamed ones stay outermost
  CHECK(canonical(k, "order(m k n)") == "order(k n)");
}

TEST_CASE("a tile keeps the order that was asked for") {
  const UOp k = gemm(64, 64, 64);
  CHECK(names(Schedule(k).apply(parse_opts("order(k m n) tile(m,8)"))->order()) == "k m m:8 n");
  CHECK(names(Schedule(k).apply(parse_opts("order(k m n) tile(m,8,upcast)"))->order()) == "k m n m:8");
}

TEST_CASE("each nest has its own chains and loops, said where they differ") {
  const UOp k = attention(8, 32, 6);
  CHECK(canonical(k, "tile(j,8)") == "tile(j,8)");
  CHECK(canonical(k, "tile(S.j,8)") == "tile(S.j,8)");
  CHECK(canonical(k, "tile(S.j,8) tile(M.j,8) tile(L.j,8) tile(out.j,8)") == "tile(j,8)");
  CHECK(canonical(k, "tile(j,8) tile(S.j,4,vec)") == "tile(S.j,8) tile(S.j,4,vec) tile(M.j,8) tile(L.j,8) tile(out.j,8)");
  CHECK(canonical(k, "tile(e,2,upcast)") == canonical(k, "tile(S.e,2,upcast)"));  // only S has it
  CHECK(canonical(k, "tile(P.j,8)") == "");                                       // it has no loops
  CHECK(canonical(k, "order(S.e j)") == "order(S.e j)");
  CHECK(canonical(k, "order(S.i j e)") == "");
  CHECK(canonical(k, "order(out.j d)") == canonical(k, "order(j d) order(S.i j e)"));
  const Schedule s = *Schedule(k).apply(parse_opts("tile(S.j,8) tile(S.j,4,vec) order(S.e j j:8)"));
  CHECK(names(s.nest("S")->loops) == "i e j j:8");
  CHECK(names(s.root().loops) == "i d j");
  CHECK(s.nest("M")->chains.at("j").empty());
  CHECK(!s.nest("P")->live);
  CHECK(Schedule(k).apply(parse_opts("stage(P,i)"))->nest("P")->live);
}

TEST_CASE("stages, fusions, padding and swaps in canonical order") {
  const UOp k = attention(8, 32, 6);
  CHECK(canonical(k, "stage(V,i) stage(K,top)") == "stage(K,top) stage(V,i)");
  CHECK(canonical(k, "stage(V,out.i)") == "stage(V,i)");
  CHECK(canonical(k, "pad(j,8) pad(i,4) pad(j,16)") == "pad(i,4) pad(j,16)");
  CHECK(canonical(k, "grid(i d) swap(i,d)") == "grid(d i)");
  CHECK(canonical(k, "order(out.j d) online(j,8)") == "online(j,8) order(j j:8 d)");  // S is as it was
  CHECK(canonical(two_sums(4, 8), "fuse(j) stage(A,i) stage(B,i)") == "stage(A,i) stage(B,i) fuse(j)");
  CHECK(Schedule(k).apply(parse_opts("online(j,8) order(i j d j:8)"))->online() == "j");
}

TEST_CASE("opts() give the state back, and are the same for it") {
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    RandomSource random(seed);
    const RandomKernel k = KernelGenerator::make(random);
    const Schedule s = ScheduleGenerator(k.kernel, random).next();
    CAPTURE(seed);
    CAPTURE(pretty(k.kernel));
    CAPTURE(text(s.opts()));
    const Expected<Schedule> again = Schedule(k.kernel).apply(s.opts());
    REQUIRE_MESSAGE(again, again.reason());
    CHECK(again->order() == s.order());
    CHECK(again->grid() == s.grid());
    for (const Axis& a : s.axes()) CHECK(again->chain(a.name) == s.chain(a.name));
    for (const Schedule::Nest& n : s.nests()) {
      if (!n.live) continue;
      CHECK(again->nest(n.name)->chains == n.chains);
      CHECK(again->nest(n.name)->loops == n.loops);
    }
    CHECK(again->stages() == s.stages());
    CHECK(again->online() == s.online());
    CHECK(text(again->opts()) == text(s.opts()));
    CHECK(again->scheduled() == s.scheduled());
    CHECK(parse_opts(text(s.opts())) == s.opts());
  }
}

TEST_CASE("register pressure: accumulators, the operands of the inner axis, one broadcast") {
  const Target t{.vector_bytes = 64, .registers = 32};
  const auto pressure = [&](const char* opts) {
    return register_pressure(*Schedule(gemm(64, 64, 64)).apply(parse_opts(opts)), t);
  };
  CHECK(pressure("tile(m,8,upcast) tile(n,32,upcast) tile(n,16,vec)") == 16 + 2 + 1);
  CHECK(pressure("tile(m,14,upcast) tile(n,32,upcast) tile(n,16,vec)") == 28 + 2 + 1);
  CHECK(pressure("tile(m,8,upcast) tile(n,32,vec)") == (8 + 1 + 1) * 2);  // a vector of 32 floats is two registers
  CHECK(pressure("tile(n,16,vec) tile(k,8,unroll)") == pressure("tile(n,16,vec)"));  // unrolled: the same accumulator
}
