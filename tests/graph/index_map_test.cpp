// Random chains of movement ops: the kernel that partition makes of them equals the node by node evaluation.
#include "src/graph/index_map.h"

#include <doctest/doctest.h>

#include "src/graph/partition.h"
#include "src/tensor/buffers.h"
#include "tests/graph/tensor_evaluator.h"
#include "uops/simplify.h"
#include "uops/text.h"

using namespace pg;

namespace {
class Chain {
 public:
  explicit Chain(uint32_t seed) : random_(seed) {}
  Tensor make() {
    Tensor x(new_virtual_buffer(dt::f32, UOps{iconst(pick(1, 4)), iconst(pick(1, 6)), iconst(pick(2, 4))}));
    for (int step = pick(1, 6); step > 0; --step) x = moved(x);
    return x;
  }

 private:
  int pick(int lo, int hi) { return std::uniform_int_distribution<>(lo, hi)(random_); }
  Tensor moved(const Tensor& x) {
    Sizes n;
    for (const Dim& d : x.shape()) n.push_back(*d.number());
    const int rank = static_cast<int>(n.size());
    const int64_t count = std::accumulate(n.begin(), n.end(), int64_t{1}, std::multiplies<>());
    std::vector<std::pair<Dim, Dim>> pairs;
    switch (pick(0, 7)) {
      case 0: {  // factor the elements anew
        Shape to;
        int64_t left = count;
        while (left > 1 && to.size() < 4) {
          int64_t f = pick(1, 6);
          while (left % f != 0) --f;
          to.push_back(f);
          left /= f;
        }
        to.push_back(left);
        return x.reshape(to);
      }
      case 1: {
        std::vector<int> axes(rank);
        std::iota(axes.begin(), axes.end(), 0);
        std::shuffle(axes.begin(), axes.end(), random_);
        return x.permute(axes);
      }
      case 2: return x.flip({pick(0, rank - 1)});
      case 3:
        for (int64_t e : n) {
          const int begin = pick(0, static_cast<int>(e) - 1);
          pairs.emplace_back(begin, pick(begin + 1, static_cast<int>(e)));
        }
        return x.shrink(pairs);
      case 4:
        for (int i = 0; i < rank; ++i) pairs.emplace_back(pick(0, 1), pick(0, 2));
        return count < 500 ? x.pad(pairs) : x;
      case 5: {
        Shape to = x.shape();
        to.insert(to.begin(), pick(1, 3));
        return count < 500 ? x.expand(to) : x;
      }
      case 6: return x * 2.0 + 1.0;  // not 0 at 0: padding must select
      default: return x + x.flip({pick(0, rank - 1)});
    }
  }
  using Sizes = test::Sizes;
  std::mt19937 random_;
};
}  // namespace

TEST_CASE("random movement chains") {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    const Tensor x = Chain(seed).make();
    const Plan plan = partition({x.uop()});
    REQUIRE(test::difference({x.uop()}, plan, {}, seed) == "");
  }
}
TEST_CASE("random movement chains below and above a sum") {
  for (uint32_t seed = 1000; seed < 1150; ++seed) {
    CAPTURE(seed);
    const Tensor x = Chain(seed).make(), y = x.sum({static_cast<int>(seed) % x.rank()}, true) * 2.0;
    const UOps roots{(x + y).uop(), y.uop()};
    REQUIRE(test::difference(roots, partition(roots), {}, seed) == "");
  }
}
TEST_CASE("reshape passes symbolic extents on and divides only in merged groups") {
  const UOp t = variable("T", 1, 64), a = range("a", t), b = range("b", iconst(12));
  const UOps from{t, iconst(12)}, to{iconst(1), t, iconst(3), iconst(4)};
  const UOps at = reshaped_index(from, to, UOps{a, b});
  REQUIRE(at.size() == 4);
  CHECK(at[0] == iconst(0));
  CHECK(at[1] == a);
  CHECK(at[2] == idiv(b, iconst(4)));
  CHECK(at[3] == mod(b, iconst(4)));
  const UOps merged{simplify(t * iconst(12))};
  CHECK(reshaped_index(from, merged, UOps{a, b})[0] == simplify(a * iconst(12) + b));
  CHECK_THROWS_AS(reshaped_index(from, UOps{iconst(5)}, UOps{a, b}), InternalError);
}
