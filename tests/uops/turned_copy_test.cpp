// Panels of an operand that lies across them: squares turned in registers, the rest gathered, all of it what it must be.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/uops/sample_kernels.h"
#include "tests/uops/scheduled.h"
#include "uops/gathers.h"
#include "uops/interpret.h"

using namespace pg;
using namespace pg::test;

namespace {

struct Panels {
  int64_t m, n, k;
  int vector_bytes;
  std::vector<std::string> said;
  DType type = dt::f32;
  UOp kernel = gemm(m, n, k, false, true, type);
  UOp linear = lower(scheduled(kernel, said), Target{.vector_bytes = vector_bytes});

  int64_t shuffles() const {
    return std::count_if(linear.src().begin(), linear.src().end(),
                         [](const UOp& u) { return u.is(Op::Shuffle) && u.src().size() == 2; });
  }
  template <class T>
  std::vector<T> product(const UOp& program) const {
    std::vector<T> out(m * n, -1), a(m * k), b(n * k);  // small integers: sums are exact in any order
    for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<T>(i * 7 % 11) - 5;
    for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<T>(i * 5 % 13) - 6;
    interpret(program, std::vector<HostBuffer>{{out.data(), m * n}, {a.data(), m * k}, {b.data(), n * k}}, {});
    return out;
  }
  bool is_right() const {
    const UOp plain = lower(scheduled(kernel, {"m", "n", "k"}), {});
    return type == dt::f32 ? product<float>(linear) == product<float>(plain)
                           : product<int32_t>(linear) == product<int32_t>(plain);
  }
};

}  // namespace

TEST_CASE("turned copies: as many shuffles as a transposition takes, and no gathers") {
  for (const int lanes : {4, 8, 16}) {
    CAPTURE(lanes);
    const auto with = [&](const std::string& range, const char* kind) { return range + ":" + std::to_string(lanes) + kind; };
    const Panels p{5, 2 * lanes, 2 * lanes, 4 * lanes, {"n", "m", "k", with("n", " vec"), "stage(B,n)"}};
    CHECK(p.shuffles() == lanes * (lanes == 4 ? 2 : lanes == 8 ? 3 : 4));
    CHECK(inner_gathers(p.linear).empty());
    CHECK(p.is_right());
  }
}
TEST_CASE("turned copies: a square across parts of the sum's axis, several to a row") {
  const Panels p{6, 32, 64, 32, {"n", "k", "m", "n:16 upcast", "n:8 vec", "k:32", "k:4 unroll", "stage(B,k)"}};
  CHECK(p.shuffles() == 24);
  CHECK(inner_gathers(p.linear).empty());
  CHECK(p.is_right());
}
TEST_CASE("turned copies: tails of either axis") {
  for (const int64_t n : {16, 17, 23, 24})
    for (const int64_t k : {8, 9, 16, 21, 3}) {
      CAPTURE(n);
      CAPTURE(k);
      CHECK(Panels{3, n, k, 32, {"n", "m", "k", "n:16 upcast", "n:8 vec", "stage(B,n)"}}.is_right());
      CHECK(Panels{3, n, k, 32, {"n", "k", "m", "n:8 vec", "k:8", "stage(B,k)"}}.is_right());
      CHECK(Panels{3, n, k, 32, {"n", "m", "k", "n:16 upcast", "n:8 vec", "stage(B,n)"}, dt::i32}.is_right());
    }
}
TEST_CASE("turned copies: what is no square, or lies along the row already, is copied as before") {
  CHECK(Panels{4, 16, 6, 32, {"n", "m", "k", "n:8 vec", "stage(B,n)"}}.shuffles() == 0);
  const UOp plain = gemm(4, 16, 16);
  const UOp linear = lower(scheduled(plain, {"n", "m", "k", "n:8 vec", "stage(B,n)"}), Target{.vector_bytes = 32});
  CHECK(std::none_of(linear.src().begin(), linear.src().end(), [](const UOp& u) { return u.is(Op::Shuffle); }));
}

TEST_CASE("turned values: rows of a square are unpacked along their blocks, then turned") {
  for (const int64_t n : {16, 24, 40}) {
    CAPTURE(n);
    const UOp kernel = packed_gemm(5, n, 64);
    const Target target{.vector_bytes = 64};
    const UOp linear =
        lower(scheduled(kernel, {"n", "m", "k", "n:16 vec", "stage(W,n)", "W = n, k, n:16 vec, k:32 unroll, k:16 upcast"}),
              target);
    const auto shuffles = std::count_if(linear.src().begin(), linear.src().end(),
                                        [](const UOp& u) { return u.is(Op::Shuffle) && u.src().size() == 2; });
    // Two squares; once more for the rows that are left, which zeros stand beside.
    CHECK((n % 16 ? shuffles > 2 * 64 && shuffles < 4 * 64 : shuffles == 2 * 64));
    CHECK(inner_gathers(linear).empty());
    CHECK(packed_product(linear, 5, n, 64) == packed_product(lower(scheduled(kernel, {"m", "n", "k"}), {}), 5, n, 64));
  }
}
TEST_CASE("turned values: without an axis along the blocks they are gathered") {
  const UOp kernel = packed_gemm(5, 16, 64);
  const UOp linear = lower(scheduled(kernel, {"n", "m", "k", "n:16 vec", "stage(W,n)", "W = n, k, n:16 vec, k:4 upcast"}),
                           Target{.vector_bytes = 64});
  CHECK(!inner_gathers(linear).empty());
  CHECK(packed_product(linear, 5, 16, 64) == packed_product(lower(scheduled(kernel, {"m", "n", "k"}), {}), 5, 16, 64));
}
