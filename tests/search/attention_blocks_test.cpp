// Attention in one pass by a block of threads: the default schedules, by the interpreter, and what becomes of them when a
// barrier or a rescaling is missing.
#include <doctest/doctest.h>

#include "search/heuristic_attention_blocks.h"
#include "search/tune.h"
#include "tests/properties/equivalence.h"
#include "tests/search/block_target.h"
#include "tests/uops/sample_kernels.h"

using namespace pg;
using namespace pg::test;

namespace {

std::string wrong(const UOp& kernel, const Schedule& s) {
  const Equivalence unscheduled(RandomKernel{kernel, {}, false});
  const std::string serially = unscheduled.check(s);
  return serially.empty() ? unscheduled.check_blocks(s) : "serially: " + serially;
}
Schedule default_schedule(const UOp& kernel) {
  return *Schedule(kernel, gpu_target()).apply(heuristic(kernel, gpu_target()));
}

/// The program without its n-th barrier.
UOp without_barrier(const UOp& linear, size_t n) {
  UOps entries(linear.src().begin(), linear.src().end());
  for (size_t i = 0; i < entries.size(); ++i)
    if (entries[i].is(Op::Barrier) && n-- == 0) {
      entries.erase(entries.begin() + static_cast<long>(i));
      break;
    }
  return linear.with_src(entries);
}
size_t barriers(const UOp& linear) {
  return static_cast<size_t>(
      std::count_if(linear.src().begin(), linear.src().end(), [](const UOp& e) { return e.is(Op::Barrier); }));
}
/// The program that stores this everywhere in memories of that name.
UOp storing(const UOp& linear, const char* name, double value) {
  UOps entries;
  for (const UOp& e : linear.src()) {
    entries.push_back(e);
    if (!e.is(Op::Store) || e.src(0).src(0).arg_as<ParamArg>().name != name) continue;
    UOps src(e.src().begin(), e.src().end());
    src[1] = constant(src[1].dtype(), value);
    entries.back() = e.with_src(src);
  }
  return linear.with_src(entries);
}

/// What the orders of threads say of a program: "" or the first error.
std::string raced(const UOp& kernel, const UOp& linear) {
  for (const BlockMode& mode : block_modes(1)) {
    std::vector<Bytes> buffers = random_buffers(kernel, {}, 1);
    InterpretOptions options{.races = true};
    options.threads = mode.threads, options.copies = mode.copies, options.seed = mode.seed;
    try {
      run(linear, {}, buffers, options);
    } catch (const InternalError& e) {
      return e.what();
    }
  }
  return "";
}
std::vector<float> computed(const UOp& kernel, const UOp& linear) {
  std::vector<Bytes> buffers = random_buffers(kernel, {}, 1);
  run(linear, {}, buffers);
  return elements_of<float>(buffers[0]);
}

}  // namespace

TEST_CASE("attention by blocks of threads: many rows, few rows, one; sizes that nothing divides") {
  for (const auto& [rows, keys, width, depth] : std::initializer_list<std::array<int64_t, 4>>{{64, 64, 16, 16},
                                                                                              {70, 45, 24, 20},
                                                                                              {33, 130, 5, 7},
                                                                                              {100, 31, 66, 3},
                                                                                              {8, 300, 32, 32},
                                                                                              {3, 77, 40, 12},
                                                                                              {1, 513, 8, 64}}) {
    CAPTURE(rows);
    CAPTURE(keys);
    CAPTURE(width);
    const UOp kernel = attention(rows, keys, width, depth);
    const Schedule s = default_schedule(kernel);
    CHECK(s.online() == "j");
    CHECK(wrong(kernel, s) == "");
  }
}
TEST_CASE("attention by blocks of threads: every shape of a block that is tried") {
  for (const int64_t rows : {70, 4}) {
    const UOp kernel = attention(rows, 90, 20, 12);
    size_t legal = 0;
    for (const AttentionBlock& b : attention_blocks(kernel, gpu_target())) {
      const auto s = attention_block(kernel, gpu_target(), b);
      if (!s) continue;
      CAPTURE(text(s->opts()));
      CHECK(wrong(kernel, *s) == "");
      ++legal;
    }
    CHECK(legal >= 3);
  }
}
TEST_CASE("attention by blocks of threads: no more than a few barriers a turn, and each of them is needed") {
  for (const auto& [rows, keys] : std::initializer_list<std::array<int64_t, 2>>{{40, 100}, {4, 600}, {1, 600}}) {
    const UOp kernel = attention(rows, keys, 16, 16), linear = lower(default_schedule(kernel).scheduled(), gpu_target());
    CAPTURE(rows);
    CHECK(raced(kernel, linear) == "");
    const size_t all = barriers(linear);
    CHECK(all >= 4);
    CHECK(all <= 8);
    for (size_t n = 0; n < all; ++n) {
      CAPTURE(n);
      CHECK(raced(kernel, without_barrier(linear, n)).find("since the last barrier") != std::string::npos);
    }
  }
}
TEST_CASE("attention by blocks of threads: without rescaling, within a block or among parts, the result is another one") {
  const auto differs = [](const UOp& kernel, const char* memory, double value) {
    const UOp linear = lower(default_schedule(kernel).scheduled(), gpu_target()), mutant = storing(linear, memory, value);
    REQUIRE(!(mutant == linear));
    const std::vector<float> want = computed(kernel, linear), got = computed(kernel, mutant);
    double most = 0;
    for (size_t i = 0; i < want.size(); ++i) most = std::max<double>(most, std::abs(want[i] - got[i]));
    return most > 1e-2;
  };
  const UOp many = attention(40, 600, 16, 16), few = attention(4, 600, 16, 16);
  CHECK(differs(many, "M_scale", 1));
  CHECK(differs(few, "M_scale", 1));
  REQUIRE(default_schedule(few).grid() == std::vector<std::string>{"j"});
  CHECK(differs(few, "parts_M", 0));
  CHECK(differs(few, "parts_L", 1));
}
TEST_CASE("online: parts in the grid, on a CPU too") {
  const UOp kernel = attention(5, 70, 6, 4);
  const Equivalence unscheduled(RandomKernel{kernel, {}, false});
  CHECK(unscheduled.check("tile(out.j,16) online(j,4) grid(j) order(i j:16 d j:4)") == "");
  CHECK(unscheduled.check("tile(out.j,16) online(j,8) tile(out.d,8,vec) grid(i j) stage(S,j:16) stage(P,j:16)") == "");
  CHECK(unscheduled.check("tile(out.j,16) online(j,8) grid(j)").find("online: M has no axis d") == 0);
  CHECK(unscheduled.check("online(j,8) grid(j)") == "online: j is no loop of out");
  const Expected<Schedule> s = Schedule(kernel).apply(parse_opts("tile(out.j,16) online(j,8) grid(j) order(i j:16 d j:8)"));
  REQUIRE(s);
  CHECK(Schedule(kernel).apply(s->opts()));
  CHECK(text(Schedule(kernel).apply(s->opts())->opts()) == text(s->opts()));
}
TEST_CASE("lanes: neighbouring threads merge by exchange, beyond a warp in shared memory; no barrier within one") {
  const auto scheduled = [](const UOp& kernel, const char* opts) {
    const Expected<Schedule> s = Schedule(kernel, gpu_target()).apply(parse_opts(opts));
    REQUIRE_MESSAGE(s, s.reason());
    CHECK(text(s->opts()) == opts);
    return *s;
  };
  const UOp rows = two_sums(13, 70);
  for (const char* opts :
       {"tile(i,4,local) tile(j,32,local) grid(i) lanes(j)",
        "tile(i,4,local) tile(j,16,local) tile(j,2,upcast) grid(i) lanes(j)",
        "tile(i,2,local) tile(j,64,local) grid(i) lanes(j)", "tile(i,4,local) tile(j,24,local) grid(i) lanes(j)",
        "tile(i,3,local) tile(j,8,local) grid(i) lanes(A.j)", "tile(i,4,local) tile(j,8,local) lanes(i)"}) {
    CAPTURE(opts);
    CHECK(wrong(rows, scheduled(rows, opts)) == "");
  }
  const UOp product = gemm(24, 10, 70);
  CHECK(wrong(product, scheduled(product, "tile(m,8,local) tile(k,32,local) grid(m) lanes(k)")) == "");
  const UOp warps = lower(scheduled(product, "tile(m,8,local) tile(k,32,local) grid(m) lanes(k)").scheduled(), gpu_target());
  CHECK(barriers(warps) == 0);
  const UOp apart = lower(scheduled(product, "tile(m,8,local) tile(k,32,local) grid(m)").scheduled(), gpu_target());
  CHECK(barriers(apart) > 0);
}
