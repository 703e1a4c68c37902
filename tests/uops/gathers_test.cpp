#include "uops/gathers.h"

#include <doctest/doctest.h>

#include "tests/uops/sample_kernels.h"
#include "tests/uops/scheduled.h"

using namespace pg;
using namespace pg::test;

namespace {
std::string gathers(const UOp& kernel, const std::vector<std::string>& ranges) {
  std::string all;
  for (const std::string& g : inner_gathers(lower(scheduled(kernel, ranges), {}))) all += g + ";";
  return all;
}
}  // namespace

TEST_CASE("gathers: lanes that lie apart in an innermost loop are named, contiguous ones are not") {
  CHECK(gathers(gemm(32, 32, 32), {"m", "n", "k", "n:16 vec"}) == "");
  CHECK(gathers(gemm(32, 32, 32, false, true), {"m", "n", "k", "n:16 vec"}) == "B in loop k: 16 lanes apart;");
}

TEST_CASE("gathers: a row kernel along its row has none") { CHECK(gathers(softmax(4, 64), {"i", "j", "j:16 vec"}) == ""); }
