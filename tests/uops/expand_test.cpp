// Register ranges become instances and lanes.
#include <doctest/doctest.h>

#include "tests/uops/sample_kernels.h"
#include "tests/uops/scheduled.h"
#include "uops/passes.h"
#include "uops/swizzle.h"

using namespace pg;
using namespace pg::test;

namespace {
std::string expanded(const UOp& kernel, const std::vector<std::string>& ranges) {
  return pretty(after("registers_expanded", scheduled(kernel, ranges)));
}
UOps stores_of(const UOp& tree) {
  return collect(tree, [](const UOp& u) { return u.is(Op::Store) && u.src(0).src(0).is(Op::Param); });
}
}  // namespace

TEST_CASE("expand: an upcast range is written out, instance by instance") {
  CHECK(expanded(relu(iconst(8)), {"i", "i:2 upcast"}) ==
        "for i < 4: { out[i*2] = max(x[i*2] + 1.0, 0.0); out[i*2 + 1] = max(x[i*2 + 1] + 1.0, 0.0) }");
}

TEST_CASE("expand: a vec range becomes lanes, contiguous loads and stores whole vectors") {
  const UOp tree = after("registers_expanded", scheduled(relu(iconst(64)), {"i", "i:16 vec"}));
  const UOps stores = stores_of(tree);
  REQUIRE(stores.size() == 1);
  CHECK(stores[0].src(1).dtype() == dt::f32.vec(16));
  CHECK(stores[0].src(0).src(1).dtype() == dt::index);  // a run from one address, no scatter
  CHECK(stores[0].src().size() == 2);                   // no mask
}

TEST_CASE("expand: the tail of a vec range is masked by lanes") {
  const UOp tree = after("registers_expanded", scheduled(relu(iconst(20)), {"i", "i:16 vec"}));
  const UOps stores = stores_of(tree);
  REQUIRE(stores.size() == 2);
  for (const UOp& s : stores)
    if (s.src().size() == 3) CHECK(pretty(s.src(2)) == "lanes16 < 4");
  CHECK(std::count_if(stores.begin(), stores.end(), [](const UOp& s) { return s.src().size() == 3; }) == 1);
}

TEST_CASE("expand: instances of a constant tail that hold nothing are not written") {
  // 21 = 2·8 + 5: the tail's rows 5, 6 and 7 are not there.
  CHECK(stores_of(after("registers_expanded", scheduled(relu(iconst(21)), {"i", "i:8 upcast"}))).size() == 8 + 5);
  // 20 in vectors of 4, two at a time: the tail is one whole vector.
  const UOps stores = stores_of(after("registers_expanded", scheduled(relu(iconst(20)), {"i", "i:8 upcast", "i:4 vec"})));
  CHECK(stores.size() == 3);
  for (const UOp& s : stores) CHECK(s.src().size() == 2);
}

TEST_CASE("expand: a strided operand is gathered, one that does not move is loaded once for all lanes") {
  const UOp tree = after("registers_expanded", scheduled(gemm(16, 8, 8), {"n", "m", "k", "m:16 vec"}));
  for (const UOp& l : collect(tree, [](const UOp& u) { return u.is(Op::Load) && u.src(0).src(0).is(Op::Param); })) {
    const bool is_a = l.src(0).src(0).arg_as<ParamArg>().name == "A";
    CHECK(l.dtype().lanes == (is_a ? 16 : 1));
    CHECK(l.src(0).src(1).dtype().lanes == (is_a ? 16 : 1));  // addresses lane by lane
  }
}

TEST_CASE("expand: a swizzled address is no sum of its register ranges, but its lanes are a run") {
  const UOp row = range("m", iconst(8)), chunk = range("k", iconst(8), 8, Kind::Upcast),
            lane = range("k", iconst(4), 4, Kind::Vec);
  const UOp tile(Op::Memory, dt::f32, ParamArg{0, "tile"}, {iconst(256)}),
      out(Op::Param, dt::f32, ParamArg{0, "out"}, {iconst(32)});
  const UOp from = index(tile, UOps{Swizzle{3, 2, 3}.apply(row * iconst(32) + chunk * iconst(4) + lane)});
  const UOp sum = store(index(out, UOps{chunk * iconst(4) + lane}), load(from));
  const UOps stores = stores_of(registers_expanded(UOp(Op::For, dt::kVoid, {}, {row, sum}), Target{}));
  REQUIRE(stores.size() == 8);
  for (const UOp& s : stores) CHECK(s.src(1).dtype().lanes == 4);
  CHECK(pretty(stores[0].src(1)) == "tile[m*36]");
  CHECK(pretty(stores[3].src(1)) == "tile[m*32 + (m ^ 3)*4]");
}

TEST_CASE("expand: lanes of a reduction are merged half with half") {
  const std::string tree = expanded(total(iconst(8)), {"i", "i:4 vec"});
  CHECK(tree.find("out[0] = Shuffle(Shuffle(acc[0]) + Shuffle(acc[0])) + Shuffle(Shuffle(acc[0]) + Shuffle(acc[0]))") !=
        tree.npos);
  const UOp merged = stores_of(after("registers_expanded", scheduled(total(iconst(8)), {"i", "i:4 vec"})))[0].src(1);
  CHECK(merged.src(0).arg_as<Ints>() == Ints{0});
  CHECK(merged.src(1).arg_as<Ints>() == Ints{1});
  CHECK(merged.src(0).src(0).src(0).arg_as<Ints>() == Ints{0, 1});
  CHECK(merged.src(0).src(0).src(1).arg_as<Ints>() == Ints{2, 3});
}

TEST_CASE("expand: the states of upcast reduce ranges are combined") {
  const std::string tree = expanded(total(iconst(12)), {"i", "i:3 upcast"});
  CHECK(tree.find("out[0] = acc[0] + acc[1] + acc[2]") != tree.npos);
}

TEST_CASE("expand: a tuple state is stored only when all of its values are known") {
  const UOp tree = after("registers_expanded", scheduled(argmax(4, 8), {"i", "j"}));
  for (const UOp& s : collect(tree, [](const UOp& u) { return u.is(Op::StoreAll); })) CHECK(s.src().size() == 2);
  CHECK(count(tree, Op::StoreAll) == 2);  // neutral, update
}

TEST_CASE("expand: the most numerous axis runs outermost in the register block") {
  const UOp tree = after("registers_expanded", scheduled(gemm(8, 4, 8), {"m", "n", "k", "m:4 upcast", "n:2 upcast"}));
  UOps order;
  const auto visit = [&](const UOp& u, auto&& self) -> void {
    if (u.is(Op::Store) && u.src(0).src(0).is(Op::Param)) order.push_back(u);
    if (u.is(Op::Block) || u.is(Op::For))
      for (const UOp& s : u.src()) self(s, self);
  };
  visit(tree, visit);
  REQUIRE(order.size() == 8);
  CHECK(pretty(order[0].src(0)) == "out[m*16 + n*2]");
  CHECK(pretty(order[1].src(0)) == "out[m*16 + n*2 + 1]");
  CHECK(pretty(order[2].src(0)) == "out[m*16 + n*2 + 4]");
}

TEST_CASE("expand: no more addresses than the block has") {
  // One instance's address is the other's plus a constant: nothing is computed twice.
  const UOp tree =
      after("registers_expanded", scheduled(gemm(8, 64, 8), {"m", "n", "k", "m:4 upcast", "n:32 upcast", "n:16 vec"}));
  const UOps loads = collect(tree, [](const UOp& u) { return u.is(Op::Load) && u.src(0).src(0).is(Op::Param); });
  CHECK(loads.size() == 4 + 2);
}

TEST_CASE("expand: hints for narrow elements ask for each line once") {
  const auto hints = [](const UOp& kernel, const char* buffer) {
    return count(after("registers_expanded", scheduled(kernel, {"n", "k", "k:64 upcast", "k:16 vec", buffer}),
                       Target{.vector_bytes = 64}),
                 Op::Prefetch);
  };
  CHECK(hints(packed_gemm(1, 4, 128), "prefetch(Q,n)") == 2);  // 68 bytes: from the 2nd and the 52nd on
  CHECK(hints(gemm(1, 4, 128, false, true), "prefetch(B,n)") == 4);
}
