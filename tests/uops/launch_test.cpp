// What a launch of a lowered kernel needs.
#include <doctest/doctest.h>

#include "tests/uops/sample_kernels.h"
#include "tests/uops/scheduled.h"

using namespace pg;
using namespace pg::test;

namespace {
LaunchInfo launch(const UOp& kernel, const std::vector<std::string>& said) {
  return launch_info(lower(scheduled(kernel, said), Target{}));
}
std::string texts(const UOps& all) {
  std::string s;
  for (const UOp& u : all) s += (s.empty() ? "" : "; ") + pretty(u);
  return s;
}
std::string shape(const UOp& buffer) {
  std::string s = buffer.arg_as<ParamArg>().name;
  for (const UOp& e : buffer.src()) s += " " + pretty(e);
  return s;
}
}  // namespace

TEST_CASE("launch: without a grid one phase of one item, and no memory") {
  const LaunchInfo l = launch(gemm(4, 5, 6), {"m", "n", "k"});
  CHECK(l.name == "gemm");
  CHECK(l.params.size() == 3);
  CHECK(l.workspaces.empty());
  CHECK(texts(l.phases) == "1");
  CHECK(texts({l.items}) == "1");
  CHECK(l.scratch.empty());
  CHECK(l.scratch_bytes == 0);
}

TEST_CASE("launch: a grid of outputs is one phase") {
  const LaunchInfo l = launch(gemm(4, 5, 6), {"m grid", "n grid", "k"});
  CHECK(texts(l.phases) == "20");
  CHECK(texts({l.items}) == "20");
  CHECK(l.workspaces.empty());
}

TEST_CASE("launch: parts of a reduction are merged by the items of a second phase") {
  const LaunchInfo rows = launch(gemm(4, 5, 60), {"m grid", "k grid", "n", "k:16"});
  CHECK(texts(rows.phases) == "16; 4");  // 60 in four parts, the last a short one
  CHECK(texts({rows.items}) == "20");
  CHECK(rows.params.size() == 3);
  REQUIRE(rows.workspaces.size() == 1);
  CHECK(shape(rows.workspaces[0]) == "parts0 4 4 5");  // 4 parts of 4 × 5
  CHECK(rows.workspaces[0].dtype() == dt::f32);
  const LaunchInfo alone = launch(total(iconst(64)), {"i grid", "i:16"});
  CHECK(texts(alone.phases) == "4; 1");
  CHECK(shape(alone.workspaces[0]) == "parts0 4");
}

TEST_CASE("launch: each state of a reduction has a workspace") {
  const LaunchInfo l = launch(argmax(3, 64), {"j grid", "i", "j:16"});
  REQUIRE(l.workspaces.size() == 2);
  CHECK(l.workspaces[0].dtype() == dt::f32);
  CHECK(l.workspaces[1].dtype() == dt::i64);
  CHECK(shape(l.workspaces[1]) == "parts1 4 3");
  CHECK(l.params.size() == 2);
}

TEST_CASE("launch: extents of phases and workspaces may be symbolic") {
  const UOp n = variable("n", 1, 1000);
  const LaunchInfo l = launch(gemm(iconst(4), iconst(5), n), {"k grid", "m", "n", "k:16"});
  CHECK(texts(l.phases) == "(n + 15)/16; 1");
  CHECK(texts({l.items}) == "(n + 15)/16 + 1");
  CHECK(shape(l.workspaces[0]) == "parts0 (n + 15)/16 4 5");
  CHECK(l.variables == UOps{n});
}

TEST_CASE("launch: large tiles lie in the scratch memory, apart, small ones on the stack") {
  const LaunchInfo small = launch(gemm(64, 32, 64), {"m", "n", "k", "stage(B,top)"});
  CHECK(small.scratch.empty());
  const LaunchInfo large = launch(gemm(256, 256, 256), {"m", "n", "k", "stage(B,top)", "stage(A,top)"});
  REQUIRE(large.scratch.size() == 2);
  CHECK(large.scratch[0].second == 0);
  const int64_t bytes = 256 * 256 * 4;
  CHECK(large.scratch[1].second >= bytes);
  CHECK(large.scratch[1].second % 64 == 0);
  CHECK(large.scratch[1].second % 4096 != 0);  // not in the same sets of the L1
  CHECK(large.scratch_bytes >= large.scratch[1].second + bytes);
}

TEST_CASE("launch: only what is linear has one") {
  CHECK_THROWS_WITH_AS(launch_info(gemm(4, 4, 4)), doctest::Contains("is not a Linear"), InternalError);
}
