// Accesses that fill each other's gaps: no gathers or scatters are left, and every element is what it must be.
#include <doctest/doctest.h>

#include <numeric>

#include "tests/uops/kernel_writer.h"
#include "tests/uops/scheduled.h"
#include "uops/interpret.h"

using namespace pg;
using namespace pg::test;

namespace {
/// Y[i, j] = X[i, j] + i · 100 + j of rows of `apart`: element i · apart + j, i being the lanes.
UOp kernel(int64_t rows, int64_t apart, bool gated = false) {
  const UOp i = range("i", iconst(rows)), j = range("j", iconst(apart));
  const UOp at = i * iconst(apart) + j;
  const UOp x(Op::Param, dt::f32, ParamArg{1, "X"}, UOps{iconst(rows * apart)});
  const UOp y(Op::Param, dt::f32, ParamArg{0, "Y"}, UOps{iconst(rows * apart)});
  const UOp read = gated ? load(index(x, UOps{at}), alu(Op::Lt, i, iconst(rows - 1))) : load(index(x, UOps{at}));
  const UOp value = read + cast(i * iconst(100) + j, dt::f32);
  return UOp(Op::Kernel, dt::kVoid, std::string("interleaved"),
             UOps{UOp(Op::Output, dt::kVoid, Arg{}, UOps{store(index(y, UOps{at}), value), i, j})});
}
std::vector<float> run(const UOp& linear, int64_t n) {
  std::vector<float> x(static_cast<size_t>(n)), y(x.size(), -1);
  std::iota(x.begin(), x.end(), 0.0f);
  interpret(linear, std::vector<HostBuffer>{{y.data(), n}, {x.data(), n}}, {});
  return y;
}
/// Accesses whose lanes lie apart.
int64_t apart(const UOp& linear) {
  return std::count_if(linear.src().begin(), linear.src().end(), [](const UOp& u) {
    return (u.is(Op::Load) || u.is(Op::Store)) && u.src(0).src(1).dtype().lanes > 1;
  });
}
}  // namespace

TEST_CASE("interleaved: whole vectors and shuffles instead of gathers and scatters") {
  for (const int lanes : {4, 8, 16})
    for (const int64_t step : {2, 4, 8}) {
      CAPTURE(lanes);
      CAPTURE(step);
      const UOp k = kernel(4 * lanes, step), plain = lower(scheduled(k, {"i", "j"}), {});
      const UOp linear =
          lower(scheduled(k, {"i", "i:" + std::to_string(lanes) + " vec", "j upcast"}), Target{.vector_bytes = 4 * lanes});
      CHECK(apart(linear) == 0);
      const int64_t turns = step == 2 ? 1 : step == 4 ? 2 : 3;
      CHECK(count(linear, Op::Shuffle) == 2 * step * turns);  // loads and stores
      CHECK(run(linear, 4 * lanes * step) == run(plain, 4 * lanes * step));
    }
}
TEST_CASE("interleaved: gaps that stay, steps of three and gates of single lanes are left alone") {
  const Target target{.vector_bytes = 32};
  for (const auto& [k, said] : std::vector<std::pair<UOp, std::vector<std::string>>>{
           {kernel(32, 4), {"i", "j", "i:8 vec"}},
           {kernel(32, 4), {"i", "j", "i:8 vec", "j:2 upcast"}},
           {kernel(32, 3), {"i", "i:8 vec", "j upcast"}},
       }) {
    const UOp linear = lower(scheduled(k, said), target);
    CHECK(count(linear, Op::Shuffle) == 0);
    CHECK(apart(linear) > 0);
    const int64_t n = *const_int(params_of(k)[0].src(0));
    CHECK(run(linear, n) == run(lower(scheduled(k, {"i", "j"}), {}), n));
  }
  const UOp k = kernel(32, 4, true), linear = lower(scheduled(k, {"i", "i:8 vec", "j upcast"}), target);
  CHECK(apart(linear) == 4);  // the stores have no gate
  CHECK(run(linear, 128) == run(lower(scheduled(k, {"i", "j"}), {}), 128));
}
TEST_CASE("interleaved: not where a store may change what another statement reads") {
  // Y[i * 2 + j] += 1, read and written: each statement reads before it writes its own elements.
  const UOp i = range("i", iconst(16)), j = range("j", iconst(2));
  const UOp y(Op::Param, dt::f32, ParamArg{0, "Y"}, UOps{iconst(32)});
  const UOp at = index(y, UOps{i * iconst(2) + j});
  const UOp k(Op::Kernel, dt::kVoid, std::string("in_place"),
              UOps{UOp(Op::Output, dt::kVoid, Arg{}, UOps{store(at, load(at) + constant(dt::f32, 1.0)), i, j})});
  const UOp linear = lower(scheduled(k, {"i", "i:8 vec", "j upcast"}), Target{.vector_bytes = 32});
  CHECK(count(linear, Op::Shuffle) == 0);
}
